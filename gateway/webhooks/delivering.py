"""Workers tell endpoints what happens: each endpoint is one worker's at a time, each topic in order."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import structlog

from gateway.metrics.counts import Spread
from gateway.webhooks.retrying import DISABLED_AFTER, again_after, counts, pause_after
from gateway.webhooks.retrying import PAUSE_AFTER as FAILS
from gateway.webhooks.sending import Answer, Outcome, Sender
from gateway.webhooks.signing import Seal
from handlers.operation import Refusal
from pubsub import ended

LOOK_SECONDS = 2.0
"""Between two looks for endpoints that nobody tells anything."""
CLAIM_SECONDS = 0.2
"""After one was found, so that other workers find some, too."""
IDLE_SECONDS = 0.5
"""Between two looks for what an endpoint is to be told, where nothing was found."""
TOPICS_AT_ONCE = 16
"""Requests that are under way to one endpoint."""
IN_A_ROW = 50
"""Messages of one topic, before others get their turn."""
ROW_SECONDS = 2.0
"""After which no further message of a topic is begun, before others get their turn."""
PAUSED_SECONDS = 5.0
"""The longest time between two looks at an endpoint that is let alone: somebody may enable it anew."""

_log = structlog.get_logger(__name__)


class Hold(Protocol):
    """An endpoint that is this worker's for a while: store.webhooks.Hold."""

    @property
    def lost(self) -> bool: ...
    async def endpoint(self) -> Any: ...
    async def take_in(self, endpoint: Any) -> tuple[bool, str | None]: ...
    async def due(self, topics: int, each: int) -> Sequence[Sequence[Any]]: ...
    async def settle(self, delivered: Sequence[Any], failed: Sequence[Any]) -> None: ...
    async def note_health(self, failures: int, pause: timedelta) -> None: ...
    async def disable(self, because: str) -> None: ...
    async def keep(self) -> None: ...
    async def release(self) -> None: ...


class Holds(Protocol):
    """Gives endpoints to workers."""

    async def free(self) -> Sequence[UUID]: ...
    async def hold(self, endpoint: UUID) -> Hold | None: ...


Failed = Callable[[str, int, int, timedelta | None, str], Any]
"""Makes what `settle` takes: topic, seq, attempts, when again, and why."""


