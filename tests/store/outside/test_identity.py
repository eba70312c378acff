"""Who an outside session acts for: what SQL makes of its claims, and what the gateway makes of them."""

import hashlib
import json
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.auth.tokens import user_id_of
from store.database import Database
from tests.outside import Outside
from tests.store.people import People

SUBJECTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"]), min_size=1, max_size=255),
    st.uuids().map(str),
    st.uuids().map(lambda identifier: str(identifier).upper()),
    st.uuids().map(lambda identifier: identifier.hex),
    st.uuids().map(lambda identifier: f"{{{identifier}}}"),
    st.uuids().map(lambda identifier: f"urn:uuid:{identifier}"),
)
ISSUERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=100)
MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def only(database: Database, statement: str, *args: object) -> object:
    row = await database.fetchrow(statement, *args)
    assert row is not None
    value: object = row[0]
    return value


@MANY
@given(st.binary(max_size=200))
async def test_sha1_is_sha1(database: Database, message: bytes) -> None:
    """Of every length, over the edges of its blocks."""
    expected = hashlib.sha1(message).digest()  # noqa: S324 (what UUIDs of version 5 are made with)
    assert await only(database, "select outside.sha1($1)", message) == expected


@MANY
@given(ISSUERS)
async def test_uuid5_is_uuid5(database: Database, name: str) -> None:
    """RFC 9562's, whatever letters the name is written in."""
    made = await only(database, "select outside.uuid5($1, $2)", NAMESPACE_URL, name)
    assert made == uuid5(NAMESPACE_URL, name)


@MANY
@given(SUBJECTS, ISSUERS)
async def test_a_subject_is_the_user_it_is_to_the_gateway(
    database: Database, subject: str, issuer: str
) -> None:
    """A UUID, however its letters are cased, is the id; of anything else one is made with the issuer."""
    found = await only(database, "select outside.user_id_of($1, $2)", subject, issuer)
    assert found == user_id_of(subject, issuer)


@pytest.mark.parametrize(
    "claims",
    [
        "",
        "{}",
        '{"sub": null}',
        '{"sub": 5, "iss": "us"}',
        '{"sub": "", "iss": "us"}',
        '{"sub": "ada"}',
        '{"sub": "a\\u202e", "iss": "us"}',
        json.dumps({"sub": 256 * "a", "iss": "us"}),
    ],
)
async def test_who_claims_nothing_usable_is_nobody(database: Database, claims: str) -> None:
    """Nothing at all, no subject, one that is no text, empty, too long, or without the issuer it needs."""
    statement = (
        "with claimed as (select set_config('request.jwt.claims', $1, true)) "
        "select outside.user_id() from claimed where set_config is not null"
    )
    assert await only(database, statement, claims) is None


async def test_an_id_made_by_the_database_is_like_the_gateways(database: Database) -> None:
    """A UUIDv7 of this moment."""
    made = await only(database, "select outside.new_id()")
    assert isinstance(made, UUID)
    assert (made.version, made.variant) == (7, uuid4().variant)
    at = await only(
        database, "select abs(extract(epoch from now()) * 1000 - $1)::float", made.int >> 80
    )
    assert isinstance(at, float)
    assert at < 60_000


@pytest.mark.parametrize(
    ("claimed", "stored", "moderates"),
    [
        ("moderator", "user", True),
        ("admin", "user", True),
        ("user", "moderator", False),
        ("owner", "moderator", False),
        (None, "moderator", True),
        (None, "user", False),
        ("authenticated", "admin", True),
        ("authenticated", "user", False),
    ],
)
async def test_a_claimed_role_wins_over_the_stored_one(
    people: People, outside: Outside, claimed: str | None, stored: str, moderates: bool
) -> None:
    """As at the gateway; but the name of the database's role claims nothing."""
    ada = await people.person("Ada")
    await people.database.fetch("update users set role = $2 where id = $1", ada.id, stored)
    session = outside.user(ada, role=claimed)
    ((found,),) = await session.runs("select outside.moderates()")
    assert found is moderates


async def test_an_unknown_user_does_not_moderate(outside: Outside, people: People) -> None:
    """Whatever they claim: there is nobody to whom it could be put down."""
    ada = await people.person("Ada")
    await people.database.fetch("delete from users where id = $1", ada.id)
    session = outside.user(ada, role="admin")
    (found,) = await session.runs("select outside.moderates(), outside.may_write()")
    assert tuple(found) == (False, False)
