"""Serves an application so that what never reaches it is answered by a problem too.

aiohttp answers in plain text where bytes are no HTTP, a head is too large, or an `Expect` is unknown: all before
any middleware.
"""

from typing import Any, cast
from uuid import uuid4

import structlog
from aiohttp import web
from aiohttp.http_exceptions import (
    ContentEncodingError,
    HttpProcessingError,
    InvalidURLError,
    LineTooLong,
)
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from gateway.dispatch import as_refusal
from gateway.http.problems import of_framework, problem
from gateway.refusals import STATUSES
from handlers.operation import Refusal

HEAD_LINE_BYTES = 8_190
"""Of the request line, and of each header."""
ANSWER_SECONDS = 60.0
"""Within which a client has to take an answer, however large."""
REASON_CHARACTERS = 100
"""Of what is told of a request that is no valid HTTP."""

_log = structlog.get_logger(__name__)


class Runner(web.AppRunner):
    """aiohttp's, with connections of ours."""

    def __init__(self, app: web.Application, **options: Any) -> None:
        super().__init__(
            app, max_line_size=HEAD_LINE_BYTES, max_field_size=HEAD_LINE_BYTES, **options
        )

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(
            server.request_handler, request_factory=server.request_factory, **server._kwargs
        )


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Connection(RequestHandler):
    """One client's connection: problems instead of aiohttp's own words."""

    __slots__ = ()

    async def _handle_request(
        self, request: BaseRequest, start_time: float | None, request_handler: Any
    ) -> tuple[web.StreamResponse, bool]:
        async def handle(request: BaseRequest) -> web.StreamResponse:
            try:
                return cast("web.StreamResponse", await request_handler(request))
            except web.HTTPRedirection:
                raise
            except web.HTTPException as error:
                response = _answer(of_framework(error), error.status)
                if error.keep_alive is False:
                    response.force_close()
                return response

        return await super()._handle_request(request, start_time, handle)

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer; a client that does not take it loses its connection."""
        late = self._loop.call_later(ANSWER_SECONDS, self._give_up)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            late.cancel()

    def _give_up(self) -> None:
        if self.transport is not None:
            self.transport.abort()  # whoever writes the answer hears of that

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request, or to a fault of ours outside the application."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun: there is no other any more")
        if status < 500:
            status, refusal = _refused(exc)
        else:
            refusal = as_refusal(exc if isinstance(exc, Exception) else RuntimeError(message))
        response = _answer(refusal, status)
        _log.info(
            "no request",
            status=status,
            details=refusal.details,
            request_id=response.headers["X-Request-Id"],
        )
        response.force_close()
        return response


def _refused(error: BaseException | None) -> tuple[int, Refusal]:
    """The status of what could not be read, and what was wrong with it."""
    if isinstance(error, LineTooLong):
        return 431, Refusal(
            "PAYLOAD_TOO_LARGE",
            f"The request line and each header may have {HEAD_LINE_BYTES} bytes.",
            max_bytes=HEAD_LINE_BYTES,
        )
    if isinstance(error, ContentEncodingError):
        return 415, Refusal("UNSUPPORTED_MEDIA_TYPE", "Send the body plain, in gzip or in deflate.")
    reason = "is not valid"
    if isinstance(error, InvalidURLError):
        reason = "has no valid target"
    elif isinstance(error, HttpProcessingError) and error.message:
        reason = error.message.split("\n", 1)[0].rstrip(":.")[:REASON_CHARACTERS]
    refusal = Refusal("VALIDATION_ERROR", "This is not a valid HTTP request.")
    refusal.details["request"] = reason
    return 400, refusal


def _answer(refusal: Refusal, status: int) -> web.Response:
    request_id = uuid4().hex
    response = problem(refusal, STATUSES, request_id, status=status)
    response.headers["X-Request-Id"] = request_id
    return response
