"""When a message is sent again, when an endpoint is let alone, and when it is given up. Pure, but for the dice."""

import random
from datetime import timedelta

from gateway.webhooks.sending import Answer, Outcome

ATTEMPTS = 10
"""After so many a message is dead: about a day after the first."""
RETRY_SECONDS = 5.0
"""After the first attempt; four times as long after each further one."""
RETRY_MOST_SECONDS = 8 * 3_600.0
"""The longest time between two attempts."""
PAUSE_AFTER = 3
"""Rounds in a row in which an endpoint took nothing; then it is let alone for a while, and tried with one message."""
PAUSE_SECONDS = 5.0
"""For the first time; twice as long after each further failure."""
PAUSE_MOST_SECONDS = 600.0
"""The longest time for which an endpoint is let alone, unless it asks for more."""
DISABLED_AFTER = timedelta(days=3)
"""For which an endpoint may fail before it is told nothing any more."""


def again_after(attempts: int, answer: Answer) -> timedelta | None:
    """When to send a message again that was not taken, `attempts` in all; None: never."""
    if attempts >= ATTEMPTS:
        return None
    seconds = min(RETRY_SECONDS * 4.0 ** max(attempts - 1, 0), RETRY_MOST_SECONDS)
    return timedelta(seconds=max(_about(seconds), answer.retry_after or 0.0))


def counts(answer: Answer, failures: int) -> bool:
    """Whether an attempt was the message's own, and not that of an endpoint which answers nobody just now."""
    return answer.outcome is Outcome.REFUSED or failures < PAUSE_AFTER


def pause_after(failures: int, asked: float) -> timedelta:
    """For how long to let an endpoint alone that has failed so often in a row, and `asked` for so many seconds."""
    if failures < PAUSE_AFTER:
        return timedelta(seconds=asked)
    seconds = min(PAUSE_SECONDS * 2.0 ** min(failures - PAUSE_AFTER, 20), PAUSE_MOST_SECONDS)
    return timedelta(seconds=max(_about(seconds), asked))


def _about(seconds: float) -> float:
    """Not the same for all, so that they do not come together."""
    return seconds * random.uniform(0.75, 1.0)  # noqa: S311
