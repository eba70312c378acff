"""Named SQL, read once from `sql/`.

A file holds queries one after the other, each under a line `-- name: verb_noun` and a line that says
what it answers. Parameters are PostgreSQL's own (`$1`). What several queries have in common stands once,
under `-- part: noun`, and a line `-- include: folder/file.noun` is replaced by it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

_ROOM = Path(__file__).resolve().parent
SQL = next(folder / "sql" for folder in (_ROOM, _ROOM.parent) if (folder / "sql").is_dir())
"""In an installed package within the room, in a checkout beside it."""

_BLOCK = re.compile(r"^-- (name|part): (\w+)\n", re.MULTILINE)
_INCLUDE = re.compile(r"^[ ]*-- include: ([\w/]+)\.(\w+)$", re.MULTILINE)


class Queries(Mapping[str, str]):
    """The queries of one file by name; an unknown name is a KeyError that says where it was looked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        blocks = _BLOCK.split(path.read_text(encoding="utf-8"))[1:]
        kinds, names, bodies = blocks[::3], blocks[1::3], blocks[2::3]
        if len(set(names)) != len(names):
            raise ValueError(f"{path}: a name stands twice")
        found = list(zip(kinds, names, bodies, strict=True))
        self._parts = {name: body.strip() for kind, name, body in found if kind == "part"}
        self._texts = {
            name: self._complete(body).strip() for kind, name, body in found if kind == "name"
        }

    def _complete(self, body: str) -> str:
        """`body` with the parts that it includes, and those that they include."""

        def part(match: re.Match[str]) -> str:
            file, name = SQL / f"{match[1]}.sql", match[2]
            parts = self._parts if file == self._path else queries(match[1])._parts
            return self._complete(parts[name])

        return _INCLUDE.sub(part, body)

    def __getitem__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise KeyError(f"no query {name!r} in {self._path}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


@cache
def queries(name: str) -> Queries:
    """The queries of `sql/<name>.sql`, such as `queries("gallery/likes")`."""
    return Queries(SQL / f"{name}.sql")
