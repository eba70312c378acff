"""Trending: snapshots of the best posts, taken now and then and kept for those who walk them.

A *whole* pass looks at all posts. Between two of them, hot passes look at what the newest snapshot has and at
what has happened since: nothing else can have risen by more than a post's ageing.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from store.database import Database, Transaction
from store.gallery.events import GALLERY_TOPIC, TRENDING_REFRESHED, TrendingRefreshed
from store.ids import new_id
from store.journal import NewEntry
from store.queries import queries

_SQL = queries("gallery/trending")

BEST = 50_000
"""The most posts in a snapshot."""

KEPT = timedelta(days=1)
"""How long a snapshot stays, for those who walk through it."""
SHORTEST_WAIT = timedelta(minutes=1)
"""Between two whole passes, in a small gallery."""
LONGEST_WAIT = timedelta(hours=1)
"""Between two whole passes, in a large one."""
ENTRIES_A_MINUTE = 1_000
"""What whole passes may write on average: a small gallery's are cheap, so they follow quickly."""
HOT_WAIT = timedelta(minutes=5)
"""How old the newest snapshot becomes, where whole passes are rarer than that."""


def wait_after(size: int) -> timedelta:
    """How long after a whole pass that found `size` posts the next is due: a minute to an hour."""
    due = timedelta(minutes=size / ENTRIES_A_MINUTE)
    return min(max(due, SHORTEST_WAIT), LONGEST_WAIT)


class Trending:
    """The snapshots of this database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._begun = False

    async def refresh(self) -> None:
        """Take a snapshot of the whole gallery now; passes take turns over all nodes."""
        await self._database.transaction(_take)

    async def keep_fresh(self) -> None:
        """Take a snapshot of all posts if there is none, or if the newest such is old for its size."""
        await self._database.transaction(_take_if_due)

    async def keep_hot(self) -> None:
        """Take a snapshot of what is hot, if the newest is as old as HOT_WAIT."""
        await self._database.transaction(_take_hot_if_due)

    async def begin(self) -> None:
        """See to it that there is a snapshot, if there is a post: a new gallery does not wait for the clock."""
        if not self._begun:
            await self.keep_fresh()
            self._begun = await self._database.fetchrow(_SQL["newest"]) is not None

    async def is_kept(self, snapshot_id: UUID) -> bool:
        """Whether that snapshot can still be walked."""
        return await self._database.fetchrow(_SQL["exists"], snapshot_id) is not None


async def _take_if_due(transaction: Transaction) -> None:
    await transaction.fetch(_SQL["take_turns"])
    newest = await transaction.fetchrow(_SQL["newest"])
    if newest is None or newest["whole_age"] >= wait_after(newest["size"]):
        await _take(transaction)


async def _take_hot_if_due(transaction: Transaction) -> None:
    await transaction.fetch(_SQL["take_turns"])
    newest = await transaction.fetchrow(_SQL["newest"])
    if newest is not None and newest["age"] >= HOT_WAIT:
        await _keep(
            transaction, await transaction.fetchrow(_SQL["take_hot"], new_id(), BEST, False)
        )


async def _take(transaction: Transaction) -> None:
    await transaction.fetch(_SQL["take_turns"])
    await _keep(transaction, await transaction.fetchrow(_SQL["take"], new_id(), BEST, True))


async def _keep(transaction: Transaction, snapshot: Mapping[str, Any] | None) -> None:
    if snapshot is None:
        return
    await transaction.fetch(_SQL["forget"], KEPT)
    # The first pages after the first pass depend on the planner's knowing how large a snapshot is.
    await transaction.execute("analyze trending_snapshots, trending_entries")
    await transaction.journal(
        [
            NewEntry(
                topic=GALLERY_TOPIC,
                type=TRENDING_REFRESHED,
                data=TrendingRefreshed(snapshot["size"], snapshot["created_at"]),
                key="trending",
            )
        ]
    )
