"""Users: whoever has shown a valid token once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from store.database import Database
from store.queries import queries
from store.refusal import Refusal

_SQL = queries("identity/users")


class UserSummary(msgspec.Struct, frozen=True):
    """How a user appears beside what they did."""

    id: UUID
    display_name: str
    avatar_url: str | None
    subscription_tier: str


class User(msgspec.Struct, frozen=True):
    """A user as the gateway needs to know them. `role` is the stored one; a token may say more."""

    summary: UserSummary
    role: str


class Claimed(msgspec.Struct, frozen=True):
    """What a valid token says of its bearer and of itself; None where it says nothing."""

    id: UUID
    external_id: str
    name: str | None = None
    picture: str | None = None
    tier: str | None = None
    token_id: str | None = None
    issued_at: datetime | None = None


class Users:
    """The users of this database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recognize(self, claimed: Sequence[Claimed]) -> list[User | Refusal]:
        """The users behind tokens, in order; made at first sight, brought up to date where a token differs.

        A token that was revoked makes nobody and changes nobody: it gets a Refusal.
        """
        rows = await self._database.fetch(
            _SQL["find"],
            [claim.id for claim in claimed],
            [claim.token_id for claim in claimed],
        )
        found = list(zip(claimed, rows, strict=True))
        revoked = [_is_revoked(claim, row) for claim, row in found]
        users = {claim.id: _user(row) for claim, row in found if row["id"] is not None}
        fresh = {
            claim.id: claim
            for claim, is_revoked in zip(claimed, revoked, strict=True)
            if not is_revoked and not _agrees(claim, users.get(claim.id))
        }
        if fresh:
            claims = fresh.values()
            said = (
                [claim.id for claim in claims],
                [claim.external_id for claim in claims],
                [claim.name for claim in claims],
                [claim.picture for claim in claims],
                [claim.tier for claim in claims],
            )
            # Two nodes may see a user first at the same moment: whoever is second does it again.
            saved = await self._database.transaction(
                lambda transaction: transaction.fetch(_SQL["save"], *said)
            )
            users.update((row["id"], _user(row)) for row in saved)
        return [
            _token_revoked() if is_revoked else users[claim.id]
            for claim, is_revoked in zip(claimed, revoked, strict=True)
        ]

    async def summary(self, user_id: UUID) -> UserSummary | None:
        """How a user appears; None where there is no such user."""
        row = await self._database.fetchrow(_SQL["summary"], user_id)
        return None if row is None else summary_of(row)

    async def is_empty(self) -> bool:
        """Whether nobody has been here yet."""
        return await self._database.fetchrow(_SQL["anybody"]) is None


def _is_revoked(claim: Claimed, row: Mapping[str, Any]) -> bool:
    """Whether the token is good no longer; one that does not say when it was issued may be of any age."""
    if row["is_revoked"]:
        return True
    valid_after: datetime | None = row["tokens_valid_after"]
    return valid_after is not None and (claim.issued_at is None or claim.issued_at < valid_after)


def _token_revoked() -> Refusal:
    return Refusal("UNAUTHENTICATED", "The token has been revoked.")


def _agrees(claim: Claimed, user: User | None) -> bool:
    if user is None:
        return False
    known = user.summary
    return (
        claim.name in (None, known.display_name)
        and claim.picture in (None, known.avatar_url)
        and claim.tier in (None, known.subscription_tier)
    )


def _user(row: Mapping[str, Any]) -> User:
    return User(summary_of(row), row["role"])


def summary_of(row: Mapping[str, Any], prefix: str = "") -> UserSummary:
    """The UserSummary in a row's columns `id, display_name, avatar_url, subscription_tier`, each after `prefix`."""
    return UserSummary(
        row[f"{prefix}id"],
        row[f"{prefix}display_name"],
        row[f"{prefix}avatar_url"],
        row[f"{prefix}subscription_tier"],
    )
