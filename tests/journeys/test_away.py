"""What people notice while Redis or PostgreSQL is away, silent, or has forgotten everything."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest
from redis.asyncio import Redis

from tests.nodes import GENEROUS, Installation, Node
from tests.people import People, Person, refused
from tests.proxy import Proxy
from tests.screens import NODE_POLLING, NODE_WEBSOCKET, Refused
from tests.servers import FreshDatabase

LIVE_SECONDS = 1.0
TOLD_SECONDS = 3.0
HEALTHY_SECONDS = 5.0


class World(NamedTuple):
    """Two nodes, and what stands between them and their servers."""

    nodes: tuple[Node, Node]
    database: Proxy
    redis: Proxy


@pytest.fixture(scope="module")
async def world(
    fresh_database: FreshDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Proxy.before(await fresh_database()))
        redis = await stack.enter_async_context(Proxy.before(redis_url))
        installation = Installation(database.url, redis.url, tmp_path_factory.mktemp("away"))
        stack.push_async_callback(installation.close)
        nodes = [await installation.start(**GENEROUS) for _ in range(2)]
        yield World((nodes[0], nodes[1]), database, redis)


async def on_both(people: People, world: World) -> tuple[Person, Person, Any]:
    """One at each node, and a post of the first that both watch."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(world.nodes[0])
    await bob.comes_to(world.nodes[1], NODE_POLLING)
    post = await ada.shares()
    await ada.watches(post)
    await bob.watches(post)
    return ada, bob, post


async def stays_live(one: Person, other: Person, post: Any, said: str) -> float:
    """Comments go on, both ways; the longest that one took from its ack to the other's screen."""
    longest = 0.0
    for n in range(2):
        writer, reader = (one, other) if n % 2 else (other, one)
        written = await writer.comments(post, f"{said} {n}")
        acked = time.monotonic()
        await reader.screen.until(
            lambda reader=reader, written=written: next(
                (
                    event
                    for event in reader.screen.events
                    if event.name == "comment:created"
                    and event.data["comment"]["id"] == written["id"]
                ),
                None,
            ),
            f"{said} {n}",
        )
        longest = max(longest, time.monotonic() - acked)
    return longest


@pytest.mark.parametrize("how", ["cut", "silent"])
async def test_redis_may_go(world: World, people: People, how: str) -> None:
    """No write fails; watchers on other nodes see entries within a second, newcomers too; then all is as before."""
    ada, bob, post = await on_both(people, world)
    if how == "cut":
        await world.redis.cut()
    else:
        world.redis.stall()
    # The first ones come while nobody has found out yet.
    assert await stays_live(ada, bob, post, "at once") < LIVE_SECONDS
    (carol,) = people.named("Carol")
    await carol.comes_to(world.nodes[1])
    await carol.watches(post)
    other = await carol.shares("Another")
    await asyncio.gather(ada.watches(other), bob.watches(other))
    assert await stays_live(ada, carol, post, "meanwhile") < LIVE_SECONDS
    assert await stays_live(bob, ada, other, "of another") < LIVE_SECONDS
    if how == "cut":
        await world.redis.mend()
    else:
        world.redis.go_on()
    returned = time.monotonic()
    while await stays_live(ada, bob, post, "afterwards") > LIVE_SECONDS / 10:
        assert time.monotonic() - returned < HEALTHY_SECONDS
    for person in (ada, bob, carol):
        seqs = person.screen.seqs(post["topic"])
        assert seqs == list(range(seqs[0], seqs[-1] + 1))  # nothing twice, nothing missed
        assert person.screen.disconnected is None


async def test_redis_may_forget_everything(world: World, people: People, redis_url: str) -> None:
    """After a FLUSHALL in the midst of it nobody notices anything."""
    ada, bob, post = await on_both(people, world)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
        assert await stays_live(ada, bob, post, "flushed") < LIVE_SECONDS
        await redis.script_flush()
        assert await stays_live(ada, bob, post, "flushed again") < LIVE_SECONDS


async def answers(what: Awaitable[Any]) -> str:
    """`ok`, or the code of the refusal."""
    try:
        await what
    except Refused as refusal:
        return refusal.code
    return "ok"


@pytest.mark.parametrize("how", ["cut", "silent"])
async def test_postgresql_may_go(world: World, people: People, how: str) -> None:
    """Over sockets and REST `UNAVAILABLE` within 3 s, and no ack of what is not kept; healthy within 5 s after."""
    ada, bob, post = await on_both(people, world)
    if how == "cut":
        await world.database.cut()
    else:
        world.database.stall()
    gone = time.monotonic()

    async def is_told(what: Any) -> None:
        with refused("UNAVAILABLE") as caught:
            await what
        assert caught.value.retry_after is not None
        assert time.monotonic() - gone < TOLD_SECONDS

    command = {"post_id": post["id"], "content": "lost?"}
    await asyncio.gather(
        is_told(ada.comments(post, "lost?")),
        is_told(bob.likes(post)),
        is_told(ada.gets("comment:create", command)),
        is_told(ada.gets("feed:page", {}, node=world.nodes[1])),
    )
    for person in (ada, bob):  # by now everybody is told at once
        asked = time.monotonic()
        with refused("UNAVAILABLE"):
            await person.asks("feed:page", {})
        assert time.monotonic() - asked < LIVE_SECONDS
        assert person.screen.disconnected is None
    if how == "cut":
        await world.database.mend()
    else:
        world.database.go_on()
    back = time.monotonic()
    # Each node finds out by itself.
    while await answers(ada.asks("feed:page", {})) != "ok":
        assert time.monotonic() - back < HEALTHY_SECONDS
        await asyncio.sleep(0.05)
    while await answers(bob.asks("feed:page", {})) != "ok":
        assert time.monotonic() - back < HEALTHY_SECONDS
        await asyncio.sleep(0.05)
    liked = await ada.likes(post)
    await bob.sees("post:liked", like_count=liked["like_count"])
    # What was refused may be there or not: whoever watches has been told of exactly what is.
    kept = (await ada.asks("comment:page", {"post_id": post["id"]}))["items"]
    await bob.screen.reaches(post["topic"], liked["seq"])
    told = [event for event in bob.screen.told(post["topic"]) if event.name == "comment:created"]
    assert [event.data["comment"]["id"] for event in told] == [each["id"] for each in kept]
    (carol,) = people.named("Carol")
    await carol.comes_to(world.nodes[0], NODE_WEBSOCKET)
