"""Totals are counted once a minute, whoever asks and however often."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from store.totals import AHEAD_SECONDS, MOST_AGE_SECONDS, Totals


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Counter:
    """Counts how often it is asked, and answers that; waits for `gate`."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> int:
        self.asked += 1
        asked = self.asked
        await self.gate.wait()
        return asked


async def test_a_total_is_counted_anew_after_a_minute() -> None:
    """Until then the first answer stands."""
    clock, counter = Clock(), Counter()
    totals = Totals(clock=clock)
    assert await totals.ask("all", counter) == 1
    clock.now = AHEAD_SECONDS - 0.1
    assert await totals.ask("all", counter) == 1
    clock.now = MOST_AGE_SECONDS
    assert await totals.ask("all", counter) == 2


async def test_a_total_that_is_asked_for_is_counted_ahead() -> None:
    """Nobody waits: all get the one before until the new one is there, and it is counted once."""
    clock, counter = Clock(), Counter()
    totals = Totals(clock=clock)
    assert await totals.ask("all", counter) == 1
    clock.now = AHEAD_SECONDS
    counter.gate.clear()
    assert [await totals.ask("all", counter) for _ in range(3)] == [1, 1, 1]
    counter.gate.set()
    while await totals.ask("all", counter) == 1:
        await asyncio.sleep(0)
    assert (await totals.ask("all", counter), counter.asked) == (2, 2)
    clock.now += AHEAD_SECONDS - 0.1
    assert (await totals.ask("all", counter), counter.asked) == (2, 2)


async def test_what_is_too_old_waits_for_the_count_that_is_under_way() -> None:
    """It is not counted twice; and where counting ahead fails, the next one counts again."""
    clock, counter = Clock(), Counter()
    totals = Totals(clock=clock)
    await totals.ask("all", counter)
    clock.now = AHEAD_SECONDS
    counter.gate.clear()
    assert await totals.ask("all", counter) == 1
    clock.now = MOST_AGE_SECONDS
    waiting = totals.ask("all", counter)
    counter.gate.set()
    assert (await waiting, counter.asked) == (2, 2)


async def test_a_count_ahead_that_fails_leaves_the_one_before() -> None:
    """Until that is too old: then the next one counts again."""
    clock, counter = Clock(), Counter()
    totals = Totals(clock=clock)

    async def fail() -> int:
        raise ConnectionError

    assert await totals.ask("all", counter) == 1
    clock.now = AHEAD_SECONDS
    assert await totals.ask("all", fail) == 1
    await asyncio.sleep(0)
    assert await totals.ask("all", fail) == 1
    await asyncio.sleep(0)
    clock.now = MOST_AGE_SECONDS
    assert await totals.ask("all", counter) == 2


async def test_all_who_wait_share_one_count() -> None:
    """Also when the first of them gives up."""
    counter, totals = Counter(), Totals()
    counter.gate.clear()
    first, *others = [asyncio.shield(totals.ask("all", counter)) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    counter.gate.set()
    assert await asyncio.gather(*others) == [1, 1, 1, 1]
    assert first.cancelled()


async def test_a_count_that_fails_is_not_kept() -> None:
    """Those who waited get the error; the next one counts again."""
    counter, totals = Counter(), Totals()

    async def fail() -> int:
        raise ConnectionError

    asked: list[Callable[[], Awaitable[int]]] = [fail, counter]
    with pytest.raises(ConnectionError):
        await totals.ask("all", asked[0])
    assert await totals.ask("all", asked[1]) == 1


async def test_so_many_totals_are_kept_and_no_more() -> None:
    """The one that was not asked for the longest is counted again."""
    counter, totals = Counter(), Totals(most=2)
    assert [await totals.ask(key, counter) for key in ("a", "b", "a", "c")] == [1, 2, 1, 3]
    assert [await totals.ask(key, counter) for key in ("a", "c", "b")] == [1, 3, 4]
