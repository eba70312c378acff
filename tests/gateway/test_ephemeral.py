"""Ephemeral messages: to whoever is there and keeps up, paced, from every node, and in no journal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from gateway.delivery import audience
from gateway.delivery.audience import Audience
from gateway.delivery.hub import Hub, Position
from gateway.delivery.message import Header, Message
from gateway.sockets.frame import Frame
from pubsub import Bus
from store.database import Database, open_database
from store.journal import Ephemeral, EventType, Journal, Kind, NewEntry
from tests.gateway.holders import VISITOR, Direct, Everybody, Sitting
from tests.servers import FreshDatabase
from tests.waiting import until

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Said(msgspec.Struct, frozen=True):
    n: int


COUNTED = EventType("counted", Kind.EPHEMERAL, Said)
SAID = EventType("said", Kind.LOG, Said)


def counted(topic: str, n: int, *, key: str = "count", at: int | None = None) -> Ephemeral:
    """The count `n`, as it was `at` seconds past noon; without it, `n` seconds."""
    moment = NOON + timedelta(seconds=n if at is None else at)
    return Ephemeral.of(topic, COUNTED, Said(n), key=key, at=moment)


def mention(n: int, *, key: str | None = "count", at: int | None = None) -> Message:
    moment = NOON + timedelta(seconds=n if at is None else at)
    return Message("post:1", Header(None, "counted", moment, key, None), b'{"n":%d}' % n)


def entry(seq: int, key: str | None = None) -> Message:
    return Message("post:1", Header(seq, "said", NOON, key, None), b'{"n":%d}' % seq)


class Reader(Direct):
    """A watcher that notes the `n` of what it gets, write by write."""

    def __init__(self, *, slow: bool = False) -> None:
        self.session = Sitting()
        self.events: list[tuple[str, int, dict[str, Any]]] = []
        self.writes: list[list[int]] = []
        self.congested = slow

    @property
    def numbers(self) -> list[int]:
        return [n for _, n, _ in self.events]

    def send(self, frame: Frame) -> None:
        told = [msgspec.json.decode(packet[2:]) for packet in frame.packets]
        self.events += [(name, data["n"], meta) for name, data, meta in told]
        self.writes.append([data["n"] for _, data, _ in told])

    def close(self, reason: str) -> None:
        pytest.fail(f"closed: {reason}")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pacing in hundredths of a second."""
    monkeypatch.setattr(audience, "MENTION_SECONDS", 0.05)


