"""Tokens that were revoked: who is refused by them, and how long that is remembered."""

from datetime import UTC, datetime, timedelta

from store.database import Database
from store.identity import Claimed, Identity, User
from store.identity.revocation import KEPT
from store.ids import new_id
from store.refusal import Refusal

EARLIER = timedelta(seconds=-10)


def claimed(name: str, token_id: str | None = None, age: timedelta | None = EARLIER) -> Claimed:
    issued_at = None if age is None else datetime.now(UTC) + age
    return Claimed(
        new_id(), f"{name} {new_id()}", name=name, token_id=token_id, issued_at=issued_at
    )


async def test_tokens_are_told_apart(database: Database) -> None:
    """In one batch: by name, by user and by when they were issued."""
    identity = Identity(database)
    ada, bob = claimed("Ada", "one"), claimed("Bob", "one")
    await identity.users.recognize([ada, bob])
    assert await identity.revocations.revoke(ada.id, "one", by=ada.id)
    assert not await identity.revocations.revoke(ada.id, "one", by=ada.id)
    await identity.revocations.revoke_all(bob.id, by=bob.id)

    def token(of: Claimed, token_id: str | None, seconds: float | None) -> Claimed:
        issued_at = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
        return Claimed(of.id, of.external_id, of.name, token_id=token_id, issued_at=issued_at)

    found = await identity.users.recognize(
        [
            *(token(ada, "one", -10), token(ada, "two", -10), token(ada, None, None)),
            *(token(bob, "one", -10), token(bob, "one", 1), token(bob, "one", None)),
        ]
    )
    assert [isinstance(each, User) for each in found] == [False, True, True, False, True, False]


async def test_a_revoked_token_changes_nobody(database: Database) -> None:
    """Not the name of its user; and it makes none of whom was deleted."""
    identity = Identity(database)
    ada = claimed("Ada")
    await identity.users.recognize([ada])
    await database.fetch("delete from users where id = $1", ada.id)
    (refusal,) = await identity.users.recognize([ada])
    assert isinstance(refusal, Refusal)
    assert refusal.code == "UNAUTHENTICATED"
    fresh = Claimed(ada.id, ada.external_id, "Ada again", issued_at=datetime.now(UTC))
    for claims in (fresh, ada, fresh):
        (found,) = await identity.users.recognize([claims])
        assert isinstance(found, User) is (claims is fresh)
        assert not isinstance(found, User) or found.summary.display_name == "Ada again"


async def test_signing_out_everywhere_never_goes_back(database: Database) -> None:
    """A later moment that stands there already stays."""
    identity = Identity(database)
    ada = claimed("Ada")
    await identity.users.recognize([ada])
    first = await identity.revocations.revoke_all(ada.id, by=ada.id)
    assert await identity.revocations.revoke_all(ada.id, by=ada.id) > first
    (row,) = await database.fetch(
        "update users set tokens_valid_after = now() + interval '1 hour' where id = $1"
        " returning tokens_valid_after",
        ada.id,
    )
    assert await identity.revocations.revoke_all(ada.id, by=ada.id) == row["tokens_valid_after"]


async def test_what_has_expired_long_since_is_forgotten(database: Database) -> None:
    """A week after it was revoked; no token lives as long."""
    identity = Identity(database)
    ada = claimed("Ada")
    await identity.users.recognize([ada])
    for name in ("old", "new"):
        await identity.revocations.revoke(ada.id, name, by=ada.id)
    await database.fetch(
        "update revoked_tokens set revoked_at = now() - $1::interval - interval '1 minute'"
        " where token_id = 'old' and user_id = $2",
        KEPT,
        ada.id,
    )
    await identity.revocations.forget()
    rows = await database.fetch("select token_id from revoked_tokens where user_id = $1", ada.id)
    assert [row["token_id"] for row in rows] == ["new"]
