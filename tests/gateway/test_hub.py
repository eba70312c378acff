"""The hub on a real journal in PostgreSQL and a real bus, as a node has them."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.delivery import hub as hub_module
from gateway.delivery.hub import Hub, Position, Watched
from gateway.sockets.frame import Frame
from handlers.actor import Actor
from pubsub import Bus
from store.database import Database, open_database
from store.journal import EventType, Heads, Journal, Kind, NewEntry, Replay
from store.refusal import Refusal
from tests.gateway.holders import VISITOR, Direct, Sitting
from tests.proxy import Proxy
from tests.servers import FreshDatabase
from tests.waiting import until


class Said(msgspec.Struct, frozen=True):
    n: int


SAID = EventType("said", Kind.LOG, Said)
COUNTED = EventType("counted", Kind.STATE, Said)
CHANGED = EventType("changed", Kind.LOG, Said, revises=True)
GONE = EventType("gone", Kind.LOG, Said, removes=True)
CLOSED = EventType("closed", Kind.LOG, Said, removes=True)
Event = tuple[str, Any, int]
"""Name, `n` (or None), and seq."""


def said(topic: str, n: int = 0, subject: str | None = None) -> NewEntry[Any]:
    return NewEntry(topic, SAID, Said(n), subject=subject)


def counted(topic: str, n: int) -> NewEntry[Any]:
    return NewEntry(topic, COUNTED, Said(n), key="count")


def gone(topic: str, subject: str) -> NewEntry[Any]:
    return NewEntry(topic, GONE, Said(0), subject=subject)


class Screen(Direct):
    """A watcher that remembers everything."""

    congested = False

    def __init__(self, actor: Actor = VISITOR) -> None:
        self.session = Sitting(actor)
        self.events: list[Event] = []
        self.closed: str | None = None
        self.on_send: Callable[[], None] = lambda: None

    def send(self, frame: Frame) -> None:
        self.on_send()
        for packet in frame.packets:
            assert packet.startswith(b"42")
            self.events.append(_event(packet[2:]))

    def close(self, reason: str) -> None:
        self.closed = reason

    @property
    def seqs(self) -> list[int]:
        return [seq for _, _, seq in self.events]

    async def reaches(self, seq: int, seconds: float = 10.0) -> None:
        await until(lambda: self.seqs[-1:] == [seq], f"seq {seq}, not {self.seqs[-5:]}", seconds)


def _event(packet: bytes) -> Event:
    name, data, meta = msgspec.json.decode(packet)
    return name, data and data["n"], meta["seq"]


def told(watched: Watched) -> list[Event]:
    return [_event(bytes(event)) for event in watched.events]


class Rights:
    """Everybody may watch everything, but for those in `keeps_out`; asked again after CLOSED."""

    def __init__(self) -> None:
        self.keeps_out: set[Actor] = set()
        self.asked: list[int] = []
        self.before_answer: Callable[[], Awaitable[None]] | None = None

    def excluding(self, name: str) -> frozenset[str]:
        return frozenset((CLOSED.name,)) if name.startswith("post:") else frozenset()

    async def may_watch(self, name: str, actor: Actor) -> bool:
        return actor not in self.keeps_out

    async def who_may_watch(self, name: str, actors: Sequence[Actor]) -> list[bool]:
        self.asked.append(len(actors))
        if (wait := self.before_answer) is not None:
            self.before_answer = None
            await wait()
        return [actor not in self.keeps_out for actor in actors]


class CountingJournal:
    """The journal, and how often it was asked."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.heads_read = 0
        self.replays = 0
        self.before_replay: Callable[[], Awaitable[None]] | None = None
        self.after_replay: Callable[[], Awaitable[None]] | None = None

    async def heads(self, topics: Sequence[str]) -> Heads:
        self.heads_read += 1
        return await self._journal.heads(topics)

    async def replay(self, topic: str, after: int) -> Replay:
        self.replays += 1
        if (wait := self.before_replay) is not None:
            self.before_replay = None
            await wait()
        replay = await self._journal.replay(topic, after)
        if (wait := self.after_replay) is not None:
            self.after_replay = None
            await wait()
        return replay


class LossyBus(Bus):
    """A bus that loses what `keeps` does not let through."""

    keeps: Callable[[], bool] = staticmethod(lambda: True)

    def publish(self, topic: str, message: bytes) -> None:
        if self.keeps():
            super().publish(topic, message)


class Node:
    """One node as far as delivery goes."""

    def __init__(self, database: Database, redis_url: str, prefix: str) -> None:
        self.database = database
        self.journal = CountingJournal(Journal(database))
        self.rights = Rights()
        self.hub = Hub(
            self.journal,
            self.rights,
            removing=[GONE.name, CLOSED.name],
            revising=[CHANGED.name],
            always=["gallery"],
        )
        self.bus = LossyBus(
            redis_url,
            prefix=prefix,
            on_message=self.hub.received,
            on_reconnect=self.hub.check_soon,
        )

    async def writes(self, *entries: NewEntry[Any]) -> None:
        """Commit these entries together."""

        async def work(transaction: Any) -> None:
            await transaction.blank([e.subject for e in entries if e.type is GONE])
            await transaction.journal(entries)

        await self.database.transaction(work)

    async def says(self, topic: str, *numbers: int) -> None:
        for n in numbers:
            await self.writes(said(topic, n))

    async def opens(self, screen: Screen, topic: str, since: Position | None = None) -> Watched:
        return self.hub.attach(screen, await self.hub.recover(topic, since, VISITOR))

    async def shows(self, topic: str) -> Screen:
        """A screen that watches the topic from now on."""
        screen = Screen()
        await self.opens(screen, topic)
        return screen

    @property
    def tasks(self) -> int:
        return len(self.hub._tasks)


