"""Nodes that read from a replica show what nodes without one would."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.nodes import GENEROUS, Installation, Node
from tests.people import MODERATORS_ROUTES, ROUTES, People, refused
from tests.replicas import Pair, primary_with_standby
from tests.servers import data_folder
from tests.waiting import DEADLINE

Nodes = tuple[Node, Node]

TURNS = 20
NOT_READ = ("the replica is not read from", "a query failed on the replica")
READS = {
    event: path for event, (method, path) in (ROUTES | MODERATORS_ROUTES).items() if method == "GET"
}


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    with data_folder() as folder:
        async with primary_with_standby(folder) as pair:
            yield pair


@pytest.fixture(scope="module")
async def nodes(
    pair: Pair, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Nodes]:
    """Two nodes that read from the standby."""
    folder: Path = tmp_path_factory.mktemp("replicated")
    installation = Installation(pair.primary.url, redis_url, folder, replica_url=pair.standby.url)
    try:
        one, other = await asyncio.gather(
            installation.start(**GENEROUS), installation.start(**GENEROUS)
        )
        yield one, other
    finally:
        await installation.close()


async def reads(node: Node) -> dict[str, float]:
    """How many queries the node had answered so far, by server."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{node.admin_url}/metrics") as answer,
    ):
        return {
            sample.labels["server"]: sample.value
            for family in text_string_to_metric_families(await answer.text())
            for sample in family.samples
            if sample.name == "vernissage_reads_total"
        }


async def is_read_from(node: Node, people: People) -> None:
    """Wait until the replica answers what the node is asked for."""
    visitor = people.visitor()
    async with asyncio.timeout(DEADLINE):
        before = await reads(node)
        while (await reads(node))["replica"] == before["replica"]:
            await visitor.gets("post:page", {}, node=node)


async def test_whatever_is_read_is_read_from_the_replica(nodes: Nodes, people: People) -> None:
    """There is no query among those of all operations that only look which it could not answer."""
    ada, mo = people.named("Ada", "Mo")
    mo.role = "moderator"
    await ada.comes_to(nodes[0])
    await mo.comes_to(nodes[0])
    post = await ada.shares("Walrus", tags=["sea", "cold"])
    await mo.likes(post)
    await mo.comments(post)
    await mo.follows(ada)
    await ada.follows(mo)
    await is_read_from(nodes[1], people)
    filters = [
        *[{"sort": sort} for sort in ("recent", "most_liked", "trending")],
        {"search": "walrus", "sort": "most_liked"},
        {"tags": "sea,cold", "asset_type": "overlay"},
        {"user_id": ada.id, "page": "2"},
    ]
    asked = [("post:page", each) for each in filters]
    asked += [("feed:page", {"feed_type": "following", "tags": "sea"})]
    for event, path in READS.items():
        named = {"{post_id}": ("post_id", post["id"]), "{user_id}": ("user_id", ada.id)}
        fields = dict(value for name, value in named.items() if name in path)
        asked.append((event, fields | ({"q": "walrus"} if event == "post:search" else {})))
    for event, fields in asked:
        async with asyncio.timeout(DEADLINE):
            before = await reads(nodes[1])
            while (await reads(nodes[1]))["replica"] == before["replica"]:
                await mo.gets(event, fields, node=nodes[1])
    assert [line for line in nodes[1].log if line["event"] == NOT_READ[1]] == []


@pytest.mark.parametrize("behind", [False, True])
async def test_one_reads_what_was_written_on_the_other_node(
    nodes: Nodes, people: People, pair: Pair, *, behind: bool
) -> None:
    """Right after the ack, by its writer and by anybody: also while the replica shows nothing of it."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    post = await ada.shares("Dusk")
    await is_read_from(nodes[1], people)

    async def write_and_read() -> None:
        for turn in range(TURNS):
            liked = turn % 2 == 0
            told = await (ada.likes(post) if liked else ada.unlikes(post))
            own = await ada.gets("post:get", {"post_id": post["id"]}, node=nodes[1])
            assert (own["is_liked"], own["like_count"]) == (liked, told["like_count"])
            assert own["seq"] >= told["seq"]
            await ada.comments(post, f"Comment {turn}")
            seen = await bob.gets("comment:page", {"post_id": post["id"]}, node=nodes[1])
            assert seen["total"] == turn + 1
            new = await ada.shares("New")
            page = await bob.gets("post:page", {}, node=nodes[1])
            assert page["items"][0]["id"] == new["id"]

    if behind:
        async with pair.behind():
            await write_and_read()
    else:
        before = await reads(nodes[1])
        await write_and_read()
        assert (await reads(nodes[1]))["replica"] > before["replica"]


async def test_who_watches_and_then_fetches_misses_nothing(
    nodes: Nodes, people: People, pair: Pair
) -> None:
    """A page is never older than the position from which its topic is watched."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    post = await ada.shares("Dusk")
    await is_read_from(nodes[1], people)
    async with pair.behind():
        for turn in range(3):
            await ada.comments(post, f"Comment {turn}")
            watched = await bob.watches(post)
            page = await bob.asks("post:page_of_user", {"user_id": ada.id})
            assert page["items"][0]["seq"] >= watched["seq"]
            assert page["items"][0]["comment_count"] == turn + 1


async def test_what_is_hidden_stays_hidden(nodes: Nodes, people: People, pair: Pair) -> None:
    """A replica that still shows it is not asked: by nobody, on no node."""
    ada, bob, mo = people.named("Ada", "Bob", "Mo")
    mo.role = "moderator"
    await ada.comes_to(nodes[0])
    await mo.comes_to(nodes[0])
    post = await ada.shares("Walrus")
    await is_read_from(nodes[1], people)
    async with pair.behind():
        await mo.asks("post:hide", {"post_id": post["id"], "hidden": True})
        with refused("COMMUNITY_POST_NOT_FOUND"):
            await bob.gets("post:get", {"post_id": post["id"]}, node=nodes[1])
        for event, fields in (
            ("post:page", {}),
            ("post:search", {"q": "walrus"}),
            ("post:page_of_user", {"user_id": ada.id}),
        ):
            page = await bob.gets(event, fields, node=nodes[1])
            assert post["id"] not in [each["id"] for each in page["items"]]


async def test_the_operator_is_told(nodes: Nodes, people: People, pair: Pair) -> None:
    """Why the replica is not read from; no request fails meanwhile."""
    await is_read_from(nodes[1], people)
    visitor = people.visitor()
    lines = len(nodes[1].log)

    def told(event: str) -> list[str]:
        return [line.get("why", "") for line in nodes[1].log[lines:] if line["event"] == event]

    await pair.standby.kill()
    async with asyncio.timeout(DEADLINE):
        while "it cannot be reached" not in told(NOT_READ[0]):
            await visitor.gets("post:page", {}, node=nodes[1])
