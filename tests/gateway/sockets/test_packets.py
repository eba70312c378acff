"""What the parser makes of what clients say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sockets.packets import (
    CLOSE,
    MAX_ACK_DIGITS,
    MAX_PACKETS,
    PONG,
    RESERVED_EVENTS,
    Connect,
    Disconnect,
    Event,
    MalformedPacket,
    Packet,
    decode,
    split,
)


def event(packet: bytes) -> tuple[str, int | None, str, bytes | None]:
    decoded = decode(packet)
    assert isinstance(decoded, Event)
    argument = None if decoded.argument is None else bytes(decoded.argument)
    return decoded.namespace, decoded.ack_id, decoded.name, argument


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (b'42["post:like",{"post_id":1}]', ("/", None, "post:like", b'{"post_id":1}')),
        (b'420["post:like",{}]', ("/", 0, "post:like", b"{}")),
        (b'42123["hello"]', ("/", 123, "hello", None)),
        (b'42["hello",null]', ("/", None, "hello", b"null")),
        (b'42["hello", [1, 2] ]', ("/", None, "hello", b"[1, 2]")),
        (b'42 ["hello"]', None),
        (b'42/admin,["hello"]', ("/admin", None, "hello", None)),
        (b'42/admin,7["hello",1]', ("/admin", 7, "hello", b"1")),
        (b'42/a[b],7["hello",1]', ("/a[b]", 7, "hello", b"1")),
        (b'42/,7["hello",1]', ("/", 7, "hello", b"1")),
        ('42["héllo","ü€😀"]'.encode(), ("/", None, "héllo", '"ü€😀"'.encode())),
        (b'427["hello",{"a":"\\ud83d"}]', ("/", 7, "hello", b'{"a": "\\ud83d"}')),
    ],
)
def test_an_event_is_a_namespace_an_ack_id_a_name_and_an_argument(
    packet: bytes, expected: tuple[str, int | None, str, bytes | None] | None
) -> None:
    """The argument is left as it is, for whoever knows its type."""
    if expected is None:
        with pytest.raises(MalformedPacket):
            decode(packet)
    else:
        assert event(packet) == expected


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (b"1", CLOSE),
        (b"3", PONG),
        (b"40", Connect("/", None)),
        (b"40/admin", Connect("/admin", None)),
        (b"40/admin,", Connect("/admin", None)),
        (b"41", Disconnect("/")),
        (b"41/admin,", Disconnect("/admin")),
    ],
)
def test_the_other_packets(packet: bytes, expected: Packet) -> None:
    """CLOSE, PONG, CONNECT and DISCONNECT are the other packets that a client may send."""
    assert decode(packet) == expected


@pytest.mark.parametrize(
    ("packet", "namespace", "auth"),
    [
        (b'40{"token":"t"}', "/", b'{"token":"t"}'),
        (b'40/admin,{"token":"t"}', "/admin", b'{"token":"t"}'),
        (b"40{}", "/", b"{}"),
    ],
)
def test_a_connect_carries_auth(packet: bytes, namespace: str, auth: bytes) -> None:
    """The auth of a CONNECT is a JSON object, left as it is."""
    decoded = decode(packet)
    assert isinstance(decoded, Connect)
    assert decoded.auth is not None
    assert (decoded.namespace, bytes(decoded.auth)) == (namespace, auth)


MALFORMED = {
    "empty": b"",
    "unknown packet type": b"9",
    "open": b'0{"sid":"x"}',
    "ping": b"2",
    "probe": b"2probe",
    "pong with data": b"3probe",
    "close with data": b"1x",
    "upgrade": b"5",
    "noop": b"6",
    "base64": b"bAQIDBA==",
    "empty message": b"4",
    "letters": b"4abc",
    "unknown message type": b"47",
    "ack": b"430[]",
    "connect error": b'44{"message":"no"}',
    "binary event": b'451-["hello",{"_placeholder":true,"num":0}]',
    "binary ack": b'461-0[{"_placeholder":true,"num":0}]',
    "attachments of an event": b'421-["hello"]',
    "event without data": b"42",
    "event with an id and no data": b"4212",
    "event of a namespace without data": b"42/admin,",
    "event that is an object": b'42{"name":"hello"}',
    "event that is a string": b'42"hello"',
    "event without a name": b"42[]",
    "event with a number for a name": b'42[1,"hello"]',
    "event with null for a name": b"42[null]",
    "two arguments": b'42["hello",1,2]',
    "negative ack id": b'42-1["hello"]',
    "ack id with a letter": b'421a["hello"]',
    "ack id in other digits": '42١["hello"]'.encode(),
    "ack id that is too long": b'42%b["hello"]' % (b"1" * (MAX_ACK_DIGITS + 1)),
    "trailing characters": b'42["hello"]x',
    "half an event": b'42["hello",{"a":',
    "malformed argument": b'42["hello",{"a":1,}]',
    "not a number": b'42["hello",NaN]',
    "control character": b'42["hello","\x01"]',
    "invalid UTF-8 in the argument": b'42["hello","\xff"]',
    "invalid UTF-8 in the name": b'42["\xff"]',
    "surrogate in UTF-8": b'42["hello","\xed\xa0\x80"]',
    "lone surrogate in the name": b'42["\\ud800"]',
    "lone surrogate and not a number": b'42["hello",["\\ud800",NaN]]',
    "lone surrogate and half an event": b'42["hello","\\ud800"',
    "lone surrogate and two arguments": b'42["hello","\\ud800",1]',
    "lone surrogate and deep nesting": b'42["\\ud800",' + b"[" * 100_000 + b"]" * 100_000 + b"]",
    "deep nesting": b'42["hello",' + b"[" * 100_000 + b"]" * 100_000 + b"]",
    "connect with a list": b"40[]",
    "connect with a string": b'40"token"',
    "connect with null": b"40null",
    "connect with half an object": b'40{"token":',
    "connect with trailing characters": b"40{}x",
    "connect with invalid UTF-8": b'40{"token":"\xff"}',
    "connect with an ack id": b"401{}",
    "connect with deep nesting": b'40{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "disconnect with data": b"41{}",
    "namespace with a blank": b'42/a b,["hello"]',
    "namespace that is too long": b"40/" + b"a" * 1000 + b",",
    "namespace in UTF-8": "40/é".encode(),
    **{
        f"reserved event {name}": b'42["%b",{}]' % name.encode() for name in sorted(RESERVED_EVENTS)
    },
    "reserved event in escapes": b'42["\\u0063onnect"]',
}


@pytest.mark.parametrize("packet", MALFORMED.values(), ids=MALFORMED.keys())
def test_whatever_else_is_malformed(packet: bytes) -> None:
    """Everything that is not on the list is refused, and by nothing but MalformedPacket."""
    with pytest.raises(MalformedPacket):
        decode(packet)


def test_the_reserved_events_are_those_of_the_libraries() -> None:
    """Names that the Node and Python servers keep for themselves."""
    assert {"connect", "connect_error", "disconnect"} < RESERVED_EVENTS
    assert {"disconnecting", "newListener", "removeListener"} < RESERVED_EVENTS


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_bytes_crash_the_parser(packet: bytes) -> None:
    """Any bytes are a packet or malformed."""
    for start in (b"", b"40", b"42", b"42/a,1", b'42["x",'):
        try:
            decoded = decode(start + packet)
        except MalformedPacket:
            continue
        assert isinstance(decoded, Packet)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    name=st.text().filter(lambda name: name not in RESERVED_EVENTS),
    argument=json_values,
    ack_id=st.none() | st.integers(0, 10**MAX_ACK_DIGITS - 1),
    namespace=st.sampled_from(["/", "/admin", "/groups/1"]),
)
def test_what_the_official_client_encodes_is_understood(
    name: str, argument: object, ack_id: int | None, namespace: str
) -> None:
    """An event in the words of the protocol's encoder comes out as it went in."""
    prefix = "" if namespace == "/" else f"{namespace},"
    ack = "" if ack_id is None else str(ack_id)
    decoded = decode(f"42{prefix}{ack}{json.dumps([name, argument])}".encode())
    assert isinstance(decoded, Event)
    assert (decoded.namespace, decoded.ack_id, decoded.name) == (namespace, ack_id, name)
    assert decoded.argument is not None
    assert json.loads(bytes(decoded.argument)) == argument


def test_a_payload_is_split_at_its_separators() -> None:
    """Packets of a long-polling payload stand between record separators."""
    assert split(b"3") == [b"3"]
    assert split(b"40\x1e3\x1e") == [b"40", b"3", b""]


def test_a_payload_has_a_bounded_number_of_packets() -> None:
    """16 packets are one payload; 17 are none."""
    assert len(split(b"\x1e".join([b"3"] * MAX_PACKETS))) == MAX_PACKETS == 16
    with pytest.raises(MalformedPacket):
        split(b"\x1e".join([b"3"] * (MAX_PACKETS + 1)))
