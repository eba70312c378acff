"""What is promised, on the cluster: a shard and a node are killed while people watch and write."""

import asyncio
import signal

from tests.cluster.cluster import Cluster
from tests.faults.crowd import gathered
from tests.people import People, refused
from tests.screens import NODE_POLLING, NODE_UPGRADED, NODE_WEBSOCKET
from tests.store.audit import assert_sound

WATCHERS, WRITERS, TOPICS = 60, 12, 6
PER_SECOND = 60.0
BETWEEN = 60
"""Commands from one fault to the next."""


async def test_people_are_on_all_nodes(cluster: Cluster, people: People) -> None:
    """Over every transport, through one door; and pages are read from the replica."""
    ada, *others = people.named("Ada", *(f"Watcher {number}" for number in range(9)))
    await ada.comes_to(cluster.door)
    post = await ada.shares()
    for number, other in enumerate(others):
        over = (NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED)[number % 3]
        await other.comes_to(cluster.door, over)
        await other.watches(post)
        await other.likes(post)
    names = {person.screen.ready["node"] for person in (ada, *others)}
    assert len(names) > 1
    for other in others:
        await other.sees("post:liked", like_count=len(others))
        assert (await other.gets("post:get", {"post_id": post["id"]}))["like_count"] == len(others)


async def test_a_shard_and_a_node_die_and_nothing_is_lost(cluster: Cluster) -> None:
    """Every acknowledged write survives; every watcher hears every entry once and in order, wherever it was.

    The node comes back, and so does the shard's server, as a replica of the one that took its place.
    """
    async with gathered(
        cluster,  # type: ignore[arg-type]
        watchers=WATCHERS,
        writers=WRITERS,
        topics=TOPICS,
    ) as crowd:
        crowd.begin_to_write(PER_SECOND)
        await crowd.wrote(BETWEEN)

        shard = await cluster.shards.primary_of(f"post:{crowd.posts[0]}")
        await shard.kill()
        await crowd.wrote(BETWEEN)
        await cluster.nodes[1].stop(signal.SIGKILL)
        await crowd.wrote(BETWEEN)
        await cluster.door.marks("machine-2")

        await asyncio.gather(shard.start(), cluster.start(1))
        await cluster.shards.is_whole()
        await crowd.wrote(BETWEEN)
        await cluster.door.marks()
        await crowd.comes_to_rest()
        assert await crowd.violations() == []
        assert crowd.history.acknowledged > 3 * BETWEEN
    async with cluster.database() as database:
        await assert_sound(database)


async def test_a_node_that_drains_loses_nobody(cluster: Cluster) -> None:
    """Its clients come back to the others; it ends with exit code 0."""
    async with gathered(
        cluster,  # type: ignore[arg-type]
        watchers=WATCHERS,
        writers=WRITERS,
        topics=TOPICS,
    ) as crowd:
        crowd.begin_to_write(PER_SECOND)
        await crowd.wrote(BETWEEN)
        assert await cluster.nodes[2].stop(signal.SIGTERM) == 0
        await crowd.wrote(BETWEEN)
        await cluster.start(2)
        await crowd.comes_to_rest()
        assert await crowd.violations() == []


async def test_while_the_database_is_away_polls_go_on(cluster: Cluster, people: People) -> None:
    """No node is ready then, and HAProxy asks all that live; they refuse themselves, and sockets stay."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(cluster.door, NODE_POLLING)
    await bob.comes_to(cluster.door, NODE_WEBSOCKET)
    post = await ada.shares()
    await bob.watches(post)
    await cluster.way.cut()
    await cluster.door.marks("machine-1", "machine-2", "machine-3")
    with refused("UNAVAILABLE"):
        await ada.likes(post)
    await cluster.way.mend()
    await cluster.door.marks()
    assert (await ada.likes(post))["like_count"] == 1
    await bob.sees("post:liked", like_count=1)
    assert ada.screen.disconnected is None
    assert bob.screen.disconnected is None
