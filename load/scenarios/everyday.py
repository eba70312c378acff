"""A gallery as it is used."""

import random

from load import latency, wire
from load.deployment import Deployment
from load.fleet import Fleet
from load.outcome import Outcome, Say
from load.scenarios.running import admit, drive, settle
from load.swarm import Plan, Script

COMMANDS = 64
LIKES, UNLIKES, COMMENTS, PAGES = 55, 15, 10, 20
"""Of 100 commands."""

POPULARITY = 1.1
"""Zipf's exponent: how much more a popular post is watched and liked than the next."""


def mixed(
    fleet: Fleet,
    deployment: Deployment,
    say: Say,
    *,
    users: int = 1000,
    posts: int = 100,
    per_second: float = 500,
    seconds: float = 10,
    seed: int = 1,
) -> Outcome:
    """Everybody watches a few posts, the popular ones most; likes, comments and reads pages."""
    outcome = Outcome("mixed", deployment.name)
    choose = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    shared = deployment.share(posts)
    weights = [1 / (rank + 1) ** POPULARITY for rank in range(posts)]
    scripts = []
    guests = []
    for guest in deployment.guests(users, "user"):
        watched = sorted(set(choose.choices(shared, weights, k=5)))
        topics = (*(f"post:{post}" for post in watched), "gallery")
        guests.append(type(guest)(guest.address, guest.token, topics, guest.kind))
        scripts.append(_script(choose, watched))
    admit(fleet, guests)
    settle()
    fleet.begin(trace=True)
    before = deployment.cpu()
    drive(fleet, scripts, Plan(seconds, per_second=per_second), outcome, say)
    settle()
    tally = fleet.tally()
    after = deployment.cpu()
    outcome.figures["commands/s"] = tally.acked / seconds
    outcome.figures["events/s"] = tally.events / seconds
    if before is not None and after is not None and tally.acked:
        outcome.figures["server CPU, % of a core"] = 100 * (after - before) / tally.seconds
        outcome.figures["server CPU per command, µs"] = (after - before) / tally.acked * 1e6
    outcome.figures["generator busy"] = tally.busy
    outcome.spreads["command → ack"] = latency.Spread.of(tally.latencies)
    outcome.examine(tally)
    return outcome


def _script(choose: random.Random, posts: list[str]) -> Script:
    """Commands of one user, who likes what is not liked yet, and takes back likes that were given."""
    liked: set[str] = set()
    commands: list[tuple[str, dict[str, object]]] = []
    kinds = choose.choices(
        ("post:like", "post:unlike", "comment:create", "feed:page"),
        (LIKES, UNLIKES, COMMENTS, PAGES),
        k=COMMANDS,
    )
    for kind in kinds:
        post = choose.choice(posts)
        if kind == "feed:page":
            commands.append((kind, {"feed_type": "recent", "limit": 20}))
        elif kind == "comment:create":
            commands.append((kind, {"post_id": post, "content": "How did you do that?"}))
        elif post in liked:
            liked.discard(post)
            commands.append(("post:unlike", {"post_id": post}))
        else:
            liked.add(post)
            commands.append(("post:like", {"post_id": post}))
    return Script(
        tuple(wire.command(number, *command) for number, command in enumerate(commands, 1))
    )
