"""How consumers stand, for people to read."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

HEADS = ("consumer", "state", "behind", "since", "taken", "held by", "seen")


def standing(consumers: Iterable[Any]) -> Iterator[Sequence[str]]:
    """A line for each of the store's Consumers, below the heads."""
    yield HEADS
    for each in consumers:
        yield (
            each.name,
            each.state,
            f"{each.behind:,}",
            f"{each.seconds_behind:,.0f} s",
            f"{each.entries:,}",
            each.held_by or "",
            f"{each.seen_at:%Y-%m-%d %H:%M:%S}",
        )


def columns(rows: Iterable[Sequence[str]]) -> str:
    """The rows as text, their columns below each other."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
