"""Two nodes on a Valkey cluster of three shards: people notice nothing of it, not even when a shard fails."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.nodes import GENEROUS, Installation, Node
from tests.people import People, Person
from tests.screens import NODE_POLLING
from tests.servers import FreshDatabase
from tests.valkeys import ValkeyCluster, ValkeyNode
from tests.waiting import DEADLINE

Nodes = tuple[Node, Node]


@pytest.fixture(scope="module")
async def nodes(
    fresh_database: FreshDatabase,
    valkey_cluster: ValkeyCluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Nodes]:
    folder = tmp_path_factory.mktemp("on-a-cluster")
    installation = Installation(await fresh_database(), valkey_cluster.url, folder)
    one, other = await asyncio.gather(
        installation.start(**GENEROUS), installation.start(**GENEROUS)
    )
    yield one, other
    await installation.close()
    assert [error for node in (one, other) for error in node.errors] == []


async def is_ready(node: Node) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(2 * DEADLINE):
        while True:
            async with http.get(f"{node.url}/readyz") as answer:
                if (await answer.json())["status"] == "ready":
                    return
            await asyncio.sleep(0.05)


async def test_a_shard_is_killed_while_people_talk(
    nodes: Nodes, people: People, valkey_cluster: ValkeyCluster
) -> None:
    """No write fails, everybody sees everything once and in order, and soon all is as before."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1], NODE_POLLING)
    post = await ada.shares()
    for person in (ada, bob):
        await person.watches(post)
    await ada.sees("presence:changed", viewers=2)
    await ada.likes(post)
    await bob.sees("post:liked", like_count=1)

    dead, channel = await where_told(valkey_cluster, post)
    quiet = asyncio.Event()
    talking = [asyncio.create_task(talks(person, post, quiet)) for person in (ada, bob)]
    await bob.sees("comment:created")
    await dead.kill()
    async with asyncio.timeout(2 * DEADLINE):
        while await valkey_cluster.shares_shard(channel, dead):
            await asyncio.sleep(0.05)
    for node in nodes:
        await is_ready(node)
    quiet.set()
    said = {each for some in await asyncio.gather(*talking) for each in some}
    last = await ada.comments(post, "That was all.")
    for person in (ada, bob):
        await person.sees("comment:created", comment_count=len(said) + 1)
        told = person.screen.told(post["topic"])
        heard = [each.data["comment"]["id"] for each in told if each.name == "comment:created"]
        assert len(heard) == len(said) + 1
        assert {*heard} == {*said, last["id"]}
        seqs = person.screen.seqs(post["topic"])
        assert seqs == list(range(seqs[0], seqs[-1] + 1))
        assert person.screen.disconnected is None
    await dead.start()
    await valkey_cluster.is_whole()


async def where_told(cluster: ValkeyCluster, post: Any) -> tuple[ValkeyNode, str]:
    """The server at which nodes hear of the post, and the channel."""
    for node in cluster.nodes:
        for channel in await node.ask("PUBSUB", "SHARDCHANNELS", f"*:{post['topic']}"):
            return node, channel
    raise AssertionError("nobody hears of the post")


async def talks(person: Person, post: Any, quiet: asyncio.Event) -> list[str]:
    """Comments one after the other, none of which may be refused; their ids."""
    said = []
    while not quiet.is_set():
        said.append((await person.comments(post, f"And {len(said)}"))["id"])
        await asyncio.sleep(0.05)
    return said
