"""What an audit came to, for people to read."""

from collections.abc import Iterator, Sequence
from typing import Any


def table(outcomes: Sequence[Any]) -> str:
    """A line for each check's Outcome, and one for each difference that is listed."""
    width = max(len(outcome.check) for outcome in outcomes)
    lines = [f"{'':{width}}  {'compared':>12}  {'different':>9}  {'repaired':>8}"]
    for outcome in outcomes:
        lines.append(
            f"{outcome.check:{width}}  {outcome.compared:>12,}  {outcome.different:>9,}"
            f"  {outcome.repaired:>8,}"
        )
    return "\n".join([*lines, *_listed(outcomes)])


def _listed(outcomes: Sequence[Any]) -> Iterator[str]:
    for outcome in outcomes:
        for one in outcome.differences:
            end = "; repaired" if one.repaired else ""
            yield f"{one.subject}: {one.what} says {one.said:,}, there are {one.are:,}{end}"
        if more := outcome.different - len(outcome.differences):
            yield f"… and {more:,} more {outcome.check}"
