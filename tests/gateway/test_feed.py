"""The order of one topic on one node, whatever order its entries arrive in."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery import feed as feed_module
from gateway.delivery.feed import Feed, is_outdated, retold
from gateway.delivery.message import Header, Malformed, Message

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
REMOVING = frozenset({"comment:deleted"})


def entry(
    seq: int, name: str = "comment:created", *, key: str | None = None, subject: str | None = None
) -> Message:
    return Message("post:1", Header(seq, name, AT, key, subject), b'{"seq":%d}' % seq)


def seqs(messages: list[Message] | None) -> list[int] | None:
    return None if messages is None else [message.seq for message in messages]


def started(head: int = 0) -> Feed:
    feed = Feed("post:1")
    assert feed.start("e", head) == []
    return feed


def collapsed(messages: list[Message]) -> list[Message]:
    """What the journal answers of consecutive entries."""
    return retold(messages, ())


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """What a topic's journal holds: log entries, two states, and comments that are deleted again."""
    history = []
    for seq in range(1, draw(st.integers(0, 40)) + 1):
        kind = draw(st.sampled_from(["log", "likes", "follower", "deletes"]))
        if kind == "log":
            history.append(entry(seq, subject=f"comment:{seq}"))
        elif kind == "deletes":
            of = draw(st.integers(1, seq))
            history.append(entry(seq, "comment:deleted", subject=f"comment:{of}"))
        else:
            history.append(entry(seq, "post:liked", key=kind))
    return history


@given(st.data(), histories(), st.integers(1, 8))
def test_any_order_of_arrival(data: st.DataObject, history: list[Message], ring: int) -> None:
    """Entries come in any order, doubled, lost and fetched, before and after the start.

    What is delivered rises strictly; nothing is missed but states that were replaced; the ring
    answers what was delivered; in the end a fetch delivers everything.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed_module, "RING_ENTRIES", ring)
        head = data.draw(st.integers(0, len(history)), label="head at the start")
        arrivals = data.draw(
            st.lists(st.sampled_from([None, *history]), max_size=80), label="arrivals, None fetches"
        )
        start_at = data.draw(st.integers(0, len(arrivals)), label="arrivals before the start")

        feed = Feed("post:1")
        delivered: list[Message] = []
        newest = 0
        for place, message in enumerate(arrivals):
            if place == start_at:
                delivered += feed.start("e", head)
            if message is not None:
                newest = max(newest, message.seq)
                delivered += feed.accept(message)
            elif feed.started:
                _fetch(feed, history, max(newest, feed.seq), delivered)
            _check(feed, delivered, history, head)
        if not feed.started:
            delivered += feed.start("e", head)
        _fetch(feed, history, len(history), delivered)
        _check(feed, delivered, history, head)
        assert feed.seq == len(history)
        assert not feed.waiting


def _fetch(feed: Feed, history: list[Message], head: int, delivered: list[Message]) -> None:
    """What is committed when the journal is read is everything up to `head`."""
    missing = collapsed(history[feed.seq : head])
    delivered += feed.catch_up(head, missing, feed.waiting)


def _check(feed: Feed, delivered: list[Message], history: list[Message], head: int) -> None:
    got = [message.seq for message in delivered]
    assert got == sorted(set(got))
    if not feed.started:
        assert got == []
        return
    for missed in set(range(head + 1, feed.seq + 1)) - set(got):
        key = history[missed - 1].key
        assert key is not None
        assert any(seq > missed and history[seq - 1].key == key for seq in got)
    for since in range(len(history) + 2):
        kept = feed.since(since)
        if kept is None:
            assert since < feed.floor or since > feed.seq
        else:
            assert kept == [message for message in delivered if message.seq > since]


def test_the_next_entry_is_due_at_once() -> None:
    """In quiet times an entry comes and goes."""
    feed = started(5)
    assert seqs(feed.accept(entry(6))) == [6]
    assert not feed.waiting


def test_an_entry_waits_for_the_one_before() -> None:
    """Behind a gap entries are held until it closes."""
    feed = started()
    assert feed.accept(entry(3)) == []
    assert feed.accept(entry(2)) == []
    assert feed.waiting == {2, 3}
    assert seqs(feed.accept(entry(1))) == [1, 2, 3]
    assert not feed.waiting


def test_what_came_before_the_start_follows_the_head() -> None:
    """What the bus brought while the head was read is delivered after it, and what the head holds is not."""
    feed = Feed("post:1")
    for seq in (4, 3, 2, 6):
        assert feed.accept(entry(seq)) == []
    assert not feed.waiting
    assert seqs(feed.start("e", 3)) == [4]
    assert feed.waiting == {6}


def test_a_fetch_that_is_overtaken_delivers_nothing_twice() -> None:
    """While the journal is read the bus may close the gap, and bring more than the answer holds."""
    feed = started()
    feed.accept(entry(2))
    waited = feed.waiting
    assert seqs(feed.accept(entry(1))) == [1, 2]
    assert seqs(feed.accept(entry(3))) == [3]
    assert feed.catch_up(2, [entry(1), entry(2)], waited) == []
    assert feed.seq == 3


def test_an_entry_that_is_not_in_the_journal_is_forgotten() -> None:
    """A forged entry from far ahead does not make a gap for ever; one that came meanwhile still counts."""
    feed = started()
    feed.accept(entry(1_000_000))
    waited = feed.waiting
    feed.accept(entry(5))
    assert seqs(feed.catch_up(3, [entry(1), entry(2), entry(3)], waited)) == [1, 2, 3]
    assert feed.waiting == {5}
    assert seqs(feed.accept(entry(4))) == [4, 5]


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound entries are forgotten, but never the one that closes the gap."""
    monkeypatch.setattr(feed_module, "HELD_ENTRIES", 2)
    feed = started()
    for seq in (2, 3, 4):
        feed.accept(entry(seq))
    assert feed.waiting == {2, 3}
    assert seqs(feed.accept(entry(1))) == [1, 2, 3]


