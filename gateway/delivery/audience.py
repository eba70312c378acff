"""The watchers of one topic, and what is on its way to them, at a pace.

Entries that come in one pass of the loop go out together, one write per socket. What sending costs sets
the pace: a large room under a storm of entries gets them joined, and states that were replaced
meanwhile not at all; a lone entry in a quiet room goes out at once.
"""

import asyncio
import math
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from gateway.delivery.counts import DeliveryCounts
from gateway.delivery.feed import retold
from gateway.delivery.message import Message
from gateway.sockets.application import Outlet
from gateway.sockets.frame import Frame
from handlers.actor import Actor

MENTION_SECONDS = 1.0
"""How long at least between two ephemeral messages of one key, such as two view counts of a post."""
LONGEST_PAUSE = 0.1
"""Seconds between two flushes of the same topic at the most."""
SLICE_SECONDS = 0.005
"""How long one pass of the loop may be held up by sending."""
SLICE_WATCHERS = 64
"""Watchers served between two looks at the clock."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_log = structlog.get_logger(__name__)


class Holder(Protocol):
    """Who sits before a screen: their rights, as of now, what to tell of them, and the topics that they watch."""

    actor: Actor
    user: Any
    topics: set[str]


class Watcher(Protocol):
    """Whoever gets frames. One that does not keep up is `congested`, and closes itself past its bounds."""

    @property
    def session(self) -> Holder: ...

    @property
    def congested(self) -> bool: ...

    @property
    def outlet(self) -> Outlet: ...

    def send(self, frame: Frame) -> None: ...

    def close(self, reason: str) -> None: ...


def pause_after(seconds: float) -> float:
    """How long to gather after a flush that took `seconds`: a topic gets half of the loop's time at most."""
    return min(seconds, LONGEST_PAUSE)


def due_now(owed: Sequence[Message], *, congested: bool) -> tuple[list[Message], list[Message]]:
    """What of `owed` to send a watcher now, and what to keep for later; in order, states collapsed.

    A congested watcher gets no state that no log entry follows: the newest goes out once it keeps up.
    """
    owed = retold(owed, ())
    if not congested:
        return owed, []
    logs = [place for place, message in enumerate(owed) if message.key is None]
    end = logs[-1] + 1 if logs else 0
    return owed[:end], owed[end:]


@dataclass(slots=True)
class _Rest:
    """The time after an ephemeral message in which no other of its key goes out; the newest waits."""

    timer: asyncio.TimerHandle
    waiting: Message | None = None


class _Place:
    """A watcher's place in the room, with all at hand that a frame needs to reach it.

    What a flush touches of a thousand watchers does not stay in the processor's cache: it is kept small.
    """

    __slots__ = ("empty", "offer", "seq", "watcher")

    def __init__(self, watcher: Watcher, seq: int) -> None:
        self.watcher = watcher
        self.seq = seq
        self.offer = watcher.outlet.offer
        self.empty = False


