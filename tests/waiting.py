"""Waiting for what a test expects, with a deadline and never for a fixed time."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

DEADLINE = 10.0
"""Seconds within which whatever a test waits for has to happen."""


async def until(holds: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
    """Return as soon as `holds` answers something true; fails the test where that takes too long."""
    try:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"within {seconds:g} s it did not come to this: {what}")


async def found(
    look: Callable[[], T | None],
    news: asyncio.Event,
    what: str,
    so_far: Callable[[], str],
    seconds: float = DEADLINE,
) -> T:
    """What `look` finds, looking again at all `news`; fails the test, and tells what came `so_far`."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                news.clear()
                if (it := look()) is not None:
                    return it
                await news.wait()
    except TimeoutError:
        pytest.fail(f"{what} did not come; this did: {so_far()}")
