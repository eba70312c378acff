"""What scenarios have in common: letting clients in, and watching over commands under way."""

import time
from collections.abc import Callable, Sequence

from load.fleet import Fleet
from load.outcome import Outcome, Say
from load.swarm import Guest, Opened, Plan, Script, Tally

SETTLE_SECONDS = 0.3
POLL_SECONDS = 0.05


class CannotBegin(Exception):
    """The clients could not come in: nothing was measured."""


def admit(fleet: Fleet, guests: Sequence[Guest], *, at_once: int = 64) -> Opened:
    """Let clients in, all of them. Raises CannotBegin."""
    opened = fleet.open(guests, at_once=at_once)
    if opened.entered < len(guests):
        why = ", ".join(f"{count} × {why}" for why, count in opened.failures.most_common(3))
        raise CannotBegin(f"{opened.entered} of {len(guests)} clients came in: {why}")
    return opened


def drive(fleet: Fleet, scripts: Sequence[Script], plan: Plan, outcome: Outcome, say: Say) -> Tally:
    """Have commands sent, tell of the pace each second, and wait until all are answered."""
    began = last = time.monotonic()
    before = fleet.progress()
    fleet.start(scripts, plan)
    while fleet.driving:
        time.sleep(POLL_SECONDS)
        now = time.monotonic()
        if now - last >= 1:
            progress = fleet.progress()
            rate = (progress.acked - before.acked) / (now - last)
            events = (progress.events - before.events) / (now - last)
            outcome.pace.append((now - began, rate))
            refused = f"  {progress.refused:,} refused" if progress.refused else ""
            say(f"{now - began:5.0f} s  {rate:10,.0f} answers/s  {events:12,.0f} events/s{refused}")
            last, before = now, progress
    return fleet.finish()


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; whether it came to be in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def settle() -> None:
    """Let what is under way come to rest."""
    time.sleep(SETTLE_SECONDS)
