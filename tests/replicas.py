"""A PostgreSQL of our own with standbys that stream from it, to do anything to.

async with primary_with_standby(folder) as pair:
    async with pair.behind():        # the standby replays nothing meanwhile
        ...
    await pair.standby.kill()
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from gateway.embedded.home import home_of
from gateway.embedded.postgres import PostgreSQL, Standby
from store.migrations import migrate
from tests.faults.servers import Server


@dataclass(frozen=True)
class Pair:
    """A migrated database on a server, and the same on a standby of that."""

    primary: Server
    standby: Server
    programs: tuple[PostgreSQL, Standby]

    @asynccontextmanager
    async def behind(self) -> AsyncIterator[None]:
        """The standby gets everything meanwhile, and shows nothing of it."""
        await self.on_standby("select pg_wal_replay_pause()")
        while await self.on_standby("select pg_get_wal_replay_pause_state()") != "paused":
            pass
        try:
            yield
        finally:
            await self.on_standby("select pg_wal_replay_resume()")

    async def on_standby(self, query: str) -> object:
        """What the standby answers its superuser."""
        return await _ask(self.programs[1].superuser_url, query)

    async def on_primary(self, query: str) -> object:
        """What the primary answers its superuser."""
        return await _ask(self.programs[0].superuser_url, query)


@asynccontextmanager
async def primary_with_standby(folder: Path) -> AsyncIterator[Pair]:
    """Both run, with their data in `folder`; what they acknowledge is on disk, as it is for people."""
    async with AsyncExitStack() as stack:
        primary = PostgreSQL(home_of(folder), folder / "postgres.log", durable=True)
        await primary.start()
        stack.push_async_callback(primary.stop)
        await migrate(primary.url)
        standby = primary.standby(folder / "standby.log")
        await standby.start()
        stack.push_async_callback(standby.stop)
        yield Pair(Server(primary), Server(standby), (primary, standby))


async def _ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        answer: object = await connection.fetchval(query)
        return answer
    finally:
        await connection.close()
