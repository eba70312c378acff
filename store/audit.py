"""The audit: what is stored twice is compared, in batches, while others go on writing.

A batch is compared by one statement, and that sees one snapshot: every transaction whole or not at all. So
what differs there differs indeed, and nothing is locked to find out. Only mending locks, few rows at a
time, and compares again under the locks.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import msgspec

from store.database import Database, Transaction

T = TypeVar("T")

COMPARED_AT_ONCE = 500
"""Keys that one statement compares."""
MENDED_AT_ONCE = 20
"""Keys that one transaction locks and mends."""
LISTED = 100
"""Differences of one check that are listed one by one; the others are counted."""


class Difference(msgspec.Struct, frozen=True):
    """`what` of `subject` is `said` to be so many, and there `are` so many."""

    subject: str
    what: str
    said: int
    are: int
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold of every row of a kind; each domain declares its own.

    `walk` answers the next $2 keys after $1, in order; `first` comes before them all. `compare` answers
    what differs of the keys $1: `key`, and the fields of a Difference. `mend` locks what belongs to
    some keys, looks again, and answers what it put right; None where nothing can be.
    """

    name: str
    first: Any
    walk: str
    compare: str
    mend: Callable[[Transaction, Sequence[Any]], Awaitable[list[Difference]]] | None = None


class Outcome(msgspec.Struct):
    """What came of one check: how many keys were compared, how many counts differed, how many are right now.

    `differences` are the first of them.
    """

    check: str
    compared: int = 0
    different: int = 0
    repaired: int = 0
    differences: list[Difference] = msgspec.field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing differs, or nothing does any more."""
        return self.different == self.repaired

    def add(self, compared: int, differences: Sequence[Difference]) -> None:
        """Count what one batch came to."""
        self.compared += compared
        self.different += len(differences)
        self.repaired += sum(difference.repaired for difference in differences)
        self.differences += differences[: LISTED - len(self.differences)]


async def audit(
    database: Database, checks: Sequence[Check], *, repair: bool = False
) -> list[Outcome]:
    """Compare everything, batch by batch; with `repair` put right what can be. An outcome for each check."""
    return [await _carry_out(database, check, repair=repair) for check in checks]


async def _carry_out(database: Database, check: Check, *, repair: bool) -> Outcome:
    outcome = Outcome(check.name)
    after = check.first
    while keys := await _next(database, check, after):
        after = keys[-1]
        found = await database.fetch(check.compare, keys)
        if found and repair:
            differing = list(dict.fromkeys(row["key"] for row in found))
            outcome.add(len(keys), await _mend(database, check, differing))
        else:
            outcome.add(len(keys), [difference_of(row) for row in found])
    return outcome


async def _next(database: Database, check: Check, after: Any) -> list[Any]:
    return [row["key"] for row in await database.fetch(check.walk, after, COMPARED_AT_ONCE)]


async def _mend(database: Database, check: Check, keys: Sequence[Any]) -> list[Difference]:
    """What differed of these keys, most of it put right."""
    differences: list[Difference] = []
    for few in _by(MENDED_AT_ONCE, keys):
        if check.mend is not None:
            mend = check.mend
            differences += await database.transaction(lambda transaction: mend(transaction, few))  # noqa: B023 (awaited before the next)
        differences += [difference_of(row) for row in await database.fetch(check.compare, few)]
    return differences


def difference_of(row: Any, *, repaired: bool = False) -> Difference:
    """The Difference in a row that `compare` answered."""
    return Difference(row["subject"], row["what"], row["said"], row["are"], repaired)


def _by(size: int, items: Sequence[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
