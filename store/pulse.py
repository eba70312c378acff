"""Whether PostgreSQL answers, felt on a connection of its own.

A server that was stopped, or a network that swallows packets, keeps every connection open and answers on none. Whoever
waits there waits for a long deadline, since a statement may rightly take a while; a short question tells sooner.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog

BEAT_SECONDS = 0.5
"""Between two questions."""
ANSWER_SECONDS = 1.5
"""Within which a question has to be answered; or, meanwhile, a statement of anybody's."""
CONNECT_SECONDS = 60.0
"""For a connection of its own: whoever asks has a shorter deadline, but for as long as others are answered."""
LATE_SECONDS = 0.05
"""For which an answer is waited for that may have come while this process was held up."""

GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,  # the server has ended this connection, and its end has not come yet
)
"""What asking raises where nobody is there; anything else is an answer."""

_log = structlog.get_logger(__name__)


class Pulse:
    """Asks again and again. `answered_at` tells when anybody's statement was answered last (monotonic).

    `server` is its name in the log. `when_lost` is called once nobody answers any more; `lost` says so
    until somebody does.
    """

    def __init__(
        self,
        url: str,
        *,
        server: str,
        answered_at: Callable[[], float],
        when_lost: Callable[[], Awaitable[None]],
    ) -> None:
        self._url = url
        self._log = _log.bind(server=server)
        self._answered_at = answered_at
        self._when_lost = when_lost
        self._connection: Any = None
        self.lost = False

    async def keep(self) -> None:
        """Feel it for as long as the task lives."""
        try:
            while True:
                answers = await self._beat()
                if self.lost and answers:
                    self._log.info("the database answers again")
                    self.lost = False
                elif not self.lost and not answers:
                    self._log.warning("the database does not answer")
                    self.lost = True
                    await self._when_lost()
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            self._let_go()

    async def _beat(self) -> bool:
        """Whether somebody answers."""
        asking = asyncio.create_task(self._ask())
        try:
            while True:
                begun = time.monotonic()
                await asyncio.wait({asking}, timeout=ANSWER_SECONDS)
                if not asking.done():
                    await asyncio.wait({asking}, timeout=LATE_SECONDS)
                if asking.done():
                    return asking.result()
                if self._answered_at() < begun:
                    return False
        finally:
            if not asking.done():
                asking.cancel()
                self._let_go()  # or giving up would wait for the server, too
                await asyncio.wait({asking})

    async def _ask(self) -> bool:
        # A session that an operator has just ended, maybe as it began, is no word of the server: a second one is.
        return await self._is_answered() or await self._is_answered()

    async def _is_answered(self) -> bool:
        try:
            if self._connection is None:
                self._connection = await asyncpg.connect(
                    self._url,
                    timeout=CONNECT_SECONDS,
                    statement_cache_size=0,  # a pooler may answer each question by another session
                    server_settings={"application_name": "vernissage pulse"},
                )
            await self._connection.fetchval("select 1")
        except GONE:
            self._let_go()
            return False
        except asyncpg.PostgresError:  # such as: too many connections
            self._let_go()
        return True

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
