"""Work that goes on beside the requests, and what becomes of a worker where it ends."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.background import Background
from gateway.composition import worker
from gateway.metrics.lag import LoopLag
from tests.nodes import Installation
from tests.waiting import DEADLINE


async def _goes_on(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("the work")


async def _fails() -> None:
    raise LookupError("it was there a moment ago")


async def _is_done() -> None:
    return None


async def test_it_goes_on_until_the_stack_is_left_before_what_it_stands_on() -> None:
    ends: list[str] = []
    async with AsyncExitStack() as stack:
        stack.callback(ends.append, "what it stands on")
        background = Background(stack)
        background.keep("going on", _goes_on(ends))
        await asyncio.sleep(0)
        assert not background.unsound.done()
    assert ends == ["the work", "what it stands on"]
    assert not background.unsound.done()


async def test_what_it_fails_with_is_raised() -> None:
    async with AsyncExitStack() as stack:
        background = Background(stack)
        background.keep("going on", _goes_on([]))
        background.keep("failing", _fails())
        with pytest.raises(LookupError):
            await background.unsound


async def test_work_that_is_done_is_no_better() -> None:
    async with AsyncExitStack() as stack:
        background = Background(stack)
        background.keep("brief", _is_done())
        with pytest.raises(RuntimeError, match="brief ended"):
            await background.unsound


async def test_a_worker_ends_with_it(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, and with an error, so that the launcher starts another."""
    ready: list[bool] = []

    async def fails_once_ready(lag: LoopLag) -> None:
        while not ready:
            await asyncio.sleep(0)
        raise LookupError("it was there a moment ago")

    monkeypatch.setattr(LoopLag, "keep", fails_once_ready)
    monkeypatch.setattr(worker, "_calm_the_collector", lambda: None)  # it would outlast this
    with installation.assigned() as (settings, assignment):
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(LookupError):
                await worker.serve(settings, assignment, on_ready=lambda: ready.append(True))
    assert ready
