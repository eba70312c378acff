"""The table, and the machine that it was made on."""

import sys
from collections.abc import Sequence
from importlib.metadata import version

from load.bench.deployments import PEERS, node
from load.bench.lines import Row
from load.machine import machine, output

PACKAGES = ("aiohttp", "asyncpg", "msgspec", "python-engineio", "python-socketio", "redis")


def versions() -> dict[str, str]:
    """The machine, and what runs on it."""
    return {
        **machine(),
        "Node": output(node(), "--version"),
        "Socket.IO": output(
            node(),
            "-p",
            "require('./node_modules/socket.io/package.json').version",
            folder=PEERS / "node",
        ),
        **{name: version(name) for name in PACKAGES},
    }


def markdown(rows: Sequence[Row]) -> str:
    """The table, for people."""
    lines = [
        "| measure | Vernissage | peer | ratio | pass line (aim) | |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        sign = "≤" if row.at_most else "≥"
        theirs = f"{row.peer} {shown(row.theirs, row.unit)}" if row.theirs is not None else ""
        times = "×" if row.theirs is not None else f" {row.unit}".replace(" /s", "/s").rstrip()
        ratio = f"{row.ratio:.2f} ×" if row.theirs is not None else ""
        line = f"{sign} {bound(row.line)}{times} ({bound(row.aim)})"
        mark = "aim met" if row.reaches(row.aim) else "met" if row.met else "**not met**"
        mark += " ?" if row.doubts else ""
        ours = shown(row.ours, row.unit)
        lines.append(f"| {row.measure} | {ours} | {theirs} | {ratio} | {line} | {mark} |")
    return "\n".join(lines)


def shown(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    number = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}"
    return f"{number}{unit}" if unit.startswith("/") else f"{number} {unit}".rstrip()


def bound(value: float) -> str:
    return f"{value:,g}"


def doubts(rows: Sequence[Row]) -> list[str]:
    """What speaks against each figure that a question mark stands beside."""
    return [f"{row.measure}: {doubt}" for row in rows for doubt in row.doubts]


def command() -> str:
    """How it is repeated."""
    quick = " QUICK=1" if "--quick" in sys.argv else ""
    only = [each for each in sys.argv[1:] if not each.startswith("-")]
    return f"make bench{quick}" + (f" ONLY='{' '.join(only)}'" if only else "")
