"""One database as the gateway has it, and as others reach it."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from store.database import Database, open_database
from tests.outside import Outside
from tests.servers import FreshDatabase


@pytest.fixture(scope="module")
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


@pytest.fixture(scope="module")
async def outside(database_url: str, authenticator: str) -> AsyncIterator[Outside]:
    outside = Outside(database_url)
    yield outside
    await outside.close()


@pytest.fixture(scope="module")
async def database(database_url: str) -> AsyncIterator[Database]:
    """The same database as the gateway has it."""
    async with open_database(database_url, connections=8) as database:
        yield database


@pytest.fixture
async def operator(database_url: str) -> AsyncIterator[Any]:
    """A connection of the tables' owner that is none of the gateway's, such as `psql`."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()
