"""Reads on a standby: as fresh as on the primary, or made there."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from gateway.embedded.home import home_of
from gateway.embedded.postgres import PostgreSQL
from store.database import Database, open_database
from store.migrations import migrate
from store.replica import Replica
from tests.proxy import Proxy
from tests.replicas import Pair, primary_with_standby
from tests.servers import data_folder
from tests.store.people import People
from tests.store.refused import refused
from tests.waiting import until

READS = 100
STRANGE = "it does not follow this primary"


class Reads(Counter[str]):
    """Counts where was read; implements `store.replica.Meter`."""

    def read(self, server: str) -> None:
        self[server] += 1

    def caught_up(self, seconds: float) -> None: ...


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    with data_folder() as folder:
        async with primary_with_standby(folder) as pair:
            yield pair


@pytest.fixture(scope="module")
async def writer(pair: Pair) -> AsyncIterator[Database]:
    """Another node's database."""
    async with open_database(pair.primary.url, connections=4) as database:
        yield database


@asynccontextmanager
async def reading(primary_url: str, standby_url: str) -> AsyncIterator[tuple[Database, Replica]]:
    """A node's database that reads from a standby as far as may be, and that standby."""
    async with (
        open_database(primary_url, connections=4, acquire_seconds=60) as database,
        open_database(standby_url, connections=4, acquire_seconds=60, server="replica") as standby,
    ):
        replica = Replica(standby, database)
        database.read_from(replica)
        keeping = asyncio.create_task(replica.keep())
        try:
            yield database, replica
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


@pytest.fixture
async def database(pair: Pair) -> AsyncIterator[Database]:
    """A database that reads from the pair's standby."""
    async with reading(pair.primary.url, pair.standby.url) as (database, replica):
        await until(lambda: replica.fit, "the standby is read from")
        yield database


@pytest.fixture
def reads(database: Database) -> Reads:
    assert isinstance(database.reads, Replica)
    counted = Reads()
    database.reads.measured_by(counted)
    return counted


async def test_what_was_acknowledged_is_read(
    database: Database, writer: Database, reads: Reads
) -> None:
    """Whoever wrote it, on whatever node, however soon: and nearly all of it from the standby."""
    people = People(writer)
    ada = await people.person("Ada")
    seen = People(database)
    for _ in range(READS):
        post = await ada.shares("A picture")
        found = await seen.gallery.posts.get(post.id, ada.viewer)
        assert (found.id, found.seq) == (post.id, post.seq)
    assert reads["replica"] > 0
    assert reads.total() == READS


async def test_many_who_read_at_once_ask_the_primary_together(pair: Pair, writer: Database) -> None:
    """A crowd costs the primary a few questions how far it is, not one each."""
    async with (
        Proxy.before(pair.primary.url) as proxy,
        reading(proxy.url, pair.standby.url) as (database, replica),
    ):
        await until(lambda: replica.fit, "the standby is read from")
        reads = Reads()
        replica.measured_by(reads)
        before = proxy.pieces
        await asyncio.gather(*(database.reads.fetch("select 1") for _ in range(READS)))
        assert proxy.pieces - before - 2 * reads["primary"] < READS / 2


async def test_a_replica_that_is_behind_is_not_read_from(
    pair: Pair, database: Database, writer: Database, reads: Reads
) -> None:
    """What is hidden and deleted meanwhile stays so for everybody; later it is read from again."""
    people = People(writer)
    ada, bob = await people.person("Ada"), await people.person("Bob")
    hidden, deleted = await ada.shares("One"), await ada.shares("Another")
    seen = People(database)
    async with pair.behind():
        await people.hide(hidden)
        await ada.removes(deleted)
        for post in (hidden, deleted):
            with refused("COMMUNITY_POST_NOT_FOUND"):
                await seen.gallery.posts.get(post.id, bob.viewer)
        assert reads["replica"] == 0
        assert isinstance(database.reads, Replica)
        assert not database.reads.fit
    await until(lambda: database.reads.fit, "it is read from again")  # type: ignore[attr-defined]
    with refused("COMMUNITY_POST_NOT_FOUND"):
        await seen.gallery.posts.get(hidden.id, bob.viewer)


async def test_a_query_that_only_the_primary_can_answer_is_answered(
    database: Database, reads: Reads
) -> None:
    """Such as one whose rows were vacuumed away on the standby; here, of a table that it does not have."""
    rows = await database.reads.fetch("select count(*) as marks from view_marks")
    assert rows[0]["marks"] == 0
    assert reads == {"primary": 1}


async def test_a_replica_that_goes_and_comes_is_noticed(pair: Pair) -> None:
    """Killed or silent, the primary answers in its place: who was reading just then is answered, too."""
    async with (
        pair.standby.behind() as proxy,
        reading(pair.primary.url, proxy.url) as (database, replica),
    ):
        await until(lambda: replica.fit, "the standby is read from")
        slow = [asyncio.create_task(database.reads.fetch("select pg_sleep(0.3)")) for _ in range(3)]
        await asyncio.sleep(0)
        await pair.standby.kill()
        await asyncio.gather(*slow, database.reads.fetch("select 1"))
        await until(lambda: not replica.fit, "its end is noticed")
        await pair.standby.start()
        await until(lambda: replica.fit, "its return is noticed")
        proxy.stall()
        await asyncio.gather(*(database.reads.fetch("select 1") for _ in range(3)))
        await until(lambda: not replica.fit, "its silence is noticed")
        proxy.go_on()
        await until(lambda: replica.fit, "its word is noticed")


async def test_without_the_primary_nobody_is_answered(pair: Pair) -> None:
    """A standby that may lack what was written last is no stand-in."""
    async with (
        Proxy.before(pair.primary.url) as proxy,
        reading(proxy.url, pair.standby.url) as (database, replica),
    ):
        await until(lambda: replica.fit, "the standby is read from")
        await proxy.cut()
        with refused("UNAVAILABLE"):
            await database.reads.fetch("select 1")


async def test_only_what_follows_the_primary_is_read_from() -> None:
    """Neither a server that was promoted, nor a standby that follows another one, however far it is."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(data_folder())
        old = PostgreSQL(home_of(folder), folder / "postgres.log", durable=True)
        await old.start()
        stack.push_async_callback(old.stop)
        await migrate(old.url)
        new, other = (old.standby(folder / f"{name}.log", folder=name) for name in ("new", "other"))
        for each in (new, other):
            await each.start()
            stack.push_async_callback(each.stop)
        async with open_database(old.url, connections=2) as writer:
            ada = await People(writer).person("Ada")
            async with reading(old.url, new.url) as (_, replica):
                await until(lambda: replica.fit, "it is read from")
                async with open_database(new.superuser_url, connections=1) as superuser:
                    await superuser.fetch("select pg_promote()")
                await until(lambda: not replica.fit, "a promoted one is not")
            for _ in range(20):  # the old history goes on, and further than the new one
                await ada.shares("A picture")
            async with reading(new.url, other.url) as (database, replica):
                reads = Reads()
                replica.measured_by(reads)
                await until(lambda: replica.unfit == STRANGE, "it is seen whom the other follows")
                await database.reads.fetch("select 1")
                assert reads == {"primary": 1}
