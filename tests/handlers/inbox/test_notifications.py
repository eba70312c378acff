"""How an inbox is read, and what is said of it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from handlers.actor import Actor, Role
from handlers.inbox import DOMAIN, notifications
from handlers.inbox.notifications import See
from handlers.operation import Access, Call
from handlers.paging import PageQuery
from store.database import Database, open_database
from store.ids import new_id
from store.inbox import Inbox
from tests.servers import FreshDatabase
from tests.store.people import People, Person
from tests.store.refused import refused


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    async with open_database(await fresh_database(), connections=4) as database:
        yield database


def call(database: Database, person: Person) -> Call[Inbox]:
    return Call(Actor(person.id, Role.USER, "127.0.0.1"), Inbox(database))


def decode(**fields: Any) -> See:
    return msgspec.json.decode(msgspec.json.encode(fields), type=See)


def test_an_inbox_is_its_owners() -> None:
    """No visitor has one. Its routes lie where the gallery's do."""
    assert DOMAIN.base == "/api/v1/community"
    assert {operation.access for operation in DOMAIN.operations} == {Access.MEMBER}


def test_what_is_seen_is_named_in_one_of_two_ways() -> None:
    """By ids, or by a moment; not by both, and not by nothing."""
    assert decode(ids=[new_id()]).before is None
    assert decode(before="2026-11-21T00:00:00+01:00").ids is None
    with refused("VALIDATION_ERROR", ids="is required, or `before`"):
        decode()
    with refused("VALIDATION_ERROR", before="must not stand beside `ids`"):
        decode(ids=[new_id()], before="2026-11-21T00:00:00Z")


@pytest.mark.parametrize(
    "fields",
    [
        {"ids": []},
        {"ids": [new_id()] * 101},
        {"ids": ["7"]},
        {"before": "2026-11-21T00:00:00"},
        {"before": "yesterday"},
        {"ids": [new_id()], "all": True},
    ],
)
def test_what_has_the_wrong_shape(fields: dict[str, Any]) -> None:
    """No ids, too many, times without a zone, and what is not asked for here."""
    with pytest.raises(msgspec.ValidationError):
        decode(**fields)


async def test_seeing_again_changes_nothing(database: Database) -> None:
    """And answers the same count; a retry is harmless."""
    ada, ben = await People(database).crowd("Ada", "Ben")
    await ben.follows(ada)
    (one,) = (await notifications.page(call(database, ada), PageQuery())).items
    first, again = call(database, ada), call(database, ada)
    assert (await notifications.see(first, See(ids=[one.id]))).ids == [one.id]
    seen = await notifications.see(again, See(ids=[one.id]))
    assert (seen.ids, seen.unseen_count) == ([], 0)
    assert (first.changed, again.changed) == (True, False)
