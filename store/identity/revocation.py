"""Revocation: tokens that are good no longer, though they have not expired."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from store.database import Database, Transaction
from store.identity.events import REVOCATIONS_TOPIC, SESSION_REVOKED, Revocation
from store.journal import NewEntry
from store.queries import queries
from store.refusal import Refusal

_SQL = queries("identity/revocation")

KEPT = timedelta(days=7)
"""How long a revocation is remembered; no token lives as long."""
UPKEEP = timedelta(hours=1)
"""Between two rounds of forgetting those that are older."""
FORGOTTEN_AT_ONCE = 1_000
"""Revocations that one statement forgets."""


class Revoked(msgspec.Struct, frozen=True):
    """Whose tokens are good no longer: the one named `jti`, or all that were issued before `valid_after`."""

    user_id: UUID
    jti: str | None
    valid_after: datetime | None


class Revocations:
    """Ends tokens before their time. Each node is told by an entry in the journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revoke(self, user_id: UUID, token_id: str, by: UUID) -> bool:
        """This one token is good no longer; False if it was not before. Raises `NOT_FOUND`."""

        async def work(transaction: Transaction) -> bool:
            await _check_user(transaction, user_id)
            if await transaction.fetchrow(_SQL["revoke_token"], user_id, token_id) is None:
                return False
            await _tell(transaction, Revocation(user_id, token_id, None), by)
            return True

        return await self._database.transaction(work)

    async def revoke_all(self, user_id: UUID, by: UUID) -> datetime:
        """No token issued until now is good any more; since when. Raises `NOT_FOUND`."""

        async def work(transaction: Transaction) -> datetime:
            row = await transaction.fetchrow(_SQL["revoke_all"], user_id)
            if row is None:
                raise _not_found(user_id)
            valid_after: datetime = row["tokens_valid_after"]
            await _tell(transaction, Revocation(user_id, None, valid_after), by)
            return valid_after

        return await self._database.transaction(work)

    async def forget(self) -> None:
        """Forget what was revoked so long ago that it has expired since, so many at once."""
        while True:
            gone = await self._database.fetch(_SQL["forget"], KEPT, FORGOTTEN_AT_ONCE)
            if len(gone) < FORGOTTEN_AT_ONCE:
                return


async def _check_user(transaction: Transaction, user_id: UUID) -> None:
    if await transaction.fetchrow(_SQL["is_user"], user_id) is None:
        raise _not_found(user_id)


async def _tell(transaction: Transaction, revocation: Revocation, by: UUID) -> None:
    entry = NewEntry(REVOCATIONS_TOPIC, SESSION_REVOKED, revocation, actor=by)
    await transaction.journal([entry])


def _not_found(user_id: UUID) -> Refusal:
    return Refusal("NOT_FOUND", "There is no such user.", user_id=str(user_id))
