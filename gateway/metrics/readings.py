"""What a worker tells of itself at one moment, and how several workers' words become the machine's.

A worker that is gone has counted what it counted: counters never fall, as Prometheus takes a fall for a
restart, and all that is left for new.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from gateway.metrics.catalogue import BY_NAME, Kind, Metric
from gateway.metrics.counts import Spread


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """One metric's numbers under one set of label values: a single number, or a histogram's.

    A histogram has a count for each of its bounds, the count of what is above all, and the sum.
    """

    metric: str
    labels: tuple[str, ...]
    numbers: list[float]


def reading(metric: Metric, number: float, *labels: str) -> Reading:
    """A counter's or a gauge's reading."""
    return Reading(metric.name, labels, [float(number)])


def spread(metric: Metric, told: Spread, *labels: str) -> Reading:
    """A histogram's reading."""
    return Reading(metric.name, labels, [*told.counts, told.total])


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(list[Reading]).decode
"""Raises msgspec.DecodeError."""

Series = tuple[str, tuple[str, ...]]


class Ledger:
    """What the machine's workers have told so far. A worker is whatever tells one process from another."""

    def __init__(self) -> None:
        self._told: dict[Any, Sequence[Reading]] = {}
        self._kept: dict[Series, list[float]] = {}

    def told(self, worker: Any, readings: Sequence[Reading]) -> None:
        """A worker has told how it stands."""
        self._told[worker] = readings

    def retain(self, workers: Collection[Any]) -> None:
        """Only these are there: of the others stays what they had counted when they were last heard of."""
        for gone in self._told.keys() - set(workers):
            for each in self._told.pop(gone):
                if BY_NAME[each.metric].kind is not Kind.GAUGE:
                    _add(self._kept, each)

    def total(self, heard: Collection[Any]) -> Iterator[Reading]:
        """The machine's readings: gauges of those that were `heard` just now, and all that was counted."""
        added = {series: [*numbers] for series, numbers in self._kept.items()}
        gauges: dict[Series, list[float]] = {}
        for worker, readings in self._told.items():
            for each in readings:
                if BY_NAME[each.metric].kind is not Kind.GAUGE:
                    _add(added, each)
                elif worker in heard:
                    gauges.setdefault((each.metric, each.labels), []).extend(each.numbers)
        for (name, labels), numbers in added.items():
            yield Reading(name, labels, numbers)
        for (name, labels), numbers in gauges.items():
            yield Reading(name, labels, [BY_NAME[name].together(numbers)])


def _add(sums: dict[Series, list[float]], each: Reading) -> None:
    series = (each.metric, each.labels)
    so_far = sums.get(series)
    if so_far is None:
        sums[series] = [*each.numbers]
    else:
        sums[series] = [one + other for one, other in zip(so_far, each.numbers, strict=True)]
