"""Who works with which connection where there are fewer of them than there is work."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from store.database import Database, Transaction, open_database
from tests.proxy import Proxy
from tests.servers import FreshDatabase
from tests.store.refused import refused
from tests.waiting import until

PATIENCE = 0.2


@pytest.fixture(scope="module")
async def url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


@pytest.fixture
async def one(url: str) -> AsyncIterator[Database]:
    """A database by one connection, which is back when the test is over."""
    async with open_database(url, connections=1) as database:
        yield database
        assert database.busy == 0


class Holder:
    """Somebody in a transaction, until let go."""

    def __init__(self, database: Database) -> None:
        self._may_go = asyncio.Event()
        self._holding = asyncio.Event()
        self._task = asyncio.create_task(database.transaction(self._hold))

    async def _hold(self, transaction: Transaction) -> None:
        await transaction.fetchrow("select 1")
        self._holding.set()
        await self._may_go.wait()

    async def holds(self) -> "Holder":
        await self._holding.wait()
        return self

    async def goes(self) -> None:
        self._may_go.set()
        await self._task


async def test_whoever_came_first_is_served_first(one: Database) -> None:
    """All of them are served, one after the other, in the order they came."""
    holder = await Holder(one).holds()
    served: list[int] = []

    async def ask(number: int) -> None:
        row = await one.fetchrow("select $1::int", number)
        assert row is not None
        served.append(row[0])

    asking = [asyncio.create_task(ask(number)) for number in range(20)]
    await asyncio.sleep(0)
    await holder.goes()
    await asyncio.gather(*asking)
    assert served == [*range(20)]


async def test_who_gives_up_waiting_keeps_nobody_from_it(one: Database) -> None:
    """The turn goes to the next, also where it has just come."""
    holder = await Holder(one).holds()
    early, late, last = (asyncio.create_task(one.fetchrow("select 1")) for _ in "123")
    await asyncio.sleep(0)
    early.cancel()
    await holder.goes()  # by now the turn is the second's, who does not know it yet
    late.cancel()
    assert await last is not None
    for each in (early, late):
        with pytest.raises(asyncio.CancelledError):
            await each


async def test_who_is_the_last_to_give_up_leaves_a_free_connection(one: Database) -> None:
    """Nobody waits any more, and whoever comes finds it."""
    holder = await Holder(one).holds()
    only = asyncio.create_task(one.fetchrow("select 1"))
    await asyncio.sleep(0)
    await holder.goes()
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    assert await one.fetchrow("select 1") is not None


@pytest.mark.parametrize(
    "statement", ["select 1 / 0", "select pg_terminate_backend(pg_backend_pid())"]
)
async def test_what_goes_wrong_is_no_matter_of_who_comes_next(
    one: Database, statement: str
) -> None:
    """Whoever waits behind work that fails gets a connection that is good, be it a new one."""
    holder = await Holder(one).holds()
    failing = asyncio.create_task(one.fetch(statement))
    behind = [asyncio.create_task(one.fetchrow("select 7")) for _ in range(3)]
    await asyncio.sleep(0)
    await holder.goes()
    results: list[Any] = await asyncio.gather(failing, *behind, return_exceptions=True)
    assert isinstance(results[0], Exception)
    assert [row[0] for row in results[1:]] == [7, 7, 7]


async def test_an_interrupted_statement_is_over_before_the_next(one: Database) -> None:
    """Whoever is cancelled in the middle of a statement leaves nothing of it to those who wait."""
    interrupted = asyncio.create_task(one.fetch("select pg_sleep(60)"))
    await until(lambda: one.busy == 1, "it is under way")
    behind = asyncio.create_task(one.fetchrow("select 7"))
    await asyncio.sleep(0)
    interrupted.cancel()
    row = await behind
    assert row is not None
    assert row[0] == 7


async def test_nobody_waits_for_ever(url: str) -> None:
    """Past the patience that was asked for, the database counts as away."""
    async with open_database(url, connections=1, acquire_seconds=PATIENCE) as database:
        holder = await Holder(database).holds()
        with refused("UNAVAILABLE"):
            await database.fetch("select 1")
        await holder.goes()
        assert await database.fetchrow("select 1") is not None


async def test_a_failed_opening_lets_others_try(url: str) -> None:
    """Each of them is told, and once connections can be opened again all goes on."""
    async with (
        Proxy.before(url) as proxy,
        open_database(proxy.url, connections=2, acquire_seconds=PATIENCE) as database,
    ):
        holder = await Holder(database).holds()
        proxy.stall()
        for _ in range(3):
            with refused("UNAVAILABLE"):
                await database.fetch("select 1")
        proxy.go_on()
        await holder.goes()
        assert await database.fetchrow("select 1") is not None
