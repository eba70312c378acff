"""A cost: so much for each operation, and so much more for each thing in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Cost:
    """`fixed` for an operation and `each` for every `per` in it, both in `unit`; `points` are what was measured."""

    name: str
    unit: str
    how: str
    fixed: float
    each: float = 0.0
    per: str = ""
    points: tuple[tuple[float, float], ...] = ()

    def of(self, count: float) -> float:
        """What an operation with so many things in it costs."""
        return self.fixed + self.each * count

    @classmethod
    def of_runs(cls, name: str, unit: str, how: str, runs: Sequence[float]) -> "Cost":
        """One that does not depend on a number: the median of its runs."""
        return cls(name, unit, how, median(runs))

    @classmethod
    def fitted(
        cls, name: str, unit: str, how: str, per: str, points: Sequence[tuple[float, float]]
    ) -> "Cost":
        """The line through points of number and cost that is off by the smallest shares; nothing costs less than 0."""
        fixed, each = line(points)
        if fixed < 0:
            fixed, each = 0.0, _through_zero(points)
        if each < 0:
            fixed, each = median(cost for _, cost in points), 0.0
        return cls(name, unit, how, fixed, each, per, tuple(points))

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "how": self.how,
            "fixed": round(self.fixed, 4),
            "each": round(self.each, 4),
            "per": self.per,
            "points": [[number, round(cost, 4)] for number, cost in self.points],
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Cost":
        points = tuple((number, cost) for number, cost in kept.pop("points"))
        return cls(**kept, points=points)


def listed(numbers: Sequence[int]) -> str:
    """Sizes, for people."""
    return ", ".join(f"{number:,}" for number in numbers)


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Where the line begins and how it rises, by least squares of the relative errors."""
    weights = [1 / cost**2 for _, cost in points]
    total = sum(weights)
    x = sum(w * number for w, (number, _) in zip(weights, points, strict=True)) / total
    y = sum(w * cost for w, (_, cost) in zip(weights, points, strict=True)) / total
    spread = sum(w * (number - x) ** 2 for w, (number, _) in zip(weights, points, strict=True))
    slope = (
        sum(
            w * (number - x) * (cost - y) for w, (number, cost) in zip(weights, points, strict=True)
        )
        / spread
    )
    return y - slope * x, slope


def _through_zero(points: Sequence[tuple[float, float]]) -> float:
    return sum(number / cost for number, cost in points) / sum(
        (number / cost) ** 2 for number, cost in points
    )
