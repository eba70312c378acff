"""Messages between nodes over Redis pub/sub: one channel per topic, bytes in and out.

Redis promises nothing: a message may be lost, and after a failure one may come twice. Whoever needs every
message once compares positions with a durable store, and is told by `on_reconnect` when it should.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from secrets import token_hex
from typing import Any

import structlog
from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from pubsub.ending import ended

OUTBOX_MESSAGES = 50_000
"""Messages that may wait for Redis; past it the oldest are dropped, as if published to nobody."""
PIPELINE_MESSAGES = 500
"""Messages that are published in one round trip."""
SUBSCRIBE_CHANNELS = 1_000
"""Channels of one SUBSCRIBE."""
CONFIRM_SECONDS = 1.0
"""How long a subscriber waits for Redis to confirm; messages are then looked for elsewhere, too."""
RECONNECT_SECONDS = 0.25
"""Between two tries to connect."""
SOCKET_SECONDS = 2.0
"""Within which Redis has to answer, or the connection counts as broken."""
QUIET_SECONDS = 1.0
"""How long nothing may come before Redis is asked whether it is there."""
HEARTBEAT_SECONDS = 0.25
"""Between two messages to ourselves: whoever does not hear them is deaf, be it that Redis answers."""
DOUBT_SECONDS = 0.6
"""How long nothing may have come of Redis until one had better look elsewhere, too."""

_log = structlog.get_logger(__name__)


class BusCounts:
    """What a bus has done since it began, in plain numbers, for whoever wants to read them."""

    __slots__ = ("broken", "deaf", "dropped", "published", "reconnects")

    def __init__(self) -> None:
        self.published = 0
        self.dropped = 0
        """Messages, because too many waited for Redis."""
        self.broken = 0
        self.deaf = 0
        """Losses of the listening line: it failed, or Redis did not answer on it."""
        self.reconnects = 0


class _Deaf(RedisConnectionError):
    """Redis keeps silent, or what is published does not come, be it that the line stands."""


class _Heartbeat:
    """Messages to ourselves, numbered: on a line that hears, each is there before the answer to a later PING."""

    def __init__(self) -> None:
        self.sent = 0
        """The number of the last one that waits for Redis, or that Redis has."""
        self._taken = 0
        self._taken_before = 0
        self._due = 0
        self._heard = 0

    def beat(self) -> bytes | None:
        """The next message, unless the last one still waits for Redis. A PING follows."""
        # Replicas hear a little later: what has been taken by the beat before is due.
        self._due, self._taken_before = self._taken_before, self._taken
        if self._taken < self.sent:
            return None
        self.sent += 1
        return b"%d" % self.sent

    def taken(self) -> None:
        """Redis has the last one."""
        self._taken = self.sent

    def heard(self, message: bytes) -> None:
        """One came in."""
        self._heard = max(self._heard, int(message))

    @property
    def is_missed(self) -> bool:
        """Whether a PING was answered, and what should have come before has not."""
        return self._heard < self._due

    def begin_anew(self) -> None:
        """On another line nothing is due."""
        self._taken = self._taken_before = self._due = self._heard = self.sent


class Bus:
    """Publishes to topics, and receives those that are subscribed. Channels are named `prefix + topic`.

    `on_message` gets each message of a subscribed topic; `on_reconnect` is called after the connection was
    lost and all subscriptions are back. Both must not block.
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
        self._on_reconnect = on_reconnect
        no_retry = Retry(NoBackoff(), 0)
        # Bare connections. redis-py's PubSub reconnects by itself, and what was published meanwhile would
        # be lost without anybody knowing; and its pipeline looks around before it sends, in which time
        # the loop turns to this node's own watchers.
        self._publishing = ConnectionPool.from_url(
            url,
            protocol=2,
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=SOCKET_SECONDS,
            retry=no_retry,
        )
        self._listening = ConnectionPool.from_url(
            url,
            protocol=2,
            socket_timeout=None,
            socket_connect_timeout=SOCKET_SECONDS,
            retry=no_retry,
        )
        self._line: Connection | None = None
        self._speaking: Connection | None = None
        self._subscribed: set[str] = set()
        self._confirmations: defaultdict[str, deque[asyncio.Future[bool]]] = defaultdict(deque)
        self._outbox: deque[tuple[str, bytes]] = deque(maxlen=OUTBOX_MESSAGES)
        self._outgoing = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._connected = False
        # A channel of our own also keeps the line in subscribed state while nobody watches anything.
        self._own = f"{prefix}:{token_hex(8)}"
        self._heartbeat = _Heartbeat()
        self._heard_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> int:
        """How many messages wait for Redis, as of now."""
        return len(self._outbox)

    @property
    def connected(self) -> bool:
        """Whether the listening connection is up, with all subscriptions."""
        return self._connected

    @property
    def in_doubt(self) -> bool:
        """Whether messages may be missing just now: Redis is away, or silent for longer than it should be."""
        return not self._connected or time.monotonic() - self._heard_at > DOUBT_SECONDS

    async def start(self) -> None:
        """Connect, if Redis answers in time; where it does not, keep trying in the background."""
        tried = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._listen(tried), name="bus-listen"),
            asyncio.create_task(self._publish(), name="bus-publish"),
            asyncio.create_task(self._beat(), name="bus-beat"),
        ]
        await tried.wait()

    async def close(self) -> None:
        """Publish what waits, where Redis answers, and let go of both connections."""
        if self._connected:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), SOCKET_SECONDS)
        await ended(*self._tasks)
        await self._listening.aclose()
        await self._fall_silent()

    def publish(self, topic: str, message: bytes) -> None:
        """Send a message to every subscriber of the topic, on whatever node, in the order of calls."""
        self._put(self._prefix + topic, message)

    async def subscribe(self, topic: str) -> bool:
        """Receive a topic from now on; True once Redis has confirmed it.

        False means that Redis is away, or does not answer: the subscription follows when it returns.
        """
        channel = self._prefix + topic
        self._subscribed.add(channel)
        if self._line is None:
            return False
        silent = self._connected and self.in_doubt
        confirmation = self._confirmation_of(channel)
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._send("SUBSCRIBE", channel)
                return not silent and await confirmation
        except TimeoutError:
            return False

    async def unsubscribe(self, topic: str) -> None:
        """Receive the topic no more."""
        channel = self._prefix + topic
        self._subscribed.discard(channel)
        await self._send("UNSUBSCRIBE", channel)

    def _put(self, channel: str, message: bytes) -> None:
        self.counts.dropped += len(self._outbox) == OUTBOX_MESSAGES
        self._outbox.append((channel, message))
        self._drained.clear()
        self._outgoing.set()

    def _confirmation_of(self, channel: str) -> "asyncio.Future[bool]":
        """Comes true when Redis answers the SUBSCRIBE that is sent next: it answers them in order."""
        confirmation: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._confirmations[channel].append(confirmation)
        return confirmation

    async def _send(self, *command: str) -> None:
        """Send on the line as it is, without waiting for an answer; what fails shows in the listening."""
        if self._line is not None and self._line.is_connected:
            with suppress(RedisError, OSError):
                await self._line.send_command(*command)

    async def _listen(self, tried: asyncio.Event) -> None:
        lost = False
        while True:
            try:
                await self._resubscribe()
                self._connected = True
                tried.set()
                if lost:
                    lost = False
                    self.counts.reconnects += 1
                    _log.info("the bus is back", topics=len(self._subscribed))
                    self._on_reconnect()
                while True:
                    await self._receive()
            except Exception as error:  # whatever broke the line, a fresh one is opened
                if isinstance(error, _Deaf):  # whoever publishes may be with another Redis
                    await self._fall_silent()
                if not lost:
                    if isinstance(error, _Deaf):
                        self.counts.deaf += 1
                    else:
                        self.counts.broken += 1
                    _log.warning("the bus is down", error=repr(error))
                lost = True
            finally:
                self._connected = False
                await self._hang_up()
            tried.set()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _resubscribe(self) -> None:
        """Open a line and put all subscriptions on it, until each is confirmed."""
        line = self._listening.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(SOCKET_SECONDS):
                await line.connect()
        except BaseException:
            await line.disconnect(nowait=True)
            raise
        self._line = line
        channels = [self._own, *self._subscribed]
        confirmations = [self._confirmation_of(channel) for channel in channels]
        for first in range(0, len(channels), SUBSCRIBE_CHANNELS):
            some = slice(first, first + SUBSCRIBE_CHANNELS)
            async with asyncio.timeout(SOCKET_SECONDS):
                await line.send_command("SUBSCRIBE", *channels[some])
            while not confirmations[some][-1].done():  # they come in order
                await self._receive()
        self._heartbeat.begin_anew()

    async def _hang_up(self) -> None:
        line, self._line = self._line, None
        for waiting in self._confirmations.values():
            for confirmation in waiting:
                if not confirmation.done():
                    confirmation.set_result(False)
        self._confirmations.clear()
        if line is not None:
            with suppress(RedisError, OSError):
                await line.disconnect(nowait=True)

    async def _receive(self) -> None:
        """Take in one answer or message; ask after a Redis that keeps silent. Raises once it is gone."""
        answer = await self._read(QUIET_SECONDS)
        if answer is None:
            await self._send("PING")
            answer = await self._read(SOCKET_SECONDS)
            if answer is None:
                raise _Deaf("Redis does not answer")
        self._heard_at = time.monotonic()
        kind, channel = answer[0], answer[1].decode()
        if kind == b"message":
            if channel == self._own:
                self._heartbeat.heard(answer[2])
            else:
                self._deliver(channel, answer[2])
        elif kind == b"pong":
            if self._heartbeat.is_missed:
                raise _Deaf("Redis answers, and delivers nothing")
        elif kind == b"subscribe" and (waiting := self._confirmations.get(channel)):
            confirmation = waiting.popleft()
            if not waiting:
                del self._confirmations[channel]
            if not confirmation.done():
                confirmation.set_result(True)

    async def _read(self, seconds: float) -> Any:
        """The next answer, or None if none comes in time."""
        assert self._line is not None
        return await self._line.read_response(timeout=seconds, disconnect_on_error=False)

    def _deliver(self, channel: str, message: bytes) -> None:
        try:
            self._on_message(channel.removeprefix(self._prefix), message)
        except Exception:
            _log.exception("a message could not be taken in", channel=channel)

    async def _beat(self) -> None:
        """Tell ourselves something now and then, for as long as the task lives."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if self._connected:
                if (message := self._heartbeat.beat()) is not None:
                    self._put(self._own, message)
                await self._send("PING")

    async def _publish(self) -> None:
        failing = False
        while True:
            await self._outgoing.wait()
            while self._outbox:
                batch = [
                    self._outbox.popleft() for _ in range(min(len(self._outbox), PIPELINE_MESSAGES))
                ]
                try:
                    await self._speak(batch)
                    self.counts.published += len(batch)
                    failing = False
                except (RedisError, OSError) as error:
                    await self._fall_silent()
                    if not failing:
                        _log.warning("publishing failed", messages=len(batch), error=repr(error))
                    failing = True
                    self._put_back(batch)
                    await asyncio.sleep(RECONNECT_SECONDS)
            self._outgoing.clear()
            self._drained.set()

    async def _speak(self, batch: list[tuple[str, bytes]]) -> None:
        """Publish in one round trip. Raises RedisError or OSError, and then some may have been published."""
        speaking = self._speaking
        if speaking is None:
            speaking = self._publishing.make_connection()  # type: ignore[no-untyped-call]
            await speaking.connect()
            self._speaking = speaking
        commands = [("PUBLISH", channel, message) for channel, message in batch]
        await speaking.send_packed_command(speaking.pack_commands(commands))
        for channel, _ in batch:
            await speaking.read_response()
            if channel == self._own:
                self._heartbeat.taken()

    async def _fall_silent(self) -> None:
        speaking, self._speaking = self._speaking, None
        if speaking is not None:
            with suppress(RedisError, OSError):
                await speaking.disconnect(nowait=True)

    def _put_back(self, batch: list[tuple[str, bytes]]) -> None:
        """The batch stays the next to go, but for its oldest messages where the outbox is full."""
        lost = max(len(batch) + len(self._outbox) - OUTBOX_MESSAGES, 0)
        self.counts.dropped += lost
        self._outbox.extendleft(reversed(batch[lost:]))
