"""The operator's port: one for the machine, whichever workers there are.

Health, the metrics, and a page that shows them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TypeVar

import aiohttp
import msgspec
from aiohttp import hdrs, web
from aiohttp.web_request import Request

from gateway.http.health import ANSWER_SECONDS, HealthRoutes, Readiness
from gateway.http.site import OperatorSite
from gateway.launcher.ports import check_free
from gateway.launcher.slot import Slot
from gateway.launcher.worker import Worker
from gateway.metrics import catalogue
from gateway.metrics.exposition import exposition
from gateway.metrics.readings import Ledger, Reading, reading
from gateway.metrics.readings import decode as _readings
from gateway.metrics.worker import READINGS_PATH

T = TypeVar("T")

_readiness = msgspec.json.Decoder(Readiness).decode

PATIENCE = aiohttp.ClientTimeout(total=ANSWER_SECONDS + 1.0)
"""Within which a worker has to answer, or it counts as away."""


class MachineReadiness(Readiness):
    """What every worker needs, and how many of the machine's workers there are."""

    workers: int
    workers_ready: int


class Admin(HealthRoutes):
    """Answers for the workers of all slots; each is asked over its private socket."""

    def __init__(self, slots: Sequence[Slot], node: str) -> None:
        super().__init__()
        self._slots = slots
        self._node = node
        self._ledger = Ledger()
        self._asking = asyncio.Lock()

    @asynccontextmanager
    async def serving(self, host: str, port: int) -> AsyncIterator[int]:
        """Answer at this port; the one that it got. Raises CannotStart."""
        check_free(host, port)
        app = web.Application()
        self.attach(app)
        app.router.add_get("/metrics", self._metrics)
        OperatorSite().attach(app)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    async def readiness(self) -> MachineReadiness:
        """What the machine needs, as of now. It is ready when all its workers are."""
        answers = await asyncio.gather(*map(_readiness_of, self._slots))
        told = [answer for answer in answers if answer is not None]
        up = [each for each in told if each.status != "unavailable"]
        status = "ready" if all(each.redis for each in told) else "degraded"
        if len(up) < len(self._slots) or self._draining:
            status = "unavailable"
        return MachineReadiness(
            status,
            database=bool(told) and all(each.database for each in told),
            redis=bool(told) and all(each.redis for each in told),
            schema=bool(told) and all(each.schema for each in told),
            draining=self._draining,
            workers=len(self._slots),
            workers_ready=len(up),
        )

    async def readings(self) -> list[Reading]:
        """What the machine's workers have counted, added up, as of now."""
        async with self._asking:  # so that an older answer never comes after a newer one
            return await self._ask_all()

    async def _ask_all(self) -> list[Reading]:
        workers = [worker for slot in self._slots for worker in slot.workers]
        answers = await asyncio.gather(
            *(_ask(worker, READINGS_PATH, _readings) for worker in workers)
        )
        heard = set()
        for worker, told in zip(workers, answers, strict=True):
            if told is not None:
                heard.add(worker)
                self._ledger.told(worker, told)
        # One that does not answer just now is not gone.
        self._ledger.retain({worker for slot in self._slots for worker in slot.workers} | heard)
        return [*self._ledger.total(heard), *self._of_the_machine()]

    def _of_the_machine(self) -> Iterator[Reading]:
        yield reading(catalogue.WORKERS, len(self._slots))
        ready = sum(slot.worker is not None for slot in self._slots)
        yield reading(catalogue.WORKERS_READY, ready)
        yield reading(catalogue.WORKER_DEATHS, sum(slot.deaths for slot in self._slots))
        yield reading(catalogue.BUILD_INFO, 1, version("vernissage"), self._node)

    async def _metrics(self, request: Request) -> web.Response:
        accept = request.headers.get(hdrs.ACCEPT, "")
        body, content_type = exposition(await self.readings(), accept)
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})


async def _readiness_of(slot: Slot) -> Readiness | None:
    """What the slot's worker says of itself; None if there is none that answers."""
    while (worker := slot.worker) is not None:
        told = await _ask(worker, "/readyz", _readiness)
        if slot.worker is worker:
            return told
    return None


async def _ask(worker: Worker, path: str, decode: Callable[[bytes], T]) -> T | None:
    """What a worker answers there; None if it does not."""
    connector = aiohttp.UnixConnector(str(worker.http_socket))
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as http,
            http.get(f"http://worker{path}") as answer,
        ):
            return decode(await answer.read())
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
        return None
