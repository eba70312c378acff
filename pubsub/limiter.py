"""Limits that hold across nodes: a bucket for the pace, a sliding window for the count.

Redis keeps them and its clock decides; while Redis is away each process counts for itself.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import structlog
from redis.exceptions import RedisError

from pubsub.commands import Call, Command, Group, Script, open_commands, run
from pubsub.ending import ended
from pubsub.servers import why

SOCKET_SECONDS = 0.5
"""Within which Redis has to answer, or this process counts for itself."""
AWAY_SECONDS = 1.0
"""Between two looks whether a Redis that failed is back; no command waits for them."""
FORGET_EVERY = 10_000
"""Local decisions between two sweeps of what has run out."""

_TAKE = Script("limiter.lua")
_RENEW = Script("renew.lua")
_BY_BUCKET = 1
_ERROR = b"!"
_NOTHING = "nothing"
"""A key for who asks for nothing: scripts have to have one."""
_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger(__name__)


class Bucket(msgspec.Struct, frozen=True):
    """A pace: `per_second` in the long run, up to `burst` at once."""

    key: str
    per_second: float
    burst: int

    @property
    def interval(self) -> float:
        return 1.0 / self.per_second

    @property
    def tolerance(self) -> float:
        return self.interval * (self.burst - 1) + 1e-6


class Window(msgspec.Struct, frozen=True):
    """At most `count` in any `seconds`. `ticket` marks this one, so that it can be given back."""

    key: str
    count: int
    seconds: float
    ticket: str


class Ask(msgspec.Struct, frozen=True):
    """What one command needs leave of; both must agree. On a cluster both keys have to be of one slot."""

    bucket: Bucket | None = None
    window: Window | None = None


class Room(NamedTuple):
    """What a bucket or window still lets through: `left` more now, and one more than that in `seconds`."""

    left: int
    seconds: float


class Verdict(msgspec.Struct, frozen=True):
    """`refused_by` is the bucket or window that said no, and `retry_after` (seconds) when it may say yes.

    `bucket` and `window` are the room in those that were asked, after this ask.
    """

    refused_by: Bucket | Window | None = None
    retry_after: float = 0.0
    bucket: Room | None = None
    window: Room | None = None

    @property
    def allowed(self) -> bool:
        return self.refused_by is None


class _Batch:
    """Asks that go to Redis together, and who waits for the verdicts on which of them."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self.callers: list[tuple[asyncio.Future[list[Verdict]], slice]] = []

    def add(self, asks: Sequence[Ask]) -> "asyncio.Future[list[Verdict]]":
        """Comes to the verdicts on these."""
        caller: asyncio.Future[list[Verdict]] = asyncio.get_running_loop().create_future()
        first = len(self.asks)
        self.asks.extend(asks)
        self.callers.append((caller, slice(first, len(self.asks))))
        return caller

    def settle(self, verdicts: list[Verdict]) -> None:
        for caller, its in self.callers:
            if not caller.done():  # else whoever asked has gone
                caller.set_result(verdicts[its])

    def fail(self, error: Exception) -> None:
        for caller, _ in self.callers:
            if not caller.done():
                caller.set_exception(error)


