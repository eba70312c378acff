"""What a swarm is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto


class Kind(Enum):
    """How a client talks to the server."""

    WEBSOCKET = auto()
    POLLING = auto()
    """Socket.IO over HTTP long-polling."""
    HTTP = auto()
    """Requests over one connection that is kept alive."""
    RAW = auto()
    """A TCP connection on which WebSocket frames arrive without any handshake."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a client connects to; `source` is the address of this machine to come from, if it matters."""

    host: str
    port: int
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Guest:
    """A client to be: the token it shows, and the topics it watches before it counts as in.

    One that comes back says of topics what it has: `since` gives epoch and seq.
    """

    address: Address
    token: str | None = None
    topics: tuple[str, ...] = ()
    kind: Kind = Kind.WEBSOCKET
    since: Mapping[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Script:
    """What one client sends, again and again: packets with ack ids 1, 2, …; or whole HTTP requests."""

    commands: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How commands are sent: each client keeps `window` unanswered, or so many go `per_second` in all.

    On a schedule a latency counts from when its command was due, not from when it could be sent.
    It ends after `seconds`, or after `commands`, and when everything has been answered.
    """

    seconds: float
    window: int = 1
    per_second: float | None = None
    commands: int | None = None
    delay: float = 0.0
    """Seconds before the first command, so that processes take turns."""
