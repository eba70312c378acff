"""Batching: while one batch is under way, the next one collects.

Docs: docs/adr/0010-writes-gather-while-one-is-under-way.md.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import copy_context
from typing import Any, Generic, TypeVar

import structlog

from store.database import Blocked
from store.refusal import Refusal

C = TypeVar("C")
A = TypeVar("A")
Report = Callable[[int, float, float], None]
"""Hears of each batch: how many commands, the seconds that the oldest waited for it, and that it took."""

BATCH_COMMANDS = 500
"""Commands that are written together."""
WAITING_COMMANDS = 20_000
"""Commands that may wait in one lane; past it one is refused as `OVERLOADED`."""
LANES = 4
"""Batches of one kind that are written side by side."""
REQUESTS_TOLD = 20
"""The most requests of a batch that a line names."""
BLOCKED_TRIES = 20
"""How often what somebody else holds is tried again, each as long as a lock is waited for."""


class Batcher(Generic[C, A]):
    """Carries out many callers' commands together, and answers each on its own.

    `settle` gets a batch in the order of arrival, and gives an answer or a Refusal for each. There is no
    timer: a lone command goes at once, and what arrives while a batch is under way makes the next.
    Commands with the same key, as `by` tells it, keep their order; others may go side by side. Where
    `settle` raises Blocked, it is tried again key by key, while the lane goes on with other keys.
    `report` hears of each that was settled.
    """

    def __init__(
        self,
        settle: Callable[[Sequence[C]], Awaitable[Sequence[A | Refusal]]],
        *,
        by: Callable[[C], Hashable],
        lanes: int = LANES,
        report: Report | None = None,
    ) -> None:
        self._by = by
        self._lanes = [_Lane(settle, report) for _ in range(lanes)]

    async def __call__(self, command: C) -> A:
        """The answer to one command. Raises its Refusal, or `OVERLOADED` where too many wait already."""
        key = self._by(command)
        return await self._lanes[hash(key) % len(self._lanes)].put(key, command)


class _Waiting(Generic[C, A]):
    """One caller's command."""

    __slots__ = ("answer", "came_at", "command", "context", "key")

    def __init__(self, key: Hashable, command: C) -> None:
        self.key = key
        self.command = command
        self.came_at = time.perf_counter()
        self.context = copy_context()
        self.answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()

    def settle(self, given: A | Exception) -> None:
        if self.answer.done():  # the caller has gone; what it asked for is done all the same
            return
        if isinstance(given, Exception):
            self.answer.set_exception(given)
        else:
            self.answer.set_result(given)


class _Requests:
    """Whose commands a batch carries out: told in the lines that come of it, and found out only then."""

    __slots__ = ("_batch",)

    def __init__(self, batch: Sequence[_Waiting[Any, Any]]) -> None:
        self._batch = batch

    def __repr__(self) -> str:
        told = [
            waiting.context.run(structlog.contextvars.get_contextvars).get("request_id")
            for waiting in self._batch[:REQUESTS_TOLD]
        ]
        return " ".join(str(each) for each in told if each is not None)


class _Apart(Generic[C, A]):
    """The commands of one key that somebody else held, and how often they have been tried since."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiting[C, A]] = deque()
        self.tries = 0


class _Lane(Generic[C, A]):
    """One queue: at most one batch of it is under way, and one more of a key that was set apart."""

    def __init__(
        self,
        settle: Callable[[Sequence[C]], Awaitable[Sequence[A | Refusal]]],
        report: Report | None,
    ) -> None:
        self._settle = settle
        self._report = report
        self._context = copy_context()  # a batch belongs to no single caller
        self._waiting: deque[_Waiting[C, A]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._apart: dict[Hashable, _Apart[C, A]] = {}
        self._trying: asyncio.Task[None] | None = None

    def put(self, key: Hashable, command: C) -> "asyncio.Future[A]":
        apart = self._apart.get(key)
        queue = self._waiting if apart is None else apart.waiting
        if len(queue) >= WAITING_COMMANDS:
            raise _overloaded("Too many commands are waiting.")
        waiting = _Waiting[C, A](key, command)
        queue.append(waiting)
        if self._running is None and apart is None:
            self._running = asyncio.create_task(self._run(), context=self._context.copy())
        return waiting.answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = _next(self._waiting)
                if not await self._carry_out(batch):
                    self._set_apart(batch)
        finally:
            self._running = None

    async def _carry_out(self, batch: Sequence[_Waiting[C, A]]) -> bool:
        """Settle a batch and answer its callers; False where somebody else holds what it needs."""
        given: Sequence[A | Exception]
        began = time.perf_counter()
        structlog.contextvars.bind_contextvars(requests=_Requests(batch))
        try:
            given = await self._settle([waiting.command for waiting in batch])
        except Blocked:
            return False
        except Exception as error:
            given = [error] * len(batch)
        if self._report is not None:
            took = time.perf_counter() - began
            self._report(len(batch), began - batch[0].came_at, took)
        for waiting, answer in zip(batch, given, strict=True):
            waiting.settle(answer)
        return True

    def _set_apart(self, batch: Sequence[_Waiting[C, A]]) -> None:
        """Which of the batch's keys is held is not known: each is tried by itself from now on."""
        for waiting in batch:
            self._apart.setdefault(waiting.key, _Apart()).waiting.append(waiting)
        others = deque[_Waiting[C, A]]()
        for waiting in self._waiting:
            apart = self._apart.get(waiting.key)
            (others if apart is None else apart.waiting).append(waiting)
        self._waiting = others
        if self._trying is None:
            self._trying = asyncio.create_task(self._try_apart(), context=self._context.copy())

    async def _try_apart(self) -> None:
        """Settle what was set apart, a key at a time; one that is still held goes to the end."""
        try:
            while self._apart:
                key, apart = next(iter(self._apart.items()))
                batch = _next(apart.waiting)
                if await self._carry_out(batch):
                    apart.tries = 0
                elif apart.tries + 1 < BLOCKED_TRIES:
                    apart.tries += 1
                    apart.waiting.extendleft(reversed(batch))
                    self._apart[key] = self._apart.pop(key)
                else:
                    for waiting in (*batch, *apart.waiting):
                        waiting.settle(_overloaded("Somebody else is changing this."))
                    apart.waiting.clear()
                if not apart.waiting:
                    del self._apart[key]
        finally:
            self._trying = None


def _next(queue: "deque[_Waiting[C, A]]") -> list[_Waiting[C, A]]:
    return [queue.popleft() for _ in range(min(len(queue), BATCH_COMMANDS))]


def _overloaded(why: str) -> Refusal:
    return Refusal("OVERLOADED", why, retry_after=1.0)
