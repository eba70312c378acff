"""Reading the journal: heads, and what a watcher missed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from store.journal.entries import Entry
from store.queries import queries

if TYPE_CHECKING:
    from store.database import Database, Transaction

_SQL = queries("journal/reading")

REPLAY_ENTRIES = 500
"""The most entries that one recovery may have, after collapsing."""


class Heads(msgspec.Struct, frozen=True):
    """`seqs` holds the head of each topic that was asked for; a topic without entries has 0."""

    epoch: str
    seqs: Mapping[str, int]


class Replay(msgspec.Struct, frozen=True):
    """What follows a position in one topic, up to `head`.

    `whole` is False where entries between the position and the head are gone, where they are too
    many, or where the position lies beyond the head: then `entries` is empty.
    """

    epoch: str
    head: int
    whole: bool
    entries: Sequence[Entry]


class Journal:
    """The journal as readers see it."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    async def heads(self, topics: Sequence[str]) -> Heads:
        """The epoch and the heads of `topics`, in one query."""
        rows = await self._database.fetch(_SQL["heads"], list(topics))
        seqs = dict.fromkeys(topics, 0)
        seqs.update((row["topic"], row["seq"]) for row in rows if row["topic"] is not None)
        return Heads(rows[0]["epoch"], seqs)

    async def epoch(self) -> str:
        """The name of this database's history: it changes with a restore or a promotion, and only then."""
        return (await self.heads(())).epoch

    async def begin_epoch(self) -> str:
        """Begin a new history, so that no client takes its old position for one in this."""

        async def begin(transaction: "Transaction") -> None:
            await transaction.fetch(_SQL["new_epoch"])
            await transaction.execute(_SQL["bring_heads_here"])
            await transaction.execute(_SQL["bring_entries_here"])

        await self._database.transaction(begin)
        return await self.epoch()

    async def installation(self) -> str:
        """The name that tells this database from all others, for as long as it lives."""
        row = await self._database.fetchrow(_SQL["installation"])
        assert row is not None
        identifier: str = row["id"]
        return identifier

    async def cursor_key(self) -> bytes:
        """The secret that signs cursors: the same on every node."""
        row = await self._database.fetchrow(_SQL["cursor_key"])
        assert row is not None
        key: bytes = row["cursor_key"]
        return key

    async def replay(self, topic: str, after: int) -> Replay:
        """What followed `after` in `topic`, collapsed to the newest state of each key."""
        rows = await self._database.fetch(_SQL["replay"], topic, after, REPLAY_ENTRIES + 1)
        epoch, head, oldest = rows[0]["epoch"], rows[0]["head"], rows[0]["oldest"]
        entries = [
            Entry(
                topic=topic,
                seq=row["seq"],
                type=row["type"],
                key=row["key"],
                subject=row["subject"],
                data=None if row["data"] is None else row["data"].encode(),
                actor=row["actor"],
                at=row["at"],
            )
            for row in rows
            if row["seq"] is not None
        ]
        # Entries go only from the oldest end, a day at a time: if the next one is there, all are.
        reaches = after == head or (after < head and oldest == after + 1)
        if not reaches or len(entries) > REPLAY_ENTRIES:
            return Replay(epoch, head, False, ())
        return Replay(epoch, head, True, entries)
