"""What was asked for under an `Idempotency-Key`, and how it was answered: for a day."""

from datetime import timedelta
from uuid import UUID

import msgspec

from store.database import Database
from store.ids import new_id
from store.queries import queries

_SQL = queries("idempotency/keys")

KEPT = timedelta(hours=24)
"""How long a key stands for its first request."""
UPKEEP = timedelta(hours=1)
"""Between two rounds of forgetting those that are older."""
FORGOTTEN_AT_ONCE = 1_000
"""Keys that one statement forgets."""


class Claim(msgspec.Struct, frozen=True):
    """What stands under a key: the first request's hash, the id of what it makes, and how it was answered."""

    request: bytes
    made_id: UUID
    status: int | None
    answer: bytes | None


class IdempotencyKeys:
    """The keys of all users. Each belongs to one user and one operation; `request` is a hash of what is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, user_id: UUID, operation: str, key: str, request: bytes) -> Claim | None:
        """What stands under the key from now on: this request, unless there was one before.

        None for a user who is gone.
        """
        row = await self._database.fetchrow(
            _SQL["claim"], user_id, operation, key, request, new_id(), KEPT
        )
        return Claim(**row) if row is not None else await self._find(user_id, operation, key)

    async def keep(
        self, user_id: UUID, operation: str, key: str, request: bytes, status: int, answer: bytes
    ) -> Claim | None:
        """What stands under the key, answered: like this, unless it was before. None where it is gone."""
        row = await self._database.fetchrow(
            _SQL["keep"], user_id, operation, key, request, status, answer
        )
        return Claim(**row) if row is not None else await self._find(user_id, operation, key)

    async def forget(self) -> None:
        """Forget the keys that are older than a day, so many at once."""
        while True:
            gone = await self._database.fetch(_SQL["forget"], KEPT, FORGOTTEN_AT_ONCE)
            if len(gone) < FORGOTTEN_AT_ONCE:
                return

    async def _find(self, user_id: UUID, operation: str, key: str) -> Claim | None:
        row = await self._database.fetchrow(_SQL["find"], user_id, operation, key)
        return None if row is None else Claim(**row)
