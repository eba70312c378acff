"""Plain counters, for places where a microsecond is dear: nothing here knows of Prometheus."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

DELAYS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: bounds for whatever somebody waits for."""


class Spread:
    """How often a number was at most each of `bounds`, and how much all were together."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = DELAYS) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """Of those above the bound before and not above this one; the last, of those above all."""
        self.total = 0.0

    def add(self, number: float) -> None:
        self.counts[bisect_left(self._bounds, number)] += 1
        self.total += number


OK = "ok"
"""How something came out as it should."""


class Done(Spread):
    """How many seconds it took what was done under one name, and how it came out."""

    __slots__ = ("_otherwise",)

    def __init__(self) -> None:
        super().__init__(DELAYS)
        self._otherwise: Counter[str] = Counter()

    def fine(self, seconds: float) -> None:
        """It came out as it should. Counted for each command, one of which costs 12 µs: it takes 0.1."""
        self.counts[bisect_left(DELAYS, seconds)] += 1
        self.total += seconds

    def otherwise(self, outcome: str, seconds: float) -> None:
        self.add(seconds)
        self._otherwise[outcome] += 1

    @property
    def outcomes(self) -> dict[str, int]:
        """How often it came out how."""
        fine = sum(self.counts) - self._otherwise.total()
        return {OK: fine, **self._otherwise} if fine else dict(self._otherwise)


class DoneByName:
    """The same for each of a few names. All others are one: names may be a client's invention."""

    OTHER = "other"

    def __init__(self, names: Iterable[str]) -> None:
        self._named = {name: Done() for name in (*names, self.OTHER)}
        self._other = self._named[self.OTHER]

    def __getitem__(self, name: str) -> Done:
        return self._named.get(name, self._other)

    def __iter__(self) -> Iterator[tuple[str, Done]]:
        return iter(self._named.items())
