"""What workers tell becomes one text: sums that never fall, in Prometheus' own format."""

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import catalogue as m
from gateway.metrics.counts import DELAYS, Done, DoneByName, Spread
from gateway.metrics.exposition import exposition
from gateway.metrics.readings import Ledger, Reading, decode, encode, reading, spread


def test_a_number_counts_up_to_its_bound() -> None:
    """The bound itself belongs to what lies below it; what is above all has a place of its own."""
    told = Spread((1, 2, 5))
    for number in (0, 1, 1.5, 2, 5, 6, 100):
        told.add(number)
    assert told.counts == [2, 2, 1, 2]
    assert told.total == 115.5


def test_names_that_nobody_declared_are_one() -> None:
    """A client may invent as many commands as it likes: they make no series."""
    counted = DoneByName(["post:like"])
    counted["post:like"].fine(0.1)
    for name in ("a", "b", "c"):
        counted[name].otherwise("UNKNOWN_COMMAND", 0.1)
    outcomes = {name: dict(done.outcomes) for name, done in counted}
    assert outcomes == {"post:like": {"ok": 1}, "other": {"UNKNOWN_COMMAND": 3}}


def totals(ledger: Ledger, *heard: str) -> dict[tuple[str, tuple[str, ...]], list[float]]:
    return {(each.metric, each.labels): each.numbers for each in ledger.total(heard)}


def of_a_worker(joins: int, connections: int, redis: bool, delay: float) -> list[Reading]:
    joined = Done()
    joined.fine(delay)
    told = [
        reading(m.JOINS, joins, "ok"),
        spread(m.JOIN_SECONDS, joined),
        reading(m.CONNECTIONS, connections, "polling"),
        reading(m.REDIS_UP, redis, "bus"),
    ]
    return decode(encode(told))


def test_workers_are_added_up() -> None:
    """Counters, histograms and gauges; of Redis the worst is told."""
    ledger = Ledger()
    ledger.told("one", of_a_worker(5, 2, True, 0.002))
    ledger.told("other", of_a_worker(7, 3, False, 100.0))
    told = totals(ledger, "one", "other")
    assert told[m.JOINS.name, ("ok",)] == [12]
    assert told[m.CONNECTIONS.name, ("polling",)] == [5]
    assert told[m.REDIS_UP.name, ("bus",)] == [0]
    *counts, total = told[m.JOIN_SECONDS.name, ()]
    assert (counts[DELAYS.index(0.0025)], counts[-1], sum(counts)) == (1, 1, 2)
    assert total == 100.002


def test_what_a_dead_worker_counted_stays_counted() -> None:
    """A sum that fell would be taken for a restart, and all of it for new. What it had, it has no more."""
    ledger = Ledger()
    ledger.told("one", of_a_worker(5, 2, True, 0.002))
    ledger.told("other", of_a_worker(7, 3, True, 0.002))
    ledger.retain({"one", "successor"})
    ledger.told("successor", of_a_worker(1, 1, True, 0.002))
    for _ in range(2):
        ledger.retain({"one", "successor"})
        told = totals(ledger, "one", "successor")
        assert told[m.JOINS.name, ("ok",)] == [13]
        assert sum(told[m.JOIN_SECONDS.name, ()][:-1]) == 3
        assert told[m.CONNECTIONS.name, ("polling",)] == [3]


def test_a_worker_that_does_not_answer_has_still_counted() -> None:
    """It is busy, not gone; how it stands now nobody knows."""
    ledger = Ledger()
    ledger.told("one", of_a_worker(5, 2, True, 0.002))
    ledger.told("other", of_a_worker(7, 3, False, 0.002))
    told = totals(ledger, "one")
    assert told[m.JOINS.name, ("ok",)] == [12]
    assert told[m.CONNECTIONS.name, ("polling",)] == [2]
    assert told[m.REDIS_UP.name, ("bus",)] == [1]


def test_prometheus_reads_it() -> None:
    """In its text format, and in OpenMetrics where it asks for that; every metric is named and explained."""
    told = of_a_worker(5, 2, True, 0.002)
    text, content_type = exposition(told, "")
    assert content_type.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert {name.removesuffix("_total") for name in m.BY_NAME} == families.keys()
    assert all(family.documentation for family in families.values())
    samples = {
        (sample.name, sample.labels.get("le")): sample.value
        for sample in families["vernissage_join_seconds"].samples
    }
    assert samples["vernissage_join_seconds_bucket", "0.001"] == 0
    assert samples["vernissage_join_seconds_bucket", "0.0025"] == 1
    assert samples["vernissage_join_seconds_bucket", "+Inf"] == 1
    assert samples["vernissage_join_seconds_count", None] == 1
    assert samples["vernissage_join_seconds_sum", None] == 0.002

    text, content_type = exposition(told, "application/openmetrics-text;version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert {family.name for family in openmetrics_families(text.decode())} == families.keys()
