"""How background tasks are ended for certain."""

import asyncio
from typing import Any

CANCEL_SECONDS = 0.5
"""Within which a cancelled task has ended, or it is cancelled once more."""


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """End tasks that may miss a cancelling; what they raise is theirs.

    Before Python 3.12 `asyncio.wait_for`, by which redis-py sends commands, swallows one that comes as what
    it waits for is done.
    """
    while waiting := {task for task in tasks if not task.done()}:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=CANCEL_SECONDS)
