"""The arithmetic of docs/scale.md against cases worked out by hand, and against what was measured."""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path

import msgspec
import pytest

from load.costs.cost import Cost
from load.scale import room, storm
from load.scale.demand import (
    Habits,
    Machine,
    Rates,
    gathered,
    hold,
    limits,
    needs,
    rates,
    redis_load,
    workers_with,
)
from load.scale.room import Room
from load.scale.storm import Door
from load.scale.tables import TABLES, likes_on_two_cores, markdown, small_room
from load.scale.units import LIKES_REACHED, LIKES_SPREAD, SCREENS_P50, Units, units
from store.batching import LANES


def made_up(given: Mapping[str, tuple[float, float]] | None = None) -> Units:
    """Units that cost nothing but what is given: for an operation, and for each thing in it."""
    costs = dict.fromkeys(units().costs, (0.0, 0.0)) | dict(given or {})
    return Units({name: Cost(name, "µs", "", *cost) for name, cost in costs.items()}, {}, {})


QUIET = Room(
    workers=2,
    watchers=1_000,
    hold=0.004,
    hold_each=0.0,
    publish=0.0,
    publish_busy=0.0,
    travel=0.001,
    receive=0.0,
    deliver=10e-6,
)


def test_a_cost_is_the_line_through_what_was_measured() -> None:
    """Points on a line give that line; one that would fall below nothing begins at nothing."""
    on_a_line = Cost.fitted("x", "µs", "", "thing", [(1, 12.0), (10, 30.0), (100, 210.0)])
    assert on_a_line.fixed == pytest.approx(10.0)
    assert on_a_line.each == pytest.approx(2.0)
    assert on_a_line.of(50) == pytest.approx(110.0)
    below = Cost.fitted("x", "µs", "", "thing", [(10, 1.0), (100, 19.0)])
    assert below.fixed == 0.0
    assert below.each > 0.0


def test_a_cost_survives_being_kept() -> None:
    """As JSON, points included."""
    cost = Cost("x", "µs", "how", 1.5, 0.25, "thing", ((1.0, 1.75), (2.0, 2.0)))
    assert Cost.from_json(cost.as_json()) == cost


def test_a_small_room_is_on_as_many_workers_as_it_has_watchers() -> None:
    """A large one is on all of them; two watchers of two workers meet half of the time."""
    assert workers_with(1, 100) == pytest.approx(1.0)
    assert workers_with(2, 2) == pytest.approx(1.5)
    assert workers_with(100_000, 100) == pytest.approx(100.0)


def test_rates_of_a_thousand_connections() -> None:
    """Worked out by hand: one worker, rooms of 100, everything once in ten seconds."""
    habits = Habits(
        session=100, each_room=10, each_like=10, each_comment=10, each_page=10, watchers=100
    )
    found = rates(1_000, habits, workers=1)
    assert (found.joins, found.rooms, found.likes, found.comments) == (10, 100, 100, 100)
    assert found.told == 300  # counts, comments, views
    assert found.presence == 10  # ten rooms, each told of by the one worker once a second
    assert found.notices == 200
    assert found.received == 300 + 10 + 200
    assert found.entries == 200 + 200
    assert found.shown == 2 * 10
    # 200 likes and comments to 100 each; who is here and views once a second to all; notices.
    assert found.deliveries == 200 * 100 + 2 * 1_000 + 200
    assert found.topics == 1_000 + 10


def test_redis_pays_for_every_worker_that_hears() -> None:
    """Ten messages to four workers each: ten times what one costs, and forty times the rest."""
    priced = made_up({"Redis: publish, in bursts": (2.0, 1.0)})
    nothing = Rates(**{each.name: 0.0 for each in fields(Rates)})
    found = redis_load(priced, replace(nothing, told=10.0, nodes_of_room=4.0), 0)
    assert found.total == pytest.approx(10 * (2 + 4) / 1e6)


def test_a_lane_gathers_while_it_waits() -> None:
    """With 10 ms for a batch and 100 likes a second in a lane two are written together; a lone one alone."""
    machine = Machine(round_trip=0.0, flush=0.01)
    free = made_up()
    assert gathered(free, machine, "likes on many posts", 0.0) == 1.0
    assert gathered(free, machine, "likes on many posts", 100.0 * LANES) == pytest.approx(2.0)


def test_a_batch_holds_its_rows_for_what_happens_meanwhile() -> None:
    """Four ways to the database and back, the disk, and the work of both sides."""
    free = made_up()
    assert hold(free, Machine(round_trip=0.001, flush=0.002), "likes on one post", 1) == (
        pytest.approx(0.006)
    )


def test_more_people_need_more_of_everything() -> None:
    """And never less than a machine in each zone; what is needed is borne as planned."""
    small, large = needs(units(), 1_000), needs(units(), 300_000)
    assert small.machines == Machine().fewest
    for each in (small, large):
        assert each.node.total <= each.workers * Machine().busy
    assert large.machines > small.machines
    assert large.redis.total > small.redis.total
    assert large.database.total > small.database.total
    assert large.memory == pytest.approx(300 * small.memory)


