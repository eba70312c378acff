"""Ending background tasks, those too that miss a cancelling."""

import asyncio

from pubsub.ending import ended


async def test_a_task_that_misses_a_cancelling_is_ended_all_the_same() -> None:
    """It is cancelled again until it has ended, beside others that end at once."""
    missed = asyncio.Event()

    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            missed.set()  # as `asyncio.wait_for` does where it comes at the wrong moment
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(work) for work in (deaf(), asyncio.Event().wait())]
    await asyncio.sleep(0)
    await ended(*tasks)
    assert missed.is_set()
    assert all(task.cancelled() for task in tasks)


async def test_what_a_task_raises_is_its_own() -> None:
    """Who ends it goes on; it may have ended long ago, too."""

    async def fails() -> None:
        raise ValueError("on its own account")

    task = asyncio.create_task(fails())
    await asyncio.wait({task})
    await ended(task)
    assert isinstance(task.exception(), ValueError)
