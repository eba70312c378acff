"""TypeScript types: those that are kept are those that are made, and a compiler takes them at their word."""

import asyncio
from pathlib import Path

import pytest

from gateway.specs import typescript
from handlers.domain import Domain
from tests.docs.inserts import TYPES
from tests.gateway.specs.documents import contract
from tests.gateway.specs.test_openapi import THINGS
from tests.programs import NODE_FOLDER

COMPILER = NODE_FOLDER / "node_modules" / "typescript" / "bin" / "tsc"
STRICTLY = [
    "--noEmit",
    "--strict",
    "--noUncheckedIndexedAccess",
    "--exactOptionalPropertyTypes",
    *("--module", "nodenext"),
    *("--lib", "es2023,dom"),
]


def declared(name: str, *domains: Domain[None]) -> list[str]:
    """The lines between an interface's braces."""
    text = typescript(contract(*domains))
    return text.split(f"export interface {name} {{\n")[1].split("\n}")[0].split("\n")


def test_the_types_in_the_project_are_up_to_date() -> None:
    """If not: `python -m tests.docs.inserts`."""
    assert TYPES.read_text() == typescript(contract())


async def test_programs_are_compiled_strictly_against_them(node: Path) -> None:
    """Right uses of the official client and of ours compile; each wrong one that a program names is an error."""
    compiling = await asyncio.create_subprocess_exec(
        *(node, COMPILER, *STRICTLY, "typed.mts", "client.mts", "node.d.ts"),
        cwd=NODE_FOLDER,
        stdout=asyncio.subprocess.PIPE,
    )
    found, _ = await compiling.communicate()
    assert (compiling.returncode, found.decode()) == (0, "")


def test_what_may_be_left_out_is_optional_and_what_may_be_null_says_so() -> None:
    """In a command a default makes a field optional; what is told has every field but those UNSET."""
    assert declared("Paint", THINGS) == [
        "  thing_id: string;",
        "  colour?: string | null;",
        "  coats?: number;",
    ]
    assert declared("Thing", THINGS) == [
        "  id: string;",
        "  colour: string | null;",
        "  secret?: boolean;",
    ]
    assert declared("Subject", THINGS) == ["  id: string;", "  title?: string;"]
    assert declared("Find", THINGS) == [
        "  tags?: string | string[] | null;",
        '  sort?: "new" | "old";',
        "  cursor?: string | null;",
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Commands", '  "thing:paint": Paint;'),
        ("Acks", '  "thing:page": PageOfThing;'),
        ("Events", '  "session:ready": Ready;'),
    ],
)
def test_maps_lead_from_names_to_types(name: str, line: str) -> None:
    """For every command, ack and event."""
    assert line in declared(name, THINGS)
