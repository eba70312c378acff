"""Bad input is harmless, and limits are exact: P17, P18."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import aiohttp

from load import wire
from tests.faults import checkers
from tests.faults.budget import BUDGET
from tests.faults.clients import Client, Refused
from tests.faults.crowd import enter, gathered
from tests.faults.place import Place
from tests.faults.promise import Promise
from tests.people import COMMUNITY, mint

PHASE_SECONDS = 10.0 if BUDGET.cycles > 1 else 5.0
ATTACKERS = 8
SLOWER = 1.5
JITTER_SECONDS = 0.02

REPORTS, SOCKETS = 10, 20
"""What one user may do in an hour, and how many sockets they may have: gallery.md, protocol.md."""
TIMES = 3


async def test_p17_bad_input_is_harmless(place: Place, promise: Promise) -> None:
    """Bad input is harmless: no worker dies, no request is answered 500, others see everything.

    Bytes, frames, packets and requests at random, many of them almost right. tests/fuzz looks longer, and by the
    document. What others see comes as soon as before: p99 × 1.5, and 20 ms (judged at full length).
    """
    async with gathered(place) as crowd, aiohttp.ClientSession() as http:
        crowd.begin_to_write()
        workers = [sorted(station.node.workers) for station in place.stations]
        begun = time.time()
        await asyncio.sleep(PHASE_SECONDS)
        quiet = (begun, time.time())
        said: Counter[str] = Counter()
        attacks = [
            asyncio.create_task(_attack(place, crowd.posts, http, seed, said))
            for seed in range(ATTACKERS)
        ]
        begun = time.time()
        await asyncio.sleep(PHASE_SECONDS)
        attacked = (begun, time.time())
        for attack in attacks:
            attack.cancel()
        failures = await asyncio.gather(*attacks, return_exceptions=True)
        violations = [
            repr(each) for each in failures if not isinstance(each, asyncio.CancelledError)
        ]
        await crowd.comes_to_rest()
        violations += [f"{n} × {what}" for what, n in said.items() if what.startswith("status 5")]
        if workers != [sorted(station.node.workers) for station in place.stations]:
            violations.append("a worker died")
        violations += checkers.failed(crowd.history)
        promise.faults.update(
            {what: n for what, n in said.items() if not what.startswith("status")}
        )
        apart, together = [
            checkers.percentile(await crowd.delays(span), 0.99) for span in (quiet, attacked)
        ]
        promise.figures["p99 before, s"] = apart
        promise.figures["p99 meanwhile, s"] = together
        if BUDGET.measures and together > apart * SLOWER + JITTER_SECONDS:
            violations.append(f"p99 was {together:.3f} s instead of {apart:.3f} s")
        await crowd.judge(promise, violations, operations=sum(said.values()))
    promise.is_kept()


async def _attack(
    place: Place, posts: Sequence[str], http: aiohttp.ClientSession, seed: int, said: Counter[str]
) -> None:
    """Say one thing after the other that nobody should."""
    chance = random.Random(seed)  # noqa: S311
    token = mint(str(uuid4()))
    while True:
        door = chance.choice(place.doors)
        if chance.random() < 0.4:
            said["bad requests"] += 1
            status = await _bad_request(http, door, token, chance.choice(posts), chance)
            said[f"status {status}"] += 1
        else:
            said["bad frames"] += await _bad_frames(door, token, chance.choice(posts), chance)


async def _bad_request(
    http: aiohttp.ClientSession, door: str, token: str, post: str, chance: random.Random
) -> int:
    method, path = chance.choice(
        (
            ("POST", f"posts/{post}/comments"),
            ("POST", f"posts/{post}/report"),
            ("POST", f"posts/{post}/like"),
            ("POST", "posts"),
            ("PUT", "notifications/seen"),
            ("GET", f"posts/search?q={chance.randbytes(8).hex()}%00&limit=-1"),
            ("GET", f"posts?cursor={chance.randbytes(20).hex()}"),
        )
    )
    body = _mutated(json.dumps(_payload(post, chance)).encode(), chance)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with http.request(
        method, f"{door}{COMMUNITY}/{path}", headers=headers, data=body
    ) as answer:
        await answer.read()
        return answer.status


async def _bad_frames(door: str, token: str, post: str, chance: random.Random) -> int:
    """One connection that begins well, or does not; how much was said on it."""
    host, _, port = door.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    count = 0
    try:
        hello = wire.upgrade_request(f"{host}:{port}")
        writer.write(hello if chance.random() < 0.8 else _mutated(hello, chance))
        writer.write(wire.text(wire.connect(token if chance.random() < 0.8 else None)))
        for _ in range(chance.randint(1, 20)):
            frame = wire.text(_packet(post, chance))
            writer.write(frame if chance.random() < 0.7 else _mutated(frame, chance))
            count += 1
            await writer.drain()
        async with asyncio.timeout(0.2):
            while await reader.read(1 << 16):
                pass
    except (OSError, TimeoutError):
        pass  # the connection was ended, or is of no interest any more
    finally:
        writer.transport.abort()
    return count


def _payload(post: str, chance: random.Random) -> object:
    return chance.choice(
        (
            {"post_id": post, "content": "x" * chance.choice((0, 1, 1000, 1001, 5000))},
            {"post_id": post, "reason": chance.choice(("spam", "", None, 10**400, "\ud800"))},
            {"post_id": chance.choice(("", "0", None, post + "0", [post], {"id": post}))},
            {
                "topic": chance.choice(
                    ("gallery", "post:", f"post:{post}", "user:x", "\0", "a" * 999)
                )
            },
            {"topics": [{"topic": f"post:{post}", "since": {"epoch": "", "seq": 2**63}}] * 3},
            {"token": chance.randbytes(20).hex()},
            [[[[[[[[[[]]]]]]]]]],
            "\0" * 20,
            -0.0,
            None,
        )
    )


def _packet(post: str, chance: random.Random) -> bytes:
    event = chance.choice(
        (
            *("post:like", "comment:create", "topic:watch", "topic:unwatch", "auth:refresh"),
            *("post:report", "connect", "disconnect", "session:revoke", "no:such", ""),
        )
    )
    packet = b"42%d%b" % (
        chance.randrange(100),
        json.dumps([event, _payload(post, chance)]).encode(),
    )
    return chance.choice(
        (
            *(packet, packet, packet, packet, _mutated(packet, chance)),
            *(b"", b"2", b"3", b"3probe", b"5", b"6", b"40", b"40/none,", b"41", b"43", b"430[]"),
            *(b"451-", b"42[", b"42" + b"[" * 2_000, b"429" * 50 + b"[]", chance.randbytes(30)),
        )
    )


def _mutated(data: bytes, chance: random.Random) -> bytes:
    """The same with some bytes changed, cut out or put in."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(3):
            case 0:
                changed[at : at + 1] = chance.randbytes(1)
            case 1:
                del changed[at : at + chance.randint(1, 8)]
            case _:
                changed[at:at] = chance.randbytes(chance.randint(1, 8))
    return bytes(changed)


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
