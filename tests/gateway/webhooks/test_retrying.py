"""When a message comes again, and when an endpoint is let alone."""

from datetime import timedelta
from itertools import pairwise

from gateway.webhooks.retrying import (
    ATTEMPTS,
    PAUSE_AFTER,
    PAUSE_MOST_SECONDS,
    again_after,
    counts,
    pause_after,
)
from gateway.webhooks.sending import Answer, Outcome

REFUSED = Answer(Outcome.REFUSED, "answered 400")
SILENT = Answer(Outcome.UNANSWERED, "no answer")


def waits(answer: Answer) -> list[timedelta]:
    found = [again_after(attempts, answer) for attempts in range(1, ATTEMPTS + 1)]
    assert found[-1] is None
    return [wait for wait in found if wait is not None]


def test_a_message_is_tried_for_about_a_day() -> None:
    """Each time after a longer while, and then no more."""
    waited = waits(REFUSED)
    assert timedelta(hours=17) < sum(waited, timedelta()) <= timedelta(hours=24)
    assert timedelta(seconds=3) < waited[0] <= timedelta(seconds=5)
    assert all(one < other for one, other in pairwise(waited[:7]))


def test_an_endpoint_may_ask_for_more() -> None:
    """By `Retry-After`."""
    asked = Answer(Outcome.UNANSWERED, "answered 503", retry_after=3000.0)
    assert again_after(1, asked) == timedelta(seconds=3000)
    assert pause_after(1, 3000.0) == timedelta(seconds=3000)


def test_an_endpoint_that_answers_nobody_costs_messages_nothing() -> None:
    """What it refuses counts against the message all the same."""
    assert counts(SILENT, 0)
    assert not counts(SILENT, PAUSE_AFTER)
    assert counts(REFUSED, PAUSE_AFTER)


def test_an_endpoint_that_keeps_failing_is_let_alone() -> None:
    """Longer each time, up to ten minutes; not for a single failure."""
    assert pause_after(PAUSE_AFTER - 1, 0.0) == timedelta(0)
    assert timedelta(seconds=3) < pause_after(PAUSE_AFTER, 0.0) <= timedelta(seconds=5)
    most = pause_after(1000, 0.0)
    assert most.total_seconds() <= PAUSE_MOST_SECONDS < most.total_seconds() * 1.5
