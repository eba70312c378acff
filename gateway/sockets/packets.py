"""What a client may say: a strict parser of its text packets, without I/O.

Engine.IO 4 and Socket.IO 5, less all that this gateway has no use for: binary packets and
attachments, answers to acks nobody asked for, and more than one argument. Whatever is not on the list
raises `MalformedPacket`, and costs the client its connection.
"""

import json
import re
from typing import NoReturn

import msgspec

from gateway.sockets.frame import ROOT

SEPARATOR = b"\x1e"
"""Stands between the packets of a long-polling payload."""

MAX_PACKETS = 16
"""Packets in one long-polling payload."""

MAX_ACK_DIGITS = 15
"""Digits of an ack id; the official client counts from 0, one by one."""

RESERVED_EVENTS = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Names that mean something to the Socket.IO libraries themselves; no client may send them."""


class MalformedPacket(ValueError):
    """A packet that no well-behaved client sends."""


class Pong(msgspec.Struct, frozen=True, gc=False):
    """The answer to the server's ping."""


class Close(msgspec.Struct, frozen=True, gc=False):
    """The client is about to leave."""


class Connect(msgspec.Struct, frozen=True, gc=False):
    """A wish to enter a namespace; `auth` is a JSON object, or None."""

    namespace: str
    auth: msgspec.Raw | None


class Disconnect(msgspec.Struct, frozen=True, gc=False):
    """The client leaves a namespace."""

    namespace: str


class Event(msgspec.Struct, frozen=True, gc=False):
    """A command; `ack_id` is None if no answer is wanted, `argument` None if there is none."""

    namespace: str
    ack_id: int | None
    name: str
    argument: msgspec.Raw | None


Packet = Pong | Close | Connect | Disconnect | Event

PONG = Pong()
CLOSE = Close()

_NOTHING = msgspec.Raw(b"")
_NAMESPACE = re.compile(rb"/[!-+\--~]{0,127}")
_MALFORMED_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Arguments(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    name: str
    argument: msgspec.Raw = _NOTHING


_arguments = msgspec.json.Decoder(_Arguments)
_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def split(payload: bytes) -> list[bytes]:
    """The packets of a long-polling payload, at most `MAX_PACKETS`."""
    packets = payload.split(SEPARATOR, MAX_PACKETS)
    if len(packets) > MAX_PACKETS:
        raise MalformedPacket(f"more than {MAX_PACKETS} packets in one payload")
    return packets


def decode(packet: bytes) -> Packet:
    """The one packet that `packet` is, as it came in a WebSocket text message or between separators."""
    if packet[:2] == b"42":
        return _event(packet)
    if packet == b"3":
        return PONG
    if packet[:2] == b"40":
        return _connect(packet)
    if packet == b"1":
        return CLOSE
    if packet[:2] == b"41":
        namespace, rest = _namespace(packet)
        if rest:
            raise MalformedPacket("a DISCONNECT carries nothing")
        return Disconnect(namespace)
    raise MalformedPacket("not a packet that a client may send")


def _event(packet: bytes) -> Event:
    namespace, start = ROOT, 2
    if packet[2:3] == b"/":
        namespace, rest = _namespace(packet)
        start = len(packet) - len(rest)
    end = packet.find(b"[", start)
    digits = packet[start:end]
    if end < 0 or (digits and not (digits.isdigit() and len(digits) <= MAX_ACK_DIGITS)):
        raise MalformedPacket("an event is an optional ack id and a JSON list")
    try:
        if not packet.isascii():
            packet.decode()
        arguments = _arguments.decode(packet[end:])
    except _MALFORMED_JSON as error:
        try:
            arguments = _with_half_pairs(packet[end:])
        except (ValueError, RecursionError):
            raise MalformedPacket(f"not a name and at most one argument: {error}") from error
    if arguments.name in RESERVED_EVENTS:
        raise MalformedPacket(f"{arguments.name} is not an event that a client sends")
    argument = arguments.argument
    return Event(
        namespace,
        int(digits) if digits else None,
        arguments.name,
        None if argument is _NOTHING else argument,
    )


def _with_half_pairs(text: bytes) -> _Arguments:
    """The arguments where a string in them has a lone surrogate; raises ValueError for all else.

    JSON's grammar has nothing against one (RFC 8259 § 8.2), and JavaScript makes one by cutting an emoji in
    two. msgspec does: so whoever decodes the argument refuses it, and the client gets to know why.
    """
    if not _HALF_A_PAIR.search(text):
        raise ValueError("no surrogates")
    name, *rest = json.loads(text.decode(), parse_constant=_no_number)
    if not isinstance(name, str) or len(rest) > 1:
        raise ValueError("not a name and at most one argument")
    name.encode()
    return _Arguments(name, *(msgspec.Raw(json.dumps(argument).encode()) for argument in rest))


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _connect(packet: bytes) -> Connect:
    namespace, rest = _namespace(packet)
    if not rest:
        return Connect(namespace, None)
    try:
        rest.decode()
        _object.decode(rest)
    except _MALFORMED_JSON as error:
        raise MalformedPacket(f"the auth of a CONNECT is a JSON object: {error}") from error
    return Connect(namespace, msgspec.Raw(rest))


def _namespace(packet: bytes) -> tuple[str, bytes]:
    """The namespace after the two type digits, and what follows its comma."""
    if packet[2:3] != b"/":
        return ROOT, packet[2:]
    name, _, rest = packet[2:].partition(b",")
    if not _NAMESPACE.fullmatch(name):
        raise MalformedPacket("not the name of a namespace")
    return name.decode(), rest
