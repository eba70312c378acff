"""What the load generator reads off a socket is what the gateway writes, however it is cut."""

import json
import random

import pytest

from gateway.sockets.frame import Frame
from load import http, wire


def event(topic: str, seq: int, **data: object) -> bytes:
    """A server's event, as one WebSocket frame."""
    meta = {"topic": topic, "seq": seq, "at": "2026-01-01T00:00:00.000000Z"}
    body = ",".join(json.dumps(each, separators=(",", ":")) for each in ("post:liked", data, meta))
    return Frame.event(body.encode()).websocket


def test_events_of_one_topic_are_counted_as_a_run() -> None:
    """Of events that follow each other the first and last seq are told, and how many there were."""
    reading = wire.read(b"".join(event("post:1", seq) for seq in (4, 5, 7)) + event("post:2", 1))
    (one, other) = reading.runs
    assert (one.topic, one.first, one.last, one.count, one.rising) == (b"post:1", 4, 7, 3, True)
    assert (other.topic, other.first, other.count) == (b"post:2", 1, 1)
    assert reading.same_for_all


@pytest.mark.parametrize("seqs", [(4, 4), (4, 3), (5, 6, 6)])
def test_an_event_out_of_order_is_noticed(seqs: tuple[int, ...]) -> None:
    """A seq that is not higher than the one before it spoils its run."""
    (run,) = wire.read(b"".join(event("post:1", seq) for seq in seqs)).runs
    assert not run.rising


def test_what_users_write_is_not_taken_for_meta() -> None:
    """Only the last argument counts, whatever stands in the data."""
    forged = '{"topic":"post:9","seq":99,"at":""}]'
    inside = {"topic": "post:8", "seq": 88, "at": ""}
    (run,) = wire.read(event("post:1", 1, content=forged, post=inside)).runs
    assert (run.topic, run.last) == (b"post:1", 1)


def test_frames_are_put_together_wherever_they_were_cut() -> None:
    """Bytes that arrive in pieces of any size read as they would in one."""
    whole = b"".join(
        (
            event("post:1", 1),
            event("post:1", 2, filler="x" * 300),
            Frame.ack(7, b'{"data":{"seq":2}}').websocket,
            Frame(b"2").websocket,
            event("post:1", 3, filler="x" * 70_000),
        )
    )
    cut = random.Random(1)  # noqa: S311
    for _ in range(20):
        at, carry, events, acks, others = 0, b"", 0, [], []
        while at < len(whole):
            size = cut.choice((1, 3, 50, 5_000, 100_000))
            carry += whole[at : at + size]
            at += size
            reading = wire.read(carry)
            carry = carry[reading.used :]
            events += sum(run.count for run in reading.runs)
            acks += [(ack.id, ack.code) for ack in reading.acks]
            others += reading.others
        assert (events, acks, others, carry) == (3, [(7, None)], [b"2"], b"")


def test_an_ack_tells_why_it_was_refused() -> None:
    """A refusal is known by its code."""
    error = b'{"error":{"code":"RATE_LIMITED","message":"Slowly.","details":{}}}'
    (ack,) = wire.read(Frame.ack(12, error).websocket).acks
    assert (ack.id, ack.code) == (12, "RATE_LIMITED")


def test_a_masked_frame_is_no_servers() -> None:
    """A server that masks its frames is not one."""
    with pytest.raises(wire.WireError):
        wire.read(wire.text(b"2"))


def test_a_poll_brings_packets_with_separators_between_them() -> None:
    """The same packets are read from a poll's body."""
    packet = b'42["a",{},{"topic":"post:1","seq":1,"at":""}]'
    reading = wire.read_payload(b"\x1e".join((b"2", packet, b'431[{"data":{}}]')))
    assert reading.others == [b"2"]
    assert [run.last for run in reading.runs] == [1]
    assert [ack.id for ack in reading.acks] == [1]


def test_answers_are_put_together_wherever_they_were_cut() -> None:
    """Of HTTP answers on one connection each comes whole, with its status."""
    whole = b"".join(
        b"HTTP/1.1 %d OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b"
        % (status, len(body), body)
        for status, body in ((200, b"one"), (404, b""), (200, b"x" * 1_000))
    )
    for size in (1, 7, 100, 10_000):
        responses = http.Responses()
        found = [
            answer
            for at in range(0, len(whole), size)
            for answer in responses.feed(whole[at : at + size])
        ]
        assert found == [(200, b"one"), (404, b""), (200, b"x" * 1_000)]


def test_an_answer_of_unknown_length_is_refused() -> None:
    """This client reads no chunks."""
    with pytest.raises(http.HttpError):
        list(http.Responses().feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
