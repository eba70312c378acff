"""How events reach those who watch."""

import time

from load import latency, wire
from load.deployment import Deployment
from load.fleet import Fleet
from load.outcome import Outcome, Say
from load.scenarios.running import admit, drive, settle, until
from load.swarm import Kind, Plan, Script, Tally

ARRIVAL_SECONDS = 60.0
"""Within which everything has to have arrived once it is acknowledged."""

WINDOWED = 64
"""Commands that one client may have under way, at most."""


def comment_script(post: str) -> Script:
    return Script(
        tuple(
            wire.command(number, "comment:create", {"post_id": post, "content": "So good."})
            for number in range(1, WINDOWED + 1)
        )
    )


def toggle_script(posts: list[str]) -> Script:
    """Likes for each post, then takes them back: every command changes something."""
    commands = [(event, post) for event in ("post:like", "post:unlike") for post in posts]
    return Script(
        tuple(
            wire.command(number, event, {"post_id": post})
            for number, (event, post) in enumerate(commands, 1)
        )
    )


def fanout(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    watchers: int = 1000,
    events: int = 200,
    per_second: float = 30,
    spread: bool = False,
) -> Outcome:
    """One room, one event at a time: comments, written on the last server, watched on the first.

    With `spread` the watchers are on all servers but the last.
    """
    outcome = Outcome("fanout", deployment.name)
    plan = Plan(3 * events / per_second, per_second=per_second, commands=events)
    _deliver(fleet, deployment, say, outcome, watchers, 1, plan, spread=spread)
    return outcome


def hot_room(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    watchers: int = 1000,
    events: int = 600,
    speakers: int = 20,
    window: int = 8,
) -> Outcome:
    """One room, comments as fast as they can be written, all of them delivered."""
    outcome = Outcome("hot room", deployment.name)
    plan = Plan(120, window=window, commands=events)
    _deliver(fleet, deployment, say, outcome, watchers, speakers, plan)
    return outcome


def _deliver(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    outcome: Outcome,
    watchers: int,
    speakers: int,
    plan: Plan,
    *,
    spread: bool = False,
) -> None:
    (post,) = deployment.share(1)
    places = deployment.urls[:-1] if spread else deployment.urls[:1]
    admit(fleet, deployment.guests(speakers, "speaker", urls=deployment.urls[-1:]))
    admit(fleet, deployment.guests(watchers, "watcher", topics=[f"post:{post}"], urls=places))
    settle()
    fleet.begin(trace=True)
    before = deployment.cpu(len(places))
    tally = drive(fleet, [comment_script(post)] * speakers, plan, outcome, say)
    expected = (tally.acked - tally.refused.total()) * watchers
    tally = _arrived(fleet, expected)
    after = deployment.cpu(len(places))
    span = tally.last_at - tally.first_at
    outcome.figures["deliveries"] = tally.events
    outcome.figures["deliveries/s"] = tally.events / span if span else 0.0
    if before is not None and after is not None and tally.events:
        outcome.figures["server CPU per delivery, µs"] = (after - before) / tally.events * 1e6
        outcome.figures["deliveries per second of server CPU"] = tally.events / (after - before)
        outcome.figures["events per piece that arrived"] = tally.events / len(tally.seen_at)
    outcome.figures["generator busy"] = tally.busy
    if speakers == 1:
        outcome.spreads["command → each screen"] = latency.in_order(tally)
    outcome.examine(tally, delivered=expected, dense=deployment.posts is None)


def _arrived(fleet: Fleet, expected: int) -> Tally:
    """Wait for all events, and a moment longer for what should not come."""
    until(lambda: fleet.progress().events >= expected, ARRIVAL_SECONDS)
    settle()
    return fleet.tally()


def screens(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    watchers: int = 1000,
    likers: int = 50,
    per_second: float = 20,
    seconds: float = 10,
    kind: Kind = Kind.WEBSOCKET,
) -> Outcome:
    """From a like until it is on another client's screen; the watchers are on all servers."""
    outcome = Outcome("screens" if kind is Kind.WEBSOCKET else "polling", deployment.name)
    (post,) = deployment.share(1)
    admit(fleet, deployment.guests(likers, "liker"))
    admit(fleet, deployment.guests(watchers, "watcher", topics=[f"post:{post}"], kind=kind))
    settle()
    scripts = [toggle_script([post])] * likers
    fleet.drive(scripts, Plan(1.0, per_second=per_second))
    settle()
    fleet.begin(trace=True)
    before = deployment.cpu()
    drive(fleet, scripts, Plan(seconds, per_second=per_second), outcome, say)
    time.sleep(
        1.0
    )  # what is collapsed or polled for may come late: no number of events to wait for
    tally = fleet.tally()
    after = deployment.cpu()
    outcome.spreads["like → each screen"] = reached = latency.screens(tally)
    outcome.spreads["like → ack"] = latency.Spread.of(tally.latencies)
    outcome.figures["likes/s"] = tally.acked / seconds
    outcome.figures["screens reached"] = len(reached)
    outcome.figures["p50, ms"] = reached.at(0.5) * 1e3
    outcome.figures["p99, ms"] = reached.at(0.99) * 1e3
    if before is not None and after is not None and tally.events:
        outcome.figures["server CPU per delivery, µs"] = (after - before) / tally.events * 1e6
    outcome.figures["generator busy"] = tally.busy
    outcome.examine(tally)
    expected = (tally.acked - tally.refused.total()) * watchers
    if len(reached) != expected:
        outcome.faults.append(f"{len(reached):,} of {expected:,} screens were reached")
    return outcome


def polling(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    watchers: int = 200,
    per_second: float = 20,
    seconds: float = 10,
) -> Outcome:
    """The same, the watchers being long-polling clients."""
    return screens(
        fleet,
        deployment,
        say,
        watchers=watchers,
        per_second=per_second,
        seconds=seconds,
        kind=Kind.POLLING,
    )
