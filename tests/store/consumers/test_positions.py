"""A position is kept in the database, is one process's at a time, and says when it is worth nothing any more."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from store.consumers import Begin, Consumers, HistoryChanged, Missed, TakenOver, Wanted
from store.consumers.positions import Claim, Held, Position
from store.database import Database, open_database
from store.ids import new_id
from store.journal import Journal
from store.journal.partitions import RETENTION_DAYS, keep_partitions
from tests.servers import FreshDatabase
from tests.store.consumers.conftest import APPEND, LEASE, NewReader, Reader, Writers


@pytest.fixture(scope="module")
async def url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


@pytest.fixture
async def alone(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A database of its own, for what changes its history."""
    async with open_database(await fresh_database(), connections=4) as database:
        yield database


async def claimed(consumers: Consumers, name: str, begin: Begin | None = Begin.BEGINNING) -> Claim:
    claim = await consumers.claim(name, LEASE, "a test", begin=begin)
    assert isinstance(claim, Claim)
    return claim


async def moved(consumers: Consumers, reader: Reader) -> None:
    await consumers.move(reader.claim, reader.position, reader.claim.epoch, 1)


async def test_a_position_outlives_its_process(
    consumers: Consumers, reader: NewReader, database: Database
) -> None:
    """The next one of that name goes on from the last commit."""
    topic = f"topic:{new_id()}"
    first = await reader(begin=Begin.NOW)
    await database.fetch(APPEND, topic, None)
    assert await first.reads(1) == [(topic, 1)]
    await moved(consumers, first)
    await database.fetch(APPEND, topic, None)
    assert await first.reads(1) == [(topic, 2)]  # and does not say so
    await consumers.release(first.claim)
    second = await reader(first.claim.name)
    assert await second.reads(1) == [(topic, 2)]


async def test_a_name_is_one_processs_at_a_time(consumers: Consumers) -> None:
    """Until that lets it go, or says nothing for its lease; whoever lost it moves nothing any more."""
    name = f"name-{new_id()}"
    short = timedelta(milliseconds=1)
    first = await consumers.claim(name, LEASE, "the first", begin=Begin.NOW)
    assert isinstance(first, Claim)
    assert await consumers.claim(name, LEASE, "other", begin=Begin.NOW) == Held("the first")
    await consumers.move(
        Claim(name, first.holder, short, first.epoch, first.position, first.excused),
        first.position,
        first.epoch,
        0,
    )
    second = None
    while not isinstance(second, Claim):
        second = await consumers.claim(name, LEASE, "the second", begin=Begin.NOW)
    with pytest.raises(TakenOver):
        await consumers.move(first, first.position, first.epoch, 0)
    await consumers.release(first)
    assert isinstance(await consumers.claim(name, LEASE, "x", begin=None), Held)
    await consumers.release(second)
    assert isinstance(await consumers.claim(name, LEASE, "x", begin=None), Claim)


async def test_beginning_and_now(reader: NewReader, database: Database) -> None:
    """From the oldest entry that is kept, or with what comes after."""
    topic = f"topic:{new_id()}"
    await database.fetch(APPEND, topic, None)
    late = await reader(begin=Begin.NOW)
    early = await reader()
    await database.fetch(APPEND, topic, None)
    assert await late.reads(1) == [(topic, 2)]
    assert [seq for told, seq in await early.reads(2) if told == topic] == [1, 2]


async def test_a_name_is_one_that_can_be_told(consumers: Consumers) -> None:
    """Small letters, digits, and a few signs within; and one that is there, if none is to be begun."""
    for nonsense in ("", "Search", "a b", ":x", "x" * 64):
        with pytest.raises(ValueError, match="no name"):
            await consumers.claim(nonsense, LEASE, "x", begin=Begin.NOW)
    with pytest.raises(LookupError):
        await consumers.claim("nobody", LEASE, "x", begin=None)