class Limiter:
    """Decides in Redis, or for this process alone while Redis is away.

    Asks that come while Redis is asked go together in the next round trip.
    """

    def __init__(self, url: str, *, prefix: str) -> None:
        self._redis = open_commands(url, SOCKET_SECONDS)
        self._prefix = prefix
        self._local = LocalLimiter()
        self._gathering = _Batch()
        self._deciding: asyncio.Task[None] | None = None
        self._away: set[str] = set()
        """The servers that did not answer."""
        self._looking: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        """Whether Redis, or a shard of it, did not answer when it was asked last."""
        return bool(self._away)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._looking is not None:
            await ended(self._looking)
        await self._redis.close()

    async def take(self, asks: Sequence[Ask]) -> list[Verdict]:
        """A verdict for each, in order. What is allowed is counted at once."""
        caller = self._gathering.add(asks)
        if self._deciding is None:
            self._deciding = asyncio.create_task(self._decide_all())
        return await caller

    async def give_back(self, windows: Sequence[Window]) -> None:
        """Uncount commands that were allowed and then came to nothing."""
        self._local.give_back(windows)
        await self._tell(windows, lambda key, window: ("ZREM", key, window.ticket))

    async def renew(self, windows: Sequence[Window]) -> None:
        """Count what was allowed and still lasts as if it had begun now."""
        self._local.renew(windows)
        await self._tell(
            windows,
            lambda key, window: ("EVAL", _RENEW.text, 1, key, window.seconds, window.ticket),
        )

    async def _tell(
        self, windows: Sequence[Window], command: Callable[[str, Window], Command]
    ) -> None:
        """Tell Redis, where it is there."""
        keys = [self._prefix + window.key for window in windows]
        there = [group for group in self._redis.groups(keys) if group.server not in self._away]
        places = [place for group in there for place in group.places]
        if not places:
            return
        answers = iter(
            await self._redis.send(
                [(keys[place], command(keys[place], windows[place])) for place in places]
            )
        )
        for server, its in there:
            for answer in [next(answers) for _ in its]:
                self._heard(server, answer)

    async def _decide_all(self) -> None:
        """Batch after batch, as long as asks came in meanwhile."""
        try:
            while self._gathering.callers:
                batch, self._gathering = self._gathering, _Batch()
                try:
                    batch.settle(await self._decide(batch.asks))
                except Exception as error:  # the callers' to deal with
                    batch.fail(error)
        finally:
            self._deciding = None

    async def _decide(self, asks: Sequence[Ask]) -> list[Verdict]:
        keys = [self._keys(ask) for ask in asks]
        groups = self._redis.groups([first for first, _ in keys])
        there = [group for group in groups if group.server not in self._away]
        verdicts: dict[int, Verdict] = {}
        for group, answer in zip(there, await self._evaluate(asks, keys, there), strict=True):
            self._heard(group.server, answer)
            if isinstance(answer, bytes):
                for place, line in zip(group.places, answer.splitlines(), strict=True):
                    verdicts[place] = self._verdict(group.server, asks[place], line)
        alone = [place for place in range(len(asks)) if place not in verdicts]
        for place, verdict in zip(
            alone, self._local.take([asks[place] for place in alone]), strict=True
        ):
            verdicts[place] = verdict
        return [verdicts[place] for place in range(len(asks))]

    async def _evaluate(
        self, asks: Sequence[Ask], keys: Sequence[tuple[str, str]], groups: Sequence[Group]
    ) -> list[bytes | Exception]:
        """Redis's answers to each group: a line for each ask, or why there are none."""
        calls = [
            Call(
                [key for place in group.places for key in keys[place]],
                [_encode([_arguments(asks[place]) for place in group.places])],
            )
            for group in groups
        ]
        return await run(self._redis, _TAKE, calls) if calls else []

    def _verdict(self, server: str, ask: Ask, answer: bytes) -> Verdict:
        if answer.startswith(_ERROR):
            self._failed(server, RedisError(answer.decode()))
            (verdict,) = self._local.take([ask])
            return verdict
        refused, bucket_left, bucket_wait, window_left, window_wait = map(int, answer.split())
        bucket = Room(bucket_left, bucket_wait / 1000) if bucket_left >= 0 else None
        window = Room(window_left, window_wait / 1000) if window_left >= 0 else None
        if not refused:
            return Verdict(None, 0.0, bucket, window)
        if refused == _BY_BUCKET:
            return Verdict(ask.bucket, bucket_wait / 1000, bucket, window)
        return Verdict(ask.window, window_wait / 1000, bucket, window)

    async def _look(self) -> None:
        """Find out when the servers that were away are back, or others have their keys."""
        while self._away:
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.gather(*(self._probe(server) for server in self._away))

    async def _probe(self, server: str) -> None:
        if self._redis.has(server):
            key = self._redis.name_at(server, self._prefix + "probe")
            (answer,) = await run(self._redis, _TAKE, [Call([key, key], [_PROBE])])
            if isinstance(answer, Exception) or answer.startswith(_ERROR):
                return
        self._answered(server)

    def _heard(self, server: str, answer: object) -> None:
        if isinstance(answer, Exception):
            self._failed(server, answer)
        else:
            self._answered(server)

    def _failed(self, server: str, error: Exception) -> None:
        if server not in self._away:
            self._away.add(server)
            _log.warning(
                "limits are counted for this process alone", server=server, error=why(error)
            )
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    def _answered(self, server: str) -> None:
        if server in self._away:
            self._away.discard(server)
            _log.info("limits are counted over all nodes again", server=server)

    def _keys(self, ask: Ask) -> tuple[str, str]:
        """Of bucket and window; in the place of what is not asked stands a key that is."""
        bucket, window = ask.bucket, ask.window
        first = bucket.key if bucket else window.key if window else _NOTHING
        second = window.key if window else first
        return self._prefix + first, self._prefix + second


