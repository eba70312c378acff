"""WebSocket (RFC 6455) as the gateway speaks it: text only, no extensions, one write per frame.

The opening handshake arrives as an aiohttp request; from then on the TCP connection belongs to a
protocol of ours, and aiohttp's handler, its task and its buffers are gone. So an idle connection costs a
few small objects, a message in costs no task, and a message out is one `transport.write`.
"""

import asyncio
import base64
import binascii
import hashlib
import os
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import hdrs, web
from aiohttp._websocket.helpers import websocket_mask

from gateway.sockets.frame import Frame
from gateway.sockets.taking import Taken, take

WRITE_BUFFER_BYTES = 512 * 1024
"""Bytes that may wait for a client that does not read; past it the connection is a slow consumer."""

STALL_DEADLINE = 6.0
"""Seconds for which a client may keep more than the transport's high-water mark waiting."""

CLOSE_DEADLINE = 1.0
"""Seconds within which the closing handshake has to be over."""

NORMAL, GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED, TOO_BIG = 1000, 1001, 1002, 1003, 1009
"""Close codes (RFC 6455, 7.4.1)."""

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
_CONTINUATION, _BINARY = 0x0, 0x2
_FINAL, _RESERVED, _OPCODE, _CONTROL = 0x80, 0x70, 0x0F, 0x08
_FINAL_TEXT = _FINAL | TEXT
_MASKED = 0x80

_ACCEPT_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
)

_received = memoryview(bytearray(64 * 1024))
"""Where every connection reads into: what came in is taken out before the next one reads."""


class WebSocketError(Exception):
    """The peer broke the protocol; `code` is the close code that tells it so."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class MessageReader:
    """Turns bytes from a client into whole messages and control frames, at most `limit` bytes each."""

    __slots__ = ("_at", "_data", "_fragments", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = b""
        self._at = 0
        self._fragments: bytearray | None = None

    def feed(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0

    def next(self) -> tuple[int, bytes] | None:
        """The next opcode and payload, or None until more is fed; raises WebSocketError."""
        while self._data and (frame := self._next_frame()) is not None:
            opcode, payload = frame
            if opcode == _FINAL_TEXT:
                return TEXT, payload
            if opcode & _CONTROL:
                return opcode & _OPCODE, payload
            if self._fragments is None:
                self._fragments = bytearray()
            self._fragments += payload
            if opcode & _FINAL:
                message, self._fragments = bytes(self._fragments), None
                return TEXT, message
        return None

    def _next_frame(self) -> tuple[int, bytes] | None:
        """The next frame's first byte and its payload."""
        data, at = self._data, self._at
        size = len(data) - at
        if size < 6:
            return None
        first, second = data[at], data[at + 1]
        if second < _MASKED:
            raise WebSocketError(PROTOCOL_ERROR, "a client masks its frames")
        length, body = second & 0x7F, at + 6
        if length == 126:
            body += 2
            length = int.from_bytes(data[at + 2 : at + 4], "big")
        elif length == 127:
            if size < 14:
                return None
            body += 8
            length = int.from_bytes(data[at + 2 : at + 10], "big")
        if first != _FINAL_TEXT or self._fragments is not None or length > self._limit:
            self._check(first, length)
        end = body + length
        if len(data) < end:
            return None
        payload = bytearray(data[body:end])
        websocket_mask(data[body - 4 : body], payload)
        if end == len(data):
            self._data = b""
        else:
            self._at = end
        return first, bytes(payload)

    def _check(self, first: int, length: int) -> None:
        """Whether a frame with this first byte and of this length may come now."""
        opcode, fragments = first & _OPCODE, self._fragments
        if first & _RESERVED:
            raise WebSocketError(PROTOCOL_ERROR, "reserved bits are set")
        if opcode & _CONTROL:
            if opcode > PONG or not first & _FINAL or length > 125:
                raise WebSocketError(PROTOCOL_ERROR, "not a control frame")
        elif opcode == _BINARY:
            raise WebSocketError(UNSUPPORTED, "only text is spoken here")
        elif opcode > _BINARY or (opcode == _CONTINUATION) is (fragments is None):
            raise WebSocketError(PROTOCOL_ERROR, "a fragment out of place")
        elif length + len(fragments or b"") > self._limit:
            raise WebSocketError(TOO_BIG, f"a message has at most {self._limit} bytes")


class Listener(Protocol):
    """Whoever a WebSocket belongs to. Nothing is called after `lost`."""

    def received(self, message: bytes) -> None: ...

    def overflowed(self) -> None:
        """The peer does not read: more waits for it than the bound, or for longer than the deadline."""
        ...

    def broken(self, error: WebSocketError) -> None:
        """The peer broke the protocol."""
        ...

    def lost(self) -> None:
        """The TCP connection is gone."""
        ...


