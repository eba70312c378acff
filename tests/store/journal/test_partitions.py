"""The journal's days are made ahead and dropped after the retention, while others write."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest

from store.database import Database, open_database
from store.gallery.shapes import Post
from store.journal.partitions import DAYS_AHEAD, RETENTION_DAYS, keep_partitions
from tests.servers import FreshDatabase
from tests.store.audit import assert_sound
from tests.store.people import People
from tests.waiting import DEADLINE

_DAYS = "select relid::text as part from pg_partition_tree('events') where isleaf order by 1"


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A database of its own for each test: what is dropped here others may need."""
    async with open_database(await fresh_database(), connections=8) as database:
        yield database


def today() -> date:
    return datetime.now(UTC).date()


def days(*offsets: int) -> list[str]:
    return [f"events_{today() + timedelta(days=offset):%Y%m%d}" for offset in offsets]


async def partitions(database: Database) -> list[str]:
    return [row["part"] for row in await database.fetch(_DAYS)]


async def add_day(database: Database, offset: int) -> None:
    await database.fetch("select journal_add_day($1)", today() + timedelta(days=offset))


async def test_days_are_made_a_week_ahead(database: Database) -> None:
    """From yesterday on, where they are missing; doing it again changes nothing."""
    for part in days(3, DAYS_AHEAD):
        await database.execute(f"drop table {part}")
    for _ in range(2):
        await keep_partitions(database)
        assert await partitions(database) == days(*range(-1, DAYS_AHEAD + 1))


async def test_days_past_the_retention_are_dropped(database: Database) -> None:
    """A day that is wholly older than the retention goes, with its entries; the others stay."""
    for offset in (-30, -RETENTION_DAYS - 1, -RETENTION_DAYS):
        await add_day(database, offset)
    await database.fetch(
        "insert into events (topic, seq, type, created_at) "
        "select 'old', 30 - ago, 'note', now() - ago * interval '1 day' "
        "from unnest(array[30, $1, $1 - 1]) as ago",
        RETENTION_DAYS + 1,
    )
    await keep_partitions(database)
    assert await partitions(database) == days(-RETENTION_DAYS, *range(-1, DAYS_AHEAD + 1))
    left = await database.fetch("select seq from events where topic = 'old'")
    assert [row["seq"] for row in left] == [30 - RETENTION_DAYS]


async def test_an_upkeep_that_broke_off_is_finished(database: Database) -> None:
    """A partition that was detached and not dropped is dropped by the next run."""
    await add_day(database, -20)
    await add_day(database, -21)
    await database.execute(f"alter table events detach partition {days(-20)[0]} concurrently")
    await keep_partitions(database)
    rows = await database.fetch(
        "select to_regclass(part) as found from unnest($1::text[]) as part", days(-20, -21)
    )
    assert [row["found"] for row in rows] == [None, None]


async def test_writers_go_on_meanwhile(database: Database) -> None:
    """Comments written during the upkeep are all there, and none waits for long."""
    people = People(database)
    ada = await people.person("Ada")
    post = await ada.shares()
    for offset in range(-30, -10):
        await add_day(database, offset)
    done = asyncio.Event()

    async def write(post: Post) -> int:
        written = 0
        while not done.is_set():
            await asyncio.wait_for(ada.comments(post), DEADLINE)
            written += 1
        return written

    writers = [asyncio.create_task(write(post)) for _ in range(3)]
    await keep_partitions(database)
    done.set()
    written = sum(await asyncio.gather(*writers))
    assert written > 0
    assert (await ada.reads_comments(post)).total == written
    await assert_sound(database)
