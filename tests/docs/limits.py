"""Every timeout, bound and pace of the gateway, read from the source: what docs/limits.md lists."""

import ast
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("gateway", "handlers", "store", "pubsub")
NO_LIMITS = {
    "gateway/consuming/leash.py": {"PR_SET_PDEATHSIG", "NOT_FOUND"},
    "gateway/embedded/tether.py": {"PR_SET_PDEATHSIG"},
    "gateway/logs.py": {"REFUSED"},
    "gateway/specs/typescript.py": {"WIDTH"},
    "handlers/gallery/demo.py": {"SEED", "BEGIN", "BATCH", "FEATURED_AT_ONCE"},
}
"""Numbers that bound nothing, and what the demo is made of."""


class Limit(NamedTuple):
    """A constant of a module: `file` is its path in the project, `told` its docstring, if it has one."""

    file: str
    name: str
    value: float | timedelta
    told: str | None

    @property
    def shown(self) -> str:
        """The value with its unit, where the name says which."""
        if isinstance(self.value, timedelta):
            return _time(self.value.total_seconds())
        if "MILLISECONDS" in self.name:
            return _time(self.value / 1000)
        if {"SECONDS", "DEADLINE"} & {*self.name.split("_")} or (self.told or "").startswith(
            "Seconds"
        ):
            return _time(self.value)
        if "BYTES" in self.name and self.value % 1024 == 0:
            return f"{self.value // 1024:,} KiB"
        return f"{self.value:,}"


def limits() -> Iterator[Limit]:
    """All of them, in order of their files."""
    for room in ROOMS:
        for path in sorted((PROJECT / room).rglob("*.py")):
            file = path.relative_to(PROJECT).as_posix()
            module = import_module(
                file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
            )
            for name, told in _constants(ast.parse(path.read_text())):
                value = getattr(module, name)
                is_number = isinstance(value, int | float | timedelta)
                if (
                    is_number
                    and not isinstance(value, bool)
                    and name not in NO_LIMITS.get(file, ())
                ):
                    yield Limit(file, name, value, told)


def _constants(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """The public constants that a module makes itself, each with the docstring that follows it."""
    for place, node in enumerate(tree.body):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if name.isupper() and not name.startswith("_"):
                    match tree.body[place + 1 : place + 2]:
                        case [ast.Expr(value=ast.Constant(value=str(told)))]:
                            yield name, " ".join(told.split())
                        case _:
                            yield name, None


def _time(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
