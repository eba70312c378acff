"""What holds for every HTTP request: its id, its address, who may read the answer, how errors look."""

import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

import structlog
from aiohttp import hdrs, web
from aiohttp.web_request import Request
from uuid_utils import uuid4

from gateway import logs
from gateway.dispatch import as_refusal
from gateway.http.problems import of_framework, problem
from gateway.http.quotas import ADMISSION, tell_quotas
from gateway.metrics.counts import DoneByName
from gateway.metrics.worker import READINGS_PATH
from gateway.refusals import STATUSES
from gateway.sockets.peer import Network, client_address, is_allowed_origin
from gateway.sockets.server import PATH as SOCKETS_PATH

Handler = Callable[[Request], Awaitable[web.StreamResponse]]

PREFLIGHT_SECONDS = 600
"""How long a browser may remember what another origin's page is allowed."""
STATUSES_HERE = web.RequestKey("statuses", Mapping[str, int])
"""Of a request: the status of each refusal, where its domain says otherwise than the general catalogue."""
OPERATION = web.RequestKey("operation", str)
"""Of a request: what it asks for, as the counts call it."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = frozenset({"/healthz", "/readyz", READINGS_PATH})
"""Asked again and again by machines: neither logged nor counted."""
_EXPOSED = ", ".join(
    (
        *("ETag", "Idempotency-Replayed", "Link", "RateLimit", "RateLimit-Policy", "Retry-After"),
        "X-Request-Id",
    )
)

_log = structlog.get_logger(__name__)


class Edge:
    """The middleware around REST, the page and health; sockets have rules of their own.

    `operations` are what requests are counted by.
    """

    def __init__(
        self,
        *,
        origins: Collection[str],
        trusted_proxies: Collection[Network],
        operations: Iterable[str] = (),
    ) -> None:
        self._origins = origins
        self._trusted = trusted_proxies
        self.requests = DoneByName(operations)

    def address(self, request: Request) -> str:
        """The client's IP address."""
        return client_address(request, self._trusted)

    def application(self) -> web.Application:
        """An application whose every request comes by here; sockets are none of its business."""

        @web.middleware
        async def around(request: Request, handler: Handler) -> web.StreamResponse:
            if request.path == SOCKETS_PATH:
                return await handler(request)
            return await self._around(request, handler)

        return web.Application(middlewares=[around])

    async def _around(self, request: Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        started = time.perf_counter()
        bound = logs.request_id.set(request_id)
        try:
            response = await self._answer(request, handler, request_id)
            response.headers["X-Request-Id"] = request_id
            if (admission := request.get(ADMISSION)) is not None:
                tell_quotas(admission, response.headers)
            self._allow_origin(request, response)
            if request.content.exception() is not None:  # nothing can be read after a broken body
                response.force_close()
            if request.path not in _QUIET:
                seconds = time.perf_counter() - started
                done = self.requests[request.get(OPERATION, DoneByName.OTHER)]
                done.otherwise(str(response.status), seconds)
                _log.info(
                    "request",
                    method=request.method,
                    path=request.path,
                    status=response.status,
                    milliseconds=round(seconds * 1000, 2),
                )
            return response
        finally:
            logs.request_id.reset(bound)

    async def _answer(
        self, request: Request, handler: Handler, request_id: str
    ) -> web.StreamResponse:
        if (
            request.method == hdrs.METH_OPTIONS
            and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        ):
            return web.Response(status=204)
        headers: dict[str, str] = {}
        status = None
        try:
            return await handler(request)
        except web.HTTPRedirection:
            raise
        except web.HTTPException as error:
            refusal, status = of_framework(error), error.status
            headers = {name: value for name, value in error.headers.items() if name == hdrs.ALLOW}
        except Exception as error:
            refusal = as_refusal(error)
        statuses = request.get(STATUSES_HERE, STATUSES)
        return problem(refusal, statuses, request_id, headers, status=status)

    def _allow_origin(self, request: Request, response: web.StreamResponse) -> None:
        """CORS: the one allow-list, the same as the sockets'."""
        origin = request.headers.get(hdrs.ORIGIN)
        varies = response.headers.get(hdrs.VARY)
        response.headers[hdrs.VARY] = f"{varies}, Origin" if varies else "Origin"
        if origin is None or not is_allowed_origin(request, self._origins, self._trusted):
            return
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
        if request.method == hdrs.METH_OPTIONS:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = "GET, POST, PUT, DELETE"
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = (
                "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id"
            )
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(PREFLIGHT_SECONDS)
