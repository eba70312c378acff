"""Bad input is harmless, and limits are exact: P17, P18."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

from tests.faults import checkers
from tests.faults.attack import attackers
from tests.faults.budget import BUDGET
from tests.faults.clients import Client, Refused
from tests.faults.crowd import enter, gathered
from tests.faults.place import Place
from tests.faults.promise import Promise

PHASES = 3 if BUDGET.cycles > 1 else 1
PHASE_SECONDS = 5.0
"""For so long all is quiet, and for so long there are attacks; in turn, for no machine is the same all the time."""
SLOWER = 1.5
JITTER_SECONDS = 0.02

REPORTS, SOCKETS = 10, 20
"""What one user may do in an hour, and how many sockets they may have: gallery.md, protocol.md."""
TIMES = 3


async def test_p17_bad_input_is_harmless(place: Place, promise: Promise) -> None:
    """Bad input is harmless: no worker dies, no request is answered 500, others see everything.

    Bytes, frames, packets and requests at random, many of them almost right, from a process of their own. (In the
    clients' process they held those up, and others seemed to see all three times later.) tests/fuzz looks longer,
    and by the document. What others see comes as soon as before: p99 × 1.5, and 20 ms (judged at full length).
    """
    async with gathered(place) as crowd:
        crowd.begin_to_write(BUDGET.per_second / 2)  # a machine at its limits tells of those
        workers = [sorted(station.node.workers) for station in place.stations]
        said: Counter[str] = Counter()
        quiet, attacked = [], []
        for _ in range(PHASES):
            begun = time.time()
            await asyncio.sleep(PHASE_SECONDS)
            quiet.append((begun, time.time()))
            async with attackers(place.doors, crowd.posts, PHASE_SECONDS) as attack:
                begun = time.time()
                said += await attack.ends()
                attacked.append((begun, time.time()))
        violations: list[str] = []
        await crowd.comes_to_rest()
        violations += [f"{n} × {what}" for what, n in said.items() if what.startswith("status 5")]
        if workers != [sorted(station.node.workers) for station in place.stations]:
            violations.append("a worker died")
        violations += checkers.failed(crowd.history)
        promise.faults.update(
            {what: n for what, n in said.items() if not what.startswith("status")}
        )
        apart, together = [
            checkers.percentile(await crowd.delays(*spans), 0.99) for spans in (quiet, attacked)
        ]
        promise.figures["p99 before, s"] = apart
        promise.figures["p99 meanwhile, s"] = together
        if BUDGET.measures and together > apart * SLOWER + JITTER_SECONDS:
            violations.append(f"p99 was {together:.3f} s instead of {apart:.3f} s")
        await crowd.judge(promise, violations, operations=sum(said.values()))
    promise.is_kept()


async def test_p18_limits_are_exact_across_nodes(place: Place, promise: Promise) -> None:
    """Limits are exact across nodes: of three times as much as is allowed, sent to both, as much is accepted.

    Reports of a user in an hour, and sockets of a user at the same time.
    """
    async with gathered(place, watchers=1, writers=BUDGET.writers, topics=TIMES * REPORTS) as crowd:
        posts = crowd.posts
        for station in place.stations:
            await station.node.stop()
            await station.begin(rate_limits="on")
        try:
            reporters = [
                [Client(f"Reporter {at}", [door], user=user) for door in place.doors]
                for at in range(BUDGET.burst)
                for user in [str(uuid4())]
            ]
            await enter([client for pair in reporters for client in pair])
            for accepted in await asyncio.gather(*(_reports(pair, posts) for pair in reporters)):
                promise.judge(
                    len(posts), [] if accepted == REPORTS else [f"{accepted} reports accepted"]
                )
            promise.faults["users over their limit"] += 2 * len(reporters)
            await asyncio.gather(*(client.leaves() for pair in reporters for client in pair))
            for _ in range(BUDGET.burst):
                inside = await _sockets(place, str(uuid4()))
                promise.judge(
                    TIMES * SOCKETS, [] if inside == SOCKETS else [f"{inside} sockets accepted"]
                )
        finally:
            for station in place.stations:
                await station.node.stop()
                await station.begin()
    promise.is_kept()


async def _reports(pair: Sequence[Client], posts: Sequence[str]) -> int:
    """How many of a user's reports are accepted, sent to both nodes in turn and all at once."""

    async def reports(client: Client, post: str) -> bool:
        try:
            await client.asks("post:report", {"post_id": post, "reason": "spam"})
        except Refused as refusal:
            if refusal.code == "RATE_LIMITED":
                return False
            raise
        return True

    sent = (reports(pair[at % len(pair)], post) for at, post in enumerate(posts))
    return sum(await asyncio.gather(*sent))


async def _sockets(place: Place, user: str) -> int:
    """How many of a user's sockets are taken in, of those that come to both nodes at the same time."""
    clients = [
        Client(f"Socket {at}", [place.doors[at % 2]], user=user) for at in range(TIMES * SOCKETS)
    ]
    for client in clients:
        client.comes()
    async with asyncio.timeout(30):
        while not all(client.inside.is_set() or client.refusals for client in clients):
            await asyncio.sleep(0.01)
    inside = sum(client.inside.is_set() for client in clients)
    await asyncio.gather(*(client.leaves() for client in clients))
    return inside
