"""Standings: where each post stands by its likes, under each filter of `most_liked`.

A like changes its post alone. A moment later the standings follow what the journal tells, many likes of a post
at once: they are rows and indexes for each tag, too many to be changed by every like.
"""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from store.database import Database, Transaction
from store.queries import queries

_SQL = queries("gallery/standings")

MOVED_AT_ONCE = 2_000
"""Posts whose standings one statement looks at."""

_NOBODY = UUID(int=0)


class Standings:
    """The standings of this database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def are_behind(self) -> bool:
        """Whether anything may have happened that they do not know of."""
        row = await self._database.fetchrow(_SQL["behind"])
        return row is not None and (row["wholly"] or row["partly"])

    async def follow(self) -> None:
        """Move the posts of which something was told since the last pass; passes take turns over all nodes.

        What somebody keeps locked is left for the next pass, and holds up nothing else.
        """
        await self._database.transaction(_follow)


async def _follow(transaction: Transaction) -> None:
    await transaction.fetch(_SQL["lock"])
    behind = await transaction.fetchrow(_SQL["behind"])
    present = await transaction.fetchrow(_SQL["present"])
    assert behind is not None
    assert present is not None
    is_done = True
    async for ids in _every(transaction) if behind["wholly"] else _told(transaction):
        row = await transaction.fetchrow(_SQL["move"], ids)
        is_done &= row is not None and row["moved"] == row["behind"]
    if is_done:
        await transaction.fetch(_SQL["note"], present["knows"])


async def _told(transaction: Transaction) -> AsyncIterator[Sequence[UUID]]:
    ids = [row["id"] for row in await transaction.fetch(_SQL["told"])]
    for start in range(0, len(ids), MOVED_AT_ONCE):
        yield ids[start : start + MOVED_AT_ONCE]


async def _every(transaction: Transaction) -> AsyncIterator[Sequence[UUID]]:
    last = _NOBODY
    while rows := await transaction.fetch(_SQL["every"], last, MOVED_AT_ONCE):
        last = rows[-1]["id"]
        yield [row["id"] for row in rows]
