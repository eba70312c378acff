"""The Socket.IO side of one session: who may come in, and what they ask for."""

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from typing import Any

import msgspec

from gateway.sockets.application import Application, Outlet
from gateway.sockets.engine import new_id
from gateway.sockets.frame import Frame
from gateway.sockets.inbox import Inbox
from gateway.sockets.packets import Connect, Disconnect, Event, MalformedPacket
from gateway.sockets.session import Session
from handlers.operation import Refusal

AT_ONCE = 64
"""Commands of one client answered in a row as they are read; the next one waits, and others come first."""

CONNECT_DEADLINE = 10.0
"""Seconds within which a session has to ask to come in, and for which it may be in no namespace."""

_INTERNAL = Refusal("INTERNAL", "Something went wrong on our side.")
_INVALID_NAMESPACE = b'{"message":"Invalid namespace"}'

log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()


class SocketConnection:
    """One client in one namespace: a `gateway.sockets.application.Connection`."""

    __slots__ = ("_admitted", "_left", "_session", "address", "id", "namespace", "session")

    def __init__(self, session: Session, namespace: str) -> None:
        self._session = session
        self._admitted = False
        self._left = False
        self.id = new_id()
        self.namespace = namespace
        self.address = session.address
        self.session: Any = None

    @property
    def transport(self) -> str:
        return self._session.transport

    @property
    def closed(self) -> bool:
        return self._left or self._session.closing

    @property
    def congested(self) -> bool:
        return self._session.congested

    @property
    def outlet(self) -> Outlet:
        return self._session.outlet

    def send(self, frame: Frame) -> None:
        if self._admitted:
            self._session.send(frame)

    def purge(self) -> None:
        self._session.queue.drain()

    def disconnect(self) -> None:
        self._session.end("server disconnect", last=[Frame.disconnected(self.namespace)])

    def close(self, reason: str) -> None:
        self._session.end(reason)

    @property
    def admitted(self) -> bool:
        return self._admitted

    def admit(self) -> None:
        """From now on what is sent is delivered."""
        self._admitted = True
        self._session.send(Frame.connected(self.id, self.namespace))

    def leave(self) -> None:
        """From now on nothing is."""
        self._left = True
        self._admitted = False


Connections = MutableMapping[str, SocketConnection]


class Client(Inbox[tuple[SocketConnection, Connect | Disconnect | Event]]):
    """Takes packets off one session and brings them before the application, one at a time, in order."""

    __slots__ = (
        "_application",
        "_at_once",
        "_connections",
        "_deadline",
        "_inside",
        "_joined",
        "_namespaces",
        "_reason",
        "_session",
    )

    def __init__(
        self,
        session: Session,
        application: Application,
        namespaces: frozenset[str],
        connections: Connections,
        tasks: set[asyncio.Task[None]],
    ) -> None:
        super().__init__(tasks)
        self._session = session
        self._application = application
        self._namespaces = namespaces
        self._connections = connections
        self._joined: dict[str, SocketConnection] = {}
        self._inside: list[SocketConnection] = []
        self._reason = ""
        self._at_once = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._expect_connect()

    # What the session calls.

    def received(self, packet: Connect | Disconnect | Event) -> bool:
        connection = self._joined.get(packet.namespace)
        if isinstance(packet, Connect):
            if connection is not None:
                raise MalformedPacket("connected to this namespace already")
            if packet.namespace not in self._namespaces:
                self._session.send(Frame.refused(_INVALID_NAMESPACE, packet.namespace))
                return True
            connection = self._join(packet.namespace)
        elif connection is None:
            raise MalformedPacket("not connected to this namespace")
        elif isinstance(packet, Disconnect):
            self._part(packet.namespace)
        elif self._items is None and self._answered_at_once(connection, packet):
            return True
        self._at_once = 0
        return self.put((connection, packet))

    def draining(self, seconds: float) -> None:
        for connection in list(self._inside):
            self._guarded(self._application.draining, connection, seconds)

    def session_ended(self, reason: str, *, purge: bool) -> None:
        self._reason = reason
        self._expect_nothing()
        self.close(purge=purge)

    def _answered_at_once(self, connection: SocketConnection, packet: Event) -> bool:
        """Whether the command could be answered here and now. Only while the inbox is empty."""
        if self._at_once == AT_ONCE or not connection.admitted:
            return False
        answer: bytes | None
        try:
            answer = self._application.at_once(connection, packet.name, packet.argument)
        except Exception:
            answer = _failed(packet)
        if answer is None:
            return False
        self._at_once += 1
        _answer(connection, packet, answer)
        return True

    def _join(self, namespace: str) -> SocketConnection:
        self._expect_nothing()
        connection = self._joined[namespace] = SocketConnection(self._session, namespace)
        return connection

    def _part(self, namespace: str) -> None:
        del self._joined[namespace]
        if not self._joined:
            self._expect_connect()

    def _expect_connect(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(
            CONNECT_DEADLINE, self._session.end, "connect timeout"
        )

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # What the inbox calls.

    def _resume(self) -> None:
        self._session.resume()

    async def _handle(self, item: tuple[SocketConnection, Connect | Disconnect | Event]) -> None:
        connection, packet = item
        if isinstance(packet, Connect):
            await self._connect(connection, packet)
        elif not connection.admitted:
            return
        elif isinstance(packet, Disconnect):
            self._leave(connection, "client namespace disconnect")
        else:
            try:
                answer = await self._application.command(connection, packet.name, packet.argument)
            except Exception:
                answer = _failed(packet)
            _answer(connection, packet, answer)

    def _ended(self) -> None:
        for connection in list(self._inside):
            self._leave(connection, self._reason)
        self._joined.clear()

    async def _connect(self, connection: SocketConnection, packet: Connect) -> None:
        try:
            await self._application.connect(connection, packet.auth)
        except Refusal as refusal:
            self._refuse(connection, refusal)
        except Exception:
            log.exception("connect failed")
            self._refuse(connection, _INTERNAL)
        else:
            self._inside.append(connection)
            self._connections[connection.id] = connection
            if not connection.closed:
                connection.admit()
                self._guarded(self._application.connected, connection)

    def _refuse(self, connection: SocketConnection, refusal: Refusal) -> None:
        connection.leave()
        if self._joined.get(connection.namespace) is connection:
            del self._joined[connection.namespace]
        error = _encoder.encode({"message": refusal.message, "data": refusal.as_error()})
        frame = Frame.refused(error, connection.namespace)
        if self._joined:
            self._session.send(frame)
        else:
            self._session.end("refused", last=[frame])

    def _leave(self, connection: SocketConnection, reason: str) -> None:
        connection.leave()
        self._inside.remove(connection)
        del self._connections[connection.id]
        self._guarded(self._application.disconnected, connection, reason)

    def _guarded(self, call: Callable[..., None], *args: object) -> None:
        """A call that fails must not keep the rest from being carried out; it costs the session."""
        try:
            call(*args)
        except Exception:
            log.exception("%s failed", call.__name__)
            self._session.end("internal error")


def _answer(connection: SocketConnection, packet: Event, answer: bytes) -> None:
    if packet.ack_id is not None:
        connection.send(Frame.ack(packet.ack_id, answer, connection.namespace))


def _failed(packet: Event) -> bytes:
    """What the client gets to know of a fault of ours, which goes to the log."""
    log.exception("command failed", extra={"command": packet.name})
    return _encoder.encode({"error": _INTERNAL.as_error()})
