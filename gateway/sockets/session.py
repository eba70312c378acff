"""One Engine.IO session: its transports, the upgrade between them, its heartbeat and its end."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from aiohttp import web
from engineio.async_socket import AsyncSocket  # type: ignore[import-untyped]
from engineio.exceptions import EngineIOError  # type: ignore[import-untyped]

from gateway.sockets import packets
from gateway.sockets.application import Outlet
from gateway.sockets.frame import Frame, text_frame
from gateway.sockets.packets import (
    MAX_PACKETS,
    Close,
    Connect,
    Disconnect,
    Event,
    MalformedPacket,
    Packet,
    Pong,
)
from gateway.sockets.taking import Watch
from gateway.sockets.websocket import (
    GOING_AWAY,
    NORMAL,
    PROTOCOL_ERROR,
    WebSocket,
    WebSocketDriver,
    WebSocketError,
)

if TYPE_CHECKING:
    from gateway.sockets.engine import EngineServer

OUTBOX_PACKETS = 512
"""Packets that may wait for a client's next poll; past it the session is a slow consumer."""

OUTBOX_HIGH_WATER = 64
"""Packets past which a client counts as not keeping up."""

OUTBOX_BYTES = 512 * 1024
"""Bytes that may wait for a client's next poll."""

UPGRADE_DEADLINE = 10.0
"""Seconds within which a WebSocket that probes has to complete the upgrade."""

BODY_DEADLINE = 10.0
"""Seconds within which the body of a POST has to be there."""

FAREWELL_DEADLINE = 5.0
"""Seconds for which the last words to a polling client wait for its next poll."""

LAST_POLL_SECONDS = 1.0
"""Seconds that a server that goes away waits for a client's next poll."""

_PING = Frame(b"2")
_FAREWELL = Frame(b"1")
_PROBE_ANSWER = Frame(b"3probe")
_CLOSE, _NOOP = b"1", b"6"

log = logging.getLogger(__name__)


class Refused(EngineIOError):  # type: ignore[misc]
    """A request that breaks the protocol: it is answered 400, and its session ends."""


class Upper(Protocol):
    """The Socket.IO side of a session."""

    def received(self, packet: Connect | Disconnect | Event) -> bool:
        """Take in a packet; False asks to read no more until `Session.resume`.

        Raises MalformedPacket if this is not the moment for such a packet.
        """
        ...

    def draining(self, seconds: float) -> None:
        """The server goes away, and will end the session in so many seconds."""
        ...

    async def idle(self) -> None:
        """Until all that has been taken in is done."""
        ...

    def session_ended(self, reason: str, *, purge: bool) -> None:
        """The session is over; `purge` says to drop what still waits to be done. Called once."""
        ...


class Outbox:
    """What waits for the next poll, bounded in packets and bytes."""

    __slots__ = ("_bytes", "_packets")

    def __init__(self) -> None:
        self._packets: list[bytes] = []
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._packets)

    @property
    def congested(self) -> bool:
        """Whether so much waits that what can wait elsewhere should."""
        return len(self._packets) > OUTBOX_HIGH_WATER

    def put(self, packets: Sequence[bytes]) -> bool:
        """Keep packets; False if too much waits now."""
        self._packets += packets
        self._bytes += sum(map(len, packets))
        return len(self._packets) <= OUTBOX_PACKETS and self._bytes <= OUTBOX_BYTES

    def take(self, count: int) -> list[bytes]:
        """The oldest `count` packets, which wait no longer."""
        taken, self._packets = self._packets[:count], self._packets[count:]
        self._bytes -= sum(map(len, taken))
        return taken

    def drain(self) -> list[bytes]:
        """All packets, which wait no longer."""
        return self.take(len(self._packets))


