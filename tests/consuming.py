"""A consumer that is killed again and again while others write, and what it got in the end.

    trial = Trial(database_url, folder, by_command(environ))
    await trial.runs(kills=100)
    assert list(trial.violations) == []

Two processes of one name run as a pair, of which one waits. At random moments of its work the one that works is
killed by SIGKILL; then another is started. What it gets it puts into a file; now and then it fails halfway.
Writers hold their transactions open for a while, on crossing topics, and roll some back.
"""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from tests.nodes import PROJECT

TOPICS = [f"topic:{number}" for number in range(6)]
WRITERS = 4
NAME = "killed"
WORK_SECONDS = 60.0
"""Within which a consumer has to come on, or the trial is over."""
AHEAD = 200
"""Entries that writers may be ahead of it, so that it can catch up in the end."""

_APPEND = (
    "select topic, seq from journal_append($1, array_fill('note:taken'::text, $2),"
    " array_fill(null::text, $2), array_fill(null::text, $2), array_fill('{}'::text, $2),"
    " array_fill(null::uuid, $2))"
)

_HELPER = """\
\"\"\"Puts the lines that it gets into a file; now and then only half of them, and fails.\"\"\"
import random, sys, time

lines = sys.stdin.buffer.readlines()
fails = random.random() < 0.05
with open(sys.argv[1], "ab", buffering=0) as file:
    for line in lines[: len(lines) // 2] if fails else lines:
        file.write(line)
        time.sleep(0.0005)
sys.exit(fails)
"""

_PROGRAM = """\
\"\"\"Follows the journal by the Python API, and puts what it gets into a file.\"\"\"
import asyncio, random, sys, time
import msgspec
from store.consumers import consume

async def main(url, name, path):
    with open(path, "ab", buffering=0) as file:
        async with consume(url, name, topics=["topic:*"], batch=50, lease_seconds=1.0) as batches:
            async for batch in batches:
                fails = random.random() < 0.05
                for entry in batch.entries[: len(batch.entries) // 2] if fails else batch.entries:
                    file.write(msgspec.json.encode(entry) + b"\\n")
                    time.sleep(0.0005)
                batch.give_back() if fails else await batch.commit()

asyncio.run(main(*sys.argv[1:]))
"""

Command = Callable[[Path, Path], tuple[list[str], dict[str, str]]]
"""How a consumer is started, and in which environment, that puts what it gets into the second path's file."""


def by_command(environ: dict[str, str]) -> Command:
    """`vernissage consume`, with a program that is run for each batch."""

    def command(folder: Path, received: Path) -> tuple[list[str], dict[str, str]]:
        helper = folder / "helper.py"
        helper.write_text(_HELPER)
        program = f"{sys.executable} -I -S {helper} {received}"
        options = ["--topics", "topic:*", "--lease", "1", "--batch", "50"]
        return ["-m", "gateway", "consume", "--name", NAME, "--exec", program, *options], environ

    return command


def by_program(url: str) -> Command:
    """A program that follows the journal by the Python API."""

    def command(folder: Path, received: Path) -> tuple[list[str], dict[str, str]]:
        program = folder / "program.py"
        program.write_text(_PROGRAM)
        return [str(program), url, NAME, str(received)], dict(os.environ)

    return command


Place = tuple[str, int]


