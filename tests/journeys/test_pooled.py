"""A node behind pgbouncer in transaction mode serves as any other."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from tests.bouncer import pgbouncer
from tests.nodes import GENEROUS, PROJECT, Installation, Node
from tests.people import People
from tests.screens import NODE_POLLING
from tests.servers import FreshDatabase, data_folder


@pytest.fixture(scope="module")
async def installation(
    fresh_database: FreshDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """A fresh database that is not migrated, behind pgbouncer."""
    direct_url = await fresh_database(migrated=False)
    folder = tmp_path_factory.mktemp("pooled")
    with data_folder() as place:
        async with pgbouncer(direct_url, place) as url:
            installation = Installation(url, redis_url, folder, direct_url=direct_url)
            try:
                yield installation
            finally:
                await installation.close()
    assert [error for node in installation.nodes for error in node.errors] == []


@pytest.fixture(scope="module")
async def machine(installation: Installation) -> Node:
    await asyncio.gather(*(installation.command("migrate") for _ in range(2)))
    return await installation.start(workers="2", **GENEROUS)


async def test_people_come_write_and_see(machine: Node, people: People) -> None:
    """What one does the others see, over sockets and REST, whichever worker they are on."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(machine)
    await bob.comes_to(machine, over=NODE_POLLING)
    post = await ada.shares("Dusk", tags=["sea"])
    await bob.watches(post)
    for turn in range(10):
        await ada.likes(post)
        await bob.sees("post:liked", like_count=1)
        await ada.comments(post, f"Comment {turn}")
        await bob.sees("comment:created", comment_count=turn + 1)
        await ada.unlikes(post)
        await bob.sees("post:unliked", like_count=0)
    await bob.follows(ada)
    seen = await ada.gets("post:page", {"tags": "sea"})
    assert [each["comment_count"] for each in seen["items"]] == [10]
    notified = await ada.gets("notification:page", {})
    assert notified["items"]


async def test_what_is_stored_twice_agrees(installation: Installation, machine: Node) -> None:
    """The audit finds nothing, for nothing of what the gateway wrote was taken for others'."""
    assert await installation.command("audit")  # which fails where something differs


@pytest.mark.usefixtures("machine")
async def test_without_the_way_past_it_nothing_starts(installation: Installation) -> None:
    """One line says what to give."""
    environment = installation.environment() | {"DATABASE_DIRECT_URL": ""}
    program = [sys.executable, "-m", "gateway", "demo"]
    said = await asyncio.to_thread(
        subprocess.run, program, env=environment, cwd=PROJECT, capture_output=True, check=False
    )
    assert said.returncode == 1
    assert said.stderr.splitlines()[-1].startswith(b"vernissage: DATABASE_URL leads to a pooler")
