"""What a scenario found, and whether it can be believed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from load.latency import SHARES, Spread
from load.swarm import Tally

BUSY = 0.9
"""Where a process of clients was busy for so large a share of the time, it may be what was measured."""

LONGEST_PASS = 0.25
"""Seconds: a loop of clients that was held up for longer has seen things later than they came."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """Figures by name, the unit as the last word of the name; and what speaks against them."""

    scenario: str
    deployment: str
    figures: dict[str, float] = field(default_factory=dict)
    spreads: dict[str, Spread] = field(default_factory=dict)
    """Latencies by what they are from and to."""
    pace: list[tuple[float, float]] = field(default_factory=list)
    """Operations per second, second by second."""
    faults: list[str] = field(default_factory=list)
    """What should not have happened: events missing or out of order, refusals, lost connections."""
    doubts: list[str] = field(default_factory=list)
    """Why the figures may be those of the generator."""

    @property
    def valid(self) -> bool:
        return not (self.faults or self.doubts)

    def examine(self, tally: Tally, *, delivered: int | None = None, dense: bool = False) -> None:
        """Look for faults and doubts: `delivered` is how many events there had to be.

        With `dense` no number of a topic may be missing at a client either.
        """
        if delivered is not None and tally.events != delivered:
            self.faults.append(f"{tally.events:,} of {delivered:,} events were delivered")
        if tally.repeated:
            self.faults.append(f"{tally.repeated:,} times events came out of order")
        if dense and tally.skipped:
            self.faults.append(f"{tally.skipped:,} numbers were missing")
        if tally.unrecovered:
            self.faults.append(f"{tally.unrecovered:,} clients could not be told what they missed")
        if tally.wrong:
            self.faults.append(f"{tally.wrong:,} of {tally.sampled:,} events decoded were wrong")
        if tally.lost:
            self.faults.append(f"{tally.lost:,} connections were lost")
        self.faults += [f"{count:,} × {why}" for why, count in tally.faults.most_common(5)]
        self.faults += [f"{count:,} × refused: {code}" for code, count in tally.refused.items()]
        if "RATE_LIMITED" in tally.refused:
            self.faults.append("run the server with VERNISSAGE_RATE_LIMITS=1000 for a load test")
        if tally.busy >= BUSY:
            self.doubts.append(f"a process of clients was {tally.busy:.0%} busy: use more of them")
        if tally.longest_pass > LONGEST_PASS:
            self.doubts.append(f"a process of clients was held up for {tally.longest_pass:.2f} s")

    def as_json(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario,
            "deployment": self.deployment,
            "valid": self.valid,
            "figures": {name: round(value, 3) for name, value in self.figures.items()},
            "latencies_ms": {
                name: {f"p{share * 100:g}": round(each.at(share) * 1e3, 3) for share in SHARES}
                | {"count": len(each)}
                for name, each in self.spreads.items()
            },
            "pace": [[round(at, 1), round(rate)] for at, rate in self.pace],
            "faults": self.faults,
            "doubts": self.doubts,
        }

    def lines(self) -> list[str]:
        """The same for people."""
        lines = [f"{self.scenario} · {self.deployment}"]
        lines += [f"  {name:42} {_number(value):>14}" for name, value in self.figures.items()]
        for name, each in self.spreads.items():
            shown = "  ".join(
                f"p{share * 100:g} {each.at(share) * 1e3:.1f}" for share in (0.5, 0.9, 0.99, 1.0)
            )
            lines.append(f"  {name + ', ms':42} {shown}")
        lines += [f"  ✗ {fault}" for fault in self.faults]
        lines += [f"  ? {doubt}: not a valid figure" for doubt in self.doubts]
        return lines


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"


def medians(outcomes: Sequence[Outcome]) -> Mapping[str, float]:
    """The median of each figure over repetitions."""
    names = outcomes[0].figures
    middle: dict[str, float] = {}
    for name in names:
        values = sorted(outcome.figures[name] for outcome in outcomes)
        half = len(values) // 2
        middle[name] = values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2
    return middle