class Trial:
    """One trial; `kills` and `told` are what came of it."""

    def __init__(self, url: str, folder: Path, command: Command) -> None:
        self._url = url
        self._received = folder / "received.jsonl"
        self._received.touch()
        self._log = folder / "consumers.log"
        self._command, self._environ = command(folder, self._received)
        self._chance = random.Random()  # noqa: S311
        self._running: list[asyncio.subprocess.Process] = []
        self.kills = 0
        self.written: dict[str, int] = {}
        self.received: list[Place] = []
        """What it got so far, in order, as of the last look; a line that was cut by a kill does not count."""
        self._came: set[Place] = set()
        self._looked_to = 0

    async def runs(self, kills: int) -> None:
        """Write, and kill the consumer so many times; then stop writing, and let it catch up."""
        async with self._consumers(), self._writers():
            while self.kills < kills:
                await self._gets_something()
                await asyncio.sleep(self._chance.uniform(0, 0.15))
                await self._is_killed()

    @property
    def duplicates(self) -> int:
        """How many entries came again."""
        return len(self.received) - len(self._came)

    @property
    def violations(self) -> Iterator[str]:
        """Entries that never came, and those that came before one that they follow."""
        reached = dict.fromkeys(TOPICS, 0)
        for topic, seq in self.received:
            if seq > reached[topic] + 1:
                yield f"{topic} {seq} came after {reached[topic]}"
            reached[topic] = max(reached[topic], seq)
        for topic, head in self.written.items():
            for seq in range(1, head + 1):
                if (topic, seq) not in self._came:
                    yield f"{topic} {seq} never came"

    @property
    def behind(self) -> int:
        """How many entries it has still to get."""
        with self._received.open("rb") as file:
            file.seek(self._looked_to)
            for line in file:
                if not line.endswith(b"\n"):  # it is being written
                    break
                self._looked_to += len(line)
                entry = line[line.rindex(b'{"id"') :]  # one before may have been cut
                with suppress(json.JSONDecodeError):
                    told = json.loads(entry)
                    self.received.append((told["topic"], told["seq"]))
                    self._came.add(self.received[-1])
        return sum(self.written.values()) - len(self._came)

    @asynccontextmanager
    async def _writers(self) -> AsyncIterator[None]:
        ending = asyncio.Event()
        tasks = [asyncio.create_task(self._write(ending)) for _ in range(WRITERS)]
        try:
            yield
        finally:
            ending.set()
            await asyncio.gather(*tasks)

    async def _write(self, ending: asyncio.Event) -> None:
        chance = random.Random(self._chance.random())  # noqa: S311
        connection = await asyncpg.connect(self._url)
        try:
            while not ending.is_set():
                if self.behind > AHEAD:
                    await asyncio.sleep(0.02)
                    continue
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute("select pg_current_xact_id()")
                await asyncio.sleep(chance.choice((0, 0, 0.005, 0.02)))
                topics = chance.sample(TOPICS, chance.randint(1, 3))
                rows = await connection.fetch(_APPEND, topics, [len(topics)])
                if chance.random() < 0.1:
                    await transaction.rollback()
                    continue
                await transaction.commit()
                for row in rows:
                    self.written[row["topic"]] = max(row["seq"], self.written.get(row["topic"], 0))
                await asyncio.sleep(chance.uniform(0, 0.02))
        finally:
            await connection.close()

    @asynccontextmanager
    async def _consumers(self) -> AsyncIterator[None]:
        """Two of them; in the end the one that is left gets everything."""
        try:
            await self._start()
            await self._start()
            yield
            with suppress(TimeoutError):  # then entries are missing, which the violations tell
                async with asyncio.timeout(WORK_SECONDS):
                    while self.behind:
                        await asyncio.sleep(0.05)
        finally:
            for process in self._running:
                process.terminate()
            codes = await asyncio.gather(*(process.wait() for process in self._running))
            assert {*codes} <= {0, -signal.SIGTERM}, self._log.read_text()[-3000:]

    async def _start(self) -> None:
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *self._command),
                cwd=PROJECT,
                env=self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        self._running.append(process)

    async def _gets_something(self) -> None:
        before = self._received.stat().st_size
        async with asyncio.timeout(WORK_SECONDS):
            while self._received.stat().st_size == before:
                await asyncio.sleep(0.002)

    async def _is_killed(self) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            held_by = await connection.fetchval(
                "select held_by from consumers where name = $1 and held_until > clock_timestamp()",
                NAME,
            )
        finally:
            await connection.close()
        for process in self._running:
            if held_by is not None and held_by.endswith(f":{process.pid}"):
                process.kill()
                await process.wait()
                self._running.remove(process)
                self.kills += 1
                print(
                    f"kill {self.kills}: process {process.pid}, {len(self.received):,} entries got,"
                    f" {self.duplicates:,} of them again"
                )
                await self._start()
                return