def test_the_tightest_limit_comes_first() -> None:
    """In order of how many of each are needed."""
    shares = [limit.share for limit in limits(needs(units(), 100_000))]
    assert shares == sorted(shares, reverse=True)


def test_a_lone_like_is_on_the_screens_after_its_batch_and_the_bus() -> None:
    """4 ms for the row, 1 ms on the way, and half of 500 writes of 10 µs: 7.5 ms in the middle."""
    found = room.simulate(QUIET, rate=0.5, seconds=100)
    assert found.acks.at(0.5) == pytest.approx(0.004)
    assert found.screens.at(0.5) == pytest.approx(0.0075, rel=0.01)
    assert (found.refused, found.blocked) == (0, 0)


def test_a_storm_of_likes_takes_half_of_the_loop() -> None:
    """A flush is followed by a rest that is as long: with 10,000 watchers a worker sends half of its time."""
    busy = replace(QUIET, watchers=20_000, hold=0.0005)
    found = room.simulate(busy, rate=1_000, seconds=4)
    assert found.sending == pytest.approx(0.5, abs=0.05)
    assert found.flushes == pytest.approx(5.0, rel=0.15)  # 100 ms of writing, 100 ms of rest


def test_likes_gather_where_the_row_is_busy() -> None:
    """Far more likes than transactions would do are written, none is refused."""
    found = room.simulate(replace(QUIET, hold_each=20e-6), rate=5_000, seconds=2)
    assert found.likes == pytest.approx(10_000, rel=0.05)
    assert found.refused == 0
    assert len(found.acks) == found.likes
    assert found.batches < found.likes / 10


def test_many_writers_wait_for_each_other() -> None:
    """Each of 100 workers waits for the 99 others: longer than a batch waits for a row; one writer does not."""
    many = replace(QUIET, workers=100, hold_each=20e-6)
    crowded = room.simulate(many, rate=2_000, seconds=4)
    alone = room.simulate(replace(many, writers=1), rate=2_000, seconds=4)
    assert crowded.blocked > 0
    assert crowded.acks.at(0.5) > 0.25
    assert alone.blocked == 0
    assert alone.acks.at(0.99) < 0.05


def test_simulations_repeat_themselves() -> None:
    """By the seed; another seed, another run."""
    first, again = (room.simulate(QUIET, 50, 2, seed=7) for _ in range(2))
    assert first == again
    assert room.simulate(QUIET, 50, 2, seed=8) != first
    door = Door(100, 1e-3, 1e-4)
    one, other = (storm.simulate(500, door, storm.official, seed=3) for _ in range(2))
    assert one == other


def test_nobody_comes_back_faster_than_the_door_lets_them() -> None:
    """1,100 at 100 a second, the first 100 at once: ten seconds at least."""
    found = storm.simulate(1_100, Door(100, 1e-6, 1e-6), storm.ours)
    assert len(found.waits) == 1_100
    assert found.waits.at(1.0) >= 10.0
    assert found.turned_away > 0


def test_without_a_bound_a_worker_has_time_for_nothing_else() -> None:
    """A thousand joins of 10 ms: all CPU time of ten seconds, and whoever comes last waits for all of them."""
    found = storm.simulate(1_000, Door(None, 0.01, 0.0), storm.ours)
    assert found.turned_away == 0
    assert found.waits.at(1.0) == pytest.approx(10.0, rel=0.1)
    assert found.busiest == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("derived", "measured"),
    [
        (lambda: likes_on_two_cores(units(), "one"), LIKES_REACHED),
        (lambda: likes_on_two_cores(units(), "many"), LIKES_SPREAD),
        (lambda: 1e3 * small_room(units()), SCREENS_P50),
    ],
    ids=["likes on one post", "likes on many", "to the screens"],
)
def test_what_is_derived_is_near_what_was_measured(
    derived: Callable[[], float], measured: str
) -> None:
    """Within a factor of two: costs add up, and nothing large is missing."""
    ratio = derived() / units().measured[measured]
    assert 0.5 < ratio < 2.0


def test_the_newest_measurement_counts(tmp_path: Path) -> None:
    """Of two runs the later one; what it lacks stays as it was."""
    for day, kept in (
        ("2026-01-01", [("a", 1.0), ("b", 1.0)]),
        ("2026-01-02", [("a", 2.0)]),
    ):
        costs = [Cost(name, "µs", "", fixed).as_json() for name, fixed in kept]
        (tmp_path / f"{day}-costs.json").write_bytes(
            msgspec.json.encode({"machine": {"date": day}, "costs": costs})
        )
    found = units(tmp_path)
    assert (found["a"].fixed, found["b"].fixed) == (2.0, 1.0)
    assert found.origins == {"a": "2026-01-02-costs.json", "b": "2026-01-01-costs.json"}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_rectangular(name: str) -> None:
    """As many cells in each row as there are heads, and no number that is none."""
    heads, rows = TABLES[name]()
    assert {len(row) for row in rows} == {len(heads)}
    assert "nan" not in markdown(name)
    assert not any(math.inf in row for row in rows)
