"""A limiter whose time stands still."""

from collections.abc import Sequence

from pubsub import Ask, LocalLimiter, Verdict, Window


class Counting:
    """Counts in this process, and remembers what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []
        self._limiter = LocalLimiter(clock=lambda: 0.0)

    async def take(self, asks: Sequence[Ask]) -> list[Verdict]:
        self.asked += asks
        return self._limiter.take(asks)

    async def give_back(self, windows: Sequence[Window]) -> None:
        self._limiter.give_back(windows)

    async def renew(self, windows: Sequence[Window]) -> None:
        self._limiter.renew(windows)
