"""An operator has somebody told by HTTP of what happens."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import aiohttp
import pytest

from store.database import open_database
from store.webhooks import Webhooks
from tests.nodes import GENEROUS, PROJECT, Installation
from tests.people import People
from tests.receiver import Receiver, receiving
from tests.waiting import until


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_an_endpoint_is_told_what_happens(
    unsteady: Installation, people: People, receiver: Receiver
) -> None:
    """Of the events that it is for, signed by the secret that was shown once; past the death of a worker."""
    node = await unsteady.start(**GENEROUS)
    printed = await unsteady.command("webhooks", "add", receiver.url, "--events", "post:*liked")
    endpoint, secret = printed.split()
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(node)
    await bob.comes_to(node)
    post = await ada.shares("Dusk")
    await bob.likes(post)
    (liked,) = await receiver.gets(1)
    assert liked.signed_by(secret)
    assert (liked.body["type"], liked.body["topic"]) == ("post:liked", post["topic"])
    assert liked.body["data"]["like_count"] == 1

    (worker,) = node.workers
    os.kill(worker, signal.SIGKILL)
    async with open_database(unsteady.database_url, connections=1) as database:  # as time does
        await database.fetch("update consumers set held_until = now()")
    (cem,) = people.named("Cem")
    await cem.comes_to(node)
    await cem.likes(post)
    # The first one comes again where the worker had not yet noted that it was taken.
    await until(lambda: len({message.place for message in receiver.taken}) == 2, "both likes", 60)
    assert receiver.taken[-1].body["data"]["like_count"] == 2
    assert {message.id for message in receiver.taken[:-1]} == {liked.id}
    async with aiohttp.ClientSession() as http:
        told = ""
        async with asyncio.timeout(60):
            while f'vernissage_consumer_stopped{{consumer="webhook:{endpoint}"}} 0.0' not in told:
                async with http.get(f"{node.admin_url}/metrics") as answer:
                    told = await answer.text()
                await asyncio.sleep(0.1)
    assert 'vernissage_webhook_endpoints{state="active"} 1.0' in told
    await unsteady.command("webhooks", "remove", endpoint)


COMMANDS = """
import sys
from click.testing import CliRunner
from gateway.cli import cli

for line in sys.argv[1:]:
    done = CliRunner().invoke(cli, ["webhooks", *line.split()])
    print(line.split()[0], done.exit_code, done.exception or done.stdout.strip().replace("\\n", " | "))
"""


async def test_every_command_does_what_it_says(unsteady: Installation, receiver: Receiver) -> None:
    """Those that need no node: they write into the database."""
    endpoint, nobody = uuid4(), uuid4()
    async with open_database(unsteady.database_url, connections=1) as database:
        store = Webhooks(database)
        await store.add(endpoint, receiver.url, ["post:*"], ["*"], b"sealed", "now")
        await store.disable(endpoint, "it is a test")
        for seq in (1, 2):
            await database.fetch(
                "insert into webhook_messages (endpoint_id, topic, seq, type, at, dead_at)"
                " values ($1, 'post:1', $2, 'post:liked', now(), now())",
                endpoint,
                seq,
            )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", COMMANDS, "list", "dead", f"redeliver {endpoint} --seq 1"),
            *(f"discard {endpoint} --topic post:1", "dead --json", f"rotate {endpoint}"),
            *(f"enable {endpoint}", f"disable {endpoint}", f"disable {endpoint}"),
            *(f"remove {endpoint}", f"remove {nobody}", "list --json", "add x --events *"),
            cwd=PROJECT,
            env=unsteady.environment(),
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await asyncio.wait_for(process.communicate(), 60)
        assert await store.all() == []
    lines = printed.decode().splitlines()
    for line, says in zip(
        lines,
        (
            rf"list 0 .*\| {endpoint} +disabled +0 +2 +post:\* .*it is a test",
            rf"dead 0 .*\| {endpoint} +post:1 +[12] +post:liked .*\| {endpoint} .*",
            "redeliver 0 1",
            "discard 0 1",
            r"dead 0 \[\]",
            "rotate 0 whsec_.*",
            "enable 0 ",
            "disable 0 ",
            f"disable 1 there is no such endpoint, or nothing to change of it: {endpoint}",
            "remove 0 ",
            f"remove 1 there is no such endpoint.*{nobody}",
            r"list 0 \[\]",
            "add 1 'x' is no URL such as http.*",
        ),
        strict=True,
    ):
        assert re.fullmatch(says, line), line


async def test_a_machine_without_a_key_adds_nothing(unsteady: Installation) -> None:
    """In production nobody makes one up."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "webhooks", "add", "https://a.example", "--events", "*"),
        cwd=PROJECT,
        env=unsteady.environment(env="production"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert "VERNISSAGE_WEBHOOK_KEY must be given" in told.decode().splitlines()[-1]
