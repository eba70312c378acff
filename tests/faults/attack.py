"""Those who say what nobody should: a process of its own, so that it does not hold up the clients that are measured.

async with attackers(doors, posts, seconds=10.0) as attack:
    said = await attack.ends()
"""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import aiohttp

from load import wire
from tests.people import COMMUNITY, mint

ATTACKERS = 8
PAUSE_SECONDS = 0.05
"""Of each, from one attack to the next: what is sent shall do no harm, and how much of it is what a balancer bounds."""
READY = b"ready\n"


class Attack:
    """One that has begun."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ends(self) -> Counter[str]:
        """How often what was said, and what was answered. Fails where it came to an end of another kind."""
        out, _ = await self._process.communicate()
        assert self._process.returncode == 0
        return Counter(json.loads(out))


@asynccontextmanager
async def attackers(
    doors: Sequence[str], posts: Sequence[str], seconds: float
) -> AsyncIterator[Attack]:
    """Begins to attack these nodes, for so long."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.attack", json.dumps([doors, posts, seconds])),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == READY
        yield Attack(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _attack_all(doors: Sequence[str], posts: Sequence[str], seconds: float) -> Counter[str]:
    said: Counter[str] = Counter()
    async with aiohttp.ClientSession() as http:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for seed in range(ATTACKERS):
                    group.create_task(_attack(doors, posts, http, seed, said))
    return said


async def _attack(
    doors: Sequence[str],
    posts: Sequence[str],
    http: aiohttp.ClientSession,
    seed: int,
    said: Counter[str],
) -> None:
    """Say one thing after the other that nobody should."""
    chance = random.Random(seed)  # noqa: S311
    token = mint(str(uuid4()))
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        door = chance.choice(doors)
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


if __name__ == "__main__":
    os.nice(19)  # who attacks has machines of their own: what that costs is no harm done to anybody
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    print(json.dumps(asyncio.run(_attack_all(*json.loads(sys.argv[1])))))
