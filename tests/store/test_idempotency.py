"""Keys of requests: whose they are, what stands under them, and how long."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from store import idempotency
from store.database import Database, open_database
from store.idempotency import IdempotencyKeys
from store.identity import Claimed, Identity
from store.ids import new_id
from tests.servers import FreshDatabase

AT = ("thing:make", "key", b"request")


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    async with open_database(await fresh_database(), connections=8) as database:
        yield database


@pytest.fixture
def keys(database: Database) -> IdempotencyKeys:
    return IdempotencyKeys(database)


@pytest.fixture
async def ada(database: Database) -> UUID:
    return await somebody(database)


async def somebody(database: Database) -> UUID:
    user_id = new_id()
    await Identity(database).users.recognize([Claimed(user_id, str(user_id), "Ada", None, None)])
    return user_id


async def age(database: Database, hours: float) -> None:
    await database.fetch(
        "update idempotency_keys set created_at = created_at - make_interval(secs => $1 * 3600.0)",
        hours,
    )


async def test_a_key_stands_for_its_first_request(keys: IdempotencyKeys, ada: UUID) -> None:
    """Whatever else comes under it: the hash, the id of what it makes, and the answer are the first's."""
    first = await keys.claim(ada, *AT)
    assert first is not None
    assert (first.request, first.status, first.answer) == (b"request", None, None)
    assert first.made_id.version == 7
    assert await keys.claim(ada, *AT) == first
    assert await keys.claim(ada, "thing:make", "key", b"another") == first
    kept = await keys.keep(ada, *AT, 201, b"answer")
    assert kept is not None
    assert (kept.status, kept.answer, kept.made_id) == (201, b"answer", first.made_id)
    assert await keys.keep(ada, *AT, 200, b"later") == kept
    assert await keys.claim(ada, *AT) == kept


async def test_keys_belong_to_a_user_and_an_operation(
    keys: IdempotencyKeys, database: Database, ada: UUID
) -> None:
    """The same word from another user, or for something else, is another key."""
    ben = await somebody(database)
    claims = [
        await keys.claim(ada, *AT),
        await keys.claim(ben, *AT),
        await keys.claim(ada, "thing:break", "key", b"request"),
        await keys.claim(ada, "thing:make", "Key", b"request"),
    ]
    assert len({claim.made_id for claim in claims if claim is not None}) == 4


async def test_claims_at_once_are_one(keys: IdempotencyKeys, ada: UUID) -> None:
    """Whoever comes at the same moment makes the same thing, and only one answer is kept."""
    claims = await asyncio.gather(*(keys.claim(ada, *AT) for _ in range(16)))
    assert len({claim.made_id for claim in claims if claim is not None}) == 1
    kept = await asyncio.gather(*(keys.keep(ada, *AT, 201, b"%d" % n) for n in range(16)))
    assert len({each.answer for each in kept if each is not None}) == 1


async def test_a_day_later_a_key_is_new(
    keys: IdempotencyKeys, database: Database, ada: UUID
) -> None:
    """Also before it was cleared away; until then it holds."""
    first = await keys.claim(ada, *AT)
    await keys.keep(ada, *AT, 201, b"answer")
    await age(database, 23.9)
    held = await keys.claim(ada, *AT)
    assert held is not None
    assert held.answer == b"answer"
    await age(database, 0.2)
    new = await keys.claim(ada, "thing:make", "key", b"another")
    assert first is not None
    assert new is not None
    assert (new.request, new.status, new.answer) == (b"another", None, None)
    assert new.made_id != first.made_id
    # Somebody who began a day ago keeps nothing any more.
    assert await keys.keep(ada, *AT, 201, b"late") == new


async def test_old_keys_are_forgotten(
    keys: IdempotencyKeys, database: Database, ada: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, a few at a time; the others stay."""
    monkeypatch.setattr(idempotency, "FORGOTTEN_AT_ONCE", 10)
    for n in range(25):
        await keys.claim(ada, "thing:make", str(n), b"request")
    await age(database, 24)
    await keys.claim(ada, "thing:make", "young", b"request")
    await keys.forget()
    rows = await database.fetch("select key from idempotency_keys where user_id = $1", ada)
    assert [row["key"] for row in rows] == ["young"]


async def test_who_is_gone_has_no_keys(
    keys: IdempotencyKeys, database: Database, ada: UUID
) -> None:
    """They go with their user, and a user who is gone gets none."""
    await keys.claim(ada, *AT)
    await database.fetch("delete from users where id = $1", ada)
    assert await keys.claim(ada, *AT) is None
    assert await keys.keep(ada, *AT, 201, b"answer") is None
