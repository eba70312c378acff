"""HTTP/1.1 as a client speaks it over connections that are kept alive, in as few steps as will do."""

import re
from collections.abc import Iterator
from typing import Protocol

POLLING_PATH = "/socket.io/?EIO=4&transport=polling"

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Host(Protocol):
    """What goes into the `Host` header."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class HttpError(Exception):
    """An answer that this client does not understand."""


def request(
    method: str, path: str, host: Host, body: bytes | None = None, *, token: str | None = None
) -> bytes:
    """A whole request. A body is text for Engine.IO, and JSON where a token is shown."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host.host}:{host.port}\r\n"
    if token is not None:
        head += f"Authorization: Bearer {token}\r\n"
    if body is not None:
        kind = "application/json" if token is not None else "text/plain;charset=UTF-8"
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + (body or b"")


class Responses:
    """Puts together what arrives on one connection."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Status and body of each answer that is whole now. Raises HttpError."""
        buffer = self._buffer + data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:end]
            status, length = _STATUS.match(head), _LENGTH.search(head)
            if status is None or (length is None and status[1] not in (b"204", b"304")):
                raise HttpError(f"not an answer of known length: {head[:80]!r}")
            stop = end + 4 + (int(length[1]) if length is not None else 0)
            if len(buffer) < stop:
                break
            body, buffer = buffer[end + 4 : stop], buffer[stop:]
            self._buffer = buffer
            yield int(status[1]), body
            buffer = self._buffer
        self._buffer = buffer