class DeliveryCounts:
    """What a worker has told endpoints since it began."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.seconds = Spread()
        """From a request to its answer."""
        self.disabled = 0


class Deliveries:
    """Tells the endpoints that this worker gets hold of."""

    def __init__(self, holds: Holds, failed: Failed, sender: Sender, seal: Seal) -> None:
        self._holds = holds
        self._failed = failed
        self._sender = sender
        self._seal = seal
        self._serving: dict[UUID, asyncio.Task[None]] = {}
        self.counts = DeliveryCounts()

    async def keep(self) -> None:
        """Look for endpoints and serve them, for as long as the task lives."""
        try:
            while True:
                found = False
                try:
                    found = await self._take_one()
                except Refusal as refusal:
                    _log.warning("webhooks wait for the database", code=refusal.code)
                pause = CLAIM_SECONDS if found else LOOK_SECONDS
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        finally:
            await asyncio.gather(*map(ended, [*self._serving.values()]))

    async def _take_one(self) -> bool:
        for endpoint in await self._holds.free():
            if endpoint in self._serving:  # it has just been let go
                continue
            if (hold := await self._holds.hold(endpoint)) is not None:
                self._serving[endpoint] = asyncio.create_task(self._serve(endpoint, hold))
                return True
        return False

    async def _serve(self, endpoint: UUID, hold: Hold) -> None:
        keeping = asyncio.create_task(hold.keep())
        try:
            while not hold.lost:
                try:
                    pause = await self._round(hold)
                except Refusal as refusal:
                    _log.warning("webhooks wait for the database", code=refusal.code)
                    pause = LOOK_SECONDS
                if pause is None:
                    return
                await asyncio.sleep(pause)
        except Exception:
            _log.exception("webhook failed", endpoint=str(endpoint))
            await asyncio.sleep(LOOK_SECONDS)
        finally:
            with suppress(asyncio.CancelledError):
                await ended(keeping)
            await hold.release()
            self._serving.pop(endpoint, None)

    async def _round(self, hold: Hold) -> float | None:
        """Take in, tell, and note what came of it; how many seconds to wait then, None where it is over."""
        endpoint = await hold.endpoint()
        if endpoint is None or endpoint.disabled:
            return None
        if endpoint.paused_seconds > 0:
            return min(float(endpoint.paused_seconds), PAUSED_SECONDS)
        try:
            secrets = [
                self._seal.open(sealed, endpoint.id)
                for sealed in (endpoint.secret, endpoint.former_secret)
                if sealed is not None
            ]
        except ValueError:
            await self._disable(
                hold,
                endpoint,
                "its secret was sealed by another VERNISSAGE_WEBHOOK_KEY: `vernissage webhooks rotate`",
            )
            return None
        more, stopped = await hold.take_in(endpoint)
        if stopped is not None:
            await self._disable(hold, endpoint, stopped)
            return None
        trying = endpoint.failures >= FAILS
        topics = await hold.due(1 if trying else TOPICS_AT_ONCE, 1 if trying else IN_A_ROW)
        if not topics:
            return 0.0 if more else IDLE_SECONDS
        told = await asyncio.gather(
            *(self._tell(endpoint, secrets, messages) for messages in topics)
        )
        await hold.settle(
            [message for row in told for message in row.delivered],
            [message for row in told for message in row.failed],
        )
        await self._note_health(hold, endpoint, told)
        return 0.0

    async def _tell(self, endpoint: Any, secrets: Sequence[str], messages: Sequence[Any]) -> "_Row":
        """Tell an endpoint of one topic's messages in order, up to the first that it does not take."""
        row = _Row()
        began = time.monotonic()
        for message in messages:
            if message.entry is None:
                why = "the journal holds it no longer"
                self.counts.outcomes["dead"] += 1
                row.failed.append(
                    self._failed(message.topic, message.seq, message.attempts, None, why)
                )
                continue
            asked = time.perf_counter()
            answer = await self._sender.send(endpoint.url, secrets, message.entry)
            self.counts.seconds.add(time.perf_counter() - asked)
            if answer.outcome is Outcome.TAKEN:
                self.counts.outcomes["delivered"] += 1
                row.delivered.append(message)
            else:
                row.answer = answer
                row.failed.append(self._not_taken(endpoint, message, answer))
                break
            if time.monotonic() - began > ROW_SECONDS:
                break
        return row

    def _not_taken(self, endpoint: Any, message: Any, answer: Answer) -> Any:
        own = counts(answer, endpoint.failures)
        attempts = message.attempts + own
        again = again_after(attempts, answer) if own else timedelta(0)
        self.counts.outcomes["failed" if again is not None else "dead"] += 1
        if again is None:
            _log.warning(
                "webhook message is dead",
                endpoint=str(endpoint.id),
                topic=message.topic,
                seq=message.seq,
                why=answer.why,
            )
        return self._failed(message.topic, message.seq, attempts, again, answer.why)

    async def _note_health(self, hold: Hold, endpoint: Any, told: Sequence["_Row"]) -> None:
        answers = [row.answer for row in told if row.answer is not None]
        if any(answer.outcome is Outcome.GONE for answer in answers):
            await self._disable(hold, endpoint, answers[0].why)
        elif any(row.delivered for row in told):
            asked = max((answer.retry_after or 0.0 for answer in answers), default=0.0)
            if endpoint.failures or endpoint.failing_since is not None or asked:
                await hold.note_health(0, timedelta(seconds=asked))
        elif answers:
            if (endpoint.failing_for or timedelta(0)) >= DISABLED_AFTER:
                days = DISABLED_AFTER.days
                await self._disable(hold, endpoint, f"it failed for {days} days: {answers[0].why}")
                return
            failures = endpoint.failures + 1
            asked = max(answer.retry_after or 0.0 for answer in answers)
            await hold.note_health(failures, pause_after(failures, asked))

    async def _disable(self, hold: Hold, endpoint: Any, because: str) -> None:
        self.counts.disabled += 1
        _log.error("webhook endpoint disabled", endpoint=str(endpoint.id), why=because)
        await hold.disable(because)


class _Row:
    """What became of one topic's messages."""

    def __init__(self) -> None:
        self.delivered: list[Any] = []
        self.failed: list[Any] = []
        self.answer: Answer | None = None
        """The one that was not right, if there was one."""
