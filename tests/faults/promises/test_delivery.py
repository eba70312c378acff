"""What was written reaches those who watch: P3, P4, P5."""

import asyncio
import random
import time
from collections.abc import Sequence

import pytest

from tests.faults import checkers
from tests.faults.budget import BUDGET
from tests.faults.clients import Client
from tests.faults.crowd import gathered
from tests.faults.dropping import Dropping
from tests.faults.place import Place
from tests.faults.promise import Promise
from tests.proxy import Way

REACH_SECONDS = 5.0
HELD_SECONDS = 0.5
"""For which what goes to PostgreSQL, or comes back, is held before the crash."""
UNNOTICED_SECONDS = 1.0
"""Within which a node does not notice that PostgreSQL keeps silent."""
TRIES = 10
DROPPED = 0.1
"""The share of the messages of Redis that are lost."""
EQUAL_SECONDS = 10.0
AWAY_SECONDS = (0.1, BUDGET.away)
"""For which clients are cut off; most of them briefly."""
CUT_SECONDS = 10.0 if BUDGET.cycles > 1 else 5.0
"""Of one cycle: meanwhile every client is cut off about once."""


async def test_p4_a_watcher_misses_nothing_sees_nothing_twice_in_order(
    place: Place, promise: Promise
) -> None:
    """A watcher misses nothing, sees nothing twice, in order.

    Clients are cut at random and come back to either node, whose workers are killed meanwhile. (Where a
    replay left out its newest entry, 100 clients found 88 violations.)
    """
    chance = random.Random(4)  # noqa: S311
    async with gathered(place) as crowd:
        crowd.begin_to_write()
        for cycle in range(BUDGET.cycles):
            for client in chance.sample(crowd.watchers, len(crowd.watchers)):
                low, high = AWAY_SECONDS
                client.cut(away=low * (high / low) ** chance.random())
                promise.faults["clients cut"] += 1
                await asyncio.sleep(CUT_SECONDS / len(crowd.watchers))
            place.stations[cycle % 2].kill_worker()
            promise.faults["workers killed"] += 1
        await crowd.comes_to_rest()
        await crowd.judge(promise)
        promise.figures["heard"] = crowd.heard
    promise.is_kept()


async def test_p3_committed_means_published(place: Place, promise: Promise) -> None:
    """Every committed entry reaches every watcher within 5 s, whenever its writer's node crashes.

    Before the commit, after it but before its reply, after the ack but before it is published, and at any
    moment. Watchers are on the other node; its look at the heads tells them what nobody published. (Without
    it 16 entries of short topics never came.)
    """
    crashing, staying = place.stations
    ways = {"before commit": Way.THERE, "after commit": Way.BACK}

    async def stall(moment: str) -> None:
        """Bring half of the writers into that moment."""
        half = len(crowd.writers) // 2
        if moment == "before publishing":  # what is acknowledged now is told to nobody
            crashing.bus.stall(Way.THERE)
            await crowd.wrote(half)
        if (way := ways.get(moment)) is None:
            return
        for _ in range(TRIES):
            crashing.database.stall(way)
            if await crowd.waits(half, UNNOTICED_SECONDS):
                await asyncio.sleep(HELD_SECONDS)
                return
            # Too slow: by now the node refuses whatever comes, and nobody is in the middle of anything.
            await crashing.mend()
            await place.is_well()
            await crowd.wrote(half)
        pytest.fail(f"not once were {half} writers in the middle of a command")

    async with gathered(
        place, watch_at=[staying.url], write_at=[crashing.url], faithful=True
    ) as crowd:
        for _ in range(BUDGET.cycles):
            for moment in (*ways, "before publishing", "at any moment"):
                crowd.begin_to_write()
                await crowd.wrote(len(crowd.writers))
                await stall(moment)
                await crashing.kill()  # a worker that dies so often is not started again at once
                await crashing.database.reset()
                await crashing.bus.reset()
                await crashing.mend()
                await crashing.begin_again()
                promise.faults[f"crashes {moment}"] += 1
                await crowd.stops_writing()
        await crowd.comes_to_rest()
        violations: list[str] = []
        journal, slowest = await crowd.journal(), 0.0
        for watcher in crowd.watchers:
            for topic, screen in watcher.screens.items():
                violations += checkers.late(screen, journal[topic], REACH_SECONDS)
                slowest = max(slowest, *checkers.delays(screen, journal[topic]), 0.0)
        await crowd.judge(promise, violations)
        promise.figures["slowest, s"] = slowest
    promise.is_kept()


async def test_p5_counts_converge_and_never_go_back_on_a_screen(
    place: Place, promise: Promise
) -> None:
    """Counts converge and never go back on a screen, though 10 % of what Redis tells is lost.

    Each writer likes each post once, so that no count may ever shrink. (Where a feed passed on what it had
    seen, 100 screens found 896 violations.)
    """
    chance = random.Random(5)  # noqa: S311
    lines: list[Dropping] = []

    def line() -> Dropping:
        lines.append(Dropping(DROPPED, chance))
        return lines[-1]

    async with gathered(place) as crowd:
        for station in place.stations:
            await station.bus.change(line)
        await place.is_well()

        async def likes_all(writer: Client) -> None:
            for post in chance.sample(crowd.posts, len(crowd.posts)):
                await writer.does(crowd.history, "post:like", post, {"post_id": post})
                await asyncio.sleep(len(crowd.writers) / BUDGET.per_second)

        await asyncio.gather(*map(likes_all, crowd.writers))
        quiet_at = time.time()
        await crowd.comes_to_rest()
        promise.faults["messages dropped"] = sum(each.dropped for each in lines)
        promise.figures["until all were equal, s"] = time.time() - quiet_at
        violations: list[str] = []
        if time.time() - quiet_at > EQUAL_SECONDS:
            violations.append("counts took longer to converge")
        right = await _like_counts(place, crowd.posts)
        for watcher in crowd.watchers:
            (topic,) = watcher.topics
            screen = watcher.screens[topic]
            violations += checkers.going_back(screen, {"post:liked"})
            shown = {topic: screen[-1].heard[-1].count or 0}
            violations += checkers.unequal(watcher.name, shown, {topic: right[topic]})
        await crowd.judge(promise, violations)
    promise.is_kept()


async def _like_counts(place: Place, posts: Sequence[str]) -> dict[str, int]:
    rows = await place.fetch(
        "select post_id::text, count(*) as likes from community_likes"
        " where post_id = any ($1::uuid[]) group by post_id",
        posts,
    )
    return {f"post:{row['post_id']}": row["likes"] for row in rows}
