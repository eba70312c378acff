"""Reads on a standby, none of them older than on the primary itself.

A standby shows what the primary wrote some moments ago. So whoever reads there asks the primary first up to where
it has written, together with all who ask meanwhile, and reads once the standby has replayed as much. Where that
takes too long, and where there is no standby to ask, the primary answers.

Docs: docs/adr/0039-a-replica-answers-what-the-primary-would.md.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

import asyncpg
import structlog

from store.database import Database, Reader
from store.queries import queries
from store.refusal import Refusal

T = TypeVar("T")

CATCH_UP_SECONDS = 0.1
"""How long a read waits for the replica to be as far as the primary; after that the primary answers it."""
BEAT_SECONDS = 0.5
"""Between two looks whether the replica may be read from."""
PAUSES = (0.001, 0.01)
"""Seconds between the first two questions how far the replica is, and between later ones at the most."""

_SQL = queries("replica/marks")
_log = structlog.get_logger(__name__)


class Meter(Protocol):
    """Who measures where is read. It neither waits nor raises."""

    def read(self, server: str) -> None:
        """A query was answered by the `replica`, or by the `primary` in its place."""
        ...

    def caught_up(self, seconds: float) -> None:
        """The replica was as far as the primary after so long."""
        ...


class _Nobody:
    """Measures nothing."""

    def read(self, server: str) -> None: ...

    def caught_up(self, seconds: float) -> None: ...


class _Mark(NamedTuple):
    """Up to where a history goes."""

    lineage: UUID
    position: int


class _Unfit(Exception):
    """The replica can't show what the primary would, and why that is."""


class Replica:
    """The queries of a database, answered by a standby of it where that is as far as the primary is."""

    def __init__(self, standby: Database, primary: Database) -> None:
        self._standby = standby
        self._primary = primary
        self._marks = _Marks(primary)
        self._unfit: str | None = "it has not been looked at so far"
        self._told: str | None = self._unfit
        self._meter: Meter = _Nobody()

    def measured_by(self, meter: Meter) -> None:
        """Name who measures from now on."""
        self._meter = meter

    @property
    def fit(self) -> bool:
        """Whether it is read from, as of now."""
        return self._unfit is None

    @property
    def unfit(self) -> str | None:
        """Why it is not read from; None where it is."""
        return self._unfit

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """The rows of a query that changes nothing, as the primary would answer now, or later."""
        return await self._read(lambda reader: reader.fetch(query, *args))

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """The first row of a query that changes nothing, or None."""
        return await self._read(lambda reader: reader.fetchrow(query, *args))

    async def keep(self) -> None:
        """Look after it for as long as the task lives: nobody reads there before, nor while it is unfit."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._standby.keep_pulse())
            group.create_task(self._look_again_and_again())

    async def _read(self, ask: Callable[[Reader], Awaitable[T]]) -> T:
        if self._unfit is None:
            mark = await self._marks.take()
            try:
                async with self._abreast(mark) as standby:
                    answer = await ask(standby)
            except _Unfit as error:
                self._unfit = str(error)
            except Refusal:
                self._unfit = "it cannot be reached"
            except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # Such as a row that was vacuumed away. What is wrong with the query itself the primary says, too.
                _log.info("a query failed on the replica", error=repr(error))
            else:
                self._meter.read("replica")
                return answer
        self._meter.read("primary")
        return await ask(self._primary)

    @asynccontextmanager
    async def _abreast(self, mark: _Mark) -> AsyncIterator[Reader]:
        """A connection to the standby once that has replayed up to `mark`. Raises _Unfit, and Refusal."""
        async with self._standby.connection() as standby:
            begun = time.monotonic()
            pause, longest = PAUSES
            while (lacks := _lacks(await standby.fetchrow(_SQL["replayed"]), mark)) is not None:
                if time.monotonic() - begun >= CATCH_UP_SECONDS:
                    raise _Unfit(lacks)
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)
            self._meter.caught_up(time.monotonic() - begun)
            yield standby

    async def _look_again_and_again(self) -> None:
        while True:
            await self._look()
            if self._unfit != self._told:
                self._told = self._unfit
                if self._unfit is None:
                    _log.info("the replica is read from")
                else:
                    _log.warning("the replica is not read from", why=self._unfit)
            await asyncio.sleep(BEAT_SECONDS)

    async def _look(self) -> None:
        try:
            mark = await self._marks.take()
        except Refusal:
            return  # then nobody is answered, and of the replica nothing is known
        try:
            async with self._abreast(mark):
                self._unfit = None
        except _Unfit as error:
            self._unfit = str(error)
        except Refusal:
            self._unfit = "it cannot be reached"
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self._unfit = f"it cannot be asked: {error}"


def _lacks(row: asyncpg.Record | None, mark: _Mark) -> str | None:
    """Why a server that says so of itself can't show what is there up to `mark`; None where it can."""
    if row is None or row["position"] is None:
        return "it is no standby"
    if row["lineage"] != mark.lineage:
        return "it does not follow this primary"
    return None if row["position"] >= mark.position else "it is too far behind"


def _noticed(asking: "asyncio.Task[_Mark]") -> None:
    """An error is nobody's where all who asked have gone."""
    if not asking.cancelled():
        asking.exception()


class _Marks:
    """Up to where the primary has written: asked once for all who want to know it meanwhile."""

    def __init__(self, primary: Database) -> None:
        self._primary = primary
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[_Mark] | None = None

    async def take(self) -> _Mark:
        """What was visible on the primary when this was called lies before it. Raises Refusal."""
        if self._next is None:
            self._next = asyncio.create_task(self._ask())
            self._next.add_done_callback(_noticed)
        return await asyncio.shield(self._next)

    async def _ask(self) -> _Mark:
        async with self._turn:
            self._next = None  # whoever comes from here on has to ask again
            while True:
                row = await self._primary.fetchrow(_SQL["reached"])
                assert row is not None
                if row["lineage"] is not None:
                    return _Mark(row["lineage"], row["position"])
                await self._primary.fetch(_SQL["tell_lineage"])
