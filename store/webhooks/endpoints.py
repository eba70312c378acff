"""The endpoints that are told of what happens; each is a consumer of the journal."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from store.consumers import Begin, Consumers, Wanted
from store.database import Database, Transaction
from store.queries import queries

_SQL = queries("webhooks/endpoints")

ROTATION = timedelta(hours=24)
"""For which a former secret signs beside the new one."""


class Endpoint(msgspec.Struct, frozen=True):
    """An endpoint, as whoever tells it things needs it. Secrets are sealed."""

    id: UUID
    url: str
    events: Sequence[str]
    topics: Sequence[str]
    secret: bytes
    former_secret: bytes | None
    failures: int
    """Rounds in a row in which it took nothing."""
    failing_since: datetime | None
    failing_for: timedelta | None
    paused_seconds: float
    """For which it is to be let alone; zero or less if it is not."""
    disabled: bool

    @property
    def wanted(self) -> Wanted:
        """What it is told of."""
        return Wanted(self.events, self.topics)


class Listed(msgspec.Struct, frozen=True):
    """An endpoint, as operators see it. `state` is `active`, `failing` or `disabled`."""

    id: UUID
    url: str
    events: Sequence[str]
    topics: Sequence[str]
    state: str
    disabled_because: str | None
    failing_since: datetime | None
    created_at: datetime
    waiting: int
    dead: int


class Webhooks:
    """All endpoints of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._consumers = Consumers(database)

    async def add(
        self,
        endpoint: UUID,
        url: str,
        events: Sequence[str],
        topics: Sequence[str],
        secret: bytes,
        begin: str,
    ) -> None:
        """Tell this URL of these events on these topics, from `begin` on. The secret is sealed.

        Raises ValueError for what is no pattern.
        """
        wanted = Wanted(events, topics)

        async def work(transaction: Transaction) -> None:
            await self._consumers.begin(consumer_of(endpoint), Begin(begin), transaction)
            await transaction.fetch(
                _SQL["add"], endpoint, url, list(wanted.events), list(wanted.topics), secret
            )

        await self._database.transaction(work)

    async def find(self, endpoint: UUID) -> Endpoint | None:
        """The endpoint, as of now."""
        row = await self._database.fetchrow(_SQL["find"], endpoint)
        return None if row is None else Endpoint(**row)

    async def all(self) -> list[Listed]:
        """All of them, the oldest first."""
        return [Listed(**row) for row in await self._database.fetch(_SQL["list"])]

    async def free(self) -> list[UUID]:
        """Those that nobody tells anything just now, and that are to be told."""
        return [row["id"] for row in await self._database.fetch(_SQL["list_free"])]

    async def rotate(self, endpoint: UUID, secret: bytes) -> bool:
        """It has another secret; the former one signs, too, for a day. Whether there is such an endpoint."""
        return await self._database.fetchrow(_SQL["rotate"], endpoint, secret, ROTATION) is not None

    async def enable(self, endpoint: UUID) -> bool:
        """It is told things again; whether there is such an endpoint."""
        return await self._database.fetchrow(_SQL["enable"], endpoint) is not None

    async def disable(self, endpoint: UUID, because: str) -> bool:
        """It is told nothing any more; whether it was told something before."""
        return await self._database.fetchrow(_SQL["disable"], endpoint, because) is not None

    async def remove(self, endpoint: UUID) -> bool:
        """Forget it, with its position and all that it was still to be told; whether there was one."""

        async def work(transaction: Transaction) -> bool:
            await self._consumers.remove(consumer_of(endpoint), transaction)
            return await transaction.fetchrow(_SQL["remove"], endpoint) is not None

        return await self._database.transaction(work)

    async def note_health(self, endpoint: UUID, failures: int, pause: timedelta) -> None:
        """It has taken nothing for so many rounds, and is to be let alone for a while."""
        await self._database.fetch(_SQL["note_health"], endpoint, failures, pause)


def consumer_of(endpoint: UUID) -> str:
    """The name of the consumer by which an endpoint follows the journal."""
    return f"webhook:{endpoint}"
