"""The lines of the table: what each measures, of whom, and when it is met."""

import math
import os
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from load import scenarios
from load.bench.deployments import (
    Ground,
    Places,
    feed_peer,
    floor,
    node_peer,
    python_peer,
    vernissage,
)
from load.deployment import Deployment
from load.fleet import Fleet, fleet
from load.outcome import Outcome, medians
from load.processes import Meter, machine_seconds
from load.scenarios.running import admit, settle, until
from load.swarm import Kind

CPU_PER_DELIVERY = "server CPU per delivery, µs"
CPU_PER_COMMAND = "server CPU per command, µs"
FRAME_BYTES = 620
"""About what a `comment:created` is, so that the floor sends as much."""

NOISE = 0.1
"""Of the machine's CPU time; what others take of it is not there for what is measured."""

Scenario = Callable[[Fleet, Deployment], Outcome]
Contestant = Callable[[], AbstractContextManager[Deployment]]


@dataclass(slots=True)
class Row:
    """One comparison: `ratio` is ours to theirs, or ours alone where there is no peer.

    It is met where `ratio` is at most, or at least, `line`; `aim` is what the prototypes say is possible.
    """

    measure: str
    ours: float
    unit: str
    peer: str
    theirs: float | None
    at_most: bool
    line: float
    aim: float
    doubts: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        if self.theirs is None:
            return self.ours
        return self.ours / self.theirs if self.theirs else math.inf

    def reaches(self, bound: float) -> bool:
        return self.ratio <= bound if self.at_most else self.ratio >= bound

    @property
    def met(self) -> bool:
        return self.reaches(self.line)