class Session(AsyncSocket):  # type: ignore[misc]
    """An Engine.IO session, which begins as long-polling or as a WebSocket.

    As a WebSocket it has no queue and no task: each packet is one direct write.
    """

    server: "EngineServer"
    sid: str
    queue: Outbox
    connected: bool
    closing: bool
    closed: bool
    upper: Upper

    def __init__(self, server: "EngineServer", sid: str, address: str) -> None:
        super().__init__(server, sid)
        self.address = address
        self._loop = asyncio.get_running_loop()
        self._websocket: WebSocket | None = None
        self._probe: _Probe | None = None
        self._poll: asyncio.Future[None] | None = None
        self._pushing = False
        self._room: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._awaits_pong = False
        self._fault: str | None = None
        self._lingers = False
        self._leaving = False
        self._parted: asyncio.Future[None] | None = None
        self._parting = _CLOSE

    @property
    def transport(self) -> str:
        return "polling" if self._websocket is None else "websocket"

    @property
    def congested(self) -> bool:
        """Whether the client takes less than it is sent."""
        if self._websocket is not None:
            return self._websocket.congested
        return self.queue.congested

    def open(self, packet: bytes) -> None:
        """Begin: `packet` is the handshake, the first thing the client gets."""
        self.schedule_ping()
        self.send(Frame(packet))

    # What goes out.

    def send(self, frame: Frame) -> None:
        """Send a packet; nothing happens once the session is over."""
        if self._websocket is not None:
            self._websocket.write(frame.websocket)
        elif not self.closing:
            if self.queue.put(frame.packets):
                self._wake()
            else:
                self.end("slow_consumer", abort=True)

    @property
    def outlet(self) -> Outlet:
        """Takes frames for as long as the session lasts: the WebSocket where there is one already."""
        return self if self._websocket is None else self._websocket

    def offer(self, frame: Frame) -> bool:
        """Send packets at once, unless the client takes less than it is sent; whether they were sent."""
        if self._websocket is not None:
            return self._websocket.offer(frame)
        if self.queue.congested:
            return False
        self.send(frame)
        return True

    def _wake(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    # What comes in.

    def _receive(self, packet: Packet) -> bool:
        """Take in a packet; False asks to read no more for now. Raises MalformedPacket."""
        if self.closing:
            return True
        if isinstance(packet, Pong):
            self._pong()
        elif isinstance(packet, Close):
            self.end("client disconnect", purge=False, parting=_NOOP)
        elif not self._leaving:
            return self.upper.received(packet)
        return True

    def resume(self) -> None:
        """There is room again for what the client sends."""
        if self._room is not None:
            self._room.set()
        if self._websocket is not None:
            self._websocket.resume()

    # Long-polling.

    async def handle_get_request(self, environ: dict[str, Any]) -> list[bytes] | web.StreamResponse:
        """Answer a poll, or let a WebSocket probe."""
        request: web.Request = environ["aiohttp.request"]
        if environ["HTTP_UPGRADE"] == "websocket":
            if self.connected and (self._probe is not None or self.closing):
                raise web.HTTPBadRequest(text="this session is upgrading already")
            response: web.StreamResponse = await self._upgrade_websocket(environ)
            return response
        if self._poll is not None:
            self._refuse("overlapping polls")
        if not (self.queue or self.upgrading or self._is_over):
            await self._park(request)
        # python-socketio's client reads no more packets at once than a server does.
        if answer := self.queue.take(MAX_PACKETS):
            if answer[-1] == _CLOSE:
                self._part()
            return answer
        if not self._is_over:
            return [_NOOP]
        self._forget()
        return [self._parting]

    async def _park(self, request: web.Request) -> None:
        """Hold a poll until there is something to answer, or its client hangs up."""
        transport = request.transport
        if transport is None:
            return self.end("transport close", purge=False)
        self._poll = self._loop.create_future()
        protocol = transport.get_protocol()
        transport.set_protocol(Watch(protocol, self.lost))
        try:
            await self._poll
        finally:
            self._poll = None
            if not transport.is_closing():
                transport.set_protocol(protocol)

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """Take in a payload: all of its packets, or none of them and the end of the session."""
        try:
            await self._push(environ["aiohttp.request"])
        except Refused:
            # The server ends the session that refuses; one that it has forgotten it stumbles over.
            if not self.closed:
                raise

    async def _push(self, request: web.Request) -> None:
        if self._pushing:
            self._refuse("overlapping posts")
        self._pushing = True
        try:
            body = await self._body(request)
            if self.closing:
                return self._goodbye(body)
            try:
                received = [packets.decode(packet) for packet in packets.split(body)]
                has_room = [self._receive(packet) for packet in received]
            except MalformedPacket as error:
                self._refuse("malformed packet", error)
            if not all(has_room) and not self.closing:
                self._room = asyncio.Event()
                await self._room.wait()
        finally:
            self._pushing = False
            self._room = None

    def _goodbye(self, body: bytes) -> None:
        """After the last words nothing is listened to but the client's own close packet."""
        if _CLOSE not in body.split(packets.SEPARATOR):
            self._refuse("closing")
        self._parting = _NOOP
        self._part()

    async def _body(self, request: web.Request) -> bytes:
        if "Content-Encoding" in request.headers:
            self._refuse("compressed body")
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_DEADLINE):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > self.server.max_http_buffer_size:
                        self._refuse("payload too large")
        except TimeoutError as error:
            self._refuse("slow body", error)
        except (web.RequestPayloadError, ConnectionError) as error:
            self._refuse("transport error", error)
        return bytes(body)

    def _refuse(self, reason: str, cause: Exception | None = None) -> NoReturn:
        # The server, which answers 400, calls `close` on its way.
        log.debug("request refused: %s: %s", reason, cause)
        self._fault = reason
        raise Refused(reason) from cause

    # WebSocket: the listener's side, once it is the session's transport.

    async def _websocket_handler(self, driver: WebSocketDriver) -> None:
        if self.connected:
            self._probe = _Probe(self, driver)
        else:
            self._websocket = driver.accept(self)
            self.server.over_websocket += 1
            self.connected = self.upgraded = True

    def received(self, message: bytes) -> None:
        try:
            if not self._receive(packets.decode(message)) and self._websocket is not None:
                self._websocket.pause()
        except MalformedPacket as error:
            log.debug("malformed packet: %s", error)
            self.end("malformed packet", code=PROTOCOL_ERROR)

    def overflowed(self) -> None:
        self.end("slow_consumer", abort=True)

    def broken(self, error: WebSocketError) -> None:
        log.debug("malformed frame: %s", error)
        self.end("malformed packet", code=error.code)

    def lost(self) -> None:
        self.end("transport close", purge=False)
        if self._lingers:
            self._part()

    # The upgrade.

    def probe_answered(self) -> None:
        """A WebSocket has probed: polls are answered at once, so that the client can let go of them."""
        self.upgrading = True
        self._wake()

    def probe_succeeded(self, websocket: WebSocket) -> None:
        """Go on over the WebSocket, beginning with what waited for the next poll."""
        self._probe = None
        self.upgrading, self.upgraded = False, True
        self._websocket = websocket
        self.server.over_websocket += 1
        for packet in self.queue.drain():
            websocket.write(text_frame(packet))

    def probe_failed(self, probe: "_Probe") -> None:
        """Go on as long-polling; another WebSocket may be probing already."""
        if self._probe is probe:
            self._probe = None
            self.upgrading = False

    # The heartbeat.

    def schedule_ping(self) -> None:
        self._awaits_pong = False
        self._timer = self._loop.call_later(self.server.ping_interval, self._ping)

    def _ping(self) -> None:
        self._awaits_pong = True
        self._timer = self._loop.call_later(self.server.ping_timeout, self._pong_missed)
        self.send(_PING)

    def _pong(self) -> None:
        if self._awaits_pong and self._timer is not None:
            self._timer.cancel()
            self.schedule_ping()

    def _pong_missed(self) -> None:
        self.end("ping timeout", abort=True)

    # The end.

    async def close(
        self, wait: bool = True, abort: bool = False, reason: str | None = None
    ) -> None:
        """End the session, as the library asks for it."""
        self.end(self._fault or reason or "server disconnect", abort=abort)

    def end(
        self,
        reason: str,
        *,
        last: Sequence[Frame] = (),
        code: int = NORMAL,
        abort: bool = False,
        purge: bool = True,
        parting: bytes = _CLOSE,
    ) -> None:
        """End the session: now, or as soon as the frames in `last` have been sent.

        `abort` spares a WebSocket the closing handshake, which `code` is for; `parting` is what
        a parked poll is released with.
        """
        if self.closing:
            return
        self.closing = True
        self.server.ended[reason] += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._probe is not None:
            self._probe.stop()
        if self._websocket is not None:
            if abort or (self._websocket.congested and not last):
                self._websocket.abort()
            else:
                for frame in last:
                    self._websocket.write(frame.websocket)
                self._websocket.close(code, reason)
            self._forget()
        else:
            self._parting = parting
            for frame in last:
                self.queue.put(frame.packets)
            if last:
                self._lingers = True
                self._timer = self._loop.call_later(FAREWELL_DEADLINE, self._part)
                self._wake()
            else:
                self._part()
        if self._room is not None:
            self._room.set()
        upper = self.upper
        del self.upper  # the two know each other; neither must wait for the garbage collector
        upper.session_ended(reason, purge=purge)

    async def leave(self) -> None:
        """End the session because the server goes away, once the client has the answers that it awaits.

        What it sends from now on is not taken in.
        """
        self._leaving = True
        if not self.closing:
            await self.upper.idle()
        last = [_FAREWELL] if self._websocket is None else []
        self.end("server shutdown", last=last, code=GOING_AWAY)
        if self._lingers:
            self._parted = self._loop.create_future()
            await asyncio.wait({self._parted}, timeout=LAST_POLL_SECONDS)

    def dismiss(self) -> None:
        """End the session because the server goes away; nobody waits for last words."""
        self.end("server shutdown", code=GOING_AWAY)
        if self._lingers:
            self._part()

    @property
    def _is_over(self) -> bool:
        return self.closing and not self._lingers

    def _part(self) -> None:
        """Whatever the client has heard by now, that was all."""
        self._lingers = False
        if self._parted is not None:
            self._parted.set_result(None)
            self._parted = None
        self.queue.drain()
        if self._poll is not None:
            self._wake()
        else:
            self._forget()

    def _forget(self) -> None:
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.server.forget(self)


class _Probe:
    """A WebSocket that wants to take over from long-polling: `2probe`, `3probe`, `5`."""

    __slots__ = ("_answered", "_session", "_timer", "_websocket")

    def __init__(self, session: Session, driver: WebSocketDriver) -> None:
        self._session = session
        self._answered = False
        self._websocket = driver.accept(self)
        self._timer = asyncio.get_running_loop().call_later(UPGRADE_DEADLINE, self._fail)

    def received(self, message: bytes) -> None:
        if not self._answered and message == b"2probe":
            self._answered = True
            self._websocket.write(_PROBE_ANSWER.websocket)
            self._session.probe_answered()
        elif self._answered and message == b"5":
            self._timer.cancel()
            self._websocket.listener = self._session
            self._session.probe_succeeded(self._websocket)
        else:
            self._fail()

    def overflowed(self) -> None:
        self._fail()

    def broken(self, error: WebSocketError) -> None:
        self._fail()

    def lost(self) -> None:
        self._timer.cancel()
        self._session.probe_failed(self)

    def _fail(self) -> None:
        self.stop()
        self._session.probe_failed(self)

    def stop(self) -> None:
        self._timer.cancel()
        self._websocket.close(GOING_AWAY)
