"""The reader of WebSocket frames, without a socket."""

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sockets.websocket import (
    CLOSE,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
    UNSUPPORTED,
    MessageReader,
    WebSocketError,
)
from tests.gateway.sockets.edge import masked

LIMIT = 70_000
CONTINUATION, BINARY = 0x0, 0x2


def read(data: bytes, limit: int = LIMIT, step: int | None = None) -> list[tuple[int, bytes]]:
    """All that a reader finds in `data`, given to it `step` bytes at a time."""
    reader = MessageReader(limit)
    found = []
    for place in range(0, len(data), step or len(data)):
        reader.feed(data[place : place + (step or len(data))])
        while (message := reader.next()) is not None:
            found.append(message)
    return found


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, LIMIT])
def test_a_message_of_any_length(size: int) -> None:
    """Lengths of 7, 16 and 64 bits, up to the limit itself."""
    payload = os.urandom(size)
    assert read(masked(payload)) == [(TEXT, payload)]


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_segments_may_end_anywhere(step: int) -> None:
    """However TCP cuts the bytes, the same messages come out."""
    data = masked(b"one") + masked(b"", PING) + masked(b"two" * 50) + masked(b"\x03\xe8", CLOSE)
    assert read(data, step=step) == read(data)
    assert read(data) == [(TEXT, b"one"), (PING, b""), (TEXT, b"two" * 50), (CLOSE, b"\x03\xe8")]


def test_fragments_make_one_message() -> None:
    """A message in fragments is whole when the last has come; control frames may stand between."""
    data = (
        masked(b"a", final=False)
        + masked(b"now", PING)
        + masked(b"", CONTINUATION, final=False)
        + masked(b"b", CONTINUATION)
        + masked(b"c")
    )
    assert read(data) == read(data, step=1) == [(PING, b"now"), (TEXT, b"ab"), (TEXT, b"c")]


def test_empty_fragments_cost_no_stack() -> None:
    """As many fragments as one likes are read in a loop."""
    fragments = masked(b"", CONTINUATION, final=False) * 20_000
    data = masked(b"a", final=False) + fragments + masked(b"b", CONTINUATION)
    assert read(data) == [(TEXT, b"ab")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x05hello more", PROTOCOL_ERROR),
        (b"\xc1" + masked(b"hello")[1:], PROTOCOL_ERROR),
        (masked(b"hello", BINARY), UNSUPPORTED),
        (masked(b"hello", BINARY, final=False), UNSUPPORTED),
        (masked(b"hello", 0x3), PROTOCOL_ERROR),
        (masked(b"hello", 0xB), PROTOCOL_ERROR),
        (masked(b"hello", CONTINUATION), PROTOCOL_ERROR),
        (masked(b"a", final=False) + masked(b"b"), PROTOCOL_ERROR),
        (masked(b"a", final=False) + masked(b"b", final=False), PROTOCOL_ERROR),
        (masked(b"hello", PING, final=False), PROTOCOL_ERROR),
        (masked(b"x" * 126, PING), PROTOCOL_ERROR),
        (masked(b"x" * (LIMIT + 1)), TOO_BIG),
        (masked(b"x" * (LIMIT + 1))[:14], TOO_BIG),
        (b"\x81\xff" + b"\xff" * 8 + b"mask", TOO_BIG),
        (masked(b"x" * LIMIT, final=False) + masked(b"y", CONTINUATION), TOO_BIG),
        (masked(b"x" * LIMIT, final=False) + masked(b"y", CONTINUATION, final=False), TOO_BIG),
    ],
    ids=[
        "unmasked",
        "compressed",
        "binary",
        "binary fragment",
        "reserved opcode",
        "reserved control opcode",
        "continuation of nothing",
        "text in fragments",
        "fragment in fragments",
        "fragmented ping",
        "long ping",
        "too big",
        "too big, only announced",
        "64-bit length",
        "too big together",
        "too big together, unfinished",
    ],
)
def test_what_breaks_the_protocol(data: bytes, code: int) -> None:
    """Each kind of broken frame has its close code, before its payload is there."""
    with pytest.raises(WebSocketError) as error:
        read(data)
    assert error.value.code == code


frames = st.tuples(
    st.binary(max_size=300), st.sampled_from([TEXT, PING, PONG, CLOSE]), st.integers(1, 4)
)


@given(st.lists(frames, max_size=8), st.integers(1, 400))
def test_any_stream_of_messages_is_read_back(
    stream: list[tuple[bytes, int, int]], step: int
) -> None:
    """Any messages, in any number of fragments, in segments of any size, come out as they went in."""
    data, expected = b"", []
    for payload, opcode, parts in stream:
        payload = payload if opcode == TEXT else payload[:125]
        expected.append((opcode, payload))
        if opcode != TEXT:
            data += masked(payload, opcode)
            continue
        cut = len(payload) // parts + 1
        pieces = [payload[place : place + cut] for place in range(0, len(payload), cut)] or [b""]
        for number, piece in enumerate(pieces):
            data += masked(
                piece,
                CONTINUATION if number else TEXT,
                final=number == len(pieces) - 1,
            )
    assert read(data, step=step) == expected


@given(st.binary(max_size=400), st.integers(1, 50))
def test_no_bytes_crash_the_reader(data: bytes, step: int) -> None:
    """Any bytes are messages, half a message, or a WebSocketError."""
    with suppress(WebSocketError):
        read(data, limit=100, step=step)
