"""What Redis spends: on messages to so many nodes, on subscriptions, limits, and who is where."""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from gateway.embedded import free_port
from gateway.embedded.home import home_of, valkey_program
from gateway.embedded.process import PATIENCE, Child
from load.costs.cost import Cost, listed
from load.processes import Meter
from pubsub import Ask, Attendance, Bucket, Limiter, Share, Window

SUBSCRIBERS = (1, 4, 16, 64)
MESSAGE_BYTES = 600
PUBLISHES = 6_000
ROUNDS = 3
CHANNELS = 50_000
CHANNELS_AT_ONCE = 1_000
ASKS = (1, 10, 50)
ASKED = 3_000
PLACES = (1, 10, 200)

_NAME = b"vernissage:post:0193f6f2-0000-7000-8000-%012d"
_MEMORY = re.compile(rb"used_memory:(\d+)")


async def costs(url: str, server: Meter, folder: Path) -> list[Cost]:
    """Of the server at `url`; what shards do differently, of one of its own in `folder`."""
    found = [
        await _publishing(url, server, b"PUBLISH", b"SUBSCRIBE", "publish", burst=1),
        await _publishing(url, server, b"PUBLISH", b"SUBSCRIBE", "publish, in bursts", burst=20),
        *await _subscribing(url, server),
        await _limits(url, server),
        *await _attendance(url, server),
    ]
    async with _shard(folder) as (shard_url, shard):
        found.append(
            await _publishing(
                shard_url, shard, b"SPUBLISH", b"SSUBSCRIBE", "publish, sharded", burst=1
            )
        )
    return found


class Line(asyncio.Protocol):
    """A connection that counts the answers it gets, and forgets them."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.taken = 0
        self.tail = b""
        self._wanted = 0
        self._there: asyncio.Future[None] | None = None
        self._mark = b"\r\n"

    @classmethod
    async def open(cls, url: str) -> "Line":
        """One to the Redis at `url`."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(cls, parts.hostname, parts.port)
        if parts.password:
            await line.ask(packed(b"AUTH", parts.password.encode()), 1)
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.taken += data.count(self._mark)
        self.tail = data
        if self._there is not None and self.taken >= self._wanted:
            self._there.set_result(None)
            self._there = None

    async def ask(self, commands: bytes, answers: int, mark: bytes = b"\r\n") -> None:
        """Send, and wait until `mark` has come as often as there are answers."""
        self.taken, self._wanted, self._mark = 0, answers, mark
        self._there = asyncio.get_running_loop().create_future()
        self.transport.write(commands)
        await self._there


