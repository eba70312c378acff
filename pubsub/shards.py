"""The bus on a cluster: a line to each shard, and channels that follow their slots from one to another."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from functools import partial

import structlog
from redis.asyncio import Connection
from redis.exceptions import RedisError

from pubsub import line as lines
from pubsub.ending import ended
from pubsub.line import BY_SHARD, BusCounts, Line, Told
from pubsub.servers import Host, Servers, why
from pubsub.slots import SLOTS, SlotMap, name_in, slot_of

BEATS_PER_SECOND = 20.0
"""Heartbeats of one process to all shards together: with more than five shards each gets fewer."""

_log = structlog.get_logger(__name__)


class Shards:
    """A line to each server that has slots.

    Messages of one channel keep their order also where its slot moves: they wait for one line at a time,
    and change it only while none of them is under way.
    """

    def __init__(
        self,
        servers: Servers,
        own: str,
        on_message: Callable[[str, bytes], None],
        on_reconnect: Callable[[], None],
        counts: BusCounts,
    ) -> None:
        self._servers = servers
        self._own = own
        self._on_reconnect = on_reconnect
        self._counts = counts
        self._map = SlotMap(servers)
        self._unsettled = asyncio.Event()
        self._told = Told(on_message, on_reconnect, self._unsettled.set)
        self._started = False
        # Until somebody says who has which slots, all is with the first server.
        first = self._line_to(servers.hosts[0])
        self._lines = {servers.hosts[0]: first}
        self._routes = [first] * SLOTS
        self._followed: list[Host | None] = []
        """Who had which slots when the lines were brought in order last."""
        self._steering: asyncio.Task[None] | None = None

    def of(self, channel: str) -> Line:
        """The line of a channel, as of now."""
        return self._routes[slot_of(channel)]

    @property
    def all(self) -> Collection[Line]:
        """Every shard's."""
        return self._lines.values()

    async def start(self) -> None:
        """Connect to all shards, as far as they answer; the others follow in the background."""
        try:
            await self._map.look()
        except (RedisError, OSError) as error:
            _log.warning("the cluster cannot be reached", error=why(error))
        await self._reroute()
        self._started = True
        tried = [line.start() for line in self._lines.values()]
        self._steering = asyncio.create_task(self._steer(), name="bus-steer")
        for each in tried:
            await each.wait()

    async def close(self) -> None:
        """Publish what waits, where Redis answers, and let go of all lines."""
        await asyncio.gather(*(line.drain() for line in self._lines.values()))
        if self._steering is not None:
            await ended(self._steering)
        await asyncio.gather(*(line.close() for line in self._lines.values()))

    async def _steer(self) -> None:
        """Let lines and channels follow the slots, for as long as the task lives."""
        reached = True
        while True:
            await self._unsettled.wait()
            self._unsettled.clear()
            try:
                if await self._settle():
                    self._on_reconnect()
                reached = True
            except (RedisError, OSError) as error:
                if reached:
                    _log.warning("the cluster cannot be reached", error=why(error))
                reached = False
            except Exception:
                _log.exception("the bus does not follow the cluster")
            if not all(line.connected for line in self._lines.values()):
                self._unsettled.set()
            await asyncio.sleep(lines.RECONNECT_SECONDS)

    async def _settle(self) -> bool:
        """Ask who has which slots, and follow; whether channels have moved and are all heard again."""
        await self._map.look()
        await self._reroute()
        strayed = [line for line in self._lines.values() if line.has_strays]
        await asyncio.gather(*(line.retake() for line in strayed))
        return bool(strayed) and not any(line.has_strays for line in strayed)

    async def _reroute(self) -> None:
        """Bring each slot to the line of the server that has it now."""
        if self._map.owners == self._followed:
            return
        for owner in {owner for owner in self._map.owners if owner is not None}:
            if owner not in self._lines:
                self._lines[owner] = self._line_to(owner)
        moving = {
            slot: self._lines[owner]
            for slot, owner in enumerate(self._map.owners)
            if owner is not None and self._lines[owner] is not self._routes[slot]
        }
        if moving:
            await self._move(moving)
        await self._tidy()
        self._followed = self._map.owners.copy()

    async def _move(self, moving: dict[int, Line]) -> None:
        losing = {self._routes[slot] for slot in moving}
        keeping = {line for slot, line in enumerate(self._routes) if slot not in moving}
        for line in losing - keeping:
            await line.close()  # its server may be dead: nobody waits for what it has under way
        async with AsyncExitStack() as turns:
            for line in losing:
                await turns.enter_async_context(line.turn)
            given = [line.give_up(lambda channel: slot_of(channel) in moving) for line in losing]
            for slot, line in moving.items():
                self._routes[slot] = line
            adopted = defaultdict(list)
            for channels, messages in given:
                for channel in channels:
                    adopted[self.of(channel)].append(channel)
                for channel, message in messages:
                    self.of(channel).put(channel, message)
            for line, channels in adopted.items():
                line.adopt(channels)
        if self._started:
            topics = sum(map(len, adopted.values()))
            _log.info("slots have moved", slots=len(moving), topics=topics)

    async def _tidy(self) -> None:
        """Begin the lines that are new, end those that have no slots, and give each its own channel."""
        slots: defaultdict[Line, set[int]] = defaultdict(set)
        for slot, line in enumerate(self._routes):
            slots[line].add(slot)
        gone = {host: line for host, line in self._lines.items() if line not in slots}
        self._lines = {host: line for host, line in self._lines.items() if line in slots}
        for line in gone.values():
            await line.close()
        for line, its in slots.items():
            line.beat_seconds = max(lines.HEARTBEAT_SECONDS, len(slots) / BEATS_PER_SECOND)
            if slot_of(line.own) not in its:
                await line.move_to(name_in(self._own, its.__contains__))
            if self._started and not line.is_started:
                line.start()

    def _line_to(self, host: Host) -> Line:
        return Line(
            partial(self._connect, host),
            BY_SHARD,
            name_in(self._own, lambda _: True),
            self._told,
            self._counts,
            server=f"{host[0]}:{host[1]}",
            late=self._started,
        )

    async def _connect(self, host: Host, read_seconds: float | None) -> Connection:
        return await self._servers.connect(host, read_seconds, lines.SOCKET_SECONDS)
