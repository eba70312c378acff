"""Redis may go, and PostgreSQL gone fails fast: P12, P13."""

import asyncio
import time

import redis.asyncio

from tests.faults import checkers
from tests.faults.budget import BUDGET
from tests.faults.crowd import gathered
from tests.faults.place import Place
from tests.faults.promise import Promise
from tests.proxy import Way

LIVE_SECONDS = 1.0
"""Within which watchers see what happens, while Redis is away."""
NORMAL_SECONDS = 5.0
"""Within which everything is as before, once it is back."""
REFUSE_SECONDS = 3.0
"""Within which a command is refused, while PostgreSQL is away."""
GONE_SECONDS = 4.0
GONE_FOR_LONG_SECONDS = 10.0
"""The first time, at full length."""
SWALLOWING_SECONDS = 6.0
NOTICE_SECONDS = 3.5
"""The time that a node has to see that Redis swallows everything; what is under way meanwhile comes late."""


async def test_p12_redis_may_go(place: Place, promise: Promise) -> None:
    """Redis may go: no write fails, nothing is missed, and all stays live within 1 s.

    It is killed and started again, flushed, and swallows everything for a while, under load. (With looks at
    the heads as seldom as with Redis, one entry of a hundred came after 2.4 s.)
    """
    valkey = place.servers.valkey

    async def restarted() -> None:
        await valkey.kill()
        await asyncio.sleep(gone)
        await valkey.start()

    async def flushed() -> None:
        async with redis.asyncio.Redis.from_url(valkey.url) as client:
            await client.flushall()

    async def swallowing() -> None:
        for station in place.stations:
            station.bus.stall()
        await asyncio.sleep(swallows)
        for station in place.stations:
            await station.mend()

    # All is written on one node: what the other commits itself would show it what it has missed.
    async with gathered(place, write_at=place.doors[:1]) as crowd:
        crowd.begin_to_write()
        away: list[tuple[float, float]] = []
        violations: list[str] = []
        for cycle in range(BUDGET.cycles):
            gone, swallows = GONE_SECONDS, SWALLOWING_SECONDS
            if cycle == 0 and BUDGET.measures:
                gone, swallows = GONE_FOR_LONG_SECONDS, BUDGET.blackhole
            for fault in (restarted, flushed, swallowing):
                await crowd.wrote(int(BUDGET.per_second))
                begun = time.time()
                await fault()
                away.append((begun + NOTICE_SECONDS, time.time()))
                promise.faults[f"Redis {fault.__name__}"] += 1
                back = time.time()
                await place.is_well()
                promise.worst("slowest to be well, s", time.time() - back)
        await crowd.comes_to_rest()
        violations += checkers.failed(crowd.history)
        if promise.figures["slowest to be well, s"] > NORMAL_SECONDS:
            violations.append("it took longer until all was as before")
        violations += _not_live(await crowd.delays(*away), promise)
        await crowd.judge(promise, violations)
    promise.is_kept()


def _not_live(delays: list[float], promise: Promise) -> list[str]:
    """What came later than it should, of what was written while Redis was away."""
    if not delays:
        return ["nothing was told while Redis was away"]
    promise.figures["told meanwhile"] = len(delays)
    promise.figures["p99 meanwhile, s"] = checkers.percentile(delays, 0.99)
    promise.figures["slowest meanwhile, s"] = max(delays)
    if (delay := checkers.percentile(delays, 0.99)) > LIVE_SECONDS:
        return [f"one of a hundred came {delay:.2f} s after it was written, or later still"]
    return []


async def test_p13_postgresql_gone_fails_fast(place: Place, promise: Promise) -> None:
    """PostgreSQL gone fails fast: no false ack, a refusal within 3 s, all well 5 s after it is back.

    It is restarted, and swallows everything, and only its answers, under load. (Before nodes felt its pulse,
    commands were answered after 4.2 s.)
    """
    postgres = place.servers.postgres

    async def restarted() -> None:
        await postgres.stop()
        await asyncio.sleep(gone)
        await postgres.start()

    async def stalled(*ways: Way) -> None:
        for station in place.stations:
            station.database.stall(*ways)
        await asyncio.sleep(gone)
        for station in place.stations:
            await station.mend()

    async def paused() -> None:
        await stalled()

    async def answerless() -> None:
        await stalled(Way.BACK)

    async with gathered(place) as crowd:
        crowd.begin_to_write()
        violations: list[str] = []
        for cycle in range(BUDGET.cycles):
            first = cycle == 0 and BUDGET.measures
            gone = GONE_FOR_LONG_SECONDS if first else GONE_SECONDS
            for fault in (restarted, paused, answerless):
                await crowd.wrote(int(BUDGET.per_second))
                begun = len(crowd.history)
                await fault()
                promise.faults[f"PostgreSQL {fault.__name__}"] += 1
                back = time.time()
                meanwhile = crowd.history.operations[begun:]
                await place.is_well()
                await crowd.wrote(len(crowd.writers))
                promise.worst("slowest to be well, s", time.time() - back)
                violations += checkers.slow(meanwhile, REFUSE_SECONDS)
                promise.figures["refused"] = promise.figures.get("refused", 0) + sum(
                    each.code == "UNAVAILABLE" for each in meanwhile
                )
        await crowd.comes_to_rest()
        if promise.figures["slowest to be well, s"] > NORMAL_SECONDS:
            violations.append("it took longer until all was well")
        await crowd.judge(promise, violations)
    promise.is_kept()
