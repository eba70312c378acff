"""Work that one node of all does now and then, whichever comes first."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from store.database import Database
from store.queries import queries

_SQL = queries("jobs/runs")


async def run_if_due(
    database: Database, name: str, every: timedelta, work: Callable[[], Awaitable[None]]
) -> bool:
    """Do `work` if no node has done it within `every`, and none is at it now; whether it was done.

    A job that fails is due again at once.
    """
    async with database.leadership(f"job:{name}") as leader:
        if leader is None:
            return False
        row = await leader.fetchrow(_SQL["is_due"], name, every)
        if row is None or not row["due"]:
            return False
        await work()
        await leader.fetch(_SQL["note"], name)
        return True
