"""Everybody who was on a machine, or in a zone, comes back at once: simulated for one of the workers that are left.

A balancer spreads clients by chance, so each worker has its share of them; whoever is turned away comes again to any
of them, which is the same as to this one.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

from load.latency import Spread
from pubsub import Ask, Bucket, LocalLimiter


@dataclass(frozen=True, slots=True)
class Door:
    """What a worker does with those who come: seconds of CPU time for one let in, and one turned away.

    `busy` is the share of its time that others need.
    """

    per_second: float | None
    join: float
    refusal: float
    busy: float = 0.0


@dataclass(slots=True)
class Back:
    """How it went. Latencies are in seconds, from the loss of the connection."""

    waits: Spread
    turned_away: int
    busiest: float
    """The share of its CPU time that the worker needed in the worst second."""
    late: float
    """Seconds that somebody had to wait at the door, at worst."""


Pause = Callable[[int, random.Random], float]


def official(failures: int, chance: random.Random) -> float:
    """What Socket.IO's own client waits: 1 s, doubled each time, half as much more or less, 5 s at the most."""
    return min(2.0 ** min(failures - 1, 10) * (0.5 + chance.random()), 5.0)


def ours(failures: int, chance: random.Random) -> float:
    """What web/client waits: nothing at first, then half a second doubled, up to 30."""
    return (
        0.0
        if failures == 1
        else min(30.0, 0.5 * 2.0 ** min(failures, 10)) * (0.5 + chance.random() / 2)
    )


def simulate(clients: int, door: Door, pause: Pause, seed: int = 1) -> Back:
    """So many clients of one worker, from the moment when all of them are cut off."""
    chance = random.Random(seed)  # noqa: S311 (a simulation)
    waits: list[float] = []
    turned_away = 0
    late = free_at = 0.0
    spent: dict[int, float] = {}
    clock = [0.0]
    limiter = LocalLimiter(clock=lambda: clock[0])
    bucket = None
    if door.per_second is not None:
        bucket = Bucket("door", door.per_second, max(round(door.per_second), 1))
    coming: list[tuple[float, int, int]] = []
    for client in range(clients):
        heappush(coming, (pause(1, chance), client, 1))
    while coming:
        at, client, failures = heappop(coming)
        began = max(at, free_at)
        late = max(late, began - at)
        clock[0] = began
        allowed = bucket is None or limiter.take([Ask(bucket)])[0].allowed
        cost = door.join if allowed else door.refusal
        free_at = began + cost / (1 - door.busy)
        spent[math.floor(began)] = spent.get(math.floor(began), 0.0) + cost
        if allowed:
            waits.append(free_at)
        else:
            turned_away += 1
            heappush(coming, (free_at + pause(failures + 1, chance), client, failures + 1))
    return Back(Spread.of(waits), turned_away, max(spent.values()) + door.busy, late)
