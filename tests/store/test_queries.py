"""Every query in `sql/` is described, fits the schema, and is used."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.database import Database
from store.queries import SQL, Queries, queries

FILES = sorted(
    path.relative_to(SQL).with_suffix("").as_posix()
    for path in SQL.rglob("*.sql")
    if path.parent.name != "migrations"
)
STORE = SQL.parent / "store"


def named() -> list[tuple[str, str]]:
    """File and name of every query."""
    return [(file, name) for file in FILES for name in queries(file)]


@pytest.mark.parametrize(("file", "name"), named())
async def test_a_query_fits_the_migrated_schema(database: Database, file: str, name: str) -> None:
    """PostgreSQL can prepare it."""
    await database.transaction(
        lambda transaction: transaction.execute(f"prepare query as {queries(file)[name]}")
    )
    await database.execute("deallocate all")


@pytest.mark.parametrize("file", FILES)
def test_a_query_says_what_it_answers(file: str) -> None:
    """Below the name of each stands a line that describes it."""
    text = (SQL / f"{file}.sql").read_text(encoding="utf-8")
    heads = re.findall(r"^-- name: (\w+)\n(.*)$", text, re.MULTILINE)
    assert heads
    assert [name for name, line in heads if not re.fullmatch(r"-- \S.*", line)] == []


def used(path: Path) -> Iterator[tuple[str, str]]:
    """The file and name of each query that a module of the store takes by its name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    files = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=variable)],
                value=ast.Call(
                    func=ast.Name(id="queries"), args=[ast.Constant(value=str() as file)]
                ),
            ):
                files[variable] = file
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(
                value=ast.Name(id=variable), slice=ast.Constant(value=str() as name)
            ) if variable in files:
                yield files[variable], name


def test_every_query_is_used_and_none_is_missing() -> None:
    """What the store takes by name is what there is in `sql/`."""
    assert {query for path in STORE.rglob("*.py") for query in used(path)} == set(named())


def test_every_part_is_included() -> None:
    """A part that no query includes is dead."""
    parts: set[str] = set()
    included: set[str] = set()
    for file in FILES:
        text = (SQL / f"{file}.sql").read_text(encoding="utf-8")
        parts.update(f"{file}.{name}" for name in re.findall(r"^-- part: (\w+)$", text, re.M))
        included.update(re.findall(r"^ *-- include: ([\w/]+\.\w+)$", text, re.M))
    assert included == parts


def test_a_query_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The KeyError says which, and where it was looked for."""
    path = tmp_path / "things.sql"
    path.write_text("-- name: find\n-- Finds things.\nselect 1\n")
    found = Queries(path)
    assert list(found) == ["find"]
    assert found["find"].endswith("select 1")
    with pytest.raises(KeyError, match=r"no query 'lose' in .*things\.sql"):
        found["lose"]


def test_a_name_stands_once_in_a_file(tmp_path: Path) -> None:
    """Two queries with one name are refused when the file is read."""
    path = tmp_path / "things.sql"
    path.write_text("-- name: find\nselect 1\n\n-- name: find\nselect 2\n")
    with pytest.raises(ValueError, match="twice"):
        Queries(path)
