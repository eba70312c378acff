"""Batches: gathered while the one before is under way, each caller answered alone."""

import asyncio
from collections.abc import Sequence

import pytest

from store.batching import BATCH_COMMANDS, BLOCKED_TRIES, WAITING_COMMANDS, Batcher
from store.database import Blocked
from store.refusal import Refusal


class Ledger:
    """Settles numbers by doubling them, when it is let; an odd one is refused, 13 breaks the batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()

    async def settle(self, numbers: Sequence[int]) -> list[int | Refusal]:
        self.batches.append(list(numbers))
        await self.open.wait()
        if 13 in numbers:
            raise ValueError("thirteen")
        return [number * 2 if number % 2 == 0 else Refusal("ODD", "odd") for number in numbers]


def one_lane(ledger: Ledger) -> Batcher[int, int]:
    return Batcher(ledger.settle, by=lambda number: 0)


async def test_a_lone_command_goes_at_once() -> None:
    """Nothing waits for company."""
    ledger = Ledger()
    ledger.open.set()
    assert await one_lane(ledger)(2) == 4
    assert ledger.batches == [[2]]


async def test_what_arrives_meanwhile_makes_the_next_batch() -> None:
    """Two batches for many commands: the first, and all that came while it was written, in order."""
    ledger = Ledger()
    batcher = one_lane(ledger)
    first = asyncio.create_task(batcher(2))
    while not ledger.batches:
        await asyncio.sleep(0)
    rest = [asyncio.create_task(batcher(number)) for number in range(4, 40, 2)]
    await asyncio.sleep(0)
    ledger.open.set()
    assert await first == 4
    assert await asyncio.gather(*rest) == list(range(8, 80, 4))
    assert ledger.batches == [[2], list(range(4, 40, 2))]


async def test_a_refusal_is_its_callers_alone() -> None:
    """Others of the batch get their answers."""
    ledger = Ledger()
    ledger.open.set()
    batcher = one_lane(ledger)
    answers = await asyncio.gather(
        *(batcher(number) for number in (2, 3, 4)), return_exceptions=True
    )
    assert answers[0] == 4
    assert isinstance(answers[1], Refusal)
    assert answers[2] == 8


async def test_a_broken_batch_fails_for_all_in_it_and_for_nobody_after() -> None:
    """The lane goes on."""
    ledger = Ledger()
    ledger.open.set()
    batcher = one_lane(ledger)
    answers = await asyncio.gather(batcher(2), batcher(13), return_exceptions=True)
    assert all(isinstance(answer, ValueError) for answer in answers)
    assert await batcher(4) == 8


async def test_a_caller_who_goes_leaves_the_others_untouched() -> None:
    """A cancelled caller's command is carried out all the same."""
    ledger = Ledger()
    batcher = one_lane(ledger)
    going, staying = asyncio.create_task(batcher(2)), asyncio.create_task(batcher(4))
    while not ledger.batches:
        await asyncio.sleep(0)
    going.cancel()
    ledger.open.set()
    assert await staying == 8
    assert ledger.batches == [[2, 4]]


async def test_batches_and_queues_are_bounded() -> None:
    """A batch has at most BATCH_COMMANDS; past WAITING_COMMANDS a command is refused as OVERLOADED."""
    ledger = Ledger()
    batcher = one_lane(ledger)
    first = asyncio.create_task(batcher(2))
    while not ledger.batches:
        await asyncio.sleep(0)
    waiting = [asyncio.create_task(batcher(2)) for _ in range(WAITING_COMMANDS)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as refused:
        await batcher(2)
    assert refused.value.code == "OVERLOADED"
    ledger.open.set()
    await asyncio.gather(first, *waiting)
    assert max(map(len, ledger.batches)) == BATCH_COMMANDS
    assert sum(map(len, ledger.batches)) == WAITING_COMMANDS + 1


async def test_other_keys_do_not_wait() -> None:
    """Commands of another lane go side by side with a batch that hangs."""
    ledger = Ledger()
    batcher = Batcher(ledger.settle, by=lambda number: number, lanes=2)
    tasks = [asyncio.create_task(batcher(number)) for number in (2, 4, 3)]
    while len(ledger.batches) < 2:
        await asyncio.sleep(0)
    assert ledger.batches == [[2, 4], [3]]
    ledger.open.set()
    await asyncio.gather(*tasks, return_exceptions=True)


class Held:
    """Settles letters, but for batches in which one is that somebody holds."""

    def __init__(self, *held: str) -> None:
        self.held = set(held)
        self.settled: list[str] = []
        self.tried: list[list[str]] = []

    async def settle(self, commands: Sequence[str]) -> list[str]:
        self.tried.append(list(commands))
        await asyncio.sleep(0)
        if any(command[0] in self.held for command in commands):
            raise Blocked
        self.settled += commands
        return [command.upper() for command in commands]


async def test_what_somebody_holds_is_split_off_and_the_others_go_on() -> None:
    """The others of its batch are settled one key at a time, and the lane goes on; its own order is kept."""
    table = Held("x")
    batcher = Batcher(table.settle, by=lambda command: command[0], lanes=1)
    names = ["a1", "x1", "b1", "x2"]
    first = [asyncio.create_task(batcher(name)) for name in names]
    assert await asyncio.gather(first[0], first[2]) == ["A1", "B1"]
    later = [asyncio.create_task(batcher(name)) for name in ("x3", "c1")]
    assert await later[1] == "C1"
    assert table.settled == ["a1", "b1", "c1"]
    assert not any(task.done() for task in (first[1], first[3], later[0]))
    table.held.clear()
    assert await asyncio.gather(first[1], first[3], later[0]) == ["X1", "X2", "X3"]
    assert table.settled[3:] == ["x1", "x2", "x3"]
    assert await batcher("x4") == "X4"


async def test_what_is_held_for_long_is_refused() -> None:
    """After BLOCKED_TRIES its callers are told to come back; the key starts anew."""
    table = Held("x")
    batcher = Batcher(table.settle, by=lambda command: command[0], lanes=1)
    answers = await asyncio.gather(batcher("x1"), batcher("x2"), return_exceptions=True)
    assert [answer.code for answer in answers if isinstance(answer, Refusal)] == ["OVERLOADED"] * 2
    assert len(table.tried) == BLOCKED_TRIES + 1
    table.held.clear()
    assert await batcher("x3") == "X3"


async def test_what_is_held_is_bounded_too() -> None:
    """Past WAITING_COMMANDS for one key a command is refused as OVERLOADED."""
    table = Held("x")
    batcher = Batcher(table.settle, by=lambda command: command[0], lanes=1)
    first = asyncio.create_task(batcher("x"))
    while len(table.tried) < 2:
        await asyncio.sleep(0)
    waiting = [asyncio.create_task(batcher("x")) for _ in range(WAITING_COMMANDS)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal, match="waiting"):
        await batcher("x")
    table.held.clear()
    assert set(await asyncio.gather(first, *waiting)) == {"X"}
