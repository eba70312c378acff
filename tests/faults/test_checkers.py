"""Each checker lets a right history pass, and finds the violation that was planted in a wrong one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults import checkers
from tests.faults.history import Heard, History, Operation, Outcome, Stretch, Told, Written

OK, FAIL, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN


def operation(
    subject: str,
    outcome: Outcome,
    what: str = "comment:create",
    who: str = "ada",
    seconds: float | None = 0.0,
) -> Operation:
    ended = None if seconds is None else 100.0 + seconds
    return Operation(who, what, subject, 100.0, outcome, ended=ended)


def journal(*keys: str | None, at: float = 100.0) -> list[Written]:
    """A dense journal of log entries (None) and states."""
    return [
        Written(seq, "post:liked" if key else "comment:created", key, at)
        for seq, key in enumerate(keys, 1)
    ]


def screen(*seqs: int, start: int = 0, asked: int | None = None, at: float = 100.0) -> Stretch:
    return Stretch(start, asked, [Heard(seq, "told", at) for seq in seqs])


def test_a_history_tells_failures_from_what_nobody_knows() -> None:
    """No answer, and an answer that says that the database is away, leave open what was done."""
    history = History()
    acknowledged, refused, away, silent = (
        history.invoke("ada", "post:like", subject) for subject in "abcd"
    )
    history.ok(acknowledged, {"liked": True})
    history.refused(refused, "RATE_LIMITED")
    history.refused(away, "UNAVAILABLE")
    assert [each.outcome for each in history] == [OK, FAIL, UNKNOWN, UNKNOWN]
    assert (history.acknowledged, silent.seconds) == (1, None)


WRITES = [
    operation("a", OK),
    operation("b", UNKNOWN),
    operation("c", UNKNOWN),
    operation("d", FAIL),
]


@pytest.mark.parametrize(
    ("stored", "violations"),
    [
        (["a", "b"], 0),
        (["b"], 1),
        (["a", "a"], 1),
        (["a", "d"], 1),
        (["a", "e"], 1),
    ],
    ids=["right", "lost", "doubled", "refused", "invented"],
)
def test_lost_writes(stored: list[str], violations: int) -> None:
    assert len(checkers.lost_writes(WRITES, stored)) == violations


@pytest.mark.parametrize(
    ("outcomes", "is_member", "right"),
    [
        ([OK], True, True),
        ([OK], False, False),
        ([OK, OK], False, True),
        ([OK, OK], True, False),
        ([OK, UNKNOWN], True, True),
        ([OK, UNKNOWN], False, True),
        ([OK, UNKNOWN, OK], False, False),
        ([FAIL], True, False),
    ],
)
def test_wrong_members(outcomes: list[Outcome], is_member: bool, right: bool) -> None:
    """Likes and unlikes in turn: the last acknowledged one decides, or one of unknown end after it."""
    changes = [
        operation("post", outcome, ("post:like", "post:unlike")[at % 2])
        for at, outcome in enumerate(outcomes)
    ]
    stored = [("ada", "post")] if is_member else []
    found = checkers.wrong_members(changes, stored, joins="post:like", leaves="post:unlike")
    assert (found == []) is right


@pytest.mark.parametrize(
    ("stored", "violations"),
    [
        ([("ada", "a"), ("ada", "b")], 0),
        ([("ada", "b")], 1),
        ([("ada", "a"), ("ada", "a")], 1),
        ([("ada", "a"), ("bob", "a")], 1),
    ],
    ids=["right", "lost", "doubled", "invented"],
)
def test_outside_of_attempts(stored: list[tuple[str, str]], violations: int) -> None:
    commands = [operation("a", OK), operation("b", UNKNOWN)]
    assert len(checkers.outside_of_attempts(commands, stored)) == violations


def test_holes() -> None:
    dense = journal(None, "likes", None)
    assert checkers.holes(dense) == []
    assert checkers.holes([dense[0], dense[2]])


@pytest.mark.parametrize(
    ("stretches", "violations"),
    [
        ([screen(1, 2, 3, 4)], 0),
        ([screen(1, 3, 4)], 0),
        ([screen(4, start=3)], 0),
        ([screen(1, 2, 4)], 1),
        ([screen(1, 2, 3)], 1),
        ([screen(1, 2, 2, 3, 4)], 1),
        ([screen(1, 3, 2, 4)], 1),
        ([screen(1, 2, 3, 4, 5)], 1),
        ([screen(1), screen(4, start=3, asked=1)], 1),
    ],
    ids=[
        *("all", "a state was replaced", "came later", "a gap", "not to the end"),
        *("twice", "inverted", "invented", "not recovered"),
    ],
)
def test_missed(stretches: Sequence[Stretch], violations: int) -> None:
    """Of a journal of log, state, log, state."""
    assert len(checkers.missed(stretches, journal(None, "likes", None, "likes"))) == violations


def test_the_newest_state_may_not_be_missed() -> None:
    assert checkers.missed([screen(1, 2)], journal(None, "likes", "likes"))
    assert checkers.missed([screen(1, 3)], journal(None, "follows", "likes"))


def test_a_screen_that_was_away_for_too_long_starts_over() -> None:
    """More than 500 entries cannot be replayed; as many as that can."""
    for missed, right in ((500, False), (501, True)):
        written = journal(*(None for _ in range(missed + 1)))
        away = [screen(1), screen(start=missed + 1, asked=1)]
        assert (checkers.missed(away, written) == []) is right


def test_late() -> None:
    assert checkers.late([screen(1, at=104.9)], journal(None), 5.0) == []
    assert checkers.late([screen(1, at=105.1)], journal(None), 5.0)
    assert checkers.late([screen(1, at=105.1)], journal(None), 5.0, lambda _: False) == []


def test_going_back() -> None:
    def shown(*counts: int) -> list[Stretch]:
        heard = [Heard(seq, "post:liked", 0.0, count) for seq, count in enumerate(counts, 1)]
        return [Stretch(0, None, heard)]

    assert checkers.going_back(shown(1, 2, 2, 5), {"post:liked"}) == []
    assert checkers.going_back(shown(1, 3, 2), {"post:liked"})
    assert checkers.going_back(shown(1, 3, 2), {"post:viewed"}) == []


def test_slow() -> None:
    assert checkers.slow([operation("a", FAIL, seconds=2.9)], 3.0) == []
    assert checkers.slow([operation("a", OK, seconds=3.1)], 3.0)
    assert checkers.slow([operation("a", UNKNOWN, seconds=None)], 3.0)


def test_failed() -> None:
    assert checkers.failed([operation("a", OK)]) == []
    assert len(checkers.failed([operation("a", FAIL), operation("b", UNKNOWN)])) == 2


def test_out_of_order() -> None:
    burst = [True, False, True]
    assert checkers.out_of_order(burst, burst, True) == []
    assert checkers.out_of_order(burst, [True, True, True], True)
    assert checkers.out_of_order(burst, burst, False)


def test_percentile() -> None:
    values = [each / 100 for each in range(100)]
    assert checkers.percentile(values, 0.99) == 0.99
    assert checkers.percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert checkers.percentile([], 0.5) == 0.0


def test_unequal() -> None:
    assert checkers.unequal("post", {"a": 1}, {"a": 1}) == []
    assert len(checkers.unequal("post", {"a": 1, "b": 1}, {"a": 2})) == 2


def test_busiest() -> None:
    counts = [(0.0, 0), (1.0, 1), (2.0, 5), (3.0, 6), (4.0, 6)]
    assert checkers.busiest(counts, 1.0) == 4
    assert checkers.busiest(counts, 1.5) == 5
    assert checkers.busiest(counts, 60.0) == 6


@pytest.mark.parametrize(
    ("name", "in_journal", "seconds", "after_goodbye", "is_late"),
    [
        ("comment:created", True, -0.1, False, False),
        ("comment:created", True, 0.1, False, True),
        ("presence:changed", False, 0.1, False, False),
        ("presence:changed", False, 2.1, False, True),
        ("presence:changed", False, 0.1, True, True),
    ],
)
def test_what_is_told_of_what_is_gone(
    name: str, in_journal: bool, seconds: float, after_goodbye: bool, is_late: bool
) -> None:
    """Nothing that stands in the journal; who is here for a moment, but not to who knows; of others anything."""
    gone_at = datetime(2026, 11, 27, tzinfo=UTC)

    def says(name: str, seconds: float, who: str, in_journal: bool = True, what: str = "p") -> Told:
        return Told(who, name, in_journal, gone_at + timedelta(seconds=seconds), what)

    told = [
        says("post:hidden", 0.0, "ada" if after_goodbye else "bob"),
        says(name, seconds, "ada", in_journal),
        says(name, 9.0, "ada", in_journal, what="another"),
    ]
    assert len(checkers.told_late(told, "p", gone_at, crossing=2.0)) == is_late
