"""How those stand who follow the journal, looked at now and then, for the metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from handlers.operation import Refusal

WATCH_SECONDS = 5.0
"""Between two looks, by one worker of each machine."""

_log = structlog.get_logger(__name__)


class Watch:
    """What was found at the last look; nothing where the database is away."""

    def __init__(
        self,
        consumers: Callable[[], Awaitable[Sequence[Any]]],
        held_up: Callable[[], Awaitable[float]],
        endpoints: Callable[[], Awaitable[Sequence[Any]]],
    ) -> None:
        self._look = (consumers, held_up, endpoints)
        self.consumers: Sequence[Any] = ()
        """The store's Consumers."""
        self.endpoints: Sequence[Any] = ()
        """The store's endpoints of webhooks, as listed."""
        self.held_up: float | None = None
        """For how many seconds an open transaction holds all of them up."""

    async def keep(self) -> None:
        """Look, for as long as the task lives."""
        consumers, held_up, endpoints = self._look
        while True:
            try:
                self.consumers, self.held_up, self.endpoints = (
                    await consumers(),
                    await held_up(),
                    await endpoints(),
                )
            except Refusal as refusal:
                _log.warning("consumers not looked at", code=refusal.code)
                self.consumers, self.held_up, self.endpoints = (), None, ()
            await asyncio.sleep(WATCH_SECONDS)
