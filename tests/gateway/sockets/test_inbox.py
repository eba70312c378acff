"""The serial inbox, without sockets."""

import asyncio

from gateway.sockets.inbox import INBOX_BOUND, TURN, Inbox
from tests.gateway.sockets.edge import until


class Recorder(Inbox[int]):
    """Writes down what it does; waits before each item while `gate` is closed."""

    def __init__(self, tasks: set[asyncio.Task[None]]) -> None:
        super().__init__(tasks)
        self.gate = asyncio.Event()
        self.gate.set()
        self.log: list[int | str] = []
        self.at_work = 0

    async def _handle(self, item: int) -> None:
        assert not self.at_work
        self.at_work += 1
        await self.gate.wait()
        self.at_work -= 1
        self.log.append(item)

    def _resume(self) -> None:
        self.log.append("resume")

    def _ended(self) -> None:
        self.log.append("ended")


async def test_items_are_done_one_at_a_time_in_order() -> None:
    """However they come in, items neither overlap nor overtake each other, and no task stays."""
    tasks: set[asyncio.Task[None]] = set()
    inbox = Recorder(tasks)
    for item in range(10):
        assert inbox.put(item)
    assert len(tasks) == 1
    await until(lambda: not tasks)
    assert inbox.put(10)
    await until(lambda: not tasks)
    assert inbox.log == list(range(11))


async def test_a_full_inbox_says_so_and_asks_for_more_when_half_is_done() -> None:
    """At the bound `put` says stop; `_resume` comes once, when half of it is done."""
    inbox = Recorder(set())
    inbox.gate.clear()
    answers = [inbox.put(item) for item in range(INBOX_BOUND)]
    assert answers == [True] * (INBOX_BOUND - 1) + [False]
    assert not inbox.put(INBOX_BOUND)
    inbox.gate.set()
    await until(lambda: len(inbox.log) == INBOX_BOUND + 2)
    assert inbox.log.count("resume") == 1
    assert inbox.log.index("resume") == INBOX_BOUND // 2 + 1


async def test_closing_lets_what_waits_be_done() -> None:
    """Without a purge the end comes after the last item; what comes later is not taken."""
    inbox = Recorder(set())
    inbox.put(1)
    inbox.put(2)
    inbox.close(purge=False)
    inbox.put(3)
    await until(lambda: "ended" in inbox.log)
    assert inbox.log == [1, 2, "ended"]


async def test_a_purge_leaves_only_what_is_being_done() -> None:
    """A purge drops what waits; the item in hand is finished, and the end comes after it."""
    inbox = Recorder(set())
    inbox.gate.clear()
    inbox.put(1)
    inbox.put(2)
    await until(lambda: inbox.at_work)
    inbox.close(purge=True)
    inbox.gate.set()
    await until(lambda: "ended" in inbox.log)
    assert inbox.log == [1, "ended"]


async def test_an_idle_inbox_ends_once() -> None:
    """Closing an idle inbox ends it, and closing it again does nothing."""
    tasks: set[asyncio.Task[None]] = set()
    inbox = Recorder(tasks)
    inbox.close(purge=True)
    inbox.close(purge=False)
    await until(lambda: not tasks)
    assert inbox.log == ["ended"]


async def test_a_flood_of_items_lets_others_have_their_turn() -> None:
    """Also where no item waits for anything, and half an inbox done brings in the next half."""

    class Flooded(Recorder):
        def _resume(self) -> None:
            if len(self.log) < 100 * TURN:
                for item in range(INBOX_BOUND // 2):
                    self.put(item)

    inbox = Flooded(set())
    for item in range(INBOX_BOUND):
        inbox.put(item)
    for _ in range(10):
        await asyncio.sleep(0)
    inbox.close(purge=True)
    assert 0 < len(inbox.log) <= 10 * TURN