StartNode = Callable[..., AbstractAsyncContextManager[Node]]


@pytest.fixture(scope="module")
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


@pytest.fixture
def start_node(database_url: str, redis_url: str) -> StartNode:
    return starter(database_url, redis_url)


def starter(database_url: str, redis_url: str) -> StartNode:
    """Starts nodes of one test, on one database and one bus."""
    prefix = f"test-hub:{uuid4()}:"

    @asynccontextmanager
    async def started(
        *, redis_url: str = redis_url, database_url: str = database_url
    ) -> AsyncIterator[Node]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(database_url, connections=4))
            node = Node(database, redis_url, prefix)
            await node.bus.start()
            stack.push_async_callback(node.bus.close)
            database.publish_to(node.hub.committed)
            await node.hub.start(node.bus)
            stack.push_async_callback(node.hub.close)
            yield node

    return started


@pytest.fixture
async def node(start_node: StartNode) -> AsyncIterator[Node]:
    async with start_node() as node:
        yield node


@pytest.fixture
async def other(start_node: StartNode) -> AsyncIterator[Node]:
    async with start_node() as node:
        yield node


def subscribed(node: Node) -> set[str]:
    """The channels that it hears."""
    (line,) = node.bus._lines.all
    return line._subscribed


@pytest.fixture
def topic() -> str:
    return f"post:{uuid4()}"


async def position(node: Node, topic: str) -> Position:
    heads = await node.journal.heads([topic])
    return Position(heads.epoch, heads.seqs[topic])


# Live


async def test_what_is_committed_reaches_every_watcher_once(
    node: Node, other: Node, topic: str
) -> None:
    """On the node that committed it and on others; a bystander hears nothing."""
    here, there = await node.shows(topic), await other.shows(topic)
    bystander = await other.shows(f"{topic}:else")
    await node.says(topic, 10, 11)
    await other.says(topic, 12)
    expected = [("said", 10, 1), ("said", 11, 2), ("said", 12, 3)]
    for screen in (here, there):
        await screen.reaches(3)
        assert screen.events == expected
    assert bystander.events == []
    assert (node.journal.replays, other.journal.replays) == (0, 0)


async def test_the_local_node_needs_no_bus(start_node: StartNode, redis_url: str) -> None:
    """With Redis away from the start a commit is on the screens of its own node when it returns."""
    topic = f"post:{uuid4()}"
    async with Proxy.before(redis_url) as proxy:
        await proxy.cut()
        async with start_node(redis_url=proxy.url) as node:
            screen = await node.shows(topic)
            await node.says(topic, 1, 2)
            await screen.reaches(2)
            assert screen.seqs == [1, 2]


async def test_watching_tells_where_the_topic_stands(node: Node, topic: str) -> None:
    """Without a position there is nothing to recover; the answer has the epoch and the head."""
    await node.says(topic, 1, 2, 3)
    here = await position(node, topic)
    watched = await node.opens(Screen(), topic)
    assert (watched.topic, watched.epoch, watched.seq) == (topic, here.epoch, 3)
    assert (watched.recovered, watched.events) == (False, [])


async def test_after_unwatching_nothing_comes(node: Node, topic: str) -> None:
    """A detached screen is left alone, the others are not; detaching twice is harmless."""
    screen, stays = await node.shows(topic), await node.shows(topic)
    node.hub.detach(screen, topic)
    node.hub.detach(screen, topic)
    node.hub.detach(screen, "post:nobody-watches-this")
    await node.says(topic, 1)
    await stays.reaches(1)
    assert screen.seqs == []


async def test_a_watcher_may_leave_in_the_middle_of_a_delivery(node: Node, topic: str) -> None:
    """Whoever detaches itself or others while it is sent to keeps nobody from hearing."""
    screens = [await node.shows(topic) for _ in range(3)]

    def leave() -> None:
        for screen in screens[:2]:
            node.hub.detach(screen, topic)

    screens[0].on_send = leave
    await node.says(topic, 1)
    await screens[2].reaches(1)
    await node.says(topic, 2)
    await screens[2].reaches(2)
    assert screens[0].seqs == [1]
    assert screens[1].seqs in ([], [1])  # it may have had its turn already


