"""Work that a worker does for as long as it serves."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import structlog

from pubsub import ended

_log = structlog.get_logger(__name__)


class Background:
    """What goes on beside the requests, until `stack` is left.

    None of it is to end by itself: where some does, the worker is no longer sound.
    """

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.unsound: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises what the first of it ended with."""

    def keep(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Have it done from now on; it ends before what was pushed onto the stack so far."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._notice)
        self._stack.push_async_callback(ended, task)

    def _notice(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.unsound.done():
            return
        error = task.exception() or RuntimeError(f"{task.get_name()} ended")
        _log.critical("background work ended", work=task.get_name(), exc_info=error)
        self.unsound.set_exception(error)