def _arguments(ask: Ask) -> tuple[float | str, ...]:
    bucket, window = ask.bucket, ask.window
    return (
        *((bucket.interval, bucket.tolerance) if bucket else (0, 0)),
        *((window.count, window.seconds, window.ticket) if window else (0, 0, "")),
    )


_PROBE = _encode([_arguments(Ask(Bucket("probe", per_second=1.0, burst=1)))])
"""What is asked to see whether Redis decides."""


@dataclass(slots=True)
class LocalLimiter:
    """The same rules in this process's memory, by this process's clock."""

    clock: Callable[[], float] = time.monotonic
    _due: dict[str, float] = field(default_factory=dict)
    _taken: dict[str, deque[tuple[float, str]]] = field(default_factory=dict)
    """Of each window: when a ticket runs out, and which."""
    _decided: int = 0

    def take(self, asks: Sequence[Ask]) -> list[Verdict]:
        """A verdict for each. What is allowed is counted at once."""
        return [self._take(ask) for ask in asks]

    def give_back(self, windows: Sequence[Window]) -> None:
        """Uncount commands that were allowed and then came to nothing."""
        for window in windows:
            taken = self._taken.get(window.key, ())
            self._taken[window.key] = deque(each for each in taken if each[1] != window.ticket)

    def renew(self, windows: Sequence[Window]) -> None:
        """Count what was allowed and still lasts as if it had begun now."""
        self.give_back(windows)
        for window in windows:
            self._taken[window.key].append((self.clock() + window.seconds, window.ticket))

    def _take(self, ask: Ask) -> Verdict:
        now = self.clock()
        self._decided += 1
        if self._decided % FORGET_EVERY == 0:
            self._forget(now)
        bucket = window = None
        if ask.bucket is not None:
            bucket, allowed = self._pour(ask.bucket, now)
            if not allowed:
                return Verdict(ask.bucket, bucket.seconds, bucket)
        if ask.window is not None:
            window, allowed = self._enter(ask.window, now)
            if not allowed:
                return Verdict(ask.window, window.seconds, bucket, window)
        return Verdict(None, 0.0, bucket, window)

    def _pour(self, bucket: Bucket, now: float) -> tuple[Room, bool]:
        interval, tolerance = bucket.interval, bucket.tolerance
        due = max(self._due.get(bucket.key, now), now)
        if due - now > tolerance:
            return Room(0, due - now - tolerance), False
        due = self._due[bucket.key] = due + interval
        left = max(math.floor((tolerance - (due - now)) / interval) + 1, 0)
        return Room(left, due + left * interval - now - tolerance), True

    def _enter(self, window: Window, now: float) -> tuple[Room, bool]:
        taken = self._taken.setdefault(window.key, deque())
        while taken and taken[0][0] <= now:
            taken.popleft()
        allowed = len(taken) < window.count
        if allowed:
            taken.append((now + window.seconds, window.ticket))
        return Room(max(window.count - len(taken), 0), taken[0][0] - now), allowed

    def _forget(self, now: float) -> None:
        self._due = {key: due for key, due in self._due.items() if due > now}
        self._taken = {
            key: taken for key, taken in self._taken.items() if taken and taken[-1][0] > now
        }
