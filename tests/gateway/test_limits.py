"""The gate: how much one user may do."""

from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from gateway.limits import COMMANDS_AT_ONCE, Admission, Gate, Seats, Standing
from handlers.actor import Actor, Role
from handlers.operation import Limit
from store.refusal import Refusal
from tests.gateway.counting import Counting

ADA = Actor(uuid4(), Role.USER, "192.0.2.1")
BOB = Actor(uuid4(), Role.USER, "192.0.2.1")
VISITOR = Actor(None, Role.USER, "192.0.2.1")
LIKES = Limit("likes", 3)


@pytest.fixture
def gate() -> Gate:
    return Gate(Counting(), 1.0)


async def refused(gate: Gate, actor: Actor, limit: Limit | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await gate.admit(actor, limit)
    assert caught.value.code == "RATE_LIMITED"
    return caught.value


async def test_the_hourly_limit(gate: Gate) -> None:
    """Past the count a command is refused, and told how long to wait."""
    for _ in range(3):
        await gate.admit(ADA, LIKES)
    refusal = await refused(gate, ADA, LIKES)
    assert refusal.details == {"limit": 3, "window_seconds": 3600.0}
    assert refusal.retry_after == 3600.0


async def test_the_pace_holds_for_everything(gate: Gate) -> None:
    """Commands without a limit of their own, and those with one, share the general pace."""
    for n in range(COMMANDS_AT_ONCE):
        await gate.admit(ADA, LIKES if n < 3 else None)
    refusal = await refused(gate, ADA)
    assert refusal.details == {"limit": 20, "window_seconds": 10.0}
    assert refusal.retry_after == 0.5


async def test_limits_of_one_name_are_one(gate: Gate) -> None:
    """An unlike counts as a like; what has another name counts apart."""
    for limit in (LIKES, Limit("likes", 3), LIKES):
        await gate.admit(ADA, limit)
    await refused(gate, ADA, Limit("likes", 3))
    await gate.admit(ADA, Limit("follows", 3))


async def test_users_count_for_themselves(gate: Gate) -> None:
    """Also behind one address."""
    for _ in range(3):
        await gate.admit(ADA, LIKES)
    await refused(gate, ADA, LIKES)
    await gate.admit(BOB, LIKES)


async def test_visitors_count_by_address(gate: Gate) -> None:
    """Everybody behind one address shares what visitors may do there, apart from its users."""
    await gate.admit(ADA, LIKES)
    for _ in range(3):
        await gate.admit(VISITOR, LIKES)
    await refused(gate, Actor(None, Role.USER, "192.0.2.1"), LIKES)
    await gate.admit(Actor(None, Role.USER, "192.0.2.2"), LIKES)


async def test_what_is_given_back_does_not_count(gate: Gate) -> None:
    """A command that came to nothing leaves its place in the hourly limit to another."""
    taken = [await gate.admit(ADA, LIKES) for _ in range(3)]
    await gate.give_back(taken[1])
    await gate.give_back(taken[1])
    await gate.give_back(Admission())
    await gate.admit(ADA, LIKES)
    await refused(gate, ADA, LIKES)


def standings(admission: Admission) -> list[Standing]:
    return [
        msgspec.structs.replace(each, more_in=round(each.more_in, 3))
        for each in admission.standings()
    ]


async def test_how_somebody_stands(gate: Gate) -> None:
    """With the pace, and with the operation's own limit beside it; a place given back counts again."""
    plain = await gate.admit(ADA, None)
    assert standings(plain) == [Standing("pace", 20, 10.0, 19, 0.5)]
    await gate.admit(ADA, LIKES)
    second = await gate.admit(ADA, LIKES)
    pace = Standing("pace", 20, 10.0, 17, 0.5)
    assert standings(second) == [pace, Standing("likes", 3, 3600.0, 1, 3600.0)]
    await gate.give_back(second)
    assert standings(second) == [pace, Standing("likes", 3, 3600.0, 2, 3600.0)]
    third = await gate.admit(ADA, LIKES)
    assert standings(third)[1] == Standing("likes", 3, 3600.0, 1, 3600.0)


async def test_how_somebody_stands_who_is_refused(gate: Gate) -> None:
    """Nothing is left of the limit that refused; the pace was asked for first, and is all there is to tell of it."""
    for _ in range(3):
        await gate.admit(ADA, LIKES)
    admission = Admission()
    with pytest.raises(Refusal):
        await gate.admit(ADA, LIKES, admission)
    assert [(each.name, each.left) for each in admission.standings()] == [
        ("pace", 16),
        ("likes", 0),
    ]
    await gate.give_back(admission)
    assert [each.left for each in admission.standings()] == [16, 0]
    for _ in range(16):
        await gate.admit(ADA, None)
    admission = Admission()
    with pytest.raises(Refusal):
        await gate.admit(ADA, LIKES, admission)
    assert standings(admission) == [Standing("pace", 20, 10.0, 0, 0.5)]


@pytest.mark.parametrize(
    ("factor", "most", "burst"), [(1.0, 3, 20), (1_000.0, 3_000, 20_000), (0.1, 1, 2), (1e-3, 1, 1)]
)
async def test_a_factor_moves_every_ceiling(factor: float, most: int, burst: int) -> None:
    """The limiter works, with other ceilings; one command is always possible."""
    counting = Counting()
    await Gate(counting, factor).admit(ADA, LIKES)
    (ask,) = counting.asked
    assert ask.window is not None
    assert ask.bucket is not None
    assert (ask.window.count, ask.window.seconds) == (most, 3600.0)
    assert (ask.bucket.burst, ask.bucket.per_second) == (burst, 2.0 * factor)


async def test_limits_off() -> None:
    """Nobody is asked, and nothing is refused."""
    counting = Counting()
    gate = Gate(counting, None)
    for _ in range(100):
        await gate.give_back(await gate.admit(ADA, LIKES))
    assert counting.asked == []


async def test_retry_after_is_never_nothing(gate: Gate) -> None:
    """However short the wait, it is told in whole milliseconds, rounded up."""
    short = Limit("short", 1, timedelta(microseconds=100))
    await gate.admit(ADA, short)
    assert (await refused(gate, ADA, short)).retry_after == 0.001


async def test_seats_are_counted_until_they_are_left() -> None:
    """A user has so many; one that is left is free, and other users have their own."""
    seats = Seats(Counting(), 2)
    ada, bob = uuid4(), uuid4()
    await seats.take(ada, "a1")
    await seats.take(ada, "a2")
    with pytest.raises(Refusal) as caught:
        await seats.take(ada, "a3")
    assert caught.value.code == "RATE_LIMITED"
    assert caught.value.details["limit"] == 2
    assert caught.value.retry_after
    await seats.take(bob, "b1")
    seats.leave("a1")
    seats.leave("a1")
    await seats.close()
    await seats.take(ada, "a3")


async def test_any_number_of_seats() -> None:
    """Without a cap nothing is counted."""
    limiter = Counting()
    seats = Seats(limiter, None)
    for connection in range(100):
        await seats.take(uuid4(), str(connection))
    assert limiter.asked == []