def test_the_ring_says_how_far_back_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers what followed a position, nothing for the newest, and None past either end."""
    monkeypatch.setattr(feed_module, "RING_ENTRIES", 2)
    feed = started(10)
    for seq in (11, 12, 13):
        feed.accept(entry(seq))
    assert feed.since(10) is None
    assert seqs(feed.since(11)) == [12, 13]
    assert feed.since(13) == []
    assert feed.since(14) is None


def test_starting_over_forgets_the_ring() -> None:
    """After a new beginning nothing is told of the history before it."""
    feed = started()
    feed.accept(entry(1))
    feed.accept(entry(2))
    assert feed.start("f", 1) == []
    assert (feed.epoch, feed.seq) == ("f", 1)
    assert feed.since(0) is None
    assert feed.since(1) == []
    assert seqs(feed.accept(entry(2))) == [2]


@given(histories())
def test_a_replay_tells_of_each_state_the_newest(history: list[Message]) -> None:
    """All log entries and the last entry of each key, in order; telling it again changes nothing."""
    told = retold(history, ())
    keys = [message.key for message in told if message.key is not None]
    assert len(keys) == len(set(keys)) == len({m.key for m in history if m.key is not None})
    last = {message.key: message for message in history}
    assert told == [m for m in history if m.key is None or last[m.key] is m]
    assert retold(told, ()) == told


@given(histories())
def test_a_replay_tells_nothing_of_what_was_removed(history: list[Message]) -> None:
    """Before its removal a subject is told of as null; the removal itself is told."""
    for message in retold(history, REMOVING):
        removed_later = any(
            later.header.name in REMOVING
            and later.subject == message.subject
            and later.seq > message.seq
            for later in history
        )
        telling = message.key is None and removed_later
        assert message.data == (b"null" if telling else b'{"seq":%d}' % message.seq)


def test_a_change_outdates_what_was_told_of_its_subject_before() -> None:
    """Not what comes after, nor what tells of something else, nor states, which hold no more than a count."""
    before = entry(1, "post:created", subject="post:1")
    after = entry(3, "post:featured", subject="post:1")
    change = entry(2, "post:updated", subject="post:1")
    likes = entry(1, "post:liked", key="likes", subject="post:1")
    other = entry(1, "post:created", subject="post:2")
    revising = {"post:updated"}
    assert is_outdated([before, change, after], revising)
    assert is_outdated([entry(1, "post:updated", subject="post:1"), change], revising)
    assert not is_outdated([change, after], revising)
    assert not is_outdated([likes, change], revising)
    assert not is_outdated([other, change], revising)
    assert not is_outdated([before, after], revising)


def test_entries_about_nothing_in_particular_are_never_blanked() -> None:
    """A removal without a subject removes nothing."""
    told = retold([entry(1), entry(2, "comment:deleted")], REMOVING)
    assert [message.data for message in told] == [b'{"seq":1}', b'{"seq":2}']


@dataclass(frozen=True)
class StoredEntry:
    topic: str = "post:1"
    seq: int = 7
    type: str = "comment:created"
    key: str | None = None
    subject: str | None = "comment:1"
    data: bytes | None = b'{"content":"\xc3\xa9\\n\\u2028"}'
    at: datetime = field(default=AT)


def test_a_message_arrives_as_it_was_sent() -> None:
    """What another node decodes makes the same frame, byte for byte."""
    for stored in (StoredEntry(), StoredEntry(key="likes", subject=None), StoredEntry(data=None)):
        sent = Message.of(stored)
        got = Message.decode(stored.topic, sent.encode())
        assert got.header == sent.header
        assert got.frame.websocket == sent.frame.websocket


def test_an_event_has_its_data_and_where_it_stands() -> None:
    """`42["name",data,{topic,seq,at}]`, times in UTC."""
    packet = Message.of(StoredEntry()).frame.packets[0]
    assert packet.startswith(b"42")
    assert msgspec.json.decode(packet[2:]) == [
        "comment:created",
        {"content": "é\n\u2028"},
        {"topic": "post:1", "seq": 7, "at": "2026-11-21T12:00:00Z"},
    ]


HEADER: list[Any] = [7, "comment:created", "2026-11-21T12:00:00Z", None, None]


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\n",
        b"\xff\xfe\n{}",
        b"[]\n{}",
        b"not json\n{}",
        msgspec.json.encode(HEADER),
        msgspec.json.encode(HEADER) + b"\n",
        msgspec.json.encode(HEADER) + b"\n[1]",
        msgspec.json.encode(HEADER) + b"\n{} {}",
        msgspec.json.encode(HEADER) + b'\n{"a":1',
        msgspec.json.encode(HEADER) + b'\n{"a":"\xff"}',
        msgspec.json.encode(HEADER) + b'\n{"a":"\\ud800"}',
        msgspec.json.encode(HEADER) + b'\n{"a":' + b"[" * 100_000,
        msgspec.json.encode([*HEADER, "more"]) + b"\n{}",
        msgspec.json.encode([0, *HEADER[1:]]) + b"\n{}",
        msgspec.json.encode([-1, *HEADER[1:]]) + b"\n{}",
        msgspec.json.encode(["7", *HEADER[1:]]) + b"\n{}",
        msgspec.json.encode([7, None, *HEADER[2:]]) + b"\n{}",
        b'[18446744073709551616,"a","2026-11-21T12:00:00Z",null,null]\n{}',
        msgspec.json.encode([7, "a", "2026-11-21T12:00:00", None, None]) + b"\n{}",
        msgspec.json.encode([7, "a", "yesterday", None, None]) + b"\n{}",
    ],
)
def test_a_forged_message_is_malformed(wire: bytes) -> None:
    """Nothing but what a node sends passes, above all nothing that is no JSON."""
    with pytest.raises(Malformed):
        Message.decode("post:1", wire)


@given(st.binary(max_size=80) | st.binary(max_size=40).map(msgspec.json.encode(HEADER).__add__))
def test_no_bytes_do_harm(wire: bytes) -> None:
    """Any bytes are a message or Malformed."""
    try:
        message = Message.decode("post:1", wire)
    except Malformed:
        return
    msgspec.json.decode(message.frame.packets[0][2:])
