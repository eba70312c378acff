"""The seam between the sockets and what is served over them."""

from typing import Any, Protocol

import msgspec

from gateway.sockets.frame import Frame


class Outlet(Protocol):
    """Takes frames for one client."""

    def offer(self, frame: Frame) -> bool:
        """Send it at once, unless the client is congested; whether it was sent."""
        ...


class Connection(Protocol):
    """One connected Socket.IO client, as the rest of the gateway sees it.

    Nothing here blocks or awaits: what is sent keeps its order, and a client that does not read is
    closed by the connection itself once what waits for it passes the bound.
    """

    id: str
    address: str
    session: Any

    @property
    def namespace(self) -> str:
        """`/`, unless the server serves others too."""
        ...

    @property
    def transport(self) -> str:
        """`websocket` or `polling`, as of now."""
        ...

    @property
    def closed(self) -> bool: ...

    @property
    def congested(self) -> bool:
        """Whether the client takes less than it is sent; past a bound it is closed."""
        ...

    def send(self, frame: Frame) -> None:
        """Send a ready-made frame; nothing happens before `connected` and once it is closed."""
        ...

    def purge(self) -> None:
        """Drop what still waits for the client's next poll."""
        ...

    @property
    def outlet(self) -> Outlet:
        """Where frames that many get go straight to, from `connected` until it is closed."""
        ...

    def disconnect(self) -> None:
        """Send a Socket.IO DISCONNECT, then close: the official client does not come back by itself."""
        ...

    def close(self, reason: str) -> None:
        """Close the transport, dropping what still waits: the official client reconnects."""
        ...


class Application(Protocol):
    """What the sockets call.

    One client's calls never overlap and come in the order it sent them: `disconnected` too waits
    until the command in hand is done, while `connection.closed` is true at once.
    """

    async def connect(self, connection: Connection, auth: msgspec.Raw | None) -> None:
        """Decide whether the client may come in; raises Refusal, which becomes its CONNECT_ERROR.

        Nothing may be sent yet. Whatever else is raised refuses too, as `INTERNAL`.
        """
        ...

    def connected(self, connection: Connection) -> None:
        """The CONNECT answer is on its way; what is sent from now on follows it.

        Left out when the client has gone while `connect` was deciding.
        """
        ...

    async def command(
        self, connection: Connection, event: str, payload: msgspec.Raw | None
    ) -> bytes:
        """Carry out a command; the answer is the ack's one argument, as JSON. Never raises Refusal."""
        ...

    def at_once(
        self, connection: Connection, event: str, payload: msgspec.Raw | None
    ) -> bytes | None:
        """The answer to a command that nothing has to be waited for; None where it takes `command`.

        Asked only while nothing that the client sent before is in hand.
        """
        ...

    def draining(self, connection: Connection, seconds: float) -> None:
        """The server goes away, and will close this connection in so many seconds."""
        ...

    def disconnected(self, connection: Connection, reason: str) -> None:
        """The connection is gone, whoever ended it; called once for each `connect` that passed."""
        ...