async def test_a_watcher_that_fails_harms_only_itself(node: Node, topic: str) -> None:
    """Its error is logged and it is closed; the commit stands and the others hear of it."""

    def fail() -> None:
        raise RuntimeError("a bug")

    broken, whole = await node.shows(topic), await node.shows(topic)
    broken.on_send = fail
    with capture_logs() as logs:
        await node.says(topic, 1)
        await whole.reaches(1)
        await until(lambda: broken.closed, "the broken one is closed")
    assert broken.closed == "internal_error"
    assert [log["event"] for log in logs] == ["a watcher failed"]


async def test_a_forged_message_does_no_harm(node: Node, other: Node, topic: str) -> None:
    """Garbage is logged; an entry from far ahead is asked for once and then forgotten."""
    screen = await node.shows(topic)
    with capture_logs() as logs:
        node.hub.received(topic, b"garbage")
        node.hub.received(topic, b'[900,"said","2026-11-21T12:00:00Z",null,null]\n{"n":1}')
        await until(lambda: node.journal.replays, "the gap is looked into")
        await other.says(topic, 1)
        await screen.reaches(1)
        await until(lambda: node.tasks == 1, "only the checking runs")
        assert node.hub._topics[topic].gap_timer is None
    assert node.journal.replays == 1
    assert screen.closed is None
    assert [log["event"] for log in logs] == ["a malformed message on the bus"]


async def test_an_entry_that_never_was_is_taken_back(node: Node, topic: str) -> None:
    """If a forged entry has moved the feed on, the next check makes its watchers start over."""
    screen = await node.shows(topic)
    node.hub.received(topic, b'[1,"said","2026-11-21T12:00:00Z",null,null]\n{"n":1}')
    await screen.reaches(1)
    await node.hub.check()
    assert screen.closed == "journal_gap"
    node.hub.detach(screen, topic)
    fresh = Screen()
    assert (await node.opens(fresh, topic)).seq == 0
    await node.says(topic, 2)
    await fresh.reaches(1)
    assert fresh.events == [("said", 2, 1)]


# Recovering


async def test_what_was_missed_is_told_from_the_ring(node: Node, topic: str) -> None:
    """While the node still has it, coming back asks the journal nothing."""
    await node.shows(topic)
    await node.says(topic, 1)
    here = await position(node, topic)
    await node.writes(counted(topic, 1), said(topic, 2), counted(topic, 2))
    watched = await node.opens(Screen(), topic, here)
    assert watched.recovered
    assert told(watched) == [("said", 2, 3), ("counted", 2, 4)]
    assert watched.seq == 4
    assert node.journal.replays == 0
    assert node.hub.counts.replays["ring"] == 1


async def test_what_was_missed_is_told_from_the_journal(node: Node, topic: str) -> None:
    """On a node that did not watch the topic, recovery tells the same."""
    await node.says(topic, 1)
    here = await position(node, topic)
    await node.writes(counted(topic, 1), said(topic, 2), counted(topic, 2))
    watched = await node.opens(Screen(), topic, here)
    assert watched.recovered
    assert told(watched) == [("said", 2, 3), ("counted", 2, 4)]
    assert watched.seq == 4


async def test_nothing_missed_is_recovered_too(node: Node, topic: str) -> None:
    """At the head there is nothing to tell, and that is whole."""
    await node.says(topic, 1)
    watched = await node.opens(Screen(), topic, await position(node, topic))
    assert (watched.recovered, watched.events, watched.seq) == (True, [], 1)


@pytest.mark.parametrize("seq", [2, 5_000, (1 << 63) - 1])
async def test_a_position_ahead_of_the_journal_is_not_recovered(
    node: Node, topic: str, seq: int
) -> None:
    """Nobody can stand there, so nothing is promised."""
    await node.says(topic, 1)
    epoch = (await position(node, topic)).epoch
    watched = await node.opens(Screen(), topic, Position(epoch, seq))
    assert (watched.recovered, watched.events, watched.seq) == (False, [], 1)


async def test_another_epoch_is_not_recovered(node: Node, topic: str) -> None:
    """A position from another history means nothing in this one."""
    await node.says(topic, 1, 2)
    watched = await node.opens(Screen(), topic, Position("another", 1))
    assert (watched.recovered, watched.events, watched.seq) == (False, [], 2)
    assert node.hub.counts.replays["refused"] == 1


async def test_too_far_behind_is_not_recovered(node: Node, topic: str) -> None:
    """More entries than one recovery may have: nothing is told rather than a part."""
    here = await position(node, topic)
    await node.writes(*(said(topic, n) for n in range(501)))
    behind = await node.opens(Screen(), topic, here)
    assert (behind.recovered, behind.events, behind.seq) == (False, [], 501)
    near = await node.opens(Screen(), topic, Position(here.epoch, 1))
    assert near.recovered
    assert [seq for _, _, seq in told(near)] == list(range(2, 502))


async def test_entries_past_the_retention_are_not_recovered(
    node: Node, topic: str, database_url: str
) -> None:
    """Where the journal does not reach back to the position any more, nothing is told."""
    here = await position(node, topic)
    await node.says(topic, 1, 2, 3)
    await node.database.fetch("delete from events where topic = $1 and seq = 1", topic)
    watched = await node.opens(Screen(), topic, here)
    assert (watched.recovered, watched.events, watched.seq) == (False, [], 3)
    assert (await node.opens(Screen(), topic, Position(here.epoch, 1))).recovered


