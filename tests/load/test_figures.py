"""Percentiles, what screens saw, what speaks against a figure, and when a line of the table is met."""

from array import array

import pytest

from load.bench.deployments import Places
from load.bench.lines import Row
from load.bench.table import markdown
from load.chart import page
from load.latency import Spread, in_order, screens
from load.outcome import Outcome, medians
from load.swarm import Tally
from load.swarm.tally import together


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.505, 51), (0.99, 99), (1.0, 100)]
)
def test_a_percentile_is_the_nearest_rank(share: float, value: int) -> None:
    """Of the numbers 1 to 100 the nth is the nth percentile."""
    assert Spread.of(range(100, 0, -1)).at(share) == value


def test_a_newer_state_stands_for_the_older_ones() -> None:
    """A like is on a screen when the first event of its seq or a later one arrives there."""
    tally = Tally(
        acked_seqs=array("q", [11, 12, 13, 13]),
        sent_at=array("d", [1.0, 2.0, 3.0, 3.5]),
        seen_after=array("q", [10, 11, 10]),
        seen_seqs=array("q", [11, 13, 13]),
        seen_at=array("d", [1.25, 4.0, 4.0]),
    )
    one_screen, other_screen = [0.25, 2.0, 1.0, 0.5], [3.0, 2.0, 1.0, 0.5]
    assert screens(tally).values == sorted(one_screen + other_screen)


def test_without_seqs_in_answers_the_order_tells() -> None:
    """The nth command that was sent is the nth number that was seen."""
    tally = Tally(
        acked_seqs=array("q", [-1, -1]),
        sent_at=array("d", [2.0, 1.0]),
        seen_after=array("q", [7, 8]),
        seen_seqs=array("q", [8, 9]),
        seen_at=array("d", [1.5, 3.0]),
    )
    assert screens(tally).values == []
    assert in_order(tally).values == [0.5, 1.0]


def test_tallies_of_processes_add_up() -> None:
    """Counts are summed; of how busy and how late a process was the worst counts."""
    one = Tally(events=3, first_at=5.0, last_at=6.0, seconds=2.0, busy_seconds=1.0)
    other = Tally(events=4, seconds=2.0, busy_seconds=1.5, late=0.1)
    one.refused["OVERLOADED"] += 1
    other.refused["OVERLOADED"] += 1
    whole = together([one, other])
    assert (whole.events, whole.refused, whole.first_at) == (7, {"OVERLOADED": 2}, 5.0)
    assert (whole.busy, whole.late) == (0.75, 0.1)


@pytest.mark.parametrize(
    ("tally", "complaint"),
    [
        (Tally(events=9), "9 of 10 events"),
        (Tally(events=10, repeated=1), "out of order"),
        (Tally(events=10, skipped=2), "2 numbers were missing"),
        (Tally(events=10, sampled=3, wrong=1), "1 of 3 events decoded"),
        (Tally(events=10, lost=1), "1 connections were lost"),
        (Tally(events=10, seconds=1.0, busy_seconds=0.95), "95% busy"),
        (Tally(events=10, longest_pass=0.3), "held up"),
    ],
)
def test_a_figure_is_not_valid_if_something_speaks_against_it(tally: Tally, complaint: str) -> None:
    """Events missing or out of order, and a generator that was itself the bottleneck, are said."""
    outcome = Outcome("fanout", "here")
    outcome.examine(tally, delivered=10, dense=True)
    assert not outcome.valid
    assert complaint in " ".join(outcome.faults + outcome.doubts)


def test_a_figure_is_valid_if_all_went_well() -> None:
    """Nothing speaks against a run where everything arrived."""
    outcome = Outcome("fanout", "here")
    outcome.examine(Tally(events=10, seconds=1.0, busy_seconds=0.5), delivered=10, dense=True)
    assert outcome.valid


def test_the_median_of_repetitions_counts() -> None:
    """One odd run changes nothing."""
    runs = [Outcome("a", "here", {"µs": value}) for value in (8.0, 99.0, 9.0)]
    assert medians(runs) == {"µs": 9.0}
    assert medians(runs[:2]) == {"µs": 53.5}


@pytest.mark.parametrize(
    ("ours", "theirs", "at_most", "met"),
    [(8.5, 10.0, True, True), (8.6, 10.0, True, False), (4.0, 1.0, False, True), (1, 9, False, 0)],
)
def test_a_line_is_met_by_the_ratio(ours: float, theirs: float, at_most: bool, met: bool) -> None:
    """Ours divided by theirs has to be at most, or at least, the pass line."""
    row = Row("cost", ours, "µs", "peer", theirs, at_most, 0.85 if at_most else 4.0, 0.5)
    assert row.met is bool(met)
    assert ("**not met**" in markdown([row])) is not bool(met)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 16])
def test_everybody_has_a_core(count: int) -> None:
    """With any number of cores there is one for the server, one for what it leans on, one for clients."""
    places = Places.of(list(range(count)))
    assert places.server
    assert places.others
    assert places.clients
    if count > 1:
        assert not set(places.server) & {*places.others, *places.clients}


def test_a_page_holds_all_that_was_found() -> None:
    """The chart has figures, curves and complaints, and asks for nothing from outside."""
    outcome = Outcome("likes <b>", "here", {"answers/s": 5.0}, {"ack": Spread.of([0.001, 0.2])})
    outcome.pace += [(1.0, 10.0), (2.0, 20.0)]
    outcome.faults.append("3 × refused: OVERLOADED")
    text = page(outcome)
    assert text.count("<svg") == 2
    assert "3 × refused" in text
    assert "<b>" not in text
    assert "http" not in text.replace("http://www.w3.org", "")
