import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from store.consumers import Begin, Consumers, Told, Wanted
from store.consumers.positions import Claim, Position
from store.database import Database, open_database
from tests.servers import FreshDatabase

LEASE = timedelta(seconds=30)
APPEND = (
    "select journal_append(array[$1], array['note:taken'], array[null::text], array[$2::text],"
    " array['{\"n\": 1}'], array[null::uuid])"
)


@pytest.fixture(scope="module")
async def url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


@pytest.fixture(scope="module")
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(url, connections=8) as database:
        yield database


@pytest.fixture
def consumers(database: Database) -> Consumers:
    return Consumers(database)


class Writer:
    """A session of its own, whose transaction takes as long as the test likes."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def begins(self) -> int:
        """Begin a transaction that has an id from now on, as one has that has written something."""
        await self._connection.execute("begin")
        return int(await self._connection.fetchval("select pg_current_xact_id()::text::bigint"))

    async def writes(self, topic: str, subject: str | None = None) -> None:
        await self._connection.execute(APPEND, topic, subject)

    async def commits(self) -> None:
        await self._connection.execute("commit")


Writers = Callable[[], Awaitable[Writer]]


@pytest.fixture
async def writer(url: str) -> AsyncIterator[Writers]:
    async with AsyncExitStack() as stack:

        async def open_writer() -> Writer:
            connection = await asyncpg.connect(url)
            stack.push_async_callback(connection.close)
            return Writer(connection)

        yield open_writer


class Reader:
    """A consumer that reads whenever the test likes, and moves on."""

    def __init__(self, consumers: Consumers, claim: Claim) -> None:
        self.consumers = consumers
        self.claim = claim
        self.position: Position = claim.position

    async def reads(
        self, count: int, limit: int = 100, wanted: Wanted | None = None
    ) -> list[tuple[str, int]]:
        """What follows: `count` entries, or more if there are more. None at all is what is there just now.

        They may take a moment: the server's own work has transactions, too, for which readers wait.
        """
        return [(entry.topic, entry.seq) for entry in await self.entries(count, limit, wanted)]

    async def entries(
        self, count: int, limit: int = 100, wanted: Wanted | None = None
    ) -> Sequence[Told]:
        found: list[Told] = []
        async with asyncio.timeout(60):
            while True:
                reading = await self.consumers.read(
                    self.claim, self.position, limit, wanted or Wanted()
                )
                found += reading.entries
                self.position = reading.position
                if len(found) >= count and not reading.more:
                    return found
                await asyncio.sleep(0)


NewReader = Callable[..., Awaitable[Reader]]


@pytest.fixture
def reader(consumers: Consumers) -> NewReader:
    """A reader of a name of its own."""
    names = iter(range(1000))

    async def open_reader(name: str | None = None, begin: Begin = Begin.BEGINNING) -> Reader:
        name = name or f"reader-{asyncio.get_running_loop().time()}-{next(names)}"
        claim = await consumers.claim(name, LEASE, "a test", begin=begin)
        assert isinstance(claim, Claim)
        return Reader(consumers, claim)

    return open_reader
