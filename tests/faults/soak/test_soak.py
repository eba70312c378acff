"""What runs for long does not grow: P16, apart."""

import asyncio
import random
import time
from collections import defaultdict
from statistics import median

from tests.faults.budget import SOAK_SECONDS
from tests.faults.churn import Churn
from tests.faults.crowd import gathered
from tests.faults.place import OTHER_DESCRIPTORS, Place
from tests.faults.promise import Promise

WATCHERS, WRITERS, TOPICS = 200, 20, 20
COMMANDS_PER_SECOND = 20.0
ROUND_SECONDS = 10.0
VISITORS = 200
"""Who come and go in each round."""
CUTS = 20
"""Clients that are cut off in each round, and come back."""
GROWN = 1.1


async def test_p16_nothing_leaks_in_the_long_run(place: Place, promise: Promise) -> None:
    """Nothing leaks in the long run: memory, descriptors, topics and tasks are flat, while all come, go and write.

    The last third of the time is compared with the one before; the first is for warming up.
    """
    (station, _) = place.stations
    chance = random.Random(16)  # noqa: S311
    samples: defaultdict[str, list[float]] = defaultdict(list)
    async with gathered(place, watchers=WATCHERS, writers=WRITERS, topics=TOPICS) as crowd:
        churn = Churn(station, crowd.posts)
        crowd.begin_to_write(COMMANDS_PER_SECOND)
        until = time.monotonic() + SOAK_SECONDS
        while time.monotonic() < until:
            due = time.monotonic() + ROUND_SECONDS
            await churn.run(VISITORS)
            promise.faults["connections reset"] += VISITORS
            for client in chance.sample(crowd.watchers, CUTS):
                client.cut(away=chance.random())
            promise.faults["clients cut"] += CUTS
            samples["bytes of memory"].append(station.memory)
            samples["descriptors"].append(station.descriptors)
            samples["topics"].append(await station.metric("vernissage_topics"))
            samples["tasks"].append(await station.metric("vernissage_worker_tasks"))
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
        await crowd.comes_to_rest()
        violations = []
        for what, values in samples.items():
            third = len(values) // 3
            before, after = median(values[third : 2 * third]), median(values[2 * third :])
            promise.figures[f"{what} before"] = before
            promise.figures[f"{what} after"] = after
            if after > before * GROWN + OTHER_DESCRIPTORS:
                violations.append(f"{what} grew from {before:,.0f} to {after:,.0f}")
        await crowd.judge(promise, violations)
    promise.is_kept()
