"""Sending: everything once and in order, joined, paced, and never held up by a slow reader."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery import audience
from gateway.delivery.audience import LONGEST_PAUSE, Audience, due_now, pause_after
from gateway.delivery.counts import DeliveryCounts
from gateway.delivery.message import Header, Message
from gateway.sockets.frame import Frame
from tests.gateway.holders import Direct, Sitting
from tests.waiting import DEADLINE

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def message(seq: int, key: str | None = None) -> Message:
    return Message("post:1", Header(seq, "said", NOON, key, None), b"{}")


class Reader(Direct):
    """A watcher that notes the seqs it gets, write by write; `congested` stops it from keeping up."""

    def __init__(self) -> None:
        self.session = Sitting()
        self.writes: list[list[int]] = []
        self.congested = False
        self.closed: str | None = None

    @property
    def seqs(self) -> list[int]:
        return [seq for write in self.writes for seq in write]

    def send(self, frame: Frame) -> None:
        self.writes.append([_seq(packet) for packet in frame.packets])

    def close(self, reason: str) -> None:
        self.closed = reason


def _seq(packet: bytes) -> int:
    return int(packet.split(b'"seq":')[1].split(b",")[0])


async def passes(count: int = 3) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def settled(room: Audience) -> None:
    """Until nothing is on its way."""
    async with asyncio.timeout(DEADLINE):
        while room._flush is not None or room._again is not None:
            await asyncio.sleep(0.001)


async def test_entries_of_one_pass_are_one_write() -> None:
    """What is told before the loop turns goes out together."""
    room, reader = Audience(), Reader()
    room.join(reader, 0)
    room.tell([message(1)])
    room.tell([message(2), message(3)])
    await passes()
    assert reader.writes == [[1, 2, 3]]


async def test_a_lone_entry_goes_at_once() -> None:
    """In a quiet room nothing waits for a timer."""
    room, reader = Audience(), Reader()
    room.join(reader, 0)
    for seq in (1, 2, 3):
        room._rest_until = 0.0
        room.tell([message(seq)])
        await passes()
        assert reader.seqs[-1] == seq


async def test_replaced_states_are_left_out() -> None:
    """Of states with one key the newest goes out; log entries all do."""
    room, reader = Audience(), Reader()
    room.join(reader, 0)
    room.tell([message(1, "likes"), message(2), message(3, "likes"), message(4, "likes")])
    await passes()
    assert reader.seqs == [2, 4]


async def test_whoever_joins_gets_what_follows() -> None:
    """Entries that were on their way before are not for a newcomer; those who were here get them."""
    room, early, late = Audience(), Reader(), Reader()
    room.join(early, 0)
    room.tell([message(1), message(2)])
    room.join(late, 2)
    room.tell([message(3)])
    await passes()
    assert early.seqs == [1, 2, 3]
    assert late.seqs == [3]


async def test_whoever_joins_again_first_gets_what_it_is_owed() -> None:
    """What is on its way is sent before the answer to watching anew; nothing comes twice."""
    room, reader = Audience(), Reader()
    room.join(reader, 0)
    room.tell([message(1)])
    room.join(reader, 1)
    assert reader.seqs == [1]
    room.tell([message(2)])
    await settled(room)
    assert reader.seqs == [1, 2]


async def test_whoever_joins_again_while_slow_gets_the_state_it_is_owed() -> None:
    """A state that was kept back is sent before the answer says that the client has it."""
    room, reader = Audience(), Reader()
    room.join(reader, 0)
    reader.congested = True
    room.tell([message(1, "likes")])
    await passes()
    assert reader.seqs == []
    room.join(reader, 1)
    assert reader.seqs == [1]


async def test_whoever_leaves_gets_nothing_more() -> None:
    """Not even what was on its way."""
    room, going, staying = Audience(), Reader(), Reader()
    room.join(going, 0)
    room.join(staying, 0)
    room.tell([message(1)])
    room.leave(going)
    await passes()
    assert going.seqs == []
    assert staying.seqs == [1]


async def test_a_slow_reader_gets_the_newest_state_when_it_keeps_up() -> None:
    """States are kept back and replaced, without delaying the others; log entries are sent in order."""
    room, slow, fast = Audience(), Reader(), Reader()
    room.join(slow, 0)
    room.join(fast, 0)
    slow.congested = True
    for seq in range(1, 6):
        room._rest_until = 0.0
        room.tell([message(seq, "likes")])
        await passes()
    assert slow.seqs == []
    assert fast.seqs == [1, 2, 3, 4, 5]
    room._rest_until = 0.0
    room.tell([message(6)])
    await passes()
    assert slow.seqs == [5, 6]
    room._rest_until = 0.0
    room.tell([message(7, "likes")])
    await passes()
    slow.congested = False
    await settled(room)
    assert slow.seqs == [5, 6, 7]


async def test_every_message_that_is_written_is_counted() -> None:
    """Once for each watcher, be it in a flush with all others, apart, or late; a flush counts once."""
    counts = DeliveryCounts()
    room, slow, fast, going = Audience(counts=counts), Reader(), Reader(), Reader()
    for reader in (slow, fast, going):
        room.join(reader, 0)
    room.tell([message(1), message(2)])
    await settled(room)
    assert (counts.flushes, counts.deliveries) == (1, 6)
    slow.congested = True
    room.tell([message(3, "likes")])
    room.leave(going)
    await passes()
    room.tell([message(4), message(5, "likes")])
    slow.congested = False
    room.join(slow, 3)
    await settled(room)
    readers = (slow, fast, going)
    assert [reader.seqs for reader in readers] == [[1, 2, 4, 5], [1, 2, 3, 4, 5], [1, 2]]
    assert counts.deliveries == sum(len(reader.seqs) for reader in readers)
    assert sum(counts.seconds.counts) == 5
    assert counts.seconds.counts[-1] == 5, "they were stamped long ago"


async def test_what_is_under_way_goes_first() -> None:
    """What the same pass answers or publishes does not wait until the room is served."""
    room, reader = Audience(), Reader()
    room.join(reader, 0)
    heard: list[list[int]] = []
    room.tell([message(1)])
    asyncio.get_running_loop().call_soon(lambda: heard.extend(reader.writes or [[]]))
    await passes()
    assert heard == [[]]
    assert reader.writes == [[1]]


async def test_a_watcher_that_fails_is_closed_and_the_others_hear() -> None:
    """Its error is its own."""

    class Broken(Reader):
        def send(self, frame: Frame) -> None:
            raise RuntimeError("broken")

    room, broken, sound = Audience(), Broken(), Reader()
    room.join(broken, 0)
    room.join(sound, 0)
    room.tell([message(1)])
    await passes()
    assert broken.closed == "internal_error"
    assert sound.seqs == [1]


async def test_a_large_room_is_served_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other work gets its turn between slices, and a newcomer meanwhile gets nothing twice."""
    room = Audience()
    readers = [Reader() for _ in range(audience.SLICE_WATCHERS * 4)]
    for reader in readers:
        room.join(reader, 0)
    monkeypatch.setattr(audience, "SLICE_SECONDS", 0.0)
    room.tell([message(1)])
    await passes(2)
    assert 0 < sum(bool(reader.seqs) for reader in readers) < len(readers)
    newcomer = Reader()
    room.join(newcomer, 1)
    room.tell([message(2)])
    await settled(room)
    assert all(reader.seqs == [1, 2] for reader in readers)
    assert newcomer.seqs == [2]


def test_the_pause_follows_the_cost() -> None:
    """A topic gets half of the loop at most, and no pause is longer than LONGEST_PAUSE."""
    assert pause_after(0.0) == 0.0
    assert pause_after(0.02) == 0.02
    assert pause_after(3.0) == LONGEST_PAUSE


KEYS = st.lists(st.sampled_from([None, "a", "b"]), max_size=12)


@given(keys=KEYS, congested=st.booleans())
def test_what_is_due_is_in_order_and_loses_no_log_entry(
    keys: Sequence[str | None], congested: bool
) -> None:
    """Sent and kept together are the collapsed entries in order; what is kept are states only."""
    owed = [message(seq, key) for seq, key in enumerate(keys, 1)]
    now, later = due_now(owed, congested=congested)
    seqs = [each.seq for each in (*now, *later)]
    assert seqs == sorted(seqs)
    assert [each.seq for each in owed if each.key is None] == [
        each.seq for each in now if each.key is None
    ]
    assert all(each.key is not None for each in later)
    newest = {each.key: each.seq for each in owed}
    assert {each.key: each.seq for each in (*now, *later)} == newest
    assert congested or not later
