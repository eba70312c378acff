"""An endpoint that is this process's for a while: nobody else tells it anything meanwhile."""

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from store.consumers import Consumers, Stopped, TakenOver
from store.consumers.positions import Claim
from store.database import Database
from store.refusal import Refusal
from store.webhooks.endpoints import Endpoint, Webhooks, consumer_of
from store.webhooks.messages import Due, Failed, Messages

LEASE = timedelta(seconds=30)
"""For which an endpoint stays with a process that says nothing."""
TAKEN_IN_AT_ONCE = 500
"""Entries that are looked at together."""
WAITING_MOST = 10_000
"""Messages that wait for one endpoint; then nothing more is taken in, and its consumer lags."""


class Hold:
    """See `hold`. Once it is `lost`, another process has the endpoint."""

    def __init__(self, database: Database, endpoint: UUID, claim: Claim) -> None:
        self._id = endpoint
        self._claim = claim
        self._position = claim.position
        self._epoch = claim.epoch
        self._moving = asyncio.Lock()  # or a renewal under way could set the position back
        self._consumers = Consumers(database)
        self._webhooks = Webhooks(database)
        self._messages = Messages(database)
        self.lost = False

    async def endpoint(self) -> Endpoint | None:
        """The endpoint, as of now."""
        return await self._webhooks.find(self._id)

    async def take_in(self, endpoint: Endpoint) -> tuple[bool, str | None]:
        """Queue what the journal has for it next; whether there may be more at once, and why it cannot go on."""
        if await self._messages.waiting(self._id, WAITING_MOST) >= WAITING_MOST:
            return False, None
        async with self._moving:
            try:
                reading = await self._consumers.read(
                    self._claim, self._position, TAKEN_IN_AT_ONCE, endpoint.wanted, over_epochs=True
                )
                if reading.entries:
                    await self._messages.take_in(self._id, self._claim, reading)
            except TakenOver:
                self.lost = True
                return False, None
            except Stopped as stopped:
                return False, str(stopped)
            self._position, self._epoch = reading.position, reading.epoch
        return reading.more, None

    async def due(self, topics: int, each: int) -> list[list[Due]]:
        """What it may be told now: of so many topics at most, so many messages of each, in order."""
        return await self._messages.due(self._id, topics, each)

    async def settle(self, delivered: Sequence[Due], failed: Sequence[Failed]) -> None:
        """Forget what was taken, and note what was not."""
        try:
            await self._messages.settle(self._id, self._claim, delivered, failed)
        except TakenOver:
            self.lost = True

    async def note_health(self, failures: int, pause: timedelta) -> None:
        """It has taken nothing for so many rounds, and is to be let alone for a while."""
        await self._webhooks.note_health(self._id, failures, pause)

    async def disable(self, because: str) -> None:
        """It is told nothing any more."""
        await self._webhooks.disable(self._id, because)

    async def keep(self) -> None:
        """Keep it, for as long as the task lives, or until it is lost."""
        while not self.lost:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            with suppress(Refusal):  # the lease lasts for two more tries
                async with self._moving:
                    try:
                        await self._consumers.move(self._claim, self._position, self._epoch, 0)
                    except TakenOver:
                        self.lost = True

    async def release(self) -> None:
        """Let another process have it at once."""
        with suppress(Refusal):  # the lease ends by itself
            await self._consumers.release(self._claim)


class Holds:
    """Gives endpoints to processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._webhooks = Webhooks(database)
        self._consumers = Consumers(database)

    async def free(self) -> list[UUID]:
        """The endpoints that nobody tells anything just now, and that are to be told."""
        return await self._webhooks.free()

    async def hold(self, endpoint: UUID) -> Hold | None:
        """Have an endpoint from now on; None where another process was faster. Raises Refusal."""
        held_by = f"{socket.gethostname()}:{os.getpid()}"
        try:
            claim = await self._consumers.claim(consumer_of(endpoint), LEASE, held_by, begin=None)
        except LookupError:
            return None
        except Stopped as stopped:
            await self._webhooks.disable(endpoint, str(stopped))
            return None
        return Hold(self._database, endpoint, claim) if isinstance(claim, Claim) else None
