"""What `deploy/` asks Prometheus for is there to be had: every query names metrics and labels that exist."""

import json
from collections.abc import Iterator

import promql_parser as promql
import pytest

from gateway.metrics.catalogue import BY_NAME, METRICS, Kind
from tests.docs.inserts import ALERTS, alert_rules

DASHBOARD = ALERTS.parent.parent / "grafana" / "vernissage.json"
OF_PROMETHEUS = {"instance", "job"}
"""Labels that every sample gets when it is taken in."""
VARIABLES = {"$__rate_interval": "1m", "$instance": ".*"}


def panels() -> Iterator[tuple[str, str]]:
    """Title and expression of each query of the dashboard."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


RULES = [pytest.param(rule["expr"], id=rule["alert"]) for rule in alert_rules()]
PANELS = [pytest.param(expression, id=title) for title, expression in panels()]


def selected(expression: str) -> list[promql.VectorSelector]:
    """The series that a query reads. Raises ValueError for what is no PromQL."""
    found: list[promql.VectorSelector] = []

    def enter(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        return True

    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    promql.walk(promql.parse(expression), enter)
    return found


def labels_of(sample: str) -> set[str]:
    """The labels of a sample of ours. Raises KeyError where no metric has such samples."""
    if sample in BY_NAME:
        assert BY_NAME[sample].kind is not Kind.HISTOGRAM, f"{sample} is a histogram"
        return {*BY_NAME[sample].labels}
    family, _, part = sample.rpartition("_")
    metric = BY_NAME[family]
    assert metric.kind is Kind.HISTOGRAM
    assert part in ("bucket", "count", "sum")
    return {*metric.labels, "le"} if part == "bucket" else {*metric.labels}


@pytest.mark.parametrize("expression", [*RULES, *PANELS])
def test_a_query_names_what_there_is(expression: str) -> None:
    """It is PromQL, and each sample that it reads comes from a metric of the catalogue with these labels."""
    series = selected(expression)
    assert series
    for each in series:
        if each.name == "up":  # Prometheus' own
            continue
        known = labels_of(each.name) | OF_PROMETHEUS
        assert {matcher.name for matcher in each.matchers.matchers} <= known


@pytest.mark.parametrize("expression", [*RULES, *PANELS])
def test_a_query_groups_by_what_there_is(expression: str) -> None:
    """A label that no sample has would quietly make one group of all."""
    known = set().union(
        *(labels_of(each.name) for each in selected(expression) if each.name != "up")
    )

    def enter(node: promql.Expr) -> bool:
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            assert set(node.modifier.labels) <= known | OF_PROMETHEUS
        return True

    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    promql.walk(promql.parse(expression), enter)


def test_the_dashboard_shows_everything() -> None:
    """No metric is told that nobody would look at, but for the one that names the release."""
    shown = " ".join(expression for _, expression in panels())
    missing = [metric.name for metric in METRICS if metric.name not in shown]
    assert missing == ["vernissage_build_info"]


def test_an_alert_says_what_it_means_and_what_to_do() -> None:
    """And whether people notice already; each has a name of its own."""
    rules = alert_rules()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]
