"""What each endpoint is still to be told: places in the journal, topic by topic in order."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from store.consumers import TakenOver, Told
from store.consumers.positions import Claim, Consumers, Reading, told
from store.database import Database, Transaction
from store.journal.partitions import RETENTION_DAYS
from store.queries import queries

_SQL = queries("webhooks/messages")

UPKEEP = timedelta(hours=1)
"""Between two rounds of forgetting dead messages whose entries are gone."""
LISTED_MOST = 1_000
"""Dead messages that are listed."""


class Due(msgspec.Struct, frozen=True):
    """A message that may be sent now. `entry` is None where the journal holds it no longer."""

    topic: str
    seq: int
    attempts: int
    entry: Told | None


class Failed(msgspec.Struct, frozen=True):
    """A message that was not taken, `attempts` in all; `again` after a while, or never: then it is dead."""

    topic: str
    seq: int
    attempts: int
    again: timedelta | None
    because: str


class Letter(msgspec.Struct, frozen=True):
    """A dead message."""

    endpoint_id: UUID
    topic: str
    seq: int
    type: str
    at: datetime
    attempts: int
    failed_because: str | None
    dead_at: datetime


class Messages:
    """The messages of all endpoints. Only the process that has an endpoint's consumer writes what is told of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._consumers = Consumers(database)

    async def take_in(self, endpoint: UUID, claim: Claim, reading: Reading) -> None:
        """What was read is to be told, and the consumer stands behind it: both, or neither. Raises TakenOver."""
        entries = reading.entries

        async def work(transaction: Transaction) -> None:
            await self._consumers.move(
                claim, reading.position, reading.epoch, len(entries), transaction
            )
            if entries:
                await transaction.fetch(
                    _SQL["add"],
                    endpoint,
                    [entry.topic for entry in entries],
                    [entry.seq for entry in entries],
                    [entry.type for entry in entries],
                    [entry.at for entry in entries],
                )

        await self._database.transaction(work)

    async def waiting(self, endpoint: UUID, most: int) -> int:
        """How many the endpoint is still to get, counted up to `most`."""
        row = await self._database.fetchrow(_SQL["count_waiting"], endpoint, most)
        assert row is not None
        waiting: int = row["waiting"]
        return waiting

    async def due(self, endpoint: UUID, topics: int, each: int) -> list[list[Due]]:
        """What may be sent now: of so many topics at most, so many messages of each, in order."""
        found: dict[str, list[Due]] = {}
        for row in await self._database.fetch(_SQL["due"], endpoint, topics, each):
            entry = None if row["type"] is None else told(row)
            message = Due(row["topic"], row["seq"], row["attempts"], entry)
            found.setdefault(message.topic, []).append(message)
        return list(found.values())

    async def settle(
        self, endpoint: UUID, claim: Claim, delivered: Sequence[Due], failed: Sequence[Failed]
    ) -> None:
        """Forget what was taken, and note what was not. Raises TakenOver."""

        async def work(transaction: Transaction) -> None:
            if await transaction.fetchrow(_SQL["is_ours"], claim.name, claim.holder) is None:
                raise TakenOver(f"{claim.name} was taken over by another process")
            if delivered:
                await transaction.fetch(
                    _SQL["forget_delivered"],
                    endpoint,
                    [each.topic for each in delivered],
                    [each.seq for each in delivered],
                )
            if failed:
                await transaction.fetch(
                    _SQL["note_failed"],
                    endpoint,
                    [each.topic for each in failed],
                    [each.seq for each in failed],
                    [each.attempts for each in failed],
                    [each.again for each in failed],
                    [each.because for each in failed],
                )

        await self._database.transaction(work)

    async def dead(self, endpoint: UUID | None) -> list[Letter]:
        """The dead ones of an endpoint, or of all, the newest first."""
        rows = await self._database.fetch(_SQL["list_dead"], endpoint, LISTED_MOST)
        return [Letter(**row) for row in rows]

    async def revive(self, endpoint: UUID, topic: str | None, seq: int | None) -> int:
        """Dead ones are to be told after all, those of a topic, one, or all; how many."""
        return len(await self._database.fetch(_SQL["revive"], endpoint, topic, seq))

    async def discard(self, endpoint: UUID, topic: str | None, seq: int | None) -> int:
        """Dead ones are forgotten, those of a topic, one, or all; how many."""
        return len(await self._database.fetch(_SQL["discard"], endpoint, topic, seq))

    async def forget(self) -> None:
        """Forget dead ones whose entries are gone from the journal."""
        await self._database.fetch(_SQL["forget_old"], timedelta(days=RETENTION_DAYS + 1))
