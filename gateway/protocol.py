"""What a client says to its session, and hears of it: the shapes of the protocol's own commands and events."""

from datetime import datetime
from typing import Any

import msgspec

from gateway.delivery.hub import Position
from gateway.refusals import MISSHAPEN, misshapen
from handlers.operation import Refusal

TOPICS_PER_SOCKET = 100
"""Topics that one socket may watch, its own included, and that one command may name."""


class Credentials(msgspec.Struct, frozen=True):
    """The `auth` of a CONNECT packet."""

    token: str | None = None
    since: Position | None = None


class Ready(msgspec.Struct, frozen=True):
    """`session:ready`: the first event of every connection."""

    user: Any
    epoch: str | None
    topic: str | None
    seq: int | None
    recovered: bool
    expires_at: datetime | None
    node: str


class Draining(msgspec.Struct, frozen=True):
    """`server:draining`: this server goes away, and closes the connection in so many milliseconds."""

    reconnect_in_ms: int


class Watch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One topic to watch, from a position or from now on."""

    topic: str
    since: Position | None = None


class WatchCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`{topic, since?}`, or `{topics: [{topic, since?}, …]}`."""

    topic: str | None = None
    since: Position | None = None
    topics: list[Watch] | None = None


class Refresh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token to go on with."""

    token: str


_decode_credentials = msgspec.json.Decoder(Credentials).decode
_decode_watch = msgspec.json.Decoder(WatchCommand).decode
_decode_refresh = msgspec.json.Decoder(Refresh).decode


def credentials(auth: msgspec.Raw | None) -> Credentials:
    """Who a client says it is when it connects. Raises Refusal."""
    try:
        return Credentials() if auth is None else _decode_credentials(auth)
    except MISSHAPEN as error:
        raise misshapen(error) from error


def watch_command(payload: msgspec.Raw) -> WatchCommand:
    """A command that names one topic, or a list of them. Raises Refusal."""
    try:
        command = _decode_watch(payload)
    except MISSHAPEN as error:
        raise misshapen(error) from error
    if (command.topic is None) == (command.topics is None):
        refusal = Refusal("VALIDATION_ERROR", "Name either one `topic` or a list of `topics`.")
        refusal.details["topic"] = "one of `topic` and `topics` is required"
        raise refusal
    if command.topics is not None and len(command.topics) > TOPICS_PER_SOCKET:
        raise _too_many("One command may name", len(command.topics))
    return command


def refresh(payload: msgspec.Raw) -> Refresh:
    """The token that a session is to go on with. Raises Refusal."""
    try:
        return _decode_refresh(payload)
    except MISSHAPEN as error:
        raise misshapen(error) from error


def check_room(count: int) -> None:
    """Raises `TOO_MANY_TOPICS` where a socket may not watch that many."""
    if count > TOPICS_PER_SOCKET:
        raise _too_many("One socket may watch", count)


def _too_many(what: str, count: int) -> Refusal:
    return Refusal(
        "TOO_MANY_TOPICS",
        f"{what} {TOPICS_PER_SOCKET} topics.",
        count=count,
        max_count=TOPICS_PER_SOCKET,
    )
