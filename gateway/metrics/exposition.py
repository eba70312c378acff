"""Readings as Prometheus reads them: its text format, or OpenMetrics where it asks for that."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client import Metric as Family
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from gateway.metrics.catalogue import METRICS, Kind, Metric
from gateway.metrics.readings import Reading


def exposition(readings: Iterable[Reading], accept: str) -> tuple[bytes, str]:
    """The text and its content type, for whoever sends this `Accept` header."""
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(readings))
    return encode(registry), content_type


class _Told(Collector):
    """Every metric of the catalogue in its order, with the readings that there are."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._told: dict[str, list[Reading]] = {metric.name: [] for metric in METRICS}
        for each in readings:
            self._told[each.metric].append(each)

    def describe(self) -> Iterable[Family]:
        return ()

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            yield _family(metric, sorted(self._told[metric.name], key=lambda each: each.labels))


def _family(metric: Metric, readings: Iterable[Reading]) -> Family:
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.told, labels=metric.labels)
        bounds = [*map(floatToGoString, metric.bounds), "+Inf"]
        for each in readings:
            *counts, total = each.numbers
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            histogram.add_metric(each.labels, buckets, total)
        return histogram
    make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = make(metric.name, metric.told, labels=metric.labels)
    for each in readings:
        family.add_metric(each.labels, each.numbers[0])
    return family
