"""Each scenario, for a moment, on real nodes: everything arrives, and the figures are there."""

import asyncio
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import pytest

from load import scenarios
from load.deployment import Deployment, Url, listening
from load.fleet import Fleet, fleet
from load.outcome import Outcome
from load.people import Issuer
from load.processes import Meter
from tests.nodes import JWT_SECRET, Node

Scenario = Callable[..., Outcome]


@pytest.fixture(scope="module")
def deployment(nodes: tuple[Node, Node]) -> Deployment:
    urls = [urlsplit(node.url) for node in nodes]
    return Deployment(
        "two nodes",
        tuple(Url(str(url.hostname), url.port or 0) for url in urls),
        Issuer(JWT_SECRET).token,
        tuple(Meter((node.process.pid,)) for node in nodes),
    )


@pytest.mark.parametrize(
    ("scenario", "figure"),
    [
        (partial(scenarios.fanout, watchers=50, events=20), "server CPU per delivery, µs"),
        (partial(scenarios.hot_room, watchers=50, events=40), "deliveries/s"),
        (partial(scenarios.screens, watchers=50, seconds=1), "p99, ms"),
        (partial(scenarios.polling, watchers=10, seconds=1), "p99, ms"),
        (partial(scenarios.intake, clients=10, seconds=0.5), "answers/s"),
        (partial(scenarios.likes, users=20, posts=3, seconds=0.5), "p99 at a quarter, ms"),
        (partial(scenarios.comments, users=10, posts=1, seconds=0.5), "answers/s"),
        (partial(scenarios.feed, clients=4, seconds=0.5), "server CPU per command, µs"),
        (partial(scenarios.mixed, users=20, posts=5, per_second=50, seconds=1), "events/s"),
        (partial(scenarios.storm, clients=50), "events recovered"),
        (
            partial(scenarios.connections, clients=60, watchers=20, hold=1, quiet=0.2),
            "server memory per client, kB",
        ),
    ],
    ids=lambda each: each.func.__name__ if isinstance(each, partial) else "",
)
async def test_a_scenario_finds_what_it_is_for(
    deployment: Deployment, scenario: Scenario, figure: str
) -> None:
    """It ends by itself, nothing is lost or out of order, and its figure is a number."""
    said: list[str] = []

    def run() -> Outcome:
        with fleet(1) as crowd:
            return scenario(crowd, deployment, said.append)

    outcome = await asyncio.to_thread(run)
    assert outcome.faults == []
    assert outcome.figures[figure] >= 0
    assert figure in "\n".join(outcome.lines())


async def test_the_processes_behind_an_address_are_found(
    deployment: Deployment, nodes: tuple[Node, Node]
) -> None:
    """Whoever listens there is the server whose CPU time counts: the launcher and its worker."""
    for url, node in zip(deployment.urls, nodes, strict=True):
        found = listening(url)
        assert found is not None
        assert set(found.pids) == {node.process.pid, *node.workers}
        assert found.alone


async def test_clients_who_may_not_come_in_are_told_of(deployment: Deployment) -> None:
    """A wrong secret measures nothing, and says why."""
    strangers = Deployment("two nodes", deployment.urls, Issuer("x" * 32).token)

    def run() -> Fleet:
        with fleet(1) as crowd:
            scenarios.intake(crowd, strangers, print, clients=3, seconds=0.1)
            return crowd

    with pytest.raises(scenarios.CannotBegin, match=r"0 of 3 clients came in.*UNAUTHENTICATED"):
        await asyncio.to_thread(run)
