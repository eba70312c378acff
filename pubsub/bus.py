"""Messages between nodes over Redis pub/sub: one channel per topic, bytes in and out.

Redis promises nothing: a message may be lost, and after a failure one may come twice. Whoever needs every
message once compares positions with a durable store, and is told by `on_reconnect` when it should.
"""

from collections.abc import Callable, Collection
from secrets import token_hex
from typing import Protocol

from redis.asyncio import Connection

from pubsub import line as lines
from pubsub.line import EVERYWHERE, BusCounts, Line, Told
from pubsub.servers import Kind, Servers, servers_at
from pubsub.shards import Shards

ASK_SECONDS = 0.5
"""Within which a sentinel has to say where the master is, or another one is asked."""


class Bus:
    """Publishes to topics, and receives those that are subscribed. Channels are named `prefix + topic`.

    `on_message` gets each message of a subscribed topic; `on_reconnect` is called after a connection was
    lost and all its subscriptions are back. Both must not block.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str,
        on_message: Callable[[str, bytes], None],
        on_reconnect: Callable[[], None],
    ) -> None:
        self.counts = BusCounts()
        self._prefix = prefix
        self._on_message = on_message
        servers = servers_at(url)
        own = f"{prefix}:"
        self._lines: _Lines
        if servers.kind is Kind.CLUSTER:
            self._lines = Shards(servers, own, self._heard, on_reconnect, self.counts)
        else:
            self._lines = _OneLine(servers, own, self._heard, on_reconnect, self.counts)

    @property
    def waiting(self) -> int:
        """How many messages wait for Redis, as of now."""
        return sum(line.waiting for line in self._lines.all)

    @property
    def connected(self) -> bool:
        """Whether all listening connections are up, with all subscriptions."""
        return all(line.connected for line in self._lines.all)

    @property
    def in_doubt(self) -> bool:
        """Whether messages may be missing just now: Redis is away, or silent for longer than it should be."""
        return any(line.in_doubt for line in self._lines.all)

    async def start(self) -> None:
        """Connect, if Redis answers in time; where it does not, keep trying in the background."""
        await self._lines.start()

    async def close(self) -> None:
        """Publish what waits, where Redis answers, and let go of all connections."""
        await self._lines.close()

    def publish(self, topic: str, message: bytes) -> None:
        """Send a message to every subscriber of the topic, on whatever node, in the order of calls."""
        channel = self._prefix + topic
        self._lines.of(channel).put(channel, message)

    async def subscribe(self, topic: str) -> bool:
        """Receive a topic from now on; True once Redis has confirmed it.

        False means that Redis is away, or does not answer: the subscription follows when it returns.
        """
        channel = self._prefix + topic
        return await self._lines.of(channel).subscribe(channel)

    async def unsubscribe(self, topic: str) -> None:
        """Receive the topic no more."""
        channel = self._prefix + topic
        await self._lines.of(channel).unsubscribe(channel)

    def _heard(self, channel: str, message: bytes) -> None:
        self._on_message(channel.removeprefix(self._prefix), message)


class _Lines(Protocol):
    """Where channels are published and heard."""

    @property
    def all(self) -> Collection[Line]: ...

    def of(self, channel: str) -> Line: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class _OneLine:
    """The line to one server: the URL's, or the master that its sentinels name."""

    def __init__(
        self,
        servers: Servers,
        own: str,
        on_message: Callable[[str, bytes], None],
        on_reconnect: Callable[[], None],
        counts: BusCounts,
    ) -> None:
        self._servers = servers
        self._line = Line(
            self._connect,
            EVERYWHERE,
            own + token_hex(8),
            Told(on_message, on_reconnect, lambda: None),
            counts,
            server=servers.known_as,
        )
        self.all = (self._line,)

    def of(self, channel: str) -> Line:
        return self._line

    async def start(self) -> None:
        await self._line.start().wait()

    async def close(self) -> None:
        await self._line.drain()
        await self._line.close()

    async def _connect(self, read_seconds: float | None) -> Connection:
        host = self._servers.hosts[0]
        if self._servers.kind is Kind.SENTINEL:
            host = await self._servers.master(ASK_SECONDS)
        return await self._servers.connect(host, read_seconds, lines.SOCKET_SECONDS)
