"""Migrations are applied once and in order; a database that does not fit is refused with what to do."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from store.migrations import (
    FOLDER,
    Migration,
    SchemaError,
    check_schema,
    migrate,
    pending,
    read_migrations,
)
from tests.servers import FreshDatabase

ONE = Migration("1", "one", "select 1", "a")
TWO = Migration("2", "two", "select 2", "b")
THREE = Migration("3", "three", "select 3", "c")


def test_what_is_not_applied_is_pending() -> None:
    """In order, and nothing once all is applied."""
    assert pending([ONE, TWO], []) == [ONE, TWO]
    assert pending([ONE, TWO], [("1", "a")]) == [TWO]
    assert pending([ONE, TWO], [("1", "a"), ("2", "b")]) == []


@pytest.mark.parametrize(
    ("migrations", "applied", "says"),
    [
        ([ONE, TWO, THREE], [("1", "a"), ("3", "c")], "2_two was skipped"),
        ([ONE, TWO], [("1", "a"), ("2", "other")], "2_two was changed"),
        ([ONE], [("1", "a"), ("2", "b")], "newer than this code"),
        ([], [("1", "a")], "newer than this code"),
        ([TWO], [("1", "a"), ("2", "b")], "its file is gone"),
        ([ONE, THREE], [("1", "a"), ("2", "b"), ("3", "c")], "its file is gone"),
    ],
)
def test_what_does_not_fit_is_refused(
    migrations: list[Migration], applied: list[tuple[str, str]], says: str
) -> None:
    """A gap, a changed file, a file that is gone, a schema that is newer than the code."""
    with pytest.raises(SchemaError, match=says):
        pending(migrations, applied)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("20260101000000_no_marker.sql", "create table a ();"),
        ("20260101000000_no_down.sql", "-- migrate:up\ncreate table a ();"),
        ("nameless.sql", "-- migrate:up\n\n-- migrate:down\n"),
        ("v1_word.sql", "-- migrate:up\n\n-- migrate:down\n"),
    ],
)
def test_a_file_that_is_no_migration_is_refused(tmp_path: Path, name: str, text: str) -> None:
    """Its name says so."""
    (tmp_path / name).write_text(text)
    with pytest.raises(SchemaError, match=name):
        read_migrations(tmp_path)


def test_a_version_stands_once(tmp_path: Path) -> None:
    """Two files with one version have no order."""
    for name in ("1_one.sql", "1_other.sql"):
        (tmp_path / name).write_text("-- migrate:up\n\n-- migrate:down\n")
    with pytest.raises(SchemaError, match="twice"):
        read_migrations(tmp_path)


async def test_an_empty_database_is_brought_up_to_date_once(fresh_database: FreshDatabase) -> None:
    """All migrations the first time, none the second; in between nothing else passes."""
    url = await fresh_database(migrated=False)
    with pytest.raises(SchemaError, match="vernissage migrate"):
        await check_schema(url)
    assert await migrate(url) == [migration.version for migration in read_migrations()]
    assert await migrate(url) == []
    await check_schema(url)


async def test_several_nodes_may_start_at_once(fresh_database: FreshDatabase) -> None:
    """One of them migrates, the others wait for it and find nothing to do."""
    url = await fresh_database(migrated=False)
    applied = await asyncio.gather(*(migrate(url) for _ in range(4)))
    versions = [migration.version for migration in read_migrations()]
    assert sorted(applied) == [[], [], [], versions]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            "update schema_migrations set checksum = 'other'"
            " where version = (select max(version) from schema_migrations)",
            "was changed after it was applied",
        ),
        (
            "delete from schema_migrations"
            " where version = (select min(version) from schema_migrations)",
            "was skipped",
        ),
        (
            "insert into schema_migrations (version, name, checksum)"
            " values ('99999999999999', 'from_the_future', 'x')",
            "newer than this code",
        ),
    ],
)
async def test_a_start_refuses_a_schema_that_does_not_fit(
    fresh_database: FreshDatabase, damage: str, says: str
) -> None:
    """Neither checking nor migrating goes on, and nothing is changed."""
    url = await fresh_database()
    connection = await asyncpg.connect(url)
    await connection.execute(damage)
    before = await connection.fetch("select * from schema_migrations order by version")
    for start in (check_schema, migrate):
        with pytest.raises(SchemaError, match=says):
            await start(url)
    assert await connection.fetch("select * from schema_migrations order by version") == before
    await connection.close()


async def test_every_migration_can_be_taken_down_again(fresh_database: FreshDatabase) -> None:
    """In reverse order, down to nothing but the list of migrations."""
    url = await fresh_database()
    connection = await asyncpg.connect(url)
    for path in sorted(FOLDER.glob("*.sql"), reverse=True):
        await connection.execute(path.read_text().partition("-- migrate:down")[2])
    left = await connection.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    )
    assert [row["relname"] for row in left] == ["schema_migrations"]
    await connection.close()