@pytest.mark.parametrize("watched_before", [True, False])
async def test_what_was_removed_is_told_as_null(
    node: Node, topic: str, watched_before: bool
) -> None:
    """From the ring as from the journal: the entry keeps its seq, and tells nothing."""
    if watched_before:
        await node.shows(topic)
    here = await position(node, topic)
    await node.writes(said(topic, 1, "comment:1"), said(topic, 2, "comment:2"))
    await node.writes(gone(topic, "comment:1"))
    watched = await node.opens(Screen(), topic, here)
    assert told(watched) == [("said", None, 1), ("said", 2, 2), ("gone", 0, 3)]


async def test_what_was_taken_back_is_not_told_from_the_ring(node: Node, topic: str) -> None:
    """Where an entry says that the journal tells less of its subject by now, the journal is asked."""
    await node.shows(topic)
    here = await position(node, topic)
    await node.writes(said(topic, 1, "post:1"))

    async def withhold(transaction: Any) -> None:
        await transaction.blank(["post:1"])
        await transaction.journal([NewEntry(topic, CHANGED, Said(2), subject="post:1")])

    await node.database.transaction(withhold)
    watched = await node.opens(Screen(), topic, here)
    assert (watched.recovered, told(watched)) == (True, [("said", None, 1), ("changed", 2, 2)])


async def test_what_is_removed_during_a_recovery_is_told_as_null(node: Node, topic: str) -> None:
    """A comment that is deleted between the reading and the answer is not in the answer."""
    here = await position(node, topic)
    await node.writes(said(topic, 1, "comment:1"))
    recovery = await node.hub.recover(topic, here, VISITOR)
    await node.writes(gone(topic, "comment:1"))
    watched = node.hub.attach(Screen(), recovery)
    assert told(watched) == [("said", None, 1), ("gone", 0, 2)]


@pytest.mark.parametrize("lossy", [False, True])
async def test_recovering_under_fire(
    start_node: StartNode, node: Node, other: Node, topic: str, lossy: bool
) -> None:
    """While two nodes commit, screens come, leave and come back: no gap, no double, no inversion.

    With `lossy` half of the bus messages never arrive.
    """
    chance = random.Random(5)  # noqa: S311
    if lossy:
        node.bus.keeps = other.bus.keeps = lambda: chance.random() < 0.5
    writing = True

    async def write(on: Node) -> None:
        while writing:
            batch = [
                counted(topic, 0) if chance.random() < 0.3 else said(topic)
                for _ in range(chance.randint(1, 3))
            ]
            await on.writes(*batch)

    async def come_and_go(nodes: list[Node]) -> tuple[Position, list[Event]]:
        at = await position(node, topic)
        history: list[Event] = []
        for turn in range(12):
            on = nodes[turn % len(nodes)]
            screen = Screen()
            watched = await on.opens(screen, topic, at)
            assert watched.recovered
            for _ in range(chance.randint(0, 20)):
                await asyncio.sleep(0)
            await until(lambda s=screen: len(s.seqs) >= 3, "three live entries")  # type: ignore[misc]
            on.hub.detach(screen, topic)
            answered = told(watched)
            assert all(seq <= watched.seq for _, _, seq in answered)
            assert all(seq > watched.seq for seq in screen.seqs)
            history += answered + screen.events
            at = Position(at.epoch, screen.seqs[-1])
        return at, history

    begun = await position(node, topic)
    writers = [asyncio.create_task(write(on)) for on in (node, other)]
    try:
        journeys = await asyncio.gather(
            *(come_and_go([node, other]) for _ in range(3)),
            *(come_and_go([other]) for _ in range(3)),
        )
    finally:
        writing = False
        await asyncio.gather(*writers)

    rows = await node.database.fetch(
        "select seq, key from events where topic = $1 order by seq", topic
    )
    keys = {row["seq"]: row["key"] for row in rows}
    assert sorted(keys) == list(range(begun.seq + 1, max(keys) + 1))
    for at, history in journeys:
        seqs = [seq for _, _, seq in history]
        assert seqs == sorted(set(seqs))
        missed = set(range(seqs[0], at.seq + 1)) - set(seqs)
        assert all(keys[seq] == "count" for seq in missed)


async def test_what_passes_during_a_recovery_is_in_the_answer(node: Node, topic: str) -> None:
    """Between reading the journal and the answer entries go by; none is lost, none told twice."""
    here = await position(node, topic)
    await node.says(topic, 1)
    recovery = await node.hub.recover(topic, here, VISITOR)
    await node.writes(counted(topic, 2), said(topic, 3))
    screen = Screen()
    watched = node.hub.attach(screen, recovery)
    assert told(watched) == [("said", 1, 1), ("counted", 2, 2), ("said", 3, 3)]
    assert watched.seq == 3
    await node.says(topic, 4)
    await screen.reaches(4)
    assert screen.events == [("said", 4, 4)]


