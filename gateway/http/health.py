"""Whether this node lives, and whether it should get traffic."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from aiohttp import web
from aiohttp.web_request import Request

from handlers.operation import Refusal

ANSWER_SECONDS = 2.0
"""Within which the database has to answer, or it counts as away."""


class BusState(Protocol):
    @property
    def connected(self) -> bool: ...


class Readiness(msgspec.Struct):
    """`status` is `ready`, `degraded` (Redis is away, the gallery stays live) or `unavailable`."""

    status: str
    database: bool
    redis: bool
    schema: bool
    draining: bool


class HealthRoutes(ABC):
    """Answers `/healthz` and `/readyz` for whatever says what it needs."""

    def __init__(self) -> None:
        self._draining = False

    def attach(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/healthz", self._alive)
        app.router.add_get("/readyz", self._ready)

    def drain(self) -> None:
        """From now on there should be no traffic here: this is about to stop."""
        self._draining = True

    @abstractmethod
    async def readiness(self) -> Readiness:
        """What is needed, as of now."""

    async def _alive(self, request: Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _ready(self, request: Request) -> web.Response:
        readiness = await self.readiness()
        return web.Response(
            status=503 if readiness.status == "unavailable" else 200,
            body=msgspec.json.encode(readiness),
            content_type="application/json",
        )


class Health(HealthRoutes):
    """What this node needs.

    `schema_fits` says whether this code can work with the database's schema; it raises Refusal where
    the database cannot be reached.
    """

    def __init__(self, bus: BusState, schema_fits: Callable[[], Awaitable[bool]]) -> None:
        super().__init__()
        self._bus = bus
        self._schema_fits = schema_fits
        self._asking: asyncio.Task[tuple[bool, bool]] | None = None

    async def readiness(self) -> Readiness:
        """What the node needs, as of now."""
        # One question at a time, not cancelled: a driver takes its time to give up what does not answer.
        asking = self._asking = self._asking or asyncio.create_task(self._ask())
        await asyncio.wait({asking}, timeout=ANSWER_SECONDS)
        database, schema = asking.result() if asking.done() else (False, False)
        redis = self._bus.connected
        status = "ready" if redis else "degraded"
        if not database or not schema or self._draining:
            status = "unavailable"
        return Readiness(status, database, redis, schema, self._draining)

    async def _ask(self) -> tuple[bool, bool]:
        """Whether the database can be reached, and whether its schema fits."""
        try:
            return True, await self._schema_fits()
        except Refusal:
            return False, False
        finally:
            self._asking = None
