"""A slot on a machine that has run out of what a process takes."""

import errno
import os
from collections.abc import Iterator

import pytest

from gateway.launcher import slot as slots
from gateway.launcher.ports import Port
from gateway.launcher.slot import Slot
from gateway.launcher.worker import Worker, WorkerFailed


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port("127.0.0.1", 0)
    yield port
    port.close()


class Machine:
    """Starts no process, and says how often it was asked to."""

    def __init__(self) -> None:
        self.asked = 0

    async def spawn(self, slot: int, generation: int, listening: list[int]) -> Worker:
        self.asked += 1
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


async def test_a_first_worker_that_cannot_be_started_stops_the_start(port: Port) -> None:
    """With the reason in one line."""
    slot = Slot(0, port, Machine().spawn)
    with pytest.raises(WorkerFailed, match="no process could be started: Resource"):
        await slot.fill()
    assert slot.worker is None
    await slot.clear()


async def test_a_later_one_is_tried_again(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher and its other workers go on meanwhile."""
    machine = Machine()
    slot = Slot(0, port, machine.spawn)
    pauses = []

    async def slept(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise InterruptedError

    monkeypatch.setattr(slots.asyncio, "sleep", slept)
    with pytest.raises(InterruptedError):
        await slot._start_at_last()
    assert machine.asked == 3
    assert pauses == [30.0] * 3
    await slot.clear()


async def test_a_renewal_that_cannot_begin_leaves_everything_as_it_is(port: Port) -> None:
    """It is told to whoever asked for it."""
    slot = Slot(0, port, Machine().spawn)
    with pytest.raises(WorkerFailed):
        await slot.renew()
    await slot.clear()
