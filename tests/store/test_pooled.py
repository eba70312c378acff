"""Behind pgbouncer in transaction mode: sessions are anybody's, and what needs one of its own has it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from store.database import (
    IDLE_IN_TRANSACTION_MILLISECONDS,
    IMPATIENT_LOCK_MILLISECONDS,
    LOCK_MILLISECONDS,
    Database,
    PoolerInTheWay,
    Transaction,
    open_database,
)
from store.journal.partitions import keep_partitions
from tests.bouncer import SESSIONS, pgbouncer
from tests.servers import FreshDatabase, data_folder
from tests.store.people import People
from tests.store.refused import refused

IGNORING = (
    "ignore_startup_parameters ="
    " vernissage.gateway,lock_timeout,idle_in_transaction_session_timeout,jit"
)
CROWD = 60


@pytest.fixture(scope="module")
async def direct_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


@pytest.fixture(scope="module")
async def pooled_url(direct_url: str) -> AsyncIterator[str]:
    with data_folder() as folder:
        async with pgbouncer(direct_url, folder) as url:
            yield url


@asynccontextmanager
async def pooled(url: str, direct_url: str) -> AsyncIterator[Database]:
    async with open_database(
        url, connections=8, acquire_seconds=60, pooled=True, direct_url=direct_url
    ) as database:
        yield database


@pytest.fixture(scope="module")
async def database(pooled_url: str, direct_url: str) -> AsyncIterator[Database]:
    async with pooled(pooled_url, direct_url) as database:
        yield database


async def test_a_crowd_shares_a_few_sessions(database: Database, direct_url: str) -> None:
    """All that people do at once is done, by as many sessions as the pooler keeps."""
    people = People(database)
    ada, *fans = await people.crowd("Ada", *(f"Fan {number}" for number in range(CROWD)))
    posts = [await ada.shares(f"Picture {number}") for number in range(3)]
    await asyncio.gather(*(fan.likes(post) for fan in fans for post in posts))
    await asyncio.gather(*(fan.comments(posts[0]) for fan in fans))
    await asyncio.gather(*(fan.follows(ada) for fan in fans))
    await asyncio.gather(*(fan.unlikes(posts[1]) for fan in fans))
    seen = [await fans[0].reads(post) for post in posts]
    assert [post.like_count for post in seen] == [CROWD, 0, CROWD]
    assert seen[0].comment_count == CROWD
    assert (await fans[0].profile_of(ada)).stats.follower_count == CROWD
    connection = await asyncpg.connect(direct_url)
    try:
        sessions = await connection.fetchval(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and application_name = 'vernissage'"
        )
        noted = await connection.fetchval("select count(*) from outside.writes")
    finally:
        await connection.close()
    assert sessions <= SESSIONS
    assert noted == 0


async def test_what_is_written_is_known_for_the_gateways(database: Database) -> None:
    """Each transaction says so, and how patient it is; nothing of it stays with the session."""

    async def settings(transaction: Transaction) -> tuple[Any, ...]:
        row = await transaction.fetchrow(_SETTINGS)
        assert row is not None
        return tuple(row)

    idle = f"{IDLE_IN_TRANSACTION_MILLISECONDS // 1000}s"
    patient = f"{LOCK_MILLISECONDS // 1000}s"
    impatient = f"{IMPATIENT_LOCK_MILLISECONDS}ms"
    for _ in range(SESSIONS + 1):
        assert await database.transaction(settings) == ("on", patient, idle)
        assert await database.transaction(settings, patient=False) == ("on", impatient, idle)
        row = await database.fetchrow(_SETTINGS)
        assert row is not None
        assert row["gateway"] in ("", None)


_SETTINGS = """
select current_setting('vernissage.gateway', true) as gateway, current_setting('lock_timeout') as lock,
    current_setting('idle_in_transaction_session_timeout') as idle
"""


async def test_there_is_one_leader(pooled_url: str, direct_url: str) -> None:
    """Leading holds as long as it lasts, and ends with it, whatever sessions the pooler gives to others."""
    async with (
        pooled(pooled_url, direct_url) as one,
        pooled(pooled_url, direct_url) as other,
    ):
        for first, second in ((one, other), (other, one)):
            async with first.leadership("a job") as leader:
                assert leader is not None
                await asyncio.gather(*(each.fetch("select 1") for each in (one, other) * 8))
                for _ in range(SESSIONS + 1):
                    async with second.leadership("a job") as another:
                        assert another is None


async def test_the_journals_days_are_kept(database: Database) -> None:
    """What may stand in no transaction goes past the pooler."""
    await database.fetch("select journal_add_day(current_date - 30)")
    await keep_partitions(database)
    rows = await database.fetch(
        "select to_regclass('events_' || to_char(current_date - 30, 'YYYYMMDD')) is null as gone"
    )
    assert rows[0]["gone"]


@pytest.mark.parametrize("more", ["", IGNORING], ids=["refusing", "ignoring"])
async def test_a_pooler_that_nobody_told_of_is_noticed(direct_url: str, more: str) -> None:
    """Whether it refuses what sessions say of themselves, or leaves it out: else all would be noted as others'."""
    with data_folder() as folder:
        async with pgbouncer(direct_url, folder, more=more) as url:
            with pytest.raises(PoolerInTheWay):
                async with open_database(url, connections=2):
                    pass


async def test_a_direct_way_that_leads_through_it_is_noticed(pooled_url: str) -> None:
    """Leading would be by a session that is somebody else's next."""
    with pytest.raises(PoolerInTheWay):
        async with pooled(pooled_url, pooled_url):
            pass


async def test_a_replica_behind_one_that_nobody_told_of_is_away(direct_url: str) -> None:
    """Then reads are answered by the primary."""
    with data_folder() as folder:
        async with (
            pgbouncer(direct_url, folder, more=IGNORING) as url,
            open_database(url, connections=2, server="replica") as standby,
        ):
            with refused("UNAVAILABLE"):
                await standby.fetch("select 1")