class Audience:
    """Sends each watcher every entry after the `seq` with which it joined, once and in order.

    Ephemeral messages go to whoever is here and keeps up, in the same frames. What still waits when an
    entry of a type in `removing` removes its subject tells nothing of it.
    """

    def __init__(
        self, removing: Collection[str] = (), counts: DeliveryCounts | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._counts = counts or DeliveryCounts()
        self._removing = removing
        self._joined: dict[Watcher, _Place] = {}
        self._pending: list[Message] = []
        self._batch: list[Message] = []
        self._first = math.inf
        self._mentions: list[Message] = []
        self._mentioned: list[Message] = []
        self._newest: dict[str, datetime] = {}
        self._rests: dict[str, _Rest] = {}
        self._frame = Frame.joined(())
        self._size = 0
        self._under_way: Iterator[_Place] = iter(())
        self._flush: asyncio.Handle | None = None
        self._served: asyncio.Future[None] | None = None
        self._spent = 0.0
        self._rest_until = 0.0
        self._kept: dict[Watcher, list[Message]] = {}
        self._again: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._joined)

    def __contains__(self, watcher: Watcher) -> bool:
        return watcher in self._joined

    def __iter__(self) -> Iterator[Watcher]:
        return iter(tuple(self._joined))

    def join(self, watcher: Watcher, seq: int) -> None:
        """Send this watcher what follows `seq`; one that is here already first gets what it is owed."""
        if (place := self._joined.get(watcher)) is None:
            self._joined[watcher] = _Place(watcher, seq)
            return
        self._finish()
        if kept := self._kept.pop(watcher, None):
            self._tell(watcher, kept)
        place.seq = seq

    def leave(self, watcher: Watcher) -> None:
        """Send this watcher nothing more."""
        if (place := self._joined.pop(watcher, None)) is not None:
            place.empty = True
        self._kept.pop(watcher, None)

    def tell(self, messages: Sequence[Message]) -> None:
        """Send entries that follow those told before."""
        if messages and self._joined:
            self._pending.extend(messages)
            if self._flush is None:
                self._schedule()

    def mention(self, message: Message) -> None:
        """Send an ephemeral message to those who are here and keep up.

        Of those with the same key the newest of every second goes out, and none that is older than
        one before it: they come from several nodes, in any order.
        """
        if not self._joined:
            return
        key = message.key
        if key is not None:
            if message.header.at <= self._newest.get(key, _LONG_AGO):
                return
            self._newest[key] = message.header.at
            if (rest := self._rests.get(key)) is not None:
                rest.waiting = message
                return
            self._rest(key)
        self._mention(message)

    def _mention(self, message: Message) -> None:
        self._mentions.append(message)
        if self._flush is None:
            self._schedule()

    def _rest(self, key: str) -> None:
        self._rests[key] = _Rest(self._loop.call_later(MENTION_SECONDS, self._rested, key))

    def _rested(self, key: str) -> None:
        waiting = self._rests.pop(key).waiting
        if waiting is not None and self._joined:
            self._rest(key)
            self._mention(waiting)

    async def served(self) -> None:
        """Return once nothing is on its way, but for what those who do not keep up are owed."""
        while self._flush is not None:
            if self._served is None:
                self._served = self._loop.create_future()
            await asyncio.shield(self._served)

    def close_all(self, reason: str) -> None:
        """Close every watcher, telling nothing of what is on its way."""
        self._pending.clear()
        self._mentions.clear()
        for watcher in tuple(self._joined):
            watcher.close(reason)

    def stop(self) -> None:
        """Send nothing any more."""
        for handle in (self._flush, self._again, *(rest.timer for rest in self._rests.values())):
            if handle is not None:
                handle.cancel()

    def _schedule(self) -> None:
        wait = self._rest_until - self._loop.time()
        if wait > 0:
            self._flush = self._loop.call_later(wait, self._begin)
        else:
            self._flush = self._loop.call_soon(self._let_others_go_first)

    def _let_others_go_first(self) -> None:
        """Begin with the next pass: what this one publishes and answers is not to wait for a thousand writes."""
        self._flush = self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        if not self._pending and not self._mentions:  # all were closed meanwhile
            self._rest_now()
            return
        self._take_up()
        self._spent = 0.0
        self._slice()

    def _take_up(self) -> None:
        """What is pending is on its way from now on, to all who are here."""
        self._batch, self._pending = retold(self._pending, self._removing), []
        self._mentioned, self._mentions = self._mentions, []
        self._first = self._batch[0].seq if self._batch else math.inf
        self._frame = _joined([*self._batch, *self._mentioned])
        self._size = len(self._batch) + len(self._mentioned)
        self._counts.flushes += 1
        self._under_way = iter(tuple(self._joined.values()))

    def _slice(self) -> None:
        """Serve watchers until all are, or until the loop should see to other things."""
        started = self._loop.time()
        served = 0
        for served, place in enumerate(self._under_way, 1):
            self._serve(place)
            if served % SLICE_WATCHERS == 0 and self._loop.time() - started > SLICE_SECONDS:
                self._spent += self._loop.time() - started
                self._flush = self._loop.call_soon(self._slice)
                self._counts.deliveries += served * self._size
                return
        self._served_all(served)
        now = self._loop.time()
        self._rest_until = now + pause_after(self._spent + now - started)
        self._rest_now()
        if self._pending or self._mentions:
            self._schedule()

    def _served_all(self, served: int) -> None:
        """Count the flush: `served` watchers got it since that was counted last, and none is left."""
        self._counts.deliveries += served * self._size
        if self._batch:
            now, seconds = time.time(), self._counts.seconds
            for message in self._batch:
                seconds.add(max(now - message.header.at.timestamp(), 0.0))

    def _rest_now(self) -> None:
        self._flush = None
        if self._served is not None:
            self._served.set_result(None)
            self._served = None

    def _finish(self) -> None:
        """Serve everybody at once with all that is on its way."""
        if self._flush is None:
            return
        self._flush.cancel()
        self._rest_now()
        self._serve_rest()
        if self._pending or self._mentions:
            self._take_up()
            self._serve_rest()

    def _serve_rest(self) -> None:
        rest = tuple(self._under_way)
        for place in rest:
            self._serve(place)
        if rest:
            self._served_all(len(rest))

    def _serve(self, place: _Place) -> None:
        if place.empty:  # it has left meanwhile
            self._counts.deliveries -= self._size
            return
        try:
            behind = self._kept and place.watcher in self._kept
            if not behind and place.seq < self._first and place.offer(self._frame):
                return
            self._counts.deliveries -= self._size  # it is served apart, and counted so
            watcher = place.watcher
            self._send(watcher, [message for message in self._batch if message.seq > place.seq])
            if self._mentioned and not watcher.congested:
                self._tell(watcher, self._mentioned)
        except Exception:  # one that fails must not keep the others from hearing
            _log.exception("a watcher failed")
            place.watcher.close("internal_error")

    def _send(self, watcher: Watcher, news: Sequence[Message]) -> None:
        """Send what this watcher is owed as far as it keeps up, and keep the rest."""
        owed = [*self._kept.pop(watcher, ()), *news]
        now, later = due_now(owed, congested=watcher.congested)
        if later:
            self._kept[watcher] = later
            if self._again is None:
                self._again = self._loop.call_later(LONGEST_PAUSE, self._try_kept)
        if now:
            self._tell(watcher, now)

    def _tell(self, watcher: Watcher, messages: Sequence[Message]) -> None:
        self._counts.deliveries += len(messages)
        watcher.send(_joined(messages))

    def _try_kept(self) -> None:
        self._again = None
        for watcher in tuple(self._kept):
            self._send(watcher, ())


def _joined(messages: Sequence[Message]) -> Frame:
    if len(messages) == 1:
        return messages[0].frame
    return Frame.joined([message.frame for message in messages])
