"""How long PostgreSQL takes over a query, without the time for which others had the processor."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import asyncpg

from store.database import Database, Transaction, open_database
from store.queries import SQL, Queries, queries

T = TypeVar("T")

Name = tuple[str, str]
"""A query: the file it stands in, and what it is called there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One query as it was asked. `seconds` from asking until the rows were there, waits for a core aside."""

    name: Name
    arguments: tuple[Any, ...]
    seconds: float

    @property
    def counts(self) -> bool:
        """Whether it asked for a total."""
        return self.name[1].startswith("count")


class Watched(Database):
    """A database of one connection, whose queries go one after the other and are noted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._backend = Path("/proc/none/schedstat")
        self._own = Path("/proc/thread-self/schedstat").resolve()
        self.asked: list[Asked] = []
        self.read_from(self)

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        return await self._noted(self._database.fetch, query, args)

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        return await self._noted(self._database.fetchrow, query, args)

    async def transaction(
        self, work: Callable[[Transaction], Awaitable[T]], *, patient: bool = True
    ) -> T:
        return await self._database.transaction(work, patient=patient)

    async def _noted(
        self, ask: Callable[..., Awaitable[T]], query: str, arguments: tuple[Any, ...]
    ) -> T:
        async with self._turn:
            while True:
                try:
                    began, ran, waited = perf_counter(), *self._scheduled()
                    answer = await ask(query, *arguments)
                    ended, ran_then, waited_then = perf_counter(), *self._scheduled()
                    break
                except FileNotFoundError:  # the pool takes a new connection now and then
                    await self._find_backend()
        took = max(ran_then - ran, ended - began - (waited_then - waited))
        self.asked.append(Asked(NAMES[query], arguments, took))
        return answer

    def _scheduled(self) -> tuple[float, float]:
        """Seconds for which the backend has run, and for which it and this thread have waited to run.

        The two may wait at once, and then too much is taken off: so the least is what the backend ran.
        """
        (ran, waited), (_, own) = (
            map(int, path.read_text().split()[:2]) for path in (self._backend, self._own)
        )
        return ran / 1e9, (waited + own) / 1e9

    async def _find_backend(self) -> None:
        row = await self._database.fetchrow("select pg_backend_pid()")
        assert row is not None
        self._backend = Path(f"/proc/{row[0]}/schedstat")


@asynccontextmanager
async def watched(url: str) -> AsyncIterator[Watched]:
    """The database as the gateway opens it, with one connection."""
    async with open_database(url, connections=1) as database:
        yield Watched(database)


def _names() -> dict[str, Name]:
    found: dict[str, Name] = {}
    for path in sorted(SQL.glob("*/*.sql")):
        if path.parent.name != "migrations":
            file = path.relative_to(SQL).with_suffix("").as_posix()
            named: Queries = queries(file)
            found |= {text: (file, name) for name, text in named.items()}
    return found


NAMES = _names()
