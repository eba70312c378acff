from collections.abc import AsyncIterator

import pytest

from store.database import Database, open_database
from store.journal import Entry
from tests.servers import FreshDatabase
from tests.store.people import People


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A migrated database for the tests of one module, which make people and posts of their own.

    Hundreds of them may ask at once, on a machine that is busy with other tests.
    """
    url = await fresh_database()
    async with open_database(url, connections=8, acquire_seconds=60) as database:
        yield database


@pytest.fixture
def published(database: Database) -> list[Entry]:
    """The journal entries that are published from now on, in the order of their commits."""
    entries: list[Entry] = []
    database.publish_to(entries.extend)
    return entries


@pytest.fixture
def people(database: Database) -> People:
    return People(database)