async def test_watching_again_does_not_tell_twice(node: Node, topic: str) -> None:
    """A screen that watches already gets in the answer only what came before it asked."""
    screen = await node.shows(topic)
    here = await position(node, topic)
    recovery = await node.hub.recover(topic, here, VISITOR)
    await node.says(topic, 1)
    watched = node.hub.attach(screen, recovery)
    assert (told(watched), watched.seq) == ([], 1)
    await node.says(topic, 2)
    await screen.reaches(2)
    assert screen.seqs == [1, 2]


async def test_one_who_watches_stands_where_the_topic_does(node: Node, topic: str) -> None:
    """Nothing is asked for that; the answer tells no seq that the screen has not been told."""
    screen = await node.shows(topic)
    read = node.journal.heads_read
    await node.says(topic, 1, 2)
    watched = node.hub.standing(screen, topic)
    assert watched is not None
    assert (watched.seq, watched.recovered, watched.events) == (2, False, [])
    assert screen.seqs == [1, 2]
    assert node.journal.heads_read == read
    assert node.hub.standing(Screen(), topic) is None


async def test_reading_without_watching(node: Node, topic: str) -> None:
    """`read` answers what watching would, and watches nothing."""
    here = await position(node, topic)
    await node.says(topic, 1)
    watched = node.hub.read(await node.hub.recover(topic, here, VISITOR))
    assert told(watched) == [("said", 1, 1)]
    assert node.hub._topics[topic].lingering is not None


async def test_an_entry_of_another_node_while_the_topic_is_opened(
    start_node: StartNode, node: Node, other: Node, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it commits before or after the head is read, it is told once."""
    journal_heads = node.journal.heads

    async def heads(topics: Sequence[str]) -> Heads:
        await other.says(topics[0], 1)  # subscribed already: comes over the bus, and is in the head
        found = await journal_heads(topics)
        await other.says(topics[0], 2)  # comes over the bus while the feed has not begun
        await until(lambda: len(node.hub._topics[topic].feed._held) == 2, "both came over the bus")
        return found

    monkeypatch.setattr(node.hub._heads, "_read", heads)
    screen = Screen()
    watched = await node.opens(screen, topic)
    assert watched.seq + len(screen.seqs) == 2
    await other.says(topic, 3)
    await screen.reaches(3)
    assert screen.seqs == list(range(watched.seq + 1, 4))


async def test_a_client_that_has_heard_more_than_this_node(
    node: Node, other: Node, topic: str
) -> None:
    """It came from a node that was faster: this one catches up first, and misses nothing."""
    await node.shows(topic)
    other.bus.keeps = lambda: False
    await other.says(topic, 1, 2, 3)
    ahead = Position((await position(node, topic)).epoch, 2)
    watched = await node.opens(Screen(), topic, ahead)
    assert watched.recovered
    assert told(watched) == [("said", 3, 3)]


# Gaps


async def test_a_lost_message_is_fetched(node: Node, other: Node, topic: str) -> None:
    """When a later entry shows the gap, what is missing comes from the journal within moments."""
    screen = await node.shows(topic)
    other.bus.keeps = lambda: False
    await other.says(topic, 1, 2, 3)
    other.bus.keeps = lambda: True
    await other.says(topic, 4)
    await screen.reaches(4)
    assert [n for _, n, _ in screen.events] == [1, 2, 3, 4]
    assert node.journal.replays == 1
    assert node.hub.counts.gaps_filled == 1


async def test_a_fetch_skips_replaced_states_only(node: Node, other: Node, topic: str) -> None:
    """Of what is fetched a screen gets every log entry and each state once."""
    screen = await node.shows(topic)
    other.bus.keeps = lambda: False
    await other.writes(counted(topic, 1), said(topic, 2), counted(topic, 3))
    other.bus.keeps = lambda: True
    await other.says(topic, 4)
    await screen.reaches(4)
    assert screen.events == [("said", 2, 2), ("counted", 3, 3), ("said", 4, 4)]


async def test_the_last_message_is_lost(node: Node, other: Node, topic: str) -> None:
    """With nothing after it to show the gap, the check of the heads finds it."""
    screen = await node.shows(topic)
    other.bus.keeps = lambda: False
    await other.says(topic, 1)
    await node.hub.check()
    assert (node.hub.counts.heads_behind, node.hub.counts.entries_behind) == (1, 1)
    await screen.reaches(1)
    await node.hub.check()
    assert (node.hub.counts.heads_behind, node.hub.counts.entries_behind) == (0, 0)


async def test_too_much_was_lost(node: Node, other: Node, topic: str) -> None:
    """More than a replay holds cannot be told: the screen is closed, to come back and refetch."""
    screen = await node.shows(topic)
    other.bus.keeps = lambda: False
    await other.writes(*(said(topic) for _ in range(501)))
    other.bus.keeps = lambda: True
    await other.says(topic, 1)
    await until(lambda: screen.closed == "journal_gap", "the screen is closed")
    assert screen.seqs == []
    assert node.hub.counts.started_over == 1
    node.hub.detach(screen, topic)
    fresh = Screen()
    watched = await node.opens(fresh, topic)
    await other.says(topic, 2)
    await fresh.reaches(503)
    assert watched.seq + len(fresh.seqs) == 503


async def test_what_was_too_much_comes_by_itself_after_all(
    node: Node, other: Node, topic: str
) -> None:
    """If the bus closes a large gap while the journal is asked, nobody has to start over."""
    screen = await node.shows(topic)
    late: list[tuple[str, bytes]] = []
    publish = other.bus.publish
    other.bus.publish = lambda *message: late.append(message)  # type: ignore[method-assign,assignment]
    await other.writes(*(said(topic) for _ in range(501)))

    async def arrive() -> None:
        for message in late:
            publish(*message)
        await screen.reaches(501)

    node.journal.after_replay = arrive
    await node.hub.check()
    await screen.reaches(501)
    await until(lambda: node.tasks == 1, "only the checking runs")
    assert screen.closed is None
    assert screen.seqs == list(range(1, 502))


async def test_starting_over_during_a_recovery(node: Node, other: Node, topic: str) -> None:
    """A recovery that was under way when the feed had to start over does not pass for whole."""
    await node.shows(topic)
    here = await position(node, topic)
    other.bus.keeps = lambda: False
    await other.says(topic, 1)
    recovery = await node.hub.recover(
        topic, Position(here.epoch, 1), VISITOR
    )  # fetches 1, stands at 1
    await other.writes(*(said(topic) for _ in range(501)))
    await node.hub.check()
    await until(lambda: node.hub._topics[topic].feed.seq == 502, "the feed has started over")
    watched = node.hub.attach(Screen(), recovery)
    assert (watched.recovered, watched.events, watched.seq) == (False, [], 502)


async def test_the_database_is_away_while_a_gap_is_filled(
    start_node: StartNode, database_url: str, other: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is asked again now and then, not in a loop, until the gap is filled."""
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.05)
    topic = f"post:{uuid4()}"
    async with Proxy.before(database_url) as proxy, start_node(database_url=proxy.url) as node:
        screen = await node.shows(topic)
        other.bus.keeps = lambda: False
        await other.says(topic, 1)
        other.bus.keeps = lambda: True
        await proxy.cut()
        began = asyncio.get_running_loop().time()
        with capture_logs() as logs:
            await other.says(topic, 2)
            await until(lambda: node.journal.replays >= 4, "four attempts")
        assert asyncio.get_running_loop().time() - began >= 3 * 0.05
        assert screen.seqs == []
        assert screen.closed is None
        assert "the hub failed" not in [log["event"] for log in logs]
        await proxy.mend()
        await screen.reaches(2)
        assert screen.seqs == [1, 2]