def packed(*words: bytes) -> bytes:
    """A command as Redis reads it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


async def _publishing(
    url: str, server: Meter, publish: bytes, subscribe: bytes, name: str, *, burst: int
) -> Cost:
    channel = _NAME % 0
    message = packed(publish, channel, b"x" * MESSAGE_BYTES)
    publisher = await Line.open(url)
    listeners: list[Line] = []
    points = []
    for count in SUBSCRIBERS:
        while len(listeners) < count:
            listeners.append(await Line.open(url))
            await listeners[-1].ask(packed(subscribe, channel), 1, b":1\r\n")
        runs = []
        for _ in range(ROUNDS):
            before = server.cpu()
            for _ in range(PUBLISHES // burst // (1 + count // 16)):
                await publisher.ask(message * burst, burst)
            sent = PUBLISHES // burst // (1 + count // 16) * burst
            runs.append((server.cpu() - before) / sent * 1e6)
        points.append((float(count), min(runs)))
    for line in (publisher, *listeners):
        line.transport.close()
    how = (
        f"{publish.decode()} of {MESSAGE_BYTES} bytes, "
        f"{'one at a time' if burst == 1 else f'{burst} in one write'}, to {listed(SUBSCRIBERS)} connections"
    )
    return Cost.fitted(f"Redis: {name}", "µs", how, "subscriber", points)


async def _subscribing(url: str, server: Meter) -> list[Cost]:
    line = await Line.open(url)
    asking = await Line.open(url)
    held, before = await _memory(asking), server.cpu()
    for first in range(0, CHANNELS, CHANNELS_AT_ONCE):
        names = [_NAME % number for number in range(first, first + CHANNELS_AT_ONCE)]
        await line.ask(packed(b"SUBSCRIBE", *names), CHANNELS_AT_ONCE, b"subscribe\r\n")
    spent, more = server.cpu() - before, await _memory(asking) - held
    single = []
    for first in range(CHANNELS, CHANNELS + 2_000, 500):
        before = server.cpu()
        for number in range(first, first + 500):
            await line.ask(packed(b"SUBSCRIBE", _NAME % number), 1, b"subscribe\r\n")
        single.append((server.cpu() - before) / 500 * 1e6)
    line.transport.close()
    asking.transport.close()
    how = f"{CHANNELS:,} channels on one connection, {CHANNELS_AT_ONCE:,} in one command"
    return [
        Cost("Redis: a subscription, of many in one command", "µs", how, spent / CHANNELS * 1e6),
        Cost("Redis: memory of a channel with one subscriber", "bytes", how, more / CHANNELS),
        Cost.of_runs("Redis: a lone subscription", "µs", "one SUBSCRIBE at a time", single),
    ]


async def _memory(line: Line) -> int:
    await line.ask(packed(b"INFO", b"memory"), 10)
    found = _MEMORY.search(line.tail)
    assert found is not None
    return int(found[1])


async def _limits(url: str, server: Meter) -> Cost:
    limiter = Limiter(url, prefix="costs:")
    points = []
    try:
        for count in ASKS:
            runs = []
            for turn in range(ROUNDS):
                asks = [_ask(turn, number) for number in range(count)]
                await limiter.take(asks)
                before = server.cpu()
                rounds = max(ASKED // count, 1) // 3
                for again in range(rounds):
                    await limiter.take([_ask(again, number) for number in range(count)])
                runs.append((server.cpu() - before) / rounds * 1e6)
            points.append((float(count), min(runs)))
    finally:
        await limiter.close()
    how = f"Limiter.take with a bucket and a window each, {listed(ASKS)} commands in one round trip"
    return Cost.fitted("Redis: limits", "µs", how, "command", points)


async def _attendance(url: str, server: Meter) -> list[Cost]:
    attendance = Attendance(url, prefix="costs:", node="node")
    theirs, ours = [], []
    try:
        for count in PLACES:
            shares = [Share(f"post:{number}", 1) for number in range(count)]
            runs = []
            for _ in range(ROUNDS):
                await attendance.tell(shares)
                before, own = server.cpu(), time.process_time()
                for _ in range(max(1_000 // count, 10)):
                    await attendance.tell(shares)
                rounds = max(1_000 // count, 10)
                runs.append(
                    (
                        (server.cpu() - before) / rounds * 1e6,
                        (time.process_time() - own) / rounds * 1e6,
                    )
                )
            theirs.append((float(count), min(run[0] for run in runs)))
            ours.append((float(count), min(run[1] for run in runs)))
    finally:
        await attendance.close()
    how = f"Attendance.tell of {listed(PLACES)} posts in one round trip"
    return [
        Cost.fitted("Redis: who is here", "µs", how, "post", theirs),
        Cost.fitted("node: who is here", "µs", how, "post", ours),
    ]


def _ask(turn: int, number: int) -> Ask:
    who = f"{number}:{turn % 50}"
    return Ask(
        Bucket(f"pace:{who}", 1e6, 1_000_000),
        Window(f"limit:{who}", 1_000_000, 3600.0, f"{time.monotonic_ns()}"),
    )


@asynccontextmanager
async def _shard(folder: Path) -> AsyncIterator[tuple[str, Meter]]:
    """A Valkey that is a whole cluster by itself."""
    home = home_of(folder)
    place = home.folder / "shard"
    home.account.make_folder(place)
    port = free_port()
    lines = {
        "bind": "127.0.0.1",
        "port": port,
        "cluster-enabled": "yes",
        "cluster-port": free_port(),
        "save": '""',
        "dir": f'"{place}"',
    }
    home.account.write(place / "shard.conf", "".join(f"{k} {v}\n" for k, v in lines.items()))
    child = await Child.spawn(
        home.account,
        [valkey_program(home.account), place / "shard.conf"],
        death_signal=signal.SIGTERM,
        log=folder / "shard.log",
    )
    try:
        url = f"redis://127.0.0.1:{port}"
        line = await _patiently(lambda: Line.open(url))
        await line.ask(packed(b"CLUSTER", b"ADDSLOTSRANGE", b"0", b"16383"), 1)
        while b"cluster_state:ok" not in line.tail:
            await asyncio.sleep(0.05)
            await line.ask(packed(b"CLUSTER", b"INFO"), 5)
        line.transport.close()
        yield url, Meter((child.pid,))
    finally:
        await child.stop(signal.SIGTERM)


async def _patiently(what: Callable[[], Awaitable[Line]]) -> Line:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await what()
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
