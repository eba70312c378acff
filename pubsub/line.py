"""The line to one server: what it publishes and hears there, over a bare connection for each.

Bare connections, for redis-py's PubSub reconnects by itself, and what was published meanwhile would be lost
without anybody knowing; and its pipeline looks around before it sends, in which time the loop turns to this
node's own watchers.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Connection
from redis.exceptions import ClusterDownError, MovedError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from pubsub.ending import ended
from pubsub.servers import why

OUTBOX_MESSAGES = 50_000
"""Messages that may wait for one server; past it the oldest are dropped, as if published to nobody."""
PIPELINE_MESSAGES = 500
"""Messages that are published in one round trip."""
SUBSCRIBE_CHANNELS = 1_000
"""Channels that are subscribed to at once."""
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

Connect = Callable[[float | None], Awaitable[Connection]]
"""Opens a connection that waits so many seconds for an answer. Raises RedisError or OSError."""

_log = structlog.get_logger(__name__)


class Verbs(NamedTuple):
    """What publishing and listening is called, and how many channels one command may name."""

    publish: str
    subscribe: str
    unsubscribe: str
    told: bytes
    subscribed: bytes
    unsubscribed: bytes
    channels: int


EVERYWHERE = Verbs(
    *("PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE"),
    *(b"message", b"subscribe", b"unsubscribe"),
    channels=SUBSCRIBE_CHANNELS,
)
"""Channels that all servers have."""
BY_SHARD = Verbs(
    *("SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE"),
    *(b"smessage", b"ssubscribe", b"sunsubscribe"),
    channels=1,
)
"""Channels that belong to the shard that has their slot; those of one command have to be of one slot."""


class BusCounts:
    """What a bus has done since it began, in plain numbers, for whoever wants to read them."""

    __slots__ = ("broken", "deaf", "dropped", "published", "reconnects")

    def __init__(self) -> None:
        self.published = 0
        self.dropped = 0
        """Messages, because too many waited for Redis."""
        self.broken = 0
        self.deaf = 0
        """Losses of a listening line: it failed, or Redis did not answer on it."""
        self.reconnects = 0


class Told(NamedTuple):
    """Whom a line tells what comes to it. None of it may block."""

    message: Callable[[str, bytes], None]
    """A message came on that channel."""
    restored: Callable[[], None]
    """The line was lost, and all subscriptions are back."""
    unsettled: Callable[[], None]
    """The server cannot be reached, or will not have a channel here any more."""


class _Deaf(RedisConnectionError):
    """Redis keeps silent, or what is published does not come, be it that the line stands."""


class _Asked(NamedTuple):
    """A channel that Redis was asked to tell of, or not any more: it answers in order."""

    verb: bytes
    channel: str
    confirmation: "asyncio.Future[bool] | None"


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


class Line:
    """Publishes to channels of one server, and hears those that are subscribed.

    `own` is a channel for its heartbeats. It also keeps the line in subscribed state while nobody watches
    anything. `server` is the one's name for the log. A line that takes over from another is `late`: once it
    stands, something may have been missed.
    """

    def __init__(
        self,
        connect: Connect,
        verbs: Verbs,
        own: str,
        told: Told,
        counts: BusCounts,
        *,
        server: str,
        late: bool = False,
    ) -> None:
        self.counts = counts
        self.beat_seconds = HEARTBEAT_SECONDS
        self.turn = asyncio.Lock()
        """Who has it keeps the line from publishing; no message is under way then."""
        self._connect = connect
        self._verbs = verbs
        self._own = own
        self._told = told
        self._log = _log.bind(server=server)
        self._lost = late
        self._line: Connection | None = None
        self._speaking: Connection | None = None
        self._subscribed: set[str] = set()
        self._strays: set[str] = set()
        """Of those, the ones that the server will not have here."""
        self._asked: deque[_Asked] = deque()
        self._outbox: deque[tuple[str, bytes]] = deque(maxlen=OUTBOX_MESSAGES)
        self._outgoing = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._connected = False
        self._heartbeat = _Heartbeat()
        self._heard_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_started(self) -> bool:
        return bool(self._tasks)

    @property
    def own(self) -> str:
        """The channel of its heartbeats."""
        return self._own

    @property
    def waiting(self) -> int:
        """How many messages wait for the server, as of now."""
        return len(self._outbox)

    @property
    def connected(self) -> bool:
        """Whether the listening connection is up, with all subscriptions."""
        return self._connected and not self._strays

    @property
    def in_doubt(self) -> bool:
        """Whether messages may be missing just now: Redis is away, or silent for longer than it should be."""
        silent = time.monotonic() - self._heard_at
        return not self.connected or silent > DOUBT_SECONDS + self.beat_seconds - HEARTBEAT_SECONDS

    def start(self) -> asyncio.Event:
        """Connect, and keep trying in the background; the event comes once the first try is over."""
        tried = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._listen(tried), name="bus-listen"),
            asyncio.create_task(self._publish(), name="bus-publish"),
            asyncio.create_task(self._beat(), name="bus-beat"),
        ]
        return tried

    async def drain(self) -> None:
        """Return once all that waits is published; at once where the server is away."""
        if self._connected:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), SOCKET_SECONDS)

    async def close(self) -> None:
        """Let go of both connections; what waits stays, for whoever takes it over."""
        await ended(*self._tasks)
        await self.fall_silent()

    def put(self, channel: str, message: bytes) -> None:
        """Publish, in the order of calls."""
        self.counts.dropped += len(self._outbox) == OUTBOX_MESSAGES
        self._outbox.append((channel, message))
        self._drained.clear()
        self._outgoing.set()

    async def subscribe(self, channel: str) -> bool:
        """Hear a channel from now on; True once Redis has confirmed it.

        False means that Redis is away, does not answer, or has the channel elsewhere.
        """
        self._subscribed.add(channel)
        if self._line is None:
            return False
        silent = self._connected and self.in_doubt
        confirmation = self._ask(channel)
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._send(self._verbs.subscribe, channel)
                return not silent and await confirmation
        except TimeoutError:
            return False

    async def unsubscribe(self, channel: str) -> None:
        """Hear the channel no more."""
        self._subscribed.discard(channel)
        self._strays.discard(channel)
        if self._line is not None:
            self._asked.append(_Asked(self._verbs.unsubscribed, channel, None))
            await self._send(self._verbs.unsubscribe, channel)

    # Where channels move between servers.

    def give_up(self, moves: Callable[[str], bool]) -> tuple[list[str], list[tuple[str, bytes]]]:
        """The channels that move, and the messages that wait for them: neither is this line's any more.

        To be called by whoever has the turn.
        """
        channels = [channel for channel in self._subscribed if moves(channel)]
        self._subscribed.difference_update(channels)
        self._strays.difference_update(channels)
        waiting = [each for each in self._outbox if each[0] != self._own and moves(each[0])]
        self._keep(lambda channel: channel == self._own or not moves(channel))
        return channels, waiting

    def adopt(self, channels: Sequence[str]) -> None:
        """These belong here from now on; they are strays until Redis has confirmed each."""
        self._subscribed.update(channels)
        self._strays.update(channels)

    @property
    def has_strays(self) -> bool:
        """Whether there are channels that the server does not have here, or not yet."""
        return bool(self._strays)

    async def retake(self) -> None:
        """Ask for the strays once more."""
        channels = list(self._strays)
        if self._connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(CONFIRM_SECONDS):
                    await asyncio.gather(*await self._ask_for(channels))

    async def move_to(self, own: str) -> None:
        """Beat on another channel."""
        async with self.turn:
            self._keep(lambda channel: channel != self._own)
            self._own = own
            self._heartbeat.begin_anew()
        if self._line is not None:
            self._ask(own)
            await self._send(self._verbs.subscribe, own)

    def _keep(self, stays: Callable[[str], bool]) -> None:
        """Let nothing wait but messages of channels that stay."""
        waiting = [each for each in self._outbox if stays(each[0])]
        self._outbox.clear()
        self._outbox.extend(waiting)

    # Listening

    def _ask(self, channel: str) -> "asyncio.Future[bool]":
        """Comes true when Redis answers the SUBSCRIBE that is sent next."""
        confirmation: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(self._verbs.subscribed, channel, confirmation))
        return confirmation

    async def _ask_for(self, channels: Sequence[str]) -> "list[asyncio.Future[bool]]":
        """Subscribe to all of them, in as few writes as may be."""
        line = self._line
        if line is None:
            return []
        confirmations = [self._ask(channel) for channel in channels]
        each, verb = self._verbs.channels, self._verbs.subscribe
        commands = [(verb, *channels[n : n + each]) for n in range(0, len(channels), each)]
        await line.send_packed_command(line.pack_commands(commands))
        return confirmations

    async def _send(self, *command: str) -> None:
        """Send on the line as it is, without waiting for an answer; what fails shows in the listening."""
        if self._line is not None and self._line.is_connected:
            with suppress(RedisError, OSError):
                await self._line.send_command(*command)

    async def _listen(self, tried: asyncio.Event) -> None:
        while True:
            try:
                await self._resubscribe()
                self._connected = True
                tried.set()
                if self._lost:
                    self._lost = False
                    self.counts.reconnects += 1
                    self._log.info("the bus is back", topics=len(self._subscribed))
                    self._told.restored()
                while True:
                    await self._receive()
            except Exception as error:  # whatever broke the line, a fresh one is opened
                if isinstance(error, _Deaf):  # whoever publishes may be with another Redis
                    await self.fall_silent()
                if not self._lost:
                    if isinstance(error, _Deaf):
                        self.counts.deaf += 1
                    else:
                        self.counts.broken += 1
                    self._log.warning("the bus is down", error=why(error))
                self._lost = True
            finally:
                self._connected = False
                await self._hang_up()
            tried.set()
            self._told.unsettled()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _resubscribe(self) -> None:
        """Open a line and put all subscriptions on it, until each is confirmed."""
        async with asyncio.timeout(SOCKET_SECONDS):
            self._line = await self._connect(None)
        self._strays.clear()
        channels = [self._own, *self._subscribed]
        for first in range(0, len(channels), SUBSCRIBE_CHANNELS):
            async with asyncio.timeout(SOCKET_SECONDS):
                asked = await self._ask_for(channels[first : first + SUBSCRIBE_CHANNELS])
            while not asked[-1].done():  # they come in order
                await self._receive()
        self._heartbeat.begin_anew()

    async def _hang_up(self) -> None:
        line, self._line = self._line, None
        for asked in self._asked:
            if asked.confirmation is not None and not asked.confirmation.done():
                asked.confirmation.set_result(False)
        self._asked.clear()
        if line is not None:
            with suppress(RedisError, OSError):
                await line.disconnect(nowait=True)

    async def _receive(self) -> None:
        """Take in one answer or message; ask after a Redis that keeps silent. Raises once it is gone."""
        try:
            answer = await self._read(QUIET_SECONDS)
            if answer is None:
                await self._send("PING")
                answer = await self._read(SOCKET_SECONDS)
                if answer is None:
                    raise _Deaf("Redis does not answer")
        except ResponseError as error:
            self._refused(error)
            return
        self._heard_at = time.monotonic()
        kind, channel = answer[0], answer[1].decode()
        if kind == self._verbs.told:
            if channel == self._own:
                self._heartbeat.heard(answer[2])
            else:
                self._deliver(channel, answer[2])
        elif kind == b"pong":
            if self._heartbeat.is_missed:
                raise _Deaf("Redis answers, and delivers nothing")
        else:
            self._answered(kind, channel)

    def _answered(self, verb: bytes, channel: str) -> None:
        """Redis has done what it was asked, or it leaves a channel whose slot goes to another server."""
        asked = self._asked[0] if self._asked else None
        if asked is not None and asked.verb == verb and asked.channel == channel:
            self._asked.popleft()
            if verb == self._verbs.subscribed:
                self._strays.discard(channel)
            if asked.confirmation is not None and not asked.confirmation.done():
                asked.confirmation.set_result(True)
        elif verb == self._verbs.unsubscribed:
            self._stray(channel)
        else:
            raise RedisConnectionError(f"an answer that nobody waits for: {verb!r}")

    def _refused(self, error: ResponseError) -> None:
        """Redis will not do what it was asked, for it has that channel elsewhere. Else raises the error."""
        if not isinstance(error, (MovedError, ClusterDownError)) or not self._asked:
            raise error
        asked = self._asked.popleft()
        if asked.confirmation is not None and not asked.confirmation.done():
            asked.confirmation.set_result(False)
        self._stray(asked.channel)

    def _stray(self, channel: str) -> None:
        if channel in self._subscribed:
            self._strays.add(channel)
        self._told.unsettled()

    async def _read(self, seconds: float) -> Any:
        """The next answer, or None if none comes in time."""
        assert self._line is not None
        return await self._line.read_response(timeout=seconds, disconnect_on_error=False)

    def _deliver(self, channel: str, message: bytes) -> None:
        try:
            self._told.message(channel, message)
        except Exception:
            self._log.exception("a message could not be taken in", channel=channel)

    async def _beat(self) -> None:
        """Tell ourselves something now and then, for as long as the task lives."""
        while True:
            await asyncio.sleep(self.beat_seconds)
            if self._connected:
                if (message := self._heartbeat.beat()) is not None:
                    self.put(self._own, message)
                await self._send("PING")

    # Publishing

    async def _publish(self) -> None:
        failing = False
        while True:
            await self._outgoing.wait()
            while self._outbox:
                async with self.turn:
                    error = await self._publish_some()
                if error is None:
                    failing = False
                    continue
                if not failing:
                    self._log.warning("publishing failed", error=why(error))
                failing = True
                self._told.unsettled()
                await asyncio.sleep(RECONNECT_SECONDS)
            self._outgoing.clear()
            self._drained.set()

    async def _publish_some(self) -> Exception | None:
        """Publish the next messages in one round trip; those that Redis did not take stay the next to go.

        Why it did not, if any. Where the connection failed, some of them may have been published.
        """
        count = min(len(self._outbox), PIPELINE_MESSAGES)
        batch = [self._outbox.popleft() for _ in range(count)]
        if not batch:  # they went elsewhere while this line waited for its turn
            return None
        refused: list[tuple[str, bytes]] = []
        answered = 0
        error: Exception | None = None
        try:
            speaking = await self._speak(batch)
            for each in batch:
                try:
                    await speaking.read_response()
                except ResponseError as refusal:
                    error = refusal
                    refused.append(each)
                else:
                    if each[0] == self._own:
                        self._heartbeat.taken()
                answered += 1
        except Exception as failure:  # whatever broke the connection, a fresh one is opened
            error = failure
        finally:  # also where it is cancelled: somebody else may publish them
            left = refused + batch[answered:]
            self.counts.published += len(batch) - len(left)
            self._put_back(left)
        if error is not None:
            await self.fall_silent()
        return error

    async def _speak(self, batch: Sequence[tuple[str, bytes]]) -> Connection:
        """Send all in one write; each is answered on the connection. Raises RedisError or OSError."""
        speaking = self._speaking
        if speaking is None:
            speaking = self._speaking = await self._connect(SOCKET_SECONDS)
        verb = self._verbs.publish
        commands = [(verb, channel, message) for channel, message in batch]
        await speaking.send_packed_command(speaking.pack_commands(commands))
        return speaking

    async def fall_silent(self) -> None:
        """Publish on another connection from now on."""
        speaking, self._speaking = self._speaking, None
        if speaking is not None:
            with suppress(RedisError, OSError):
                await speaking.disconnect(nowait=True)

    def _put_back(self, batch: list[tuple[str, bytes]]) -> None:
        """The batch stays the next to go, but for its oldest messages where the outbox is full."""
        lost = max(len(batch) + len(self._outbox) - OUTBOX_MESSAGES, 0)
        self.counts.dropped += lost
        self._outbox.extendleft(reversed(batch[lost:]))
