"""Who works with which connection of the pool: those who find none free are served in the order they came.

A connection whose work ended well goes straight to whoever has waited longest. By way of the pool that takes a task
and four timers: on a busy node as much as decoding the rows of a page.
"""

import asyncio
from collections import deque
from typing import Any


class Turns:
    """The connections of `pool`. Nobody waits for one for longer than `patience`, in seconds."""

    def __init__(self, pool: Any, patience: float) -> None:
        self._pool = pool
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._free: int = pool.get_max_size()
        self._waiting: deque[asyncio.Future[Any]] = deque()

    async def take(self) -> Any:
        """A connection, to be given back. Raises TimeoutError, and what opening one raises."""
        if self._free:
            self._free -= 1
            return await self._acquire(self._patience)
        turn = self._loop.create_future()
        self._waiting.append(turn)
        deadline = self._loop.time() + self._patience
        late = self._loop.call_at(deadline, _late, turn)
        try:
            connection = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                await self.give_back(turn.result(), well=True)
            raise
        finally:
            late.cancel()
        if connection is None:
            return await self._acquire(max(deadline - self._loop.time(), 0.0))
        return connection

    async def give_back(self, connection: Any, *, well: bool) -> None:
        """Let others have it; only through the pool, which looks it over, where work did not end `well`."""
        if well and (turn := self._next()) is not None:
            turn.set_result(connection)
            return
        try:
            if connection is not None:
                await self._pool.release(connection)
        finally:
            self._let_in()

    async def _acquire(self, seconds: float) -> Any:
        try:
            return await self._pool.acquire(timeout=seconds)
        except BaseException:
            self._let_in()
            raise

    def _let_in(self) -> None:
        """One more may ask the pool for a connection."""
        if (turn := self._next()) is not None:
            turn.set_result(None)
        else:
            self._free += 1

    def _next(self) -> "asyncio.Future[Any] | None":
        """Whoever has waited longest, and still does."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                return turn
        return None


def _late(turn: "asyncio.Future[Any]") -> None:
    if not turn.done():
        turn.set_exception(TimeoutError("no connection was free in time"))