async def passes(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_message_goes_out_at_once_beside_the_entries() -> None:
    """To all who are here, in the same write."""
    room, reader = Audience(), Reader()
    room.join(reader, 7)
    room.mention(mention(100))
    room.tell([entry(8)])
    await passes()
    assert reader.writes == [[8, 100]]


async def test_those_of_one_key_are_paced(quick: None) -> None:
    """The first goes at once, then the newest of every pause; other keys do not wait for it."""
    room, reader = Audience(), Reader()
    room.join(reader, 0)
    for n in range(1, 6):
        room.mention(mention(n))
        await passes()
    room.mention(mention(50, key="other"))
    await passes()
    assert reader.numbers == [1, 50]
    await until(lambda: len(reader.numbers) == 3, "the newest")
    room.mention(mention(6))
    assert reader.numbers == [1, 50, 5]
    await until(lambda: reader.numbers == [1, 50, 5, 6], "what came after it")


async def test_an_older_one_never_follows_a_newer_one(quick: None) -> None:
    """Whenever it comes: counts do not go back."""
    room, reader = Audience(), Reader()
    room.join(reader, 0)
    room.mention(mention(3, at=3))
    room.mention(mention(5, at=5))
    room.mention(mention(4, at=4))
    await until(lambda: reader.numbers == [3, 5], "the newest")
    await until(lambda: not room._rests, "the end of the pause")
    room.mention(mention(2, at=2))
    room.mention(mention(5, at=5))
    room.mention(mention(6, at=6))
    await until(lambda: reader.numbers == [3, 5, 6], "only what is new")


async def test_without_a_key_all_go_out() -> None:
    """None of them stands for another."""
    room, reader = Audience(), Reader()
    room.join(reader, 0)
    for n in (1, 2, 3):
        room.mention(mention(n, key=None))
    await passes()
    assert reader.numbers == [1, 2, 3]


async def test_one_who_does_not_keep_up_is_told_nothing_ephemeral() -> None:
    """Now or later; the others are."""
    room, slow, fast = Audience(), Reader(slow=True), Reader()
    room.join(slow, 0)
    room.join(fast, 0)
    room.tell([entry(1, "likes")])
    room.mention(mention(100))
    await passes()
    assert (slow.numbers, fast.numbers) == ([], [1, 100])
    slow.congested = False
    await until(lambda: slow.numbers == [1], "the state that was kept")
    room._rest_until = 0.0
    room.mention(mention(101, key="other"))
    await passes()
    assert (slow.numbers, fast.numbers) == ([1, 101], [1, 100, 101])


async def test_a_newcomer_gets_its_entries_and_what_is_mentioned() -> None:
    """Entries from before it came are not repeated for it."""
    room, early, late = Audience(), Reader(), Reader()
    room.join(early, 0)
    room.tell([entry(1)])
    room.join(late, 1)
    room.mention(mention(100))
    await passes()
    assert (early.numbers, late.numbers) == ([1, 100], [100])


async def test_a_room_that_stops_or_empties_holds_nothing(quick: None) -> None:
    """What waited for its turn is dropped."""
    room, reader = Audience(), Reader()
    room.mention(mention(1))
    room.join(reader, 0)
    room.mention(mention(2))
    room.mention(mention(3))
    await passes()
    room.leave(reader)
    await until(lambda: not room._rests, "the end of the pause")
    assert reader.numbers == [2]
    room.join(reader, 0)
    room.mention(mention(4))
    room.mention(mention(5))
    await passes()
    room.stop()
    assert all(rest.timer.cancelled() for rest in room._rests.values())
    assert reader.numbers == [2, 4]


# From node to node


class Node:
    """One node as far as delivery goes."""

    def __init__(self, database: Database, redis_url: str, prefix: str) -> None:
        self.database = database
        self.hub = Hub(Journal(database), Everybody(), removing=[], always=["gallery"])
        self.bus = Bus(
            redis_url,
            prefix=prefix,
            on_message=self.hub.received,
            on_reconnect=self.hub.check_soon,
        )

    async def tells(self, *messages: Ephemeral, entries: list[NewEntry[Any]] | None = None) -> None:
        async def work(transaction: Any) -> None:
            transaction.tell(messages)
            await transaction.journal(entries or [])

        await self.database.transaction(work)

    async def shows(self, topic: str) -> Reader:
        reader = Reader()
        self.hub.attach(reader, await self.hub.recover(topic, None, VISITOR))
        return reader


@pytest.fixture(scope="module")
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


@pytest.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[tuple[Node, Node]]:
    prefix = f"test-ephemeral:{uuid4()}:"
    async with (
        open_database(database_url, connections=2) as first,
        open_database(database_url, connections=2) as second,
    ):
        started = []
        for database in (first, second):
            node = Node(database, redis_url, prefix)
            await node.bus.start()
            database.publish_to(node.hub.committed)
            await node.hub.start(node.bus)
            started.append(node)
        yield started[0], started[1]
        for node in started:
            await node.hub.close()
            await node.bus.close()


@pytest.fixture
def topic() -> str:
    return f"post:{uuid4()}"


async def test_it_reaches_watchers_on_all_nodes_once(nodes: tuple[Node, Node], topic: str) -> None:
    """With its topic and time, and without a seq; a topic's entries are numbered as if it were not."""
    here, there = nodes
    readers = [await here.shows(topic), await there.shows(topic)]
    bystander = await there.shows(f"{topic}0")
    await here.tells(counted(topic, 1), entries=[NewEntry(topic, SAID, Said(7))])
    await here.tells(counted(topic, 2), counted(topic, 3, key="other"))
    for reader in readers:
        await until(lambda reader=reader: len(reader.events) == 4, "all of it")
        assert sorted(reader.numbers) == [1, 2, 3, 7]
        said = {n: meta for _, n, meta in reader.events}
        assert said[1] == {"topic": topic, "at": "2026-11-21T12:00:01Z"}
        assert said[7]["seq"] == 1
    assert bystander.events == []


async def test_it_is_in_no_journal(nodes: tuple[Node, Node], topic: str) -> None:
    """Whoever was away is not told, and misses nothing."""
    here, there = nodes
    away = await there.hub.recover(topic, None, VISITOR)
    since = there.hub.read(away)
    await here.tells(counted(topic, 1))
    recovery = await there.hub.recover(topic, Position(since.epoch, since.seq), VISITOR)
    watched = there.hub.read(recovery)
    assert (watched.recovered, watched.seq, watched.events) == (True, 0, [])


async def test_what_is_rolled_back_is_told_to_nobody(nodes: tuple[Node, Node], topic: str) -> None:
    """It is published after the commit, and only then."""
    here, _ = nodes
    reader = await here.shows(topic)

    async def fails(transaction: Any) -> None:
        transaction.tell([counted(topic, 1)])
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await here.database.transaction(fails)
    await here.tells(counted(topic, 2))
    await until(lambda: reader.numbers == [2], "what was committed")
