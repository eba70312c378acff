"""The table of `make bench-feeds`, for people, and the same as data."""

from collections.abc import Sequence
from typing import Any

from load.feeds.measuring import SIZES, Result

HEADS = (
    "list", "order and filters", "first, ms", "deep, ms", "from page", "50 a page, ms", "depth, size",
    "blocks", "total, ms", "",
)  # fmt: skip


def row(result: Result) -> tuple[str, ...]:
    """Milliseconds are `median / 99th percentile`, of the readers for whom it took longest."""
    return (
        f"`{result.case.operation}`",
        result.case.name or "all",
        _spread(result, "first"),
        _spread(result, "deep"),
        f"{result.deepest:,}",
        _spread(result, None, SIZES[1]),
        f"{result.ratio:.1f} ×",
        f"{result.blocks:,}",
        f"{max(result.totals):.0f}" if result.totals else "",
        f"**{'; '.join(result.failures)}**" if result.failures else "met",
    )


def markdown(results: Sequence[Result]) -> str:
    """The table as a page shows it."""
    rules = ("---", "---", *["---:"] * 7, "---")
    lines = [HEADS, rules, *map(row, results)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _spread(result: Result, depth: str | None, size: int = SIZES[0]) -> str:
    return f"{result.worst(0.5, depth, size):.1f} / {result.worst(0.99, depth, size):.1f}"


def as_json(result: Result) -> dict[str, Any]:
    """Everything that was measured of a case."""
    return {
        "operation": result.case.operation,
        "case": result.case.name,
        "most_ms": result.case.most_ms,
        "series": [
            {
                "reader": who,
                "depth": depth,
                "page_size": size,
                "from_page": series.page,
                "runs": len(series.milliseconds),
                "p50_ms": round(series.at(0.5), 3),
                "p99_ms": round(series.at(0.99), 3),
                "worst_ms": round(series.at(1.0), 3),
            }
            for (who, depth, size), series in result.series.items()
        ],
        "ratio": round(result.ratio, 2),
        "blocks": result.blocks,
        "total_ms": round(max(result.totals, default=0.0), 1),
        "failures": result.failures,
        "row": row(result),
    }
