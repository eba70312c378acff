"""What happens to TCP connections behind aiohttp's back: they are taken away from it, or watched."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web


def take(request: web.BaseRequest) -> tuple[asyncio.Transport, bytes]:
    """The connection of a request, which aiohttp lets go of, and what has come behind the request.

    The handler has to answer `Taken`.

    Raises `web.HTTPBadRequest` if the client has gone meanwhile; then aiohttp still has the connection.
    """
    handler = request.protocol
    transport = handler.transport
    if transport is None or transport.is_closing():
        raise web.HTTPBadRequest(text="the client has gone")
    early, handler._message_tail = handler._message_tail, b""
    handler.transport = None  # so that aiohttp, told that its connection is over, lets it live
    handler.connection_lost(None)
    return transport, early


class Taken(web.StreamResponse):
    """What a handler answers whose connection has been taken: nothing is to be written."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> None:
        self._eof_sent = True

    async def write_eof(self, data: bytes = b"") -> None:
        pass


class Watch(asyncio.Protocol):
    """Stands before a connection's protocol while a request waits, to notice a client that leaves."""

    def __init__(self, protocol: asyncio.BaseProtocol, lost: Callable[[], None]) -> None:
        self._protocol: Any = protocol
        self._lost = lost

    def data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        eof: bool | None = self._protocol.eof_received()
        return eof

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()
        self._protocol.connection_lost(exc)