async def test_a_fetch_that_fails_for_any_reason_is_tried_again(
    node: Node, other: Node, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected error while the journal is read does not stop a topic for good."""
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.02)

    async def fail() -> None:
        raise RuntimeError("a bug")

    screen = await node.shows(topic)
    other.bus.keeps = lambda: False
    await other.says(topic, 1)
    other.bus.keeps = lambda: True
    node.journal.before_replay = fail
    with capture_logs() as logs:
        await other.says(topic, 2)
        await screen.reaches(2)
    assert [log["event"] for log in logs] == ["the hub failed"]
    assert screen.seqs == [1, 2]


async def test_the_database_is_away_when_a_topic_is_opened(
    start_node: StartNode, database_url: str
) -> None:
    """Watching is refused, nothing is kept of it, and it works when the database is back."""
    topic = f"post:{uuid4()}"
    async with Proxy.before(database_url) as proxy, start_node(database_url=proxy.url) as node:
        await proxy.cut()
        refused = await asyncio.gather(
            *(node.hub.recover(topic, None, VISITOR) for _ in range(5)), return_exceptions=True
        )
        assert [each.code for each in refused if isinstance(each, Refusal)] == ["UNAVAILABLE"] * 5
        assert topic not in node.hub._topics
        await until(lambda: f"{node.bus._prefix}{topic}" not in subscribed(node), "unsubscribed")
        await proxy.mend()
        screen = await node.shows(topic)
        await node.says(topic, 1)
        await screen.reaches(1)


async def test_the_checking_survives_a_database_that_is_away(
    start_node: StartNode, database_url: str, monkeypatch: pytest.MonkeyPatch, other: Node
) -> None:
    """The heads are checked again when the database is back."""
    monkeypatch.setattr(hub_module, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(hub_module, "CHECK_SECONDS_IN_DOUBT", 0.02)
    topic = f"post:{uuid4()}"
    async with Proxy.before(database_url) as proxy, start_node(database_url=proxy.url) as node:
        screen = await node.shows(topic)
        await proxy.cut()
        with capture_logs() as logs:
            await until(
                lambda: "the heads could not be checked" in [log["event"] for log in logs],
                "a check has failed",
            )
        other.bus.keeps = lambda: False
        await other.says(topic, 1)
        await proxy.mend()
        await screen.reaches(1)


# Life without Redis


async def test_the_gallery_stays_live_without_redis(
    start_node: StartNode, redis_url: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Redis is down other nodes' entries come by looking for them; afterwards as before."""
    monkeypatch.setattr(hub_module, "CHECK_SECONDS", 60.0)  # or they would be found so
    async with (
        Proxy.before(redis_url) as proxy,
        start_node(redis_url=proxy.url) as node,
        start_node(redis_url=proxy.url) as other,
    ):
        screen = await node.shows(topic)
        await proxy.cut()
        await until(lambda: not node.bus.connected, "Redis is missed")
        await other.says(topic, 1)
        await screen.reaches(1)
        late = await node.shows(f"{topic}:late")
        await other.says(f"{topic}:late", 1)
        await late.reaches(1)
        await proxy.mend()
        await until(lambda: node.bus.connected and other.bus.connected, "Redis is back")
        await other.says(topic, 2)
        await other.says(f"{topic}:late", 2)
        await screen.reaches(2)
        await late.reaches(2)
        assert (screen.seqs, late.seqs) == ([1, 2], [1, 2])


async def test_a_reconnection_of_the_bus_checks_the_heads(
    node: Node, other: Node, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was lost with the connection is fetched at once, and not at the next check."""
    monkeypatch.setattr(hub_module, "CHECK_SECONDS", 60.0)
    screen = await node.shows(topic)
    other.bus.keeps = lambda: False
    await other.says(topic, 1)
    (line,) = node.bus._lines.all
    await line._hang_up()
    await screen.reaches(1)


# Epochs


async def test_a_new_epoch_ends_every_feed(node: Node, topic: str) -> None:
    """After `vernissage epoch --bump` the watchers are closed, and come back into the new history."""
    screen = await node.shows(topic)
    await node.says(topic, 1)
    old = await position(node, topic)
    recovery = await node.hub.recover(topic, old, VISITOR)
    new = await Journal(node.database).begin_epoch()
    await node.hub.check()
    assert screen.closed == "journal_gap"
    during = node.hub.attach(Screen(), recovery)
    assert (during.recovered, during.epoch) == (False, new)
    node.hub.detach(screen, topic)
    after = await node.opens(Screen(), topic, old)
    assert (after.recovered, after.epoch, after.seq) == (False, new, 1)
    assert (await node.opens(Screen(), topic, Position(new, 1))).recovered


async def test_a_database_that_was_put_back(node: Node, topic: str) -> None:
    """If the journal stands before what was delivered, watchers start over, and hear what comes then."""
    screen = await node.shows(topic)
    await node.says(topic, 1, 2, 3)
    await node.database.fetch("delete from events where topic = $1 and seq > 1", topic)
    await node.database.fetch("update topics set seq = 1 where topic = $1", topic)
    await node.hub.check()
    assert screen.closed == "journal_gap"
    node.hub.detach(screen, topic)
    fresh = await node.shows(topic)
    await node.says(topic, 20)
    await fresh.reaches(2)
    assert fresh.events == [("said", 20, 2)]


# Listening


async def test_a_listener_is_told_of_all_it_missed_or_that_it_did(node: Node, other: Node) -> None:
    """On a topic that is always followed: what the bus lost is fetched; what cannot be told any more is said."""
    heard: list[int] = []
    gaps: list[int] = []
    node.hub.listen("gallery", lambda each: heard.append(each.seq), lambda: gaps.append(len(heard)))
    stands = node.hub._topics["gallery"].feed.seq
    other.bus.keeps = lambda: False
    await other.says("gallery", 1, 2)
    await node.hub.check()
    await until(lambda: heard == [stands + 1, stands + 2], "the entries are heard")
    assert gaps == []
    await other.writes(*(said("gallery") for _ in range(501)))
    await node.hub.check()
    await until(lambda: gaps == [2], "the gap is told")
    await node.says("gallery", 3)
    await until(lambda: heard[2:] == [stands + 504], "what follows is heard")


# Coming and going


async def test_a_topic_is_left_a_while_after_its_last_watcher(
    node: Node, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lingers for whoever comes back, then it is forgotten and unsubscribed; `gallery` stays."""
    monkeypatch.setattr(hub_module, "LINGER_SECONDS", 0.2)
    channel = f"{node.bus._prefix}{topic}"
    screen = await node.shows(topic)
    for _ in range(3):  # coming back in time keeps it
        node.hub.detach(screen, topic)
        await node.opens(screen, topic)
    assert node.hub._topics[topic].lingering is None
    node.hub.detach(screen, topic)
    await until(lambda: topic not in node.hub._topics, "the topic is left")
    await until(lambda: channel not in subscribed(node), "and unsubscribed")
    await node.says(topic, 1)
    assert screen.seqs == []
    screen = await node.shows("gallery")
    node.hub.detach(screen, "gallery")
    assert node.hub._topics["gallery"].lingering is None
    assert list(node.hub._topics) == ["gallery"]


async def test_a_topic_that_is_taken_up_again(
    node: Node, other: Node, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a topic is left and opened, its new watcher is live."""
    monkeypatch.setattr(hub_module, "LINGER_SECONDS", 0.0)
    for n in range(1, 21):
        screen = Screen()
        await node.opens(screen, topic)
        await other.says(topic, n)
        await screen.reaches(n)
        node.hub.detach(screen, topic)
        if n % 2:
            await asyncio.sleep(0)
    assert node.journal.replays == 0  # it was the bus that brought them all


@pytest.mark.parametrize("known", [True, False])
async def test_a_recovery_that_is_cancelled_leaves_nothing(
    node: Node, topic: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that goes while its topic is opened or replayed: the topic is left as if it never came."""
    monkeypatch.setattr(hub_module, "LINGER_SECONDS", 0.0)
    waiting = asyncio.Event()
    here = await position(node, topic)
    await node.says(topic, 1)
    screen = await node.shows(topic) if known else None

    async def wait() -> None:
        waiting.set()
        await asyncio.Event().wait()

    node.journal.before_replay = wait
    task = asyncio.create_task(node.hub.recover(topic, here, VISITOR))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if screen is None:
        await until(lambda: topic not in node.hub._topics, "the topic is left")
    else:
        assert not node.hub._topics[topic].recoveries
        await node.says(topic, 2)
        await screen.reaches(2)
        assert screen.seqs == [2]


async def test_a_cancelled_opening_goes_on_for_the_others(node: Node, topic: str) -> None:
    """Two clients open a topic together and one goes: the other watches."""
    impatient = asyncio.create_task(node.hub.recover(topic, None, VISITOR))
    patient = asyncio.create_task(node.hub.recover(topic, None, VISITOR))
    await asyncio.sleep(0)
    impatient.cancel()
    screen = Screen()
    node.hub.attach(screen, await patient)
    await node.says(topic, 1)
    await screen.reaches(1)
    assert not node.hub._topics[topic].recoveries


async def test_many_topics_are_opened_with_few_queries(node: Node, topic: str) -> None:
    """A hundred topics watched at once read their heads in a handful of queries."""
    topics = [f"{topic}:{n}" for n in range(100)]
    await node.writes(*(said(each) for each in topics))
    before = node.journal.heads_read
    screen = Screen()
    watched = await asyncio.gather(*(node.opens(screen, each) for each in topics))
    assert [each.seq for each in watched] == [1] * 100
    assert node.journal.heads_read - before <= 5


async def test_many_clients_come_back_with_few_queries(node: Node, topic: str) -> None:
    """A thousand clients that return to a topic are answered from a query or two, and the ring."""
    here = await position(node, topic)
    before = node.journal.heads_read
    screens = [Screen() for _ in range(1_000)]
    await asyncio.gather(*(node.opens(screen, topic) for screen in screens))
    await node.says(topic, 1)
    for screen in screens:
        node.hub.detach(screen, topic)
    back = await asyncio.gather(*(node.opens(screen, topic, here) for screen in screens))
    assert all(each.recovered and len(each.events) == 1 for each in back)
    # The node's own look at the heads may fall into it.
    assert 1 <= node.journal.heads_read - before <= 3
    assert node.journal.replays == 0


async def test_many_clients_come_back_to_a_node_that_was_not_there(
    node: Node, other: Node, topic: str
) -> None:
    """Each from a position of its own: what all of them missed is read together, and each gets its part."""
    await other.writes(*(said(topic, n) for n in range(40)), counted(topic, 1), counted(topic, 2))
    here = await position(node, topic)
    answers = await asyncio.gather(
        *(node.opens(Screen(), topic, Position(here.epoch, seq)) for seq in (*range(42), 42, 43))
    )
    assert node.journal.replays <= 3  # the last one is looked for twice
    for seq, watched in enumerate(answers[:43]):
        assert watched.recovered
        seqs = [msgspec.json.decode(each)[2]["seq"] for each in watched.events]
        assert seqs == [each for each in range(seq + 1, 43) if each != 41]
    assert not answers[43].recovered  # nobody stands there yet


async def test_what_cannot_be_told_to_some_is_told_to_the_others(
    node: Node, other: Node, topic: str
) -> None:
    """Where the journal reaches back for the later positions only, a few queries find out from where on."""
    await other.writes(*(said(topic, n) for n in range(600)))
    here = await position(node, topic)
    since = [*range(60, 140), 700]
    answers = await asyncio.gather(
        *(node.opens(Screen(), topic, Position(here.epoch, seq)) for seq in since)
    )
    assert [each.recovered for each in answers] == [100 <= seq <= 600 for seq in since]
    assert [len(each.events) for each in answers if each.recovered] == list(range(500, 460, -1))
    assert node.journal.replays <= 10


async def test_closing_leaves_no_task(start_node: StartNode, topic: str) -> None:
    """After `close` nothing of the hub runs any more, whatever was under way."""
    before = asyncio.all_tasks()
    async with start_node() as node:
        await node.shows(topic)
        node.hub.received(topic, b'[9,"said","2026-11-21T12:00:00Z",null,null]\n{"n":1}')
        opening = asyncio.create_task(node.hub.recover(f"{topic}:2", None, VISITOR))
        await asyncio.sleep(0)
        opening.cancel()
        node.hub.check_soon()
    await asyncio.gather(opening, return_exceptions=True)
    await until(lambda: asyncio.all_tasks() <= before, "nothing runs")