class WebSocket(asyncio.BufferedProtocol):
    """The server's end of one WebSocket, owner of its TCP transport."""

    __slots__ = (
        "_congested",
        "_deadline",
        "_deaf",
        "_descriptor",
        "_host",
        "_loop",
        "_open",
        "_paused",
        "_reader",
        "_transport",
        "listener",
    )

    def __init__(self, transport: asyncio.Transport, host: "Host", listener: Listener) -> None:
        self.listener = listener
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._descriptor: int = transport.get_extra_info("socket").fileno()
        self._host = host
        self._reader = MessageReader(host.max_http_buffer_size)
        self._open = True  # until either side begins to close
        self._deaf = False  # once nothing that still comes in matters
        self._paused = False
        self._congested = False
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def congested(self) -> bool:
        """Whether the peer reads more slowly than it is written to."""
        return self._congested

    def write(self, frame: bytes) -> None:
        """Write one whole frame; nothing happens once the connection is closing."""
        if self._open:
            self._transport.write(frame)
            if self._congested and self._transport.get_write_buffer_size() > WRITE_BUFFER_BYTES:
                self.listener.overflowed()

    def offer(self, frame: Frame) -> bool:
        """Write at once what many get, unless the peer is congested; whether it is not.

        A loop may put off what its transports write to the end of the pass. That is good for answers to one
        client; but a room is served in slices, and at a pace that takes after what writing costs.
        """
        if self._congested:
            return False
        if self._open:
            data, written = frame.websocket, 0
            if not self._transport.get_write_buffer_size():
                try:
                    written = os.write(self._descriptor, data)
                except OSError:
                    written = 0  # no room, or no connection: the transport sees to either
            if written < len(data):
                self._transport.write(data[written:])
        return True

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; what the peer still sends is thrown away."""
        if not self._open:
            return
        self._open = False
        self._transport.write(_control(CLOSE, code.to_bytes(2, "big") + reason.encode()[:123]))
        self._set_deadline(CLOSE_DEADLINE, self.abort)
        if self._paused:
            self.resume()

    def abort(self) -> None:
        """Drop the connection and all that waits in it."""
        self._open, self._deaf = False, True
        self._transport.abort()

    def pause(self) -> None:
        """Take no more messages until `resume`; the peer's TCP window fills up."""
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
                self._read()

    def feed(self, data: bytes) -> None:
        """Take in bytes that arrived before this object did."""
        self._reader.feed(data)
        self._read()

    def _read(self) -> None:
        try:
            while not self._paused and (message := self._reader.next()) is not None:
                opcode, payload = message
                if opcode == CLOSE:
                    return self._closed_by_peer(payload)
                if self._open:
                    if opcode == TEXT:
                        self.listener.received(payload)
                    elif opcode == PING:
                        self.write(_control(PONG, payload))
        except WebSocketError as error:
            if self._open:
                self.listener.broken(error)
            else:
                self.abort()

    def _closed_by_peer(self, payload: bytes) -> None:
        if self._open:
            self._transport.write(_control(CLOSE, payload[:2] if len(payload) > 1 else b""))
        self._open, self._deaf = False, True
        self._set_deadline(CLOSE_DEADLINE, self._transport.abort)
        self._transport.close()

    def _set_deadline(self, seconds: float, act: Callable[[], None]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._loop.call_later(seconds, act)

    # asyncio calls what follows.

    def get_buffer(self, sizehint: int) -> memoryview:
        return _received

    def buffer_updated(self, nbytes: int) -> None:
        if not self._deaf:
            self._reader.feed(bytes(_received[:nbytes]))
            self._read()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._congested = True
        if self._open:
            self._set_deadline(STALL_DEADLINE, self.listener.overflowed)

    def resume_writing(self) -> None:
        self._congested = False
        if self._open and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._open, self._deaf = False, True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._host.websocket_lost(self)
        listener = self.listener
        del self.listener  # the two know each other; neither must wait for the garbage collector
        listener.lost()


def _control(opcode: int, payload: bytes) -> bytes:
    return bytes((_FINAL | opcode, len(payload))) + payload


class Host(Protocol):
    """The server to which WebSockets belong."""

    max_http_buffer_size: int

    def websocket_opened(self, websocket: WebSocket) -> None: ...

    def websocket_lost(self, websocket: WebSocket) -> None: ...


class WebSocketDriver:
    """What engineio makes of a WebSocket handshake: one entry of its `_async` table."""

    def __init__(
        self, handler: Callable[["WebSocketDriver"], Awaitable[None]], server: Host
    ) -> None:
        self._handler = handler
        self._server = server

    async def __call__(self, environ: dict[str, Any]) -> web.StreamResponse:
        self._request: web.Request = environ["aiohttp.request"]
        await self._handler(self)
        return Taken()

    def accept(self, listener: Listener) -> WebSocket:
        """Answer the opening handshake and take the TCP connection away from aiohttp.

        Raises `web.HTTPBadRequest` if the request is no handshake, or the client has gone meanwhile;
        then aiohttp still has the connection.
        """
        accept = _accept(self._request)
        transport, early = take(self._request)
        transport.write(_SWITCHING % accept)
        websocket = WebSocket(transport, self._server, listener)
        self._server.websocket_opened(websocket)
        transport.set_protocol(websocket)
        if not transport.is_reading():
            transport.resume_reading()
        if early:
            asyncio.get_running_loop().call_soon(websocket.feed, early)
        return websocket


def _accept(request: web.BaseRequest) -> bytes:
    """The proof that the handshake was understood (RFC 6455, 4.2)."""
    headers = request.headers
    key = headers.get(hdrs.SEC_WEBSOCKET_KEY, "")
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    connection = {token.strip() for token in headers.get(hdrs.CONNECTION, "").lower().split(",")}
    if (
        headers.get(hdrs.UPGRADE, "").lower() != "websocket"
        or "upgrade" not in connection
        or headers.get(hdrs.SEC_WEBSOCKET_VERSION) != "13"
        or len(nonce) != 16
    ):
        raise web.HTTPBadRequest(text="not a WebSocket handshake of version 13")
    return base64.b64encode(hashlib.sha1(key.encode() + _ACCEPT_KEY).digest())  # noqa: S324
