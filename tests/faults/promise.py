"""What became of each promise of promises.md, and the table that a run prints of it."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from load.machine import machine
from tests.faults.budget import FORM

SHOWN = 5
"""Violations that are told of in full."""

HEADS = ("promise", "what holds", "operations", "faults injected", "violations")


@dataclass
class Promise:
    """One promise under test: how much was done, what was broken meanwhile, and what did not hold."""

    number: int
    says: str
    operations: int = 0
    acknowledged: int = 0
    """Writes, of all operations."""
    faults: Counter[str] = field(default_factory=Counter)
    figures: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    ended: bool = False

    def judge(self, operations: int, violations: Iterable[str]) -> None:
        """So many operations were looked at, and this was found."""
        self.operations += operations
        self.violations += violations

    def worst(self, what: str, value: float) -> None:
        """The highest value of a figure is the one that is told."""
        self.figures[what] = max(value, self.figures.get(what, 0.0))

    def is_kept(self) -> None:
        """Fails the test where anything was found, or nothing was done."""
        __tracebackhide__ = True
        self.ended = True
        if self.violations:
            shown = "\n".join(self.violations[:SHOWN])
            pytest.fail(f"P{self.number}: {len(self.violations)} violations, such as\n{shown}")
        if not self.operations:
            pytest.fail(f"P{self.number} was not put to the test")

    @property
    def row(self) -> tuple[str, ...]:
        """Its line in the table."""
        faults = ", ".join(f"{count:,} × {what}" for what, count in self.faults.items())
        figures = ", ".join(f"{what} {round(value, 3):,}" for what, value in self.figures.items())
        broken = f"{len(self.violations):,}" if self.ended else "not finished"
        writes = f"{self.acknowledged:,} writes acknowledged" if self.acknowledged else ""
        told = "; ".join(filter(None, (faults, writes, figures)))
        return (f"P{self.number}", self.says, f"{self.operations:,}", told, broken)


class Promises:
    """Those of one run."""

    def __init__(self) -> None:
        self.tested: list[Promise] = []

    def under_test(self, name: str, docstring: str) -> Promise:
        """The promise that a test is named after."""
        found = re.match(r"test_p(\d+)_", name)
        assert found is not None, f"{name} names no promise"
        says = docstring.strip().partition("\n")[0].rstrip(".")
        promise = Promise(int(found[1]), says)
        self.tested.append(promise)
        return promise

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table, in order of promises, and all of them together."""
        rows = [each.row for each in sorted(self.tested, key=lambda each: each.number)]
        together = Promise(
            0,
            "All together",
            operations=sum(each.operations for each in self.tested),
            acknowledged=sum(each.acknowledged for each in self.tested),
            faults=Counter(faults=sum(each.faults.total() for each in self.tested)),
            violations=[found for each in self.tested for found in each.violations],
            ended=all(each.ended for each in self.tested),
        )
        return [*rows, ("", *together.row[1:])]

    def keep(self, path: Path) -> None:
        """Write down the run, for docs/promises.md."""
        kept = {
            "machine": machine(),
            "form": FORM,
            "promises": [
                {
                    "number": each.number,
                    "says": each.says,
                    "operations": each.operations,
                    "faults": dict(each.faults),
                    "figures": each.figures,
                    "acknowledged": each.acknowledged,
                    "violations": len(each.violations),
                }
                for each in sorted(self.tested, key=lambda each: each.number)
            ],
            "rows": self.rows,
        }
        path.write_text(json.dumps(kept, indent=1) + "\n")


def table(rows: Sequence[Sequence[str]]) -> str:
    """As text, the columns below each other."""
    lines = [HEADS, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
