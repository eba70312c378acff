"""Hands batch after batch to a program, each until the program has taken it."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec
import structlog

from gateway.consuming.program import Program

RETRY_SECONDS = 1.0
"""After a program failed for the first time; twice as long after each further one."""
RETRY_MOST_SECONDS = 60.0
"""The longest time between two tries of a batch."""

_encode = msgspec.json.Encoder().encode

_log = structlog.get_logger(__name__)


class Batch(Protocol):
    """Entries that come again until they are committed."""

    @property
    def entries(self) -> Sequence[msgspec.Struct]: ...

    async def commit(self) -> None: ...

    def give_back(self) -> None:
        """They are to come again, as they stand by then."""
        ...


async def hand_over(
    batches: AsyncIterator[Batch], taken_over: asyncio.Event, program: Program
) -> None:
    """Have the program take every batch, until the task is cancelled or the iterator raises.

    A program whose batch is another process's by now (`taken_over`) is ended.
    """
    failures = 0
    async for batch in batches:
        if await _unless(taken_over, program, _lines(batch)):
            await batch.commit()
            failures = 0
            continue
        batch.give_back()
        failures += 1
        pause = min(RETRY_SECONDS * 2 ** min(failures - 1, 10), RETRY_MOST_SECONDS)
        _log.warning(
            "the batch is tried again",
            entries=len(batch.entries),
            failures=failures,
            seconds=pause,
        )
        await asyncio.sleep(pause * random.uniform(0.75, 1.0))  # noqa: S311


def _lines(batch: Batch) -> bytes:
    return b"".join(_encode(entry) + b"\n" for entry in batch.entries)


async def _unless(lost: asyncio.Event, program: Program, lines: bytes) -> bool:
    """Whether the program took them, before the event."""
    running = asyncio.create_task(program.takes(lines))
    losing = asyncio.create_task(lost.wait())
    try:
        await asyncio.wait({running, losing}, return_when=asyncio.FIRST_COMPLETED)
        return running.done() and running.result()
    finally:
        for task in (running, losing):
            task.cancel()
        await asyncio.wait({running, losing})