@dataclass(slots=True)
class Bench:
    """One run: its ground, its cores, how long it takes over things, and what it has found so far."""

    ground: Ground
    places: Places
    quick: bool
    say: Callable[[str], None]
    outcomes: list[Outcome] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 3

    def scaled(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    # Who is measured, where.

    def pin(self) -> None:
        """Keep what servers lean on away from the cores of the server and of the clients."""
        self.ground.servers.pin(self.places.others)

    def unpin(self) -> None:
        self.ground.servers.pin(self.places.everything)

    def alternate(
        self,
        contestants: Sequence[Contestant],
        scenario: Scenario,
        *,
        clients: int | None = None,
        pinned: bool = True,
        rounds: int | None = None,
    ) -> list[dict[str, float]]:
        """Measure each in turn, again and again; the medians of each."""
        (self.pin if pinned else self.unpin)()
        found: list[list[Outcome]] = [[] for _ in contestants]
        cores = self.places.clients if pinned else ()
        for _ in range(rounds or self.rounds):
            for contestant, outcomes in zip(contestants, found, strict=True):
                with contestant() as deployment, fleet(clients or len(cores) or 2, cores) as crowd:
                    quiet = _Quiet()
                    outcome = scenario(crowd, deployment)
                    quiet.examine(outcome, len(self.places.everything))
                for line in outcome.lines():
                    self.say(line)
                outcomes.append(outcome)
                self.outcomes.append(outcome)
        return [dict(medians(outcomes)) for outcomes in found]

    def row(
        self,
        measure: str,
        unit: str,
        ours: float,
        peer: str = "",
        theirs: float | None = None,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        aim: float,
        since: int = 0,
    ) -> None:
        """Note a comparison; what spoke against the outcomes from `since` on speaks against it."""
        line = at_most if at_most is not None else at_least
        assert line is not None
        doubts = sorted(
            {
                f"{outcome.deployment}: {why}"
                for outcome in self.outcomes[since:]
                for why in (*outcome.faults, *outcome.doubts)
            }
        )
        self.rows.append(
            Row(measure, ours, unit, peer, theirs, at_most is not None, line, aim, doubts)
        )

    # The contestants.

    def ours(self, nodes: int = 1) -> Contestant:
        return lambda: vernissage(self.ground, nodes=nodes, cores=self._seats(nodes))

    def node(self, nodes: int = 1, counter: str = "update") -> Contestant:
        return lambda: node_peer(
            self.ground, nodes=nodes, cores=self._seats(nodes), counter=counter
        )

    def python(self, nodes: int = 1) -> Contestant:
        return lambda: python_peer(self.ground, nodes=nodes, cores=self._seats(nodes))

    def fastapi(self) -> Contestant:
        return lambda: feed_peer(self.ground, cores=self._seats(1))

    def free(self, nodes: int, counter: str | None = None) -> Contestant:
        """Nodes on the whole machine: the gateway's, or the Node peer's."""
        if counter is None:
            return lambda: vernissage(self.ground, nodes=nodes)
        return lambda: node_peer(self.ground, nodes=nodes, counter=counter)

    def _seats(self, nodes: int) -> list[Sequence[int]]:
        return [self.places.server, self.places.others][:nodes]


class _Quiet:
    """Watches what others do on this machine meanwhile."""

    def __init__(self) -> None:
        self._ours = Meter((os.getpid(),))
        self._began = time.monotonic()
        self._theirs = machine_seconds() - self._ours.cpu()

    def examine(self, outcome: Outcome, cores: int) -> None:
        spent = machine_seconds() - self._ours.cpu() - self._theirs
        share = max(0.0, spent / (time.monotonic() - self._began) / cores)
        outcome.figures["others' share of the machine, %"] = share * 100
        if share > NOISE:
            outcome.doubts.append(f"others took {share:.0%} of the machine")


def fan_out(bench: Bench) -> None:
    """One event at a time, to 1,000 watchers."""
    since, events, per_second = len(bench.outcomes), bench.scaled(150, 90), 30

    def scenario(crowd: Fleet, deployment: Deployment) -> Outcome:
        slow = (
            deployment.name == "python-socketio"
        )  # which needs 50 ms for an event, so has to have them
        return scenarios.fanout(
            crowd,
            deployment,
            bench.say,
            events=events // 3 if slow else events,
            per_second=per_second / 3 if slow else per_second,
        )

    ours, node, python = bench.alternate([bench.ours(2), bench.node(2), bench.python(2)], scenario)
    bottom = _floor(bench, events, per_second)
    cost = ours[CPU_PER_DELIVERY]
    name = "CPU per delivery, one event at a time, 1,000 watchers"
    bench.row(name, "µs", cost, "Node", node[CPU_PER_DELIVERY], at_most=0.85, aim=0.7, since=since)
    bench.row(name, "µs", cost, "send() in C", bottom, at_most=1.6, aim=1.3, since=since)
    bench.row(
        name,
        "µs",
        cost,
        "python-socketio",
        python[CPU_PER_DELIVERY],
        at_most=0.2,
        aim=0.2,
        since=since,
    )


def _floor(bench: Bench, events: int, per_second: float) -> float:
    """µs per write."""
    found = []
    watchers = 1000
    for _ in range(bench.rounds):
        with (
            floor(bench.ground, watchers, events, per_second, FRAME_BYTES, bench.places.server) as (
                deployment,
                go,
                result,
            ),
            fleet(len(bench.places.clients), bench.places.clients) as crowd,
        ):
            admit(crowd, deployment.guests(watchers, "watcher", kind=Kind.RAW))
            settle()
            crowd.begin()
            go()
            outcome = Outcome("fanout", deployment.name)
            outcome.figures[CPU_PER_DELIVERY] = result() / 1e3
            until(lambda crowd=crowd: crowd.progress().events >= events * watchers, 10)  # type: ignore[misc]
            outcome.examine(crowd.tally(), delivered=events * watchers, dense=True)
        for line in outcome.lines():
            bench.say(line)
        bench.outcomes.append(outcome)
        found.append(outcome)
    return medians(found)[CPU_PER_DELIVERY]


def hot_room(bench: Bench) -> None:
    """As fast as can be, all delivered."""
    since = len(bench.outcomes)
    ours, node = bench.alternate(
        [bench.ours(2), bench.node(2)],
        lambda crowd, deployment: scenarios.hot_room(
            crowd, deployment, bench.say, events=bench.scaled(800, 400)
        ),
    )
    name = "deliveries per second of server CPU"
    bench.row(
        "deliveries per second and core, hot room",
        "/s",
        ours[name],
        "Node",
        node[name],
        at_least=4,
        aim=8,
        since=since,
    )


def intake(bench: Bench) -> None:
    """Commands without a database."""
    since = len(bench.outcomes)
    ours, node = bench.alternate(
        [bench.ours(), bench.node()],
        lambda crowd, deployment: scenarios.intake(
            crowd, deployment, bench.say, seconds=bench.scaled(4, 2)
        ),
    )
    bench.row(
        "CPU per inbound command with ack, no database",
        "µs",
        ours[CPU_PER_COMMAND],
        "Node",
        node[CPU_PER_COMMAND],
        at_most=0.85,
        aim=0.5,
        since=since,
    )


def likes(bench: Bench) -> None:
    """Durable likes on one post, and over 200."""
    since = len(bench.outcomes)
    nodes = len(bench.places.everything)
    seconds = bench.scaled(6, 3)

    def scenario(posts: int) -> Scenario:
        return lambda crowd, deployment: scenarios.likes(
            crowd, deployment, bench.say, posts=posts, seconds=seconds
        )

    ours, trigger = bench.alternate(
        [bench.free(nodes), bench.free(nodes, "trigger")], scenario(1), pinned=False
    )
    name, rate = "durable likes on one post", ours["answers/s"]
    bench.row(
        name, "/s", rate, "Node, trigger", trigger["answers/s"], at_least=15, aim=15, since=since
    )
    share = len(bench.places.everything) / 4
    bench.row(
        f"{name}, whole machine of {len(bench.places.everything)} cores",
        "/s",
        rate,
        at_least=20_000 * share,
        aim=35_000 * share,
        since=since,
    )
    bench.row(
        f"{name}: ack p99 at a quarter of that load",
        "ms",
        ours["p99 at a quarter, ms"],
        at_most=50,
        aim=20,
        since=since,
    )
    since = len(bench.outcomes)
    ours, node = bench.alternate(
        [bench.free(nodes), bench.free(nodes, "update")], scenario(200), pinned=False
    )
    bench.row(
        "durable likes spread over 200 posts",
        "/s",
        ours["answers/s"],
        "Node",
        node["answers/s"],
        at_least=2,
        aim=2,
        since=since,
    )


def comments(bench: Bench) -> None:
    """Durable comments, spread and on one post."""
    nodes = len(bench.places.everything)
    for posts, line in ((200, 1.0), (1, 3.0)):
        since = len(bench.outcomes)

        def scenario(crowd: Fleet, deployment: Deployment, posts: int = posts) -> Outcome:
            return scenarios.comments(
                crowd, deployment, bench.say, posts=posts, users=400, seconds=bench.scaled(4, 2)
            )

        ours, node = bench.alternate(
            [bench.free(nodes), bench.free(nodes, "update")], scenario, pinned=False
        )
        bench.row(
            "durable comments " + ("spread over 200 posts" if posts > 1 else "on one post"),
            "/s",
            ours["answers/s"],
            "Node",
            node["answers/s"],
            at_least=line,
            aim=line,
            since=since,
        )


def screens(bench: Bench) -> None:
    """From a like to another client's screen."""
    since = len(bench.outcomes)
    (ours,) = bench.alternate(
        [bench.free(2)],
        lambda crowd, deployment: scenarios.screens(
            crowd, deployment, bench.say, seconds=bench.scaled(10, 5)
        ),
        pinned=False,
    )
    name = "like → another client's screen, 20 likes/s, 1,000 watchers on two nodes: "
    bench.row(f"{name}p50", "ms", ours["p50, ms"], at_most=10, aim=5, since=since)
    bench.row(f"{name}p99", "ms", ours["p99, ms"], at_most=30, aim=20, since=since)


def joins(bench: Bench) -> None:
    """Who comes, and what it costs that they are there."""
    since = len(bench.outcomes)
    ours, node = bench.alternate(
        [bench.ours(), bench.node()],
        lambda crowd, deployment: scenarios.connections(
            crowd, deployment, bench.say, clients=bench.scaled(5000, 2000)
        ),
    )
    name = "server memory per client, kB"
    bench.row(
        "memory per idle signed-in WebSocket",
        "kB",
        ours[name],
        "Node",
        node[name],
        at_most=1.1,
        aim=0.8,
        since=since,
    )
    name = "joins per second of server CPU"
    bench.row(
        "signed-in joins per second and core",
        "/s",
        ours[name],
        "Node",
        node[name],
        at_least=1,
        aim=1.5,
        since=since,
    )


def feed(bench: Bench) -> None:
    """Pages of 20 over REST."""
    since = len(bench.outcomes)
    with vernissage(bench.ground) as deployment:
        deployment.share(60)
    ours, fastapi = bench.alternate(
        [bench.ours(), bench.fastapi()],
        lambda crowd, deployment: scenarios.feed(
            crowd, deployment, bench.say, seconds=bench.scaled(4, 2)
        ),
    )
    name = "answers per second of server CPU"
    bench.row(
        "feed pages of 20 per second and core",
        "/s",
        ours[name],
        "FastAPI",
        fastapi[name],
        at_least=2,
        aim=3,
        since=since,
    )


def workers(bench: Bench) -> None:
    """What a delivery costs when the watchers are spread over more processes."""
    since = len(bench.outcomes)

    def scenario(crowd: Fleet, deployment: Deployment) -> Outcome:
        return scenarios.fanout(
            crowd,
            deployment,
            bench.say,
            watchers=3000,
            events=bench.scaled(100, 50),
            per_second=10,
            spread=True,
        )

    many, one = bench.alternate([bench.free(4), bench.free(2)], scenario, pinned=False)
    bench.row(
        "CPU per delivery, 3,000 watchers spread over 3 processes",
        "µs",
        many[CPU_PER_DELIVERY],
        "one process",
        one[CPU_PER_DELIVERY],
        at_most=1.15,
        aim=1.15,
        since=since,
    )


def crowd(bench: Bench) -> None:
    """As many idle connections as one process may hold, one post with 5,000 watchers among them."""
    since = len(bench.outcomes)
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    clients = min(limit, 20_500) - 500 if not bench.quick else 5_000
    seconds = bench.scaled(600, 10)
    (ours,) = bench.alternate(
        [bench.ours()],
        lambda crowd, deployment: scenarios.connections(
            crowd,
            deployment,
            bench.say,
            clients=clients,
            watchers=bench.scaled(5_000, 2_000),
            hold=seconds,
        ),
        clients=3,
        rounds=1,
    )
    name = f"{clients:,} idle connections for {seconds} s"
    bench.row(f"{name}: lost", "", ours["clients lost"], at_most=0, aim=0, since=since)
    bench.row(
        f"{name}: like → each of {bench.scaled(5_000, 2_000):,} watchers, p99",
        "ms",
        ours["p99 to the watchers, ms"],
        at_most=250,
        aim=250,
        since=since,
    )


LINES = {
    "fanout": fan_out,
    "hot": hot_room,
    "intake": intake,
    "likes": likes,
    "comments": comments,
    "screens": screens,
    "joins": joins,
    "feed": feed,
    "workers": workers,
    "crowd": crowd,
}
