"""Clients that come, stay, and come back."""

import time

from load.deployment import Deployment
from load.fleet import Fleet
from load.latency import Spread, screens
from load.outcome import Outcome, Say
from load.scenarios.delivery import toggle_script
from load.scenarios.running import admit, drive, settle
from load.swarm import Plan

LIKERS = 10
STORM_SECONDS = 8.0
"""For which the post is liked; the connections are reset after a quarter of it."""


def connections(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    clients: int = 5000,
    watchers: int = 0,
    hold: float = 0,
    at_once: int = 64,
    quiet: float = 3,
) -> Outcome:
    """Clients join, signed in, and stay for `hold` seconds, answering pings.

    `watchers` of them watch one post, which is liked once a second meanwhile. Memory is looked at
    `quiet` seconds after joining: what that needed for a moment is given back.
    """
    outcome = Outcome("connections", deployment.name)
    places = deployment.urls[:1]
    topics: list[str] = []
    if watchers:
        topics = [f"post:{post}" for post in deployment.share(1)]
        admit(fleet, deployment.guests(LIKERS, "liker", urls=places))
    admit(fleet, deployment.guests(100, "early", urls=places))
    time.sleep(quiet)
    held, before = deployment.memory(), deployment.cpu(1)
    guests = deployment.guests(watchers, "watcher", topics=topics, urls=places)
    guests += deployment.guests(clients - watchers, "guest", urls=places)
    opened = fleet.open(guests, at_once=at_once)
    after = deployment.cpu(1)
    say(f"{opened.entered:,} clients are in, after {opened.seconds:.1f} s")
    outcome.figures["clients in"] = opened.entered
    outcome.figures["joins/s"] = opened.entered / opened.seconds if opened.seconds else 0.0
    outcome.spreads["connect → in"] = Spread.of(opened.latencies)
    if before is not None and after is not None and opened.entered:
        outcome.figures["server CPU per join, µs"] = (after - before) / opened.entered * 1e6
        outcome.figures["joins per second of server CPU"] = opened.entered / (after - before)
    time.sleep(quiet)
    holding = deployment.memory()
    if held is not None and holding is not None and opened.entered:
        outcome.figures["server memory per client, kB"] = (holding - held) / opened.entered / 1e3
    outcome.faults += [f"{count:,} × {why}" for why, count in opened.failures.most_common(3)]
    if hold:
        fleet.begin(trace=True)
        scripts = [toggle_script([topics[0][5:]])] * LIKERS if watchers else []
        if scripts:
            tally = drive(fleet, scripts, Plan(hold, per_second=1), outcome, say)
        else:
            time.sleep(hold)
        time.sleep(1.0)
        tally = fleet.tally()
        outcome.figures["seconds held"] = tally.seconds
        outcome.figures["pings answered"] = tally.pings
        outcome.figures["clients lost"] = tally.lost
        if scripts:
            outcome.spreads["like → each screen"] = reached = screens(tally)
            outcome.figures["p99 to the watchers, ms"] = reached.at(0.99) * 1e3
            expected = (tally.acked - tally.refused.total()) * watchers
            if len(reached) != expected:
                outcome.faults.append(f"{len(reached):,} of {expected:,} screens were reached")
        outcome.examine(tally)
    return outcome


def storm(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    clients: int = 2000,
    at_once: int = 1000,
    per_second: float = 20,
) -> Outcome:
    """All watchers of a post are reset at one moment, and come back at once; it is liked meanwhile.

    Each says what it had, and is told what it missed.
    """
    outcome = Outcome("storm", deployment.name)
    (post,) = deployment.share(1)
    admit(fleet, deployment.guests(LIKERS, "liker"))
    admit(fleet, deployment.guests(clients, "guest", topics=[f"post:{post}"]))
    settle()
    fleet.begin()
    fleet.start([toggle_script([post])] * LIKERS, Plan(STORM_SECONDS, per_second=per_second))
    time.sleep(STORM_SECONDS / 4)
    before = deployment.cpu()
    opened = fleet.open(fleet.cut(kept=LIKERS), at_once=at_once)
    after = deployment.cpu()
    say(f"{opened.entered:,} of {clients:,} are back after {opened.seconds:.1f} s")
    tally = fleet.finish()
    outcome.figures["back, of those who were cut, %"] = 100 * opened.entered / clients
    outcome.figures["seconds until the last was back"] = opened.seconds
    outcome.figures["returns/s"] = opened.entered / opened.seconds if opened.seconds else 0.0
    outcome.figures["events recovered"] = tally.recovered
    if before is not None and after is not None and opened.entered:
        outcome.figures["server CPU per return, µs"] = (after - before) / opened.entered * 1e6
    outcome.spreads["connect → in, caught up"] = Spread.of(opened.latencies)
    outcome.spreads["like → ack, all the while"] = Spread.of(tally.latencies)
    outcome.faults += [f"{count:,} × {why}" for why, count in opened.failures.most_common(3)]
    outcome.examine(tally)
    return outcome
