"""Other programs follow the journal by `vernissage consume`."""

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.consuming.program import Program
from gateway.startup import CannotStart
from store.database import Database
from tests.consuming import Trial, by_program
from tests.nodes import PROJECT, Installation, Node
from tests.people import People
from tests.waiting import until

KILLS = 5
"""`make faults` does it a hundred times: tests/faults/promises/test_consumers.py."""


class Consumer:
    """A running `vernissage consume`, whose program puts what it gets into a file."""

    def __init__(self, process: asyncio.subprocess.Process, file: Path, log: Path) -> None:
        self.process = process
        self._file = file
        self._log = log

    @property
    def got(self) -> list[dict[str, Any]]:
        """What the program got so far."""
        return [json.loads(line) for line in self._file.read_text().splitlines()]

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def gets(self, count: int) -> list[dict[str, Any]]:
        """Wait until it got so many entries."""
        await until(lambda: len(self.got) >= count, f"{count} entries", 60)
        return self.got

    async def ends(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 60)


@pytest.fixture
def consuming(installation: Installation, tmp_path: Path) -> Any:
    """Runs `vernissage consume --name NAME --exec COMMAND OPTIONS…`; `{file}` in the command is where to put it."""

    @asynccontextmanager
    async def run(
        name: str, *options: str, command: str = "sh -c 'cat >> {file}'"
    ) -> AsyncIterator[Consumer]:
        file, log = tmp_path / f"{name}.jsonl", tmp_path / f"{name}.log"
        file.touch()
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "consume", "--name", name),
                *("--exec", command.format(file=file), *options),
                cwd=PROJECT,
                env=installation.environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stderr=stderr,
            )
        try:
            yield Consumer(process, file, log)
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 60)

    return run


async def test_a_program_gets_what_happens(
    nodes: tuple[Node, Node],
    people: People,
    database: Database,
    installation: Installation,
    consuming: Any,
) -> None:
    """Each entry as a line of JSON, from the beginning and as it happens; the next start goes on from there."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    post = await ada.shares("Dusk")
    options = ("--topics", "post:*", "--events", "post:liked,comment:*")
    await bob.likes(post)
    async with consuming("search", *options) as consumer:
        (liked,) = await consumer.gets(1)
        comment = await bob.comments(post, "Lovely.")
        created = (await consumer.gets(2))[1]
        assert (liked["type"], created["type"]) == ("post:liked", "comment:created")
        assert liked["topic"] == created["topic"] == post["topic"]
        assert created["seq"] == liked["seq"] + 1
        assert liked["data"]["like_count"] == 1
        assert created["data"]["comment"]["content"] == "Lovely."
        assert created["subject"] == f"comment:{comment['id']}"
        assert len({liked["id"], created["id"]}) == 2
        await _committed(database, "search", 2)
        consumer.process.send_signal(signal.SIGTERM)
        assert await consumer.ends() == 0
    await bob.deletes(comment)
    async with consuming("search", *options) as consumer:
        deleted = (await consumer.gets(3))[2]
        assert (deleted["type"], deleted["seq"]) == ("comment:deleted", created["seq"] + 1)
        await _committed(database, "search", 3)
        stands = json.loads(await installation.command("consumers", "list", "--json"))
        assert [each["state"] for each in stands if each["name"] == "search"] == ["running"]
    await installation.command("consumers", "reset", "search", "--from", "beginning")
    async with consuming("search", *options) as consumer:
        again = (await consumer.gets(6))[3:]
        assert [entry["id"] for entry in again] == [
            entry["id"] for entry in (liked, created, deleted)
        ]
        assert again[1]["data"] is None  # deleted since
    await installation.command("consumers", "remove", "search")
    assert "search" not in await installation.command("consumers", "list")


async def test_a_batch_that_failed_comes_again(
    installation: Installation, database: Database, consuming: Any, tmp_path: Path
) -> None:
    """Until the program ends with 0; the gateway's secrets are not in its environment."""
    await _appends(database, "failing:1", 2)
    script = tmp_path / "fails_once.sh"
    script.write_text(
        "cat >> $1\n"
        'test -z "$VERNISSAGE_JWT_SECRET" || exit 2\n'
        'test -n "$DATABASE_URL" || exit 3\n'
        "test -e $1.failed && exit 0\n"
        "touch $1.failed\n"
        "exit 1\n"
    )
    command = f"sh {shlex.quote(str(script))} {{file}}"
    async with consuming("failing", "--topics", "failing:*", command=command) as consumer:
        assert [entry["seq"] for entry in await consumer.gets(4)] == [1, 2, 1, 2]
        await _appends(database, "failing:1", 1)
        assert [entry["seq"] for entry in await consumer.gets(5)] == [1, 2, 1, 2, 3]
        assert '"exit_code":1' in consumer.log.replace(" ", "")


async def test_a_program_ends_with_its_consumer(
    database: Database, consuming: Any, tmp_path: Path
) -> None:
    """Whether that is told to end, or killed: nobody goes on with a batch that another one does."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent is gone")
    await _appends(database, "long:1", 1)
    pids = tmp_path / "pids"
    pids.touch()
    command = f"sh -c 'echo $$ >> {pids}; exec sleep 300'"
    for how in (signal.SIGTERM, signal.SIGKILL):
        async with consuming(f"long-{how.name.lower()}", command=command) as consumer:
            before = len(pids.read_text().split())
            await until(lambda: len(pids.read_text().split()) > before, "its program", 60)  # noqa: B023
            pid = int(pids.read_text().split()[-1])
            consumer.process.send_signal(how)
            await consumer.ends()
            await until(lambda: not _lives(pid), "the program's end", 60)  # noqa: B023


async def test_a_consumer_says_why_it_cannot_go_on(
    installation: Installation, database: Database, consuming: Any
) -> None:
    """In one line, with the command that helps."""
    await _appends(database, "history:1", 1)
    async with consuming("history") as consumer:
        await consumer.gets(1)
    await installation.command("epoch", "--bump")
    async with consuming("history") as consumer:
        assert await consumer.ends() == 1
        assert "vernissage consumers reset history" in consumer.log.splitlines()[-1]


def test_what_is_no_command_is_refused() -> None:
    """Before anything is started."""
    for command, says in (("cat 'x", "No closing quotation"), ("", "--exec is empty")):
        with pytest.raises(CannotStart, match=says):
            Program(command, seconds=1, environ={})


async def test_a_consumer_that_is_killed_misses_nothing(
    installation: Installation, tmp_path: Path
) -> None:
    """At random moments, while others write: each entry comes, in the order of its topic."""
    trial = Trial(installation.database_url, tmp_path, by_program(installation.database_url))
    await trial.runs(KILLS)
    assert list(trial.violations) == []
    assert trial.kills == KILLS


async def _committed(database: Database, name: str, entries: int) -> None:
    async with asyncio.timeout(60):
        while True:
            (row,) = await database.fetch("select entries from consumers where name = $1", name)
            if row["entries"] == entries:
                return
            await asyncio.sleep(0.02)


async def _appends(database: Database, topic: str, times: int) -> None:
    for _ in range(times):
        await database.fetch(
            "select journal_append(array[$1], array['note:taken'], array[null::text], array[null::text],"
            " array['{}'], array[null::uuid])",
            topic,
        )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
