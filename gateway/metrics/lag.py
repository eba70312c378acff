"""How late the event loop comes to what is due: what everybody on it waits, whatever they wait for."""

import asyncio
import time

from gateway.metrics.catalogue import LAGS
from gateway.metrics.counts import Spread

LOOK_SECONDS = 0.1
"""Between two looks at how late the loop is."""


class LoopLag:
    """Seconds of lag, looked at ten times a second."""

    def __init__(self) -> None:
        self.seconds = Spread(LAGS)

    async def keep(self) -> None:
        """Look, for as long as the task lives."""
        while True:
            due = time.perf_counter() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self.seconds.add(max(time.perf_counter() - due, 0.0))
