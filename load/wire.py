"""Socket.IO over WebSocket as a client speaks it, in as few bytes and steps as will do.

What arrives is not decoded: packets are told apart by their first bytes, and of an event only the
`{"topic":…,"seq":…}` of its meta is read, which stands last. That is what lets one process stand for
thousands of clients.
"""

import json
import re
from dataclasses import dataclass, field

_UPGRADE_PATH = "/socket.io/?EIO=4&transport=websocket"

CLOSE_FRAME = b"\x88\x80\x00\x00\x00\x00"
_NO_MASK = b"\x00\x00\x00\x00"
"""A frame from a client must be masked. With this mask its bytes stay as they are."""

_FINAL_TEXT, _CLOSE = 0x81, 0x88

_META = re.compile(rb'\{"topic":"([^"]+)","seq":(\d+),"at":"[^"]*"\}\]\Z')
_ACK = re.compile(rb'43(\d+)\[\{"(data|error)":')
_CODE = re.compile(rb'"code":"([A-Z_]+)"')


class WireError(Exception):
    """What came is not what a Socket.IO server sends."""


def upgrade_request(host: str) -> bytes:
    """The request that opens a WebSocket."""
    return (
        f"GET {_UPGRADE_PATH} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dmVybmlzc2FnZSBsb2FkIQ==\r\n\r\n"
    ).encode()


def text(payload: bytes) -> bytes:
    """One text frame from a client to the server."""
    size = len(payload)
    if size < 126:
        return bytes((_FINAL_TEXT, 0x80 | size)) + _NO_MASK + payload
    if size < 1 << 16:
        return b"\x81\xfe" + size.to_bytes(2, "big") + _NO_MASK + payload
    return b"\x81\xff" + size.to_bytes(8, "big") + _NO_MASK + payload


def command(ack_id: int, event: str, payload: object) -> bytes:
    """A command that asks for an ack, as a packet."""
    return b"42%d%b" % (ack_id, json.dumps([event, payload], separators=(",", ":")).encode())


def connect(token: str | None) -> bytes:
    """The packet with which a client asks to come in."""
    return b"40" if token is None else b"40%b" % json.dumps({"token": token}).encode()


@dataclass(slots=True)
class Run:
    """Events of one topic that came one after another."""

    topic: bytes
    first: int
    last: int
    count: int
    rising: bool = True


@dataclass(slots=True)
class Ack:
    """The answer to a command; `code` says why it was refused."""

    id: int
    code: str | None
    packet: bytes


@dataclass(slots=True)
class Reading:
    """What a stretch of bytes held: numbered events by topic, acks, and other packets as they are."""

    runs: list[Run] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)
    closed: bool = False
    used: int = 0
    sample: bytes | None = None

    @property
    def same_for_all(self) -> bool:
        """Whether it held events alone, such as every watcher gets alike."""
        return not (self.acks or self.others or self.closed)


def read(data: bytes) -> Reading:
    """Take whole frames off the front of `data`; `used` says how many bytes they were."""
    reading = Reading()
    at, end = 0, len(data)
    while end - at >= 2:
        first, size = data[at], data[at + 1]
        start = at + 2
        if size == 126:
            if end - at < 4:
                break
            size = data[at + 2] << 8 | data[at + 3]
            start = at + 4
        elif size == 127:
            if end - at < 10:
                break
            size = int.from_bytes(data[at + 2 : at + 10], "big")
            start = at + 10
        elif size > 127:
            raise WireError("a server must not mask its frames")
        stop = start + size
        if stop > end:
            break
        at = stop
        if first == _FINAL_TEXT:
            _packet(reading, data, start, stop)
        elif first == _CLOSE:
            reading.closed = True
        else:
            raise WireError(f"an unexpected frame: {first:#x}")
    reading.used = at
    return reading


def read_payload(body: bytes) -> Reading:
    """Read what a poll brought: packets with a separator between them."""
    reading = Reading()
    at, end = 0, len(body)
    while at <= end:
        stop = body.find(b"\x1e", at)
        stop = end if stop < 0 else stop
        _packet(reading, body, at, stop)
        at = stop + 1
    reading.used = end
    return reading


def _packet(reading: Reading, data: bytes, start: int, stop: int) -> None:
    if not data.startswith(b"42[", start):
        _other(reading, data[start:stop])
        return
    place = data.rfind(b'{"topic":"', start, stop)
    found = _META.match(data, place, stop) if place >= 0 else None
    if found is None:
        reading.others.append(data[start:stop])
        return
    topic, seq = found[1], int(found[2])
    reading.sample = data[start:stop]
    runs = reading.runs
    if runs and runs[-1].topic == topic:
        run = runs[-1]
        if seq <= run.last:
            run.rising = False
        run.last = seq
        run.count += 1
    else:
        runs.append(Run(topic, seq, seq, 1))


def _other(reading: Reading, packet: bytes) -> None:
    if packet.startswith(b"43"):
        found = _ACK.match(packet)
        if found is None:
            raise WireError(f"an ack that is no answer: {packet[:100]!r}")
        code = None
        if found[2] == b"error":
            why = _CODE.search(packet)
            code = why[1].decode() if why else "UNKNOWN"
        reading.acks.append(Ack(int(found[1]), code, packet))
    else:
        reading.others.append(packet)
