"""Commands and requests that are answered one by one."""

from collections.abc import Sequence

from load import http, wire
from load.deployment import Deployment
from load.fleet import Fleet
from load.latency import Spread
from load.outcome import Outcome, Say
from load.people import COMMUNITY
from load.scenarios.delivery import comment_script, toggle_script
from load.scenarios.running import admit, drive, settle
from load.swarm import Kind, Plan, Script

WARM_SECONDS = 1.0
POSTS_PER_USER = 4
QUARTER = 0.25


def intake(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    clients: int = 64,
    window: int = 1,
    seconds: float = 5,
) -> Outcome:
    """Commands with an ack that need no database: `topic:watch` of the gallery, watched already."""
    outcome = Outcome("intake", deployment.name)
    script = Script(
        tuple(wire.command(number, "topic:watch", {"topic": "gallery"}) for number in range(1, 65))
    )
    admit(fleet, deployment.guests(clients, "asker", topics=["gallery"], urls=deployment.urls[:1]))
    _measure(fleet, deployment, outcome, [script] * clients, window, seconds, say, first=1)
    return outcome


def likes(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    users: int = 1000,
    posts: int = 1,
    window: int = 1,
    seconds: float = 6,
    quarter: bool = True,
) -> Outcome:
    """Durable likes and unlikes, acknowledged after commit, as many as there can be; then a quarter."""
    outcome = Outcome(f"likes on {posts} post{'s' if posts > 1 else ''}", deployment.name)
    shared = deployment.share(posts)
    own = min(POSTS_PER_USER, posts)
    scripts = [
        toggle_script([shared[(user * own + i) % posts] for i in range(own)])
        for user in range(users)
    ]
    _write(fleet, deployment, outcome, scripts, window, seconds, say, quarter=quarter)
    return outcome


def comments(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    users: int = 200,
    posts: int = 1,
    window: int = 1,
    seconds: float = 6,
    quarter: bool = False,
) -> Outcome:
    """Durable comments."""
    outcome = Outcome(f"comments on {posts} post{'s' if posts > 1 else ''}", deployment.name)
    shared = deployment.share(posts)
    scripts = [comment_script(shared[user % posts]) for user in range(users)]
    _write(fleet, deployment, outcome, scripts, window, seconds, say, quarter=quarter)
    return outcome


def feed(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    clients: int = 32,
    seconds: float = 5,
    limit: int = 20,
) -> Outcome:
    """First pages of the feed over REST, signed in."""
    outcome = Outcome("feed", deployment.name)
    url = deployment.urls[0]
    path = f"{COMMUNITY}/feed?feed_type=recent&limit={limit}"
    scripts = [
        Script((http.request("GET", path, url, token=deployment.token(f"reader-{i}")),))
        for i in range(clients)
    ]
    admit(fleet, deployment.guests(clients, "reader", kind=Kind.HTTP, urls=[url]))
    _measure(fleet, deployment, outcome, scripts, 1, seconds, say, first=1)
    return outcome


def _write(
    fleet: Fleet,
    deployment: Deployment,
    outcome: Outcome,
    scripts: Sequence[Script],
    window: int,
    seconds: float,
    say: Say,
    *,
    quarter: bool,
) -> None:
    admit(fleet, deployment.guests(len(scripts), "writer"))
    rate = _measure(fleet, deployment, outcome, scripts, window, seconds, say)
    if quarter:
        fleet.begin()
        tally = drive(fleet, scripts, Plan(seconds, per_second=rate * QUARTER), outcome, say)
        calm = Spread.of(tally.latencies)
        outcome.spreads[f"command → ack, at {rate * QUARTER:,.0f}/s"] = calm
        outcome.figures["p50 at a quarter, ms"] = calm.at(0.5) * 1e3
        outcome.figures["p99 at a quarter, ms"] = calm.at(0.99) * 1e3
        outcome.examine(tally)


def _measure(
    fleet: Fleet,
    deployment: Deployment,
    outcome: Outcome,
    scripts: Sequence[Script],
    window: int,
    seconds: float,
    say: Say,
    *,
    first: int | None = None,
) -> float:
    """Send as fast as answers come; the rate, answers per second."""
    fleet.drive(scripts, Plan(WARM_SECONDS, window=window))
    settle()
    fleet.begin()
    before = deployment.cpu(first)
    tally = drive(fleet, scripts, Plan(seconds, window=window), outcome, say)
    after = deployment.cpu(first)
    done = tally.acked - tally.refused.total()
    rate = done / tally.seconds
    outcome.figures["answers/s"] = rate
    if before is not None and after is not None and done:
        outcome.figures["server CPU per command, µs"] = (after - before) / done * 1e6
        outcome.figures["answers per second of server CPU"] = done / (after - before)
    outcome.figures["generator busy"] = tally.busy
    outcome.spreads["command → ack"] = Spread.of(tally.latencies)
    outcome.examine(tally)
    return rate