async def test_what_the_retention_took_unread_is_told(alone: Database) -> None:
    """Whoever had read it goes on; whoever had not is stopped, until it is placed anew."""
    consumers = Consumers(alone)
    behind, ahead = await claimed(consumers, "behind"), await claimed(consumers, "ahead")
    long_ago = datetime.now(UTC).date() - timedelta(days=RETENTION_DAYS + 1)
    await alone.fetch("select journal_add_day($1)", long_ago)
    await alone.fetch(
        "insert into events (topic, seq, type, created_at) values ('old', 1, 'note', $1)",
        datetime.combine(long_ago, datetime.min.time(), UTC) + timedelta(hours=12),
    )
    reader = Reader(consumers, ahead)
    assert await reader.reads(1) == [("old", 1)]
    await moved(consumers, reader)
    await keep_partitions(alone)
    assert await reader.reads(0) == []
    stands = {each.name: each.state for each in await consumers.list()}
    assert stands == {"ahead": "running", "behind": "missed"}
    with pytest.raises(Missed, match="consumers reset behind --from beginning"):
        await Reader(consumers, behind).reads(0)

    await alone.fetch(APPEND, "new", None)
    assert await consumers.reset("behind", "beginning")
    assert await Reader(consumers, await claimed(consumers, "behind")).reads(1) == [("new", 1)]
    fresh = await claimed(consumers, "fresh")
    assert await Reader(consumers, fresh).reads(1) == [("new", 1)]


async def test_another_history_stops_a_consumer(alone: Database) -> None:
    """As after a restore; it goes on where it stood, or from the beginning, once somebody says so."""
    consumers = Consumers(alone)
    await alone.fetch(APPEND, "topic", None)
    reader = Reader(consumers, await claimed(consumers, "search"))
    assert await reader.reads(1) == [("topic", 1)]
    await moved(consumers, reader)
    await Journal(alone).begin_epoch()
    await alone.fetch(APPEND, "topic", None)
    with pytest.raises(HistoryChanged, match="consumers reset search"):
        await reader.reads(0)
    assert [each.state for each in await consumers.list()] == ["history changed"]
    assert await consumers.reset("search", "here")
    reader = Reader(consumers, await claimed(consumers, "search"))
    (entry,) = await reader.entries(1)
    assert (entry.seq, entry.epoch) == (2, await Journal(alone).epoch())
    assert await consumers.reset("search", "beginning")
    reader = Reader(consumers, await claimed(consumers, "search"))
    assert await reader.reads(2) == [("topic", 1), ("topic", 2)]


async def test_a_journal_from_another_cluster_is_brought_here(alone: Database) -> None:
    """Its transactions are yet to come here: that is told, and a new epoch makes them of the present."""
    consumers = Consumers(alone)
    claim = await claimed(consumers, "search")
    for _ in range(3):
        await alone.fetch(APPEND, "topic", None)
    await alone.execute("update events set turn = '99000000000' where seq > 1")
    await alone.execute("update topics set turn = '99000000000'")
    await alone.execute("update consumers set turn = '99000000000'")
    with pytest.raises(HistoryChanged, match="epoch --bump"):
        await consumers.claim("search", LEASE, "x", begin=None)
    with pytest.raises(HistoryChanged, match="another cluster"):
        await consumers.read(claim, Position(99_000_000_000, "", 0), 10, Wanted())

    await Journal(alone).begin_epoch()
    await alone.fetch(APPEND, "topic", None)
    assert not await consumers.reset("search", "here")
    assert await consumers.reset("search", "beginning")
    reader = Reader(consumers, await claimed(consumers, "search"))
    assert await reader.reads(4) == [("topic", seq) for seq in (1, 2, 3, 4)]


async def test_how_consumers_stand(
    consumers: Consumers, reader: NewReader, database: Database, writer: Writers
) -> None:
    """How much is before each, since when, and whether an open transaction holds all of them up."""
    consumer = await reader(begin=Begin.NOW)
    open_one = await writer()
    await open_one.begins()
    for _ in range(3):
        await database.fetch(APPEND, f"topic:{new_id()}", None)
    held = await consumers.held_up()
    assert held > 0
    (stands,) = [each for each in await consumers.list() if each.name == consumer.claim.name]
    assert (stands.state, stands.behind, stands.held_by) == ("running", 3, "a test")
    assert stands.seconds_behind >= held
    await open_one.commits()
    assert len(await consumer.reads(3)) == 3
    await moved(consumers, consumer)
    (stands,) = [each for each in await consumers.list() if each.name == consumer.claim.name]
    assert (stands.behind, stands.seconds_behind, stands.entries) == (0, 0.0, 1)
    assert await consumers.remove(consumer.claim.name)
    assert not await consumers.remove(consumer.claim.name)
    with pytest.raises(TakenOver):
        await moved(consumers, consumer)
