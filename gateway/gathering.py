"""Gathering questions: while one is with the store, the next ones wait to be asked together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from handlers.operation import Refusal

Q = TypeVar("Q")
A = TypeVar("A")

ASKED_AT_ONCE = 500
"""Questions of one query."""
WAITING_QUESTIONS = 20_000
"""Questions of one kind that may wait; past it one is refused as `OVERLOADED`."""
SECONDS_A_QUESTION = 0.005
"""How long the next questions gather for each that was asked before: up to 200 a second go at once."""
LONGEST_PAUSE = 1.0
"""Seconds between the beginnings of two rounds of questions at the most."""


def pause_after(questions: int) -> float:
    """How many seconds to gather after so many questions were asked at once.

    A lone one pays nothing. When thousands come back at once, rounds grow until one is asked a second.
    """
    return min(questions * SECONDS_A_QUESTION, LONGEST_PAUSE)


class Gathering(Generic[Q, A]):
    """Asks `ask` for many at once; it gives an answer, or the Refusal to raise, for each in order."""

    def __init__(self, ask: Callable[[Sequence[Q]], Awaitable[Sequence[A | Refusal]]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._task: asyncio.Task[None] | None = None
        self._not_before = 0.0

    async def __call__(self, question: Q) -> A:
        """The answer, not older than this call. Raises what asking raises, or `OVERLOADED`."""
        if len(self._waiting) >= WAITING_QUESTIONS:
            raise Refusal("OVERLOADED", "Too many questions are waiting.", retry_after=1.0)
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        try:
            while self._waiting:
                if len(self._waiting) < ASKED_AT_ONCE:
                    await asyncio.sleep(max(self._not_before - now(), 0.0))
                some = self._waiting[:ASKED_AT_ONCE]
                del self._waiting[:ASKED_AT_ONCE]
                self._not_before = now() + pause_after(len(some))
                await self._answer(some)
        finally:
            self._task = None

    async def _answer(self, some: Sequence[tuple[Q, "asyncio.Future[A]"]]) -> None:
        answers: Sequence[A | Exception]
        try:
            answers = await self._ask([question for question, _ in some])
        except Exception as error:
            answers = [error] * len(some)
        for (_, waiting), answer in zip(some, answers, strict=True):
            if waiting.done():  # whoever asked has gone
                continue
            if isinstance(answer, Exception):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)
