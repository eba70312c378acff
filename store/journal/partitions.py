"""The journal's partitions: one a day, made ahead and dropped after the retention."""

from datetime import timedelta

from store.database import Database
from store.queries import queries

_SQL = queries("journal/partitions")

DAYS_AHEAD = 7
"""Days for which there are partitions already."""
RETENTION_DAYS = 7
"""Days for which entries are kept."""
UPKEEP = timedelta(hours=1)
"""How often to look: a day's partition is then there a week before it is needed."""


async def keep_partitions(database: Database, *, retention_days: int = RETENTION_DAYS) -> None:
    """Make the days ahead, and drop the days past the retention, without blocking writers."""
    await database.fetch(_SQL["add_days"], DAYS_AHEAD)
    for row in await database.fetch(_SQL["expired"], retention_days):
        await database.fetch(_SQL["note_drop"], row["name"])
        how = "finalize" if row["pending"] else "concurrently"
        await database.execute(f'alter table events detach partition "{row["name"]}" {how}')
    for row in await database.fetch(_SQL["detached"]):
        await database.execute(f'drop table "{row["name"]}"')
