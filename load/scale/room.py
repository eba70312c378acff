"""A post that very many watch, simulated: from a like until it is on the screens.

Every worker has a lane of likes for the post. Their batches wait for the post's row, one after the other. What is
committed goes over Redis to all workers; each writes to its watchers, and rests as long as that took, as
gateway/delivery/audience.py does.
"""

import math
import random
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from gateway.delivery.audience import pause_after
from load.latency import Spread
from store.batching import BATCH_COMMANDS, BLOCKED_TRIES
from store.database import IMPATIENT_LOCK_MILLISECONDS

PLACES = (0.05, 0.275, 0.5, 0.725, 0.95)
"""Of all watchers of a worker in the order in which they are served, so many share are looked at."""
PATIENCE = IMPATIENT_LOCK_MILLISECONDS / 1000
SAMPLED = 4
"""Workers whose watchers are looked at."""


@dataclass(frozen=True, slots=True)
class Room:
    """A post, and the costs of what happens to it; seconds.

    A batch holds the row for `hold` and `hold_each` for every like. A message takes Redis `publish`, or
    `publish_busy` where it follows another, and is at a node `travel` later. A node takes it in for
    `receive`, and writes to one watcher in `deliver`. Other things keep a node busy for the share `busy` of its time.
    """

    workers: int
    watchers: int
    hold: float
    hold_each: float
    publish: float
    publish_busy: float
    travel: float
    receive: float
    deliver: float
    busy: float = 0.0
    writers: int | None = None
    """Workers to which the likes come, if not to all."""


@dataclass(slots=True)
class Found:
    """What became of the likes. Latencies are in seconds, from the like's arrival at a node."""

    acks: Spread
    screens: Spread
    likes: int
    refused: int
    batches: int
    seconds: float
    flushes: float
    """A second, of one worker."""
    sending: float
    """The share of a worker's time that goes to this room."""
    redis: float
    """The share of one Redis thread's time that goes to this room."""
    blocked: int
    """Batches that gave up waiting for the row, and tried again."""


@dataclass(slots=True)
class _Writer:
    """One worker's lane for this post."""

    waiting: deque[float] = field(default_factory=deque)
    under_way: bool = False
    tries: int = 0


@dataclass(slots=True)
class _Screen:
    """One worker's room: what is committed and not yet on its way, by when its likes came."""

    pending: list[list[float]] = field(default_factory=list)
    free_at: float = 0.0
    is_due: bool = False


def simulate(room: Room, rate: float, seconds: float, seed: int = 1) -> Found:
    """Likes come by chance, `rate` a second for so many seconds, to all workers alike."""
    return _Simulation(room, seed).run(rate, seconds)


class _Simulation:
    def __init__(self, room: Room, seed: int) -> None:
        self._room = room
        self._chance = random.Random(seed)  # noqa: S311 (a simulation)
        self._events: list[tuple[float, int, str, Any]] = []
        self._count = 0
        self._writers = [_Writer() for _ in range(room.writers or room.workers)]
        self._screens = [_Screen() for _ in range(min(SAMPLED, room.workers))]
        self._queue: dict[int, tuple[_Writer, list[float]]] = {}
        self._begun = 0
        self._held = False
        self._redis_free = 0.0
        self._acks: list[float] = []
        self._seen: list[float] = []
        self._refused = self._batches = self._flushes = self._blocked = self._likes = 0
        self._sending = self._publishing = 0.0

    def run(self, rate: float, seconds: float) -> Found:
        at = 0.0
        while (at := at - math.log(1 - self._chance.random()) / rate) < seconds:
            self._at(at, "like", None)
        last = 0.0
        while self._events:
            now, _, what, about = heappop(self._events)
            getattr(self, f"_{what}")(now, about)
            last = max(last, now)
        whole = max(last, seconds)
        screens = len(self._screens)
        return Found(
            acks=Spread.of(self._acks),
            screens=Spread.of(self._seen),
            likes=self._likes,
            refused=self._refused,
            batches=self._batches,
            seconds=whole,
            flushes=self._flushes / screens / whole,
            sending=self._sending / screens / whole,
            redis=self._publishing / whole,
            blocked=self._blocked,
        )

    def _at(self, when: float, what: str, about: Any) -> None:
        self._count += 1
        heappush(self._events, (when, self._count, what, about))

    # Likes gather in the lanes, and a batch of each waits for the row.

    def _like(self, now: float, _: None) -> None:
        self._likes += 1
        writer = self._writers[self._chance.randrange(len(self._writers))]
        writer.waiting.append(now)
        if not writer.under_way:
            self._begin(now, writer)

    def _begin(self, now: float, writer: _Writer) -> None:
        writer.under_way = True
        batch = [writer.waiting.popleft() for _ in range(min(len(writer.waiting), BATCH_COMMANDS))]
        self._begun += 1
        self._queue[self._begun] = (writer, batch)
        self._at(now + PATIENCE, "gave_up", (writer, batch, self._begun))
        self._take_turns(now)

    def _take_turns(self, now: float) -> None:
        """Give the row to whoever waits longest."""
        if self._queue and not self._held:
            number = next(iter(self._queue))
            writer, batch = self._queue.pop(number)
            self._held = True
            took = self._room.hold + self._room.hold_each * len(batch)
            self._at(now + took, "committed", (writer, batch))

    def _gave_up(self, now: float, about: tuple[_Writer, list[float], int]) -> None:
        """A batch has waited for too long; unless it got the row meanwhile it is tried again, so many times."""
        writer, batch, number = about
        if number not in self._queue:
            return
        del self._queue[number]
        self._blocked += 1
        writer.tries += 1
        if writer.tries < BLOCKED_TRIES:
            writer.waiting.extendleft(reversed(batch))
        else:
            self._refused += len(batch) + len(writer.waiting)
            writer.waiting.clear()
            writer.tries = 0
        self._go_on(now, writer)

    def _committed(self, now: float, about: tuple[_Writer, list[float]]) -> None:
        writer, batch = about
        self._held = False
        writer.tries = 0
        self._batches += 1
        self._acks += [now - came for came in batch]
        idle = self._redis_free <= now
        took = self._room.publish if idle else self._room.publish_busy
        self._redis_free = max(now, self._redis_free) + took
        self._publishing += took
        for screen in self._screens:
            self._at(self._redis_free + self._room.travel, "received", (screen, batch))
        self._go_on(now, writer)
        self._take_turns(now)

    def _go_on(self, now: float, writer: _Writer) -> None:
        if writer.waiting:
            self._begin(now, writer)
        else:
            writer.under_way = False

    # What is committed comes to the nodes, and goes to the screens at their pace.

    def _received(self, now: float, about: tuple[_Screen, list[float]]) -> None:
        screen, batch = about
        screen.pending.append(batch)
        if not screen.is_due:
            screen.is_due = True
            self._at(max(now, screen.free_at), "flush", screen)

    def _flush(self, now: float, screen: _Screen) -> None:
        """States have collapsed: one frame to each, whatever is pending."""
        room = self._room
        own = len(screen.pending) * room.receive + self._share * room.deliver
        took = own / (1 - room.busy)
        for batch in screen.pending:
            for came in batch:
                self._seen += [now - came + took * place for place in PLACES]
        screen.pending = []
        screen.is_due = False
        screen.free_at = now + took + pause_after(took)
        self._flushes += 1
        self._sending += own

    @property
    def _share(self) -> float:
        return self._room.watchers / self._room.workers
