"""One message on its way to the screens: how it travels between nodes, and the bytes a client gets."""

from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Protocol

import msgspec

from gateway.sockets.frame import Frame


class Entry(Protocol):
    """A journal entry as the store gives it, or an ephemeral message, which has no seq."""

    @property
    def topic(self) -> str: ...
    @property
    def seq(self) -> int | None: ...
    @property
    def type(self) -> str: ...
    @property
    def key(self) -> str | None: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def data(self) -> bytes | None: ...
    @property
    def at(self) -> datetime: ...


class Header(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What stands before the payload in a message between nodes; what is in no journal has no seq."""

    seq: Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)] | None
    name: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    key: str | None
    subject: str | None


class Malformed(Exception):
    """What came over the bus is no message of ours."""


_encode = msgspec.json.Encoder().encode
_decode_header = msgspec.json.Decoder(Header).decode
_check_data = msgspec.json.Decoder(dict[str, Any] | None).decode
_NULL = b"null"


class Message:
    """An entry, or an ephemeral message, with its payload as JSON.

    It is encoded once by whoever publishes it, then only wrapped.
    """

    def __init__(self, topic: str, header: Header, data: bytes) -> None:
        self.topic = topic
        self.header = header
        self.data = data

    @classmethod
    def of(cls, entry: Entry) -> "Message":
        """The message that tells of a committed entry, or of what is in no journal."""
        header = Header(entry.seq, entry.type, entry.at, entry.key, entry.subject)
        return cls(entry.topic, header, _NULL if entry.data is None else entry.data)

    @classmethod
    def decode(cls, topic: str, wire: bytes) -> "Message":
        """What another node published. Raises Malformed."""
        head, _, data = wire.partition(b"\n")
        try:
            header = _decode_header(head)
            _check_data(data)  # a frame that is no JSON would cost every client its connection
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Malformed(str(error)) from error
        return cls(topic, header, data)

    def encode(self) -> bytes:
        """The message as it goes over the bus."""
        return _encode(self.header) + b"\n" + self.data

    @property
    def is_ephemeral(self) -> bool:
        return self.header.seq is None

    @property
    def seq(self) -> int:
        """The entry's place in its topic; an ephemeral message has none."""
        assert self.header.seq is not None
        return self.header.seq

    @property
    def key(self) -> str | None:
        return self.header.key

    @property
    def subject(self) -> str | None:
        return self.header.subject

    def blanked(self) -> "Message":
        """The same entry, telling nothing of its subject any more."""
        return Message(self.topic, self.header, _NULL)

    @cached_property
    def body(self) -> bytes:
        """The event's JSON without brackets: `"name",{data},{meta}`."""
        return event_body(self.header.name, self.data, self.topic, self.header.seq, self.header.at)

    @cached_property
    def frame(self) -> Frame:
        """The event as every watcher gets it."""
        return Frame.event(self.body)


def event_body(name: str, data: bytes, topic: str | None, seq: int | None, at: datetime) -> bytes:
    """An event's JSON without brackets; events that are not in the journal have no seq."""
    meta: dict[str, object] = {"topic": topic}
    if seq is not None:
        meta["seq"] = seq
    meta["at"] = at
    return b"%b,%b,%b" % (_encode(name), data, _encode(meta))
