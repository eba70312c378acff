"""Questions that are asked together."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway import gathering
from gateway.gathering import Gathering, pause_after
from store.refusal import Refusal
from tests.waiting import until


def test_pauses() -> None:
    """A lone question costs the next one nothing that is noticed; a storm is asked once a second."""
    assert pause_after(1) == 0.005
    assert pause_after(200) == pause_after(20_000) == 1.0


class Oracle:
    """Doubles numbers, and refuses 13."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    async def __call__(self, numbers: Sequence[int]) -> list[int | Refusal]:
        self.asked.append(list(numbers))
        await asyncio.sleep(0)
        return [Refusal("NOT_FOUND", "Unlucky.") if n == 13 else 2 * n for n in numbers]


async def test_a_lone_question_is_asked_at_once_and_others_gather() -> None:
    """Each gets its own answer, or its own refusal."""
    oracle = Oracle()
    ask = Gathering(oracle)
    answers = await asyncio.gather(*(ask(n) for n in range(20)), return_exceptions=True)
    assert [each for each in answers if isinstance(each, int)] == [
        2 * n for n in range(20) if n != 13
    ]
    assert isinstance(answers[13], Refusal)
    assert oracle.asked == [list(range(20))]
    assert await ask(7) == 14


async def test_a_stream_of_questions_is_asked_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand, each a moment after the one before, take far fewer rounds."""
    monkeypatch.setattr(gathering, "LONGEST_PAUSE", 0.05)
    oracle = Oracle()
    ask = Gathering(oracle)
    asking = []
    for n in range(14, 1_014):
        asking.append(asyncio.create_task(ask(n)))
        await asyncio.sleep(0.0002)
    assert await asyncio.gather(*asking) == [2 * n for n in range(14, 1_014)]
    assert len(oracle.asked) < 50
    assert sorted(n for each in oracle.asked for n in each) == list(range(14, 1_014))


async def test_a_failure_is_everybodys_and_the_next_round_goes_on() -> None:
    """Whoever gave up asking harms nobody."""
    failing = True

    async def ask_all(numbers: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        if failing:
            raise Refusal("UNAVAILABLE", "Away.")
        return numbers

    ask: Gathering[int, int] = Gathering(ask_all)
    gone = asyncio.create_task(ask(1))
    await asyncio.sleep(0)
    gone.cancel()
    for _ in range(2):
        with pytest.raises(Refusal):
            await ask(2)
    failing = False
    assert await ask(3) == 3
    await until(lambda: ask._task is None, "nothing runs")


async def test_only_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound one is refused at once."""
    monkeypatch.setattr(gathering, "WAITING_QUESTIONS", 2)
    ask = Gathering(Oracle())
    waiting = [asyncio.create_task(ask(n)) for n in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal, match="OVERLOADED"):
        await ask(3)
    assert await asyncio.gather(*waiting) == [0, 2]
