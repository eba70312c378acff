"""One client's packets, handled one at a time in the order they came."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

INBOX_BOUND = 64
"""Packets that may wait; past it nothing more is read from the client until half are done."""
TURN = 16
"""Items done in a row; then whatever else the loop has to do comes first."""


class Inbox(ABC, Generic[T]):
    """A serial queue, whose task lives only while there is something to do, and is then in `tasks`."""

    __slots__ = ("_closed", "_items", "_task", "_tasks", "_waiting")

    def __init__(self, tasks: set[asyncio.Task[None]]) -> None:
        self._tasks = tasks
        self._items: deque[T] | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting = False
        self._closed = False

    @abstractmethod
    async def _handle(self, item: T) -> None:
        """Do one item; never raises."""

    @abstractmethod
    def _resume(self) -> None:
        """There is room again, after `put` said that there was none."""

    @abstractmethod
    def _ended(self) -> None:
        """The inbox is closed and the last item done. Called once."""

    def put(self, item: T) -> bool:
        """Take in one item; False says that the sender should wait for `_resume`."""
        if self._closed:
            return True
        items = self._start() if self._items is None else self._items
        items.append(item)
        self._waiting = len(items) >= INBOX_BOUND
        return not self._waiting

    async def idle(self) -> None:
        """Until all that has been taken in is done."""
        while self._task is not None:
            await asyncio.wait({self._task})

    def close(self, *, purge: bool) -> None:
        """Take in nothing more; `purge` drops what waits, but does not stop what is being done."""
        if self._closed:
            return
        self._closed = True
        if self._items is None:
            self._start()
        elif purge:
            self._items.clear()

    def _start(self) -> deque[T]:
        items: deque[T] = deque()
        self._items = items
        self._task = asyncio.get_running_loop().create_task(self._run(items))
        self._tasks.add(self._task)
        return items

    async def _run(self, items: deque[T]) -> None:
        try:
            done = 0
            while items:
                await self._handle(items.popleft())
                if self._waiting and len(items) <= INBOX_BOUND // 2:
                    self._waiting = False
                    self._resume()
                done += 1
                if done % TURN == 0:  # items that wait for nothing would never let others go ahead
                    await asyncio.sleep(0)
        finally:
            self._tasks.discard(self._task)
            self._items = self._task = None
            if self._closed:
                self._ended()
