"""The Engine.IO server: engineio's, with what it lacks and where it strays from the protocol mended."""

import asyncio
import base64
import logging
import math
import random
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

import engineio  # type: ignore[import-untyped]
import msgspec
from aiohttp import hdrs, web
from engineio.async_drivers.aiohttp import (  # type: ignore[import-untyped]
    _async as aiohttp_driver,
)

from gateway.sockets.options import SocketOptions
from gateway.sockets.owner import Owner
from gateway.sockets.packets import SEPARATOR
from gateway.sockets.peer import client_address, is_allowed_origin
from gateway.sockets.session import Outbox, Session, Upper
from gateway.sockets.websocket import WebSocket, WebSocketDriver
from pubsub import Ask, Bucket, LocalLimiter

ANSWER_DEADLINE = 10.0
"""Seconds within which a client has to take the answer to a request."""

RETURN_SECONDS = 5.0
"""Over which those are spread at random who came when too many did: when to try again."""

log = logging.getLogger(__name__)


class _Open(msgspec.Struct, rename="camel"):
    sid: str
    upgrades: list[str]
    ping_interval: int
    ping_timeout: int
    max_payload: int


_encoder = msgspec.json.Encoder()


def new_id() -> str:
    """A fresh id: 20 url-safe characters, 120 random bits."""
    return base64.urlsafe_b64encode(secrets.token_bytes(15)).decode()


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]
    """Sessions and the requests that belong to them.

    `upper` makes the Socket.IO side of each new session, which belongs to `owner`: this worker.
    """

    sockets: dict[str, Session]

    def __init__(
        self, options: SocketOptions, upper: Callable[[Session], Upper], owner: Owner
    ) -> None:
        super().__init__(
            async_mode="aiohttp",
            ping_interval=options.ping_interval,
            ping_timeout=options.ping_timeout,
            max_http_buffer_size=options.max_payload,
            http_compression=False,
            cors_credentials=False,
            monitor_clients=False,
            logger=log,
        )
        # The table is the whole module's: ours must not reach anybody else's server.
        self._async: dict[str, Any] = {
            **aiohttp_driver,
            "translate_request": _environ,
            "make_response": _response,
            "websocket": WebSocketDriver,
        }
        self._options = options
        self._upper = upper
        self._owner = owner
        self._per_address: Counter[str] = Counter()
        self.over_websocket = 0
        """How many of the sessions have a WebSocket, as of now."""
        self.ended: Counter[str] = Counter(slow_consumer=0)
        """How many sessions have ended so far, by reason."""
        self._door = LocalLimiter()
        self.turned_away = 0
        """Handshakes that were too many at once."""
        self._draining = False
        self._websockets: set[WebSocket] = set()
        self._last_websocket = asyncio.Event()

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answer any request below the Socket.IO path."""
        query = request.query
        if request.method in ("GET", "POST"):
            if query.get("transport") not in ("polling", "websocket") or "j" in query:
                raise web.HTTPBadRequest(text="transport is polling or websocket, without JSONP")
        elif request.method != "OPTIONS":
            raise web.HTTPBadRequest(text="only GET, POST and OPTIONS")
        response: web.StreamResponse = await super().handle_request(request)
        if isinstance(response, web.Response) and not await _delivered(response, request):
            if (session := self.sockets.get(query.get("sid", ""))) is not None:
                session.end("transport error")
            if request.transport is not None:
                request.transport.abort()
        return response

    async def disconnect(self, sid: str | None = None) -> None:
        """End a session whose request was refused."""
        if sid is not None and (session := self.sockets.get(sid)) is not None:
            await session.close()

    def drain(self) -> None:
        """Begin no more sessions."""
        self._draining = True

    async def shutdown(self) -> None:
        """End all sessions, and begin no more; returns when every transport is gone."""
        self.drain()
        for session in list(self.sockets.values()):
            session.dismiss()
        if self._websockets:
            await self._last_websocket.wait()

    def _log_error_once(self, message: str, message_key: str) -> None:
        # What clients do wrong is no error of ours, and their words do not belong in our log.
        log.debug("request refused", extra={"because": message_key})

    def generate_id(self) -> str:
        return self._owner.new_sid()

    def create_queue(self, *args: Any, **kwargs: Any) -> Outbox:
        return Outbox()

    def websocket_opened(self, websocket: WebSocket) -> None:
        self._websockets.add(websocket)

    def websocket_lost(self, websocket: WebSocket) -> None:
        self._websockets.discard(websocket)
        if self._draining and not self._websockets:
            self._last_websocket.set()

    def forget(self, session: Session) -> None:
        """Let go of a session that is over."""
        if self.sockets.pop(session.sid, None) is session:
            self.over_websocket -= session.transport == "websocket"
            self._per_address[session.address] -= 1
            if not self._per_address[session.address]:
                del self._per_address[session.address]

    async def _handle_connect(
        self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None
    ) -> Any:
        request: web.Request = environ["aiohttp.request"]
        address = client_address(request, self._options.trusted_proxies)
        cap = self._options.address_cap
        if self._draining:
            refusal = web.HTTPServiceUnavailable(text="the server is shutting down")
            refusal.force_close()  # so that the client comes back to another one
            raise refusal
        if cap is not None and self._per_address[address] >= cap:
            raise web.HTTPTooManyRequests(text=f"at most {cap} connections from one address")
        self._admit()
        session = Session(self, self.generate_id(), address)
        session.upper = self._upper(session)
        self.sockets[session.sid] = session
        self._per_address[address] += 1
        packet = b"0" + _encoder.encode(
            _Open(
                session.sid,
                self._upgrades(session.sid, transport),
                round(self.ping_interval * 1000),
                round(self.ping_timeout * 1000),
                self.max_http_buffer_size,
            )
        )
        try:
            if transport == "websocket":
                response = await session.handle_get_request(environ)
                session.open(packet)
                return response
            session.connected = True
            session.open(packet)
            return self._ok(session.queue.drain())
        except BaseException:
            session.end("transport error", abort=True)
            raise

    def _admit(self) -> None:
        """Let one more in, or raise 503: all come back at once when a server has died."""
        most = self._options.connects_per_second
        if most is None:
            return
        (verdict,) = self._door.take([Ask(Bucket("door", most, max(round(most), 1)))])
        if not verdict.allowed:
            self.turned_away += 1
            seconds = verdict.retry_after + random.uniform(0, RETURN_SECONDS)  # noqa: S311
            raise web.HTTPServiceUnavailable(
                text="too many connect at once",
                headers={hdrs.RETRY_AFTER: str(max(math.ceil(seconds), 1))},
            )

    def _cors_allowed_origins(self, environ: dict[str, Any]) -> list[str]:
        request: web.Request = environ["aiohttp.request"]
        options = self._options
        origin = environ.get("HTTP_ORIGIN")
        if origin and is_allowed_origin(request, options.origins, options.trusted_proxies):
            return [origin]
        return []

    def _cors_headers(self, environ: dict[str, Any]) -> list[tuple[str, str]]:
        headers: list[tuple[str, str]] = super()._cors_headers(environ)
        return [*headers, ("Vary", "Origin")]

    def _ok(
        self,
        packets: list[bytes] | None = None,
        headers: list[tuple[str, str]] | None = None,
        jsonp_index: int | None = None,
    ) -> dict[str, Any]:
        return {
            "status": "200 OK",
            "headers": [("Content-Type", "text/plain; charset=UTF-8"), *(headers or ())],
            "response": b"ok" if packets is None else SEPARATOR.join(packets),
        }


async def _delivered(response: web.Response, request: web.Request) -> bool:
    try:
        async with asyncio.timeout(ANSWER_DEADLINE):
            await response.prepare(request)
            await response.write_eof()
    except (ConnectionError, TimeoutError):
        return False
    return True


def _environ(request: web.Request) -> dict[str, Any]:
    """What engineio looks at in a request, and the request itself."""
    environ = {
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string,
        "HTTP_CONNECTION": request.headers.get("Connection", ""),
        "HTTP_UPGRADE": request.headers.get("Upgrade", "").lower(),
        "aiohttp.request": request,
    }
    for variable, header in _OPTIONAL.items():
        if (value := request.headers.get(header)) is not None:
            environ[variable] = value
    return environ


_OPTIONAL = {
    "HTTP_ORIGIN": "Origin",
    "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "Access-Control-Request-Headers",
}


def _response(
    status: str, headers: list[tuple[str, str]], payload: bytes, environ: dict[str, Any]
) -> web.Response:
    return web.Response(status=int(status[:3]), headers=headers, body=payload)
