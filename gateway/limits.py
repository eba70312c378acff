"""How much one user may do: the general pace, and the limits that operations declare."""

import asyncio
import math
from collections.abc import Iterator, Sequence
from itertools import count
from secrets import token_hex
from typing import Protocol
from uuid import UUID

import msgspec

from handlers.actor import Actor
from handlers.operation import Limit, Refusal
from pubsub import Ask, Bucket, Verdict, Window

COMMANDS_PER_SECOND = 2.0
"""Commands and requests of one user in the long run, over all nodes."""
COMMANDS_AT_ONCE = 20
"""Commands and requests of one user in one breath."""
SEAT_SECONDS = 30.0
"""How long a seat lasts unless it is renewed."""
RENEW_SECONDS = 10.0
"""Between two renewals of the seats that are taken."""


class Limiter(Protocol):
    """Who counts, over all nodes."""

    async def take(self, asks: Sequence[Ask]) -> list[Verdict]: ...

    async def give_back(self, windows: Sequence[Window]) -> None: ...

    async def renew(self, windows: Sequence[Window]) -> None: ...


class Standing(msgspec.Struct, frozen=True):
    """How somebody stands with a limit: at most `count` in `window_seconds`, `left` more now.

    One more than that may go on in `more_in` seconds.
    """

    name: str
    count: int
    window_seconds: float
    left: int
    more_in: float


class Admission:
    """A command's way past the limits: what it took of its own, and how its caller stands with each."""

    __slots__ = ("_limit", "_verdicts", "given_back", "taken")

    def __init__(self) -> None:
        self.taken: Window | None = None
        self.given_back = False
        self._limit: Limit | None = None
        self._verdicts: list[tuple[Ask, Verdict]] = []

    def note(self, ask: Ask, verdict: Verdict, limit: Limit | None) -> None:
        """The limiter has spoken."""
        self._limit = limit
        self._verdicts.append((ask, verdict))
        if verdict.refused_by is None:
            self.taken = ask.window

    def standings(self) -> Iterator[Standing]:
        """The general pace, and what the operation is limited by beside it."""
        for ask, verdict in self._verdicts:
            if (bucket := ask.bucket) is not None and (room := verdict.bucket) is not None:
                seconds = bucket.burst / bucket.per_second
                yield Standing("pace", bucket.burst, seconds, *room)
            if (window := ask.window) is not None and (room := verdict.window) is not None:
                assert self._limit is not None
                left = room.left + self.given_back
                yield Standing(self._limit.name, window.count, window.seconds, left, room.seconds)


class Gate:
    """Lets commands through at the pace and up to the counts allowed. `factor` raises every ceiling."""

    def __init__(self, limiter: Limiter, factor: float | None) -> None:
        self._limiter = limiter
        self._factor = factor
        self._mark = f"{token_hex(8)}:"
        self._tickets = count()

    async def admit(
        self,
        actor: Actor,
        limit: Limit | None,
        admission: Admission | None = None,
        *,
        paced: bool = True,
    ) -> Admission:
        """Count a command of this actor. Raises `RATE_LIMITED`; `admission` says how they stand then too.

        Without `paced` the pace was asked for before.
        """
        admission = admission or Admission()
        if self._factor is None:
            return admission
        who = actor.address if actor.id is None else str(actor.id)
        bucket = window = None
        if paced:
            bucket = Bucket(
                f"pace:{{{who}}}",
                COMMANDS_PER_SECOND * self._factor,
                max(round(COMMANDS_AT_ONCE * self._factor), 1),
            )
        if limit is not None:
            window = Window(
                f"limit:{limit.name}:{{{who}}}",
                max(round(limit.count * self._factor), 1),
                limit.window.total_seconds(),
                f"{self._mark}{next(self._tickets)}",
            )
        ask = Ask(bucket, window)
        (verdict,) = await self._limiter.take([ask])
        admission.note(ask, verdict, limit)
        if verdict.refused_by is not None:
            raise _too_much(verdict.refused_by, verdict.retry_after)
        return admission

    async def give_back(self, admission: Admission) -> None:
        """The command was refused or changed nothing: it does not count towards its limit."""
        if admission.taken is not None and not admission.given_back:
            admission.given_back = True
            await self._limiter.give_back([admission.taken])


class Seats:
    """How many sockets one user may have at once, over all nodes; None for as many as they like.

    A node that dies keeps its users' seats for SEAT_SECONDS.
    """

    def __init__(self, limiter: Limiter, most: int | None) -> None:
        self._limiter = limiter
        self._most = most
        self._taken: dict[str, Window] = {}
        self._left: list[Window] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, user_id: UUID, connection_id: str) -> None:
        """Give this connection a seat. Raises `RATE_LIMITED` where the user has none left."""
        if self._most is None:
            return
        seat = Window(f"sockets:{user_id}", self._most, SEAT_SECONDS, connection_id)
        (verdict,) = await self._limiter.take([Ask(window=seat)])
        if not verdict.allowed:
            raise Refusal(
                "RATE_LIMITED",
                f"One user may have {self._most} sockets at once.",
                retry_after=math.ceil(verdict.retry_after),
                limit=self._most,
                window_seconds=SEAT_SECONDS,
            )
        self._taken[connection_id] = seat

    def leave(self, connection_id: str) -> None:
        """The connection's seat is free again, in a moment."""
        seat = self._taken.pop(connection_id, None)
        if seat is not None:
            self._left.append(seat)
            if len(self._left) == 1:
                task = asyncio.create_task(self._give_back())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def keep(self) -> None:
        """Renew the seats that are taken, for as long as the task lives."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if self._taken:
                await self._limiter.renew(list(self._taken.values()))

    async def close(self) -> None:
        """Wait until the seats that were left are free."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _give_back(self) -> None:
        left, self._left = self._left, []
        await self._limiter.give_back(left)


def _too_much(refused_by: Bucket | Window, retry_after: float) -> Refusal:
    if isinstance(refused_by, Window):
        count, seconds = refused_by.count, refused_by.seconds
    else:
        count, seconds = refused_by.burst, refused_by.burst / refused_by.per_second
    return Refusal(
        "RATE_LIMITED",
        f"Too much at once: at most {count} in {seconds:g} seconds.",
        retry_after=math.ceil(retry_after * 1000) / 1000,
        limit=count,
        window_seconds=seconds,
    )
