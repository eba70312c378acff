"""Every table is open by rules or closed: in new databases, beside other programs, and in years to come."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import structlog

from store.migrations import migrate
from tests.outside import Outside
from tests.servers import FreshDatabase

OPEN = {
    "users",
    "assets",
    *(f"community_{noun}" for noun in ("posts", "likes", "comments", "follows", "reports")),
    "community_user_stats",
}
"""The tables that other programs may use: gallery.md, "From SQL"."""
VIEWS = {"visible_posts", "visible_user_stats"}

_RELATIONS = """
select relation.oid::regclass::text as name, relkind::text as kind, relrowsecurity as ruled,
       (select count(*) from pg_policy where polrelid = relation.oid) as policies,
       array(
           select distinct coalesce(role.rolname, 'public') || ' ' || given.privilege_type
           from aclexplode(coalesce(relacl, acldefault('r', relowner))) as given
           left join pg_roles as role on role.oid = given.grantee
           where given.grantee <> relowner
       ) as rights
from pg_class as relation
where relnamespace in ('public'::regnamespace, 'outside'::regnamespace) and relkind in ('r', 'p', 'v', 'm')
"""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def assert_closed(url: str) -> None:
    """Each table has rules and only the rights that go with them, or nobody from outside gets at it.

    A migration closes a new table with `select outside.close('its_name')`; one that is numbered before
    `outside` says `alter table its_name enable row level security`.
    """
    async with connected(url) as connection:
        relations = {row["name"]: row for row in await connection.fetch(_RELATIONS)}
    tables = {name: row for name, row in relations.items() if row["kind"] in "rp"}
    assert tables.keys() > OPEN
    assert relations.keys() - tables.keys() == VIEWS
    for name, row in tables.items():
        assert row["ruled"], f"{name} is not closed: select outside.close('{name}')"
        assert (row["policies"] > 0) == (name in OPEN), name
        allowed = {"DELETE", "SELECT"} if name in OPEN else set()
        assert {right.split()[1] for right in row["rights"]} <= allowed, (name, row["rights"])
    for name in VIEWS:
        assert {right.split()[1] for right in relations[name]["rights"]} == {"SELECT"}, name


async def test_every_table_has_rules_or_is_closed(outside: Outside) -> None:
    """Nothing is open by oversight."""
    await assert_closed(outside.owner_url)


async def test_a_closed_table_refuses_everybody(outside: Outside) -> None:
    """Visitors and users, to read and to write."""
    visitor, user = outside.visitor(), outside.session("authenticated")
    async with connected(outside.owner_url) as connection:
        names = {row["name"] for row in await connection.fetch(_RELATIONS)} - OPEN - VIEWS
    assert {"events", "topics", "installation", "outside.writes", "schema_migrations"} < names
    for name in sorted(names):
        for session in (visitor, user):
            for statement in (f"select from {name}", f"delete from {name}", f"truncate {name}"):  # noqa: S608
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await session.runs(statement)


async def test_days_to_come_are_closed(outside: Outside) -> None:
    """A partition of the journal that is made later is as closed as its parent."""
    async with connected(outside.owner_url) as connection:
        await connection.execute("select journal_add_day(current_date + 300)")
    await assert_closed(outside.owner_url)


async def test_tables_are_closed_where_others_are_open_by_default(
    fresh_database: FreshDatabase, superuser_url: str, outside: Outside
) -> None:
    """In a Supabase project every new table is granted to everybody; these take that back."""
    url = await fresh_database(migrated=False)
    name = urlsplit(url).path
    async with connected(urlsplit(superuser_url)._replace(path=name).geturl()) as connection:
        await connection.execute(
            "alter default privileges for role vernissage in schema public "
            "grant all on tables to anon, authenticated"
        )
    await migrate(url)
    async with connected(url) as connection:
        await connection.execute("select journal_add_day(current_date + 300)")
    await assert_closed(url)


async def test_without_the_right_to_make_roles_the_rest_is_there(
    fresh_database: FreshDatabase, superuser_url: str, outside: Outside
) -> None:
    """The migration says what is missing and how to add it; then outsiders are let in."""
    url = await fresh_database(migrated=False)
    database = urlsplit(url).path
    as_superuser = urlsplit(superuser_url)._replace(path=database).geturl()
    address = urlsplit(url)
    poor = address._replace(netloc=f"poor:of-the-tests@{address.hostname}:{address.port}").geturl()
    async with connected(as_superuser) as root:
        await root.execute("create role poor login password 'of-the-tests'")
        await root.execute(f"alter database {database[1:]} owner to poor")
        await root.execute("alter role anon rename to anon_elsewhere")
        try:
            with structlog.testing.capture_logs() as logs:
                assert await migrate(poor)
            (warning,) = [log["event"] for log in logs if log["log_level"] == "warning"]
            assert "the role anon is missing" in warning
            assert "select outside.admit()" in warning
            async with connected(poor) as owner:
                await owner.execute("select journal_add_day(current_date + 300)")
                with pytest.raises(asyncpg.UndefinedObjectError):
                    await owner.execute("select outside.admit()")
        finally:
            await root.execute("alter role anon_elsewhere rename to anon")
        async with connected(poor) as owner:
            await owner.execute("select outside.admit()")
        await assert_closed(poor)
        assert await root.fetchval(
            "select has_column_privilege('anon', 'community_posts', 'title', 'select')"
        )
