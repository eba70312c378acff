"""The database, open for whoever works with it, and why it may not be."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import asyncpg

from gateway.settings import Settings
from gateway.startup import CannotStart
from store import migrations
from store.database import COMMAND_SECONDS, Database, PoolerInTheWay, open_database
from store.migrations import SchemaError
from store.refusal import Refusal

DATABASE_CONNECTIONS = 10
"""Of a worker, to PostgreSQL, and as many to a replica; one of them only feels whether it answers."""


@asynccontextmanager
async def database_of(
    settings: Settings,
    connections: int = DATABASE_CONNECTIONS,
    *,
    command_seconds: float = COMMAND_SECONDS,
) -> AsyncIterator[Database]:
    """The database, with the schema that this code was written for."""
    async with AsyncExitStack() as stack:
        with explained():
            await migrations.check_schema(settings.session_url)
            database = await stack.enter_async_context(
                open_database(
                    settings.database_url,
                    connections=connections,
                    command_seconds=command_seconds,
                    pooled=bool(settings.database_direct_url),
                    direct_url=settings.database_direct_url,
                )
            )
        yield database


@contextmanager
def explained() -> Iterator[None]:
    """Why a start fails, in one line."""
    try:
        yield
    except SchemaError as error:
        raise CannotStart(str(error)) from error
    except PoolerInTheWay as error:
        raise CannotStart(
            "DATABASE_URL leads to a pooler that does not let sessions say what they are: behind"
            " pgbouncer give DATABASE_DIRECT_URL, too, which has to lead past it"
        ) from error
    except Refusal as refusal:
        raise CannotStart(refusal.message) from refusal
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CannotStart(f"the database (DATABASE_URL) cannot be used: {error}") from error
