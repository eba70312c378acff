"""Who may not watch any more hears why, and nothing after it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from gateway.delivery import watching as watching_module
from gateway.delivery.hub import Position
from handlers.actor import Actor
from store.journal import NewEntry
from store.refusal import Refusal
from tests.gateway.holders import user
from tests.gateway.test_hub import (
    CLOSED,
    Node,
    Said,
    Screen,
    StartNode,
    counted,
    said,
    starter,
    told,
)
from tests.servers import FreshDatabase
from tests.waiting import until

STRANGER, OWNER, GUEST = user(1), user(2), user(3)


@pytest.fixture(scope="module")
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


@pytest.fixture
def start_node(database_url: str, redis_url: str) -> StartNode:
    return starter(database_url, redis_url)


@pytest.fixture
async def node(start_node: StartNode) -> AsyncIterator[Node]:
    async with start_node() as node:
        yield node


@pytest.fixture
def topic() -> str:
    return f"post:{uuid4()}"


def closed(topic: str) -> NewEntry[Any]:
    return NewEntry(topic, CLOSED, Said(0), subject=topic)


async def shows(node: Node, topic: str, actor: Actor) -> Screen:
    screen = Screen(actor)
    node.hub.attach(screen, await node.hub.recover(topic, None, actor))
    screen.session.topics.add(topic)
    return screen


async def test_nothing_follows_the_entry_that_excludes(node: Node, topic: str) -> None:
    """Of one burst strangers hear the entry and what came before it; those who may watch hear all."""
    stranger, owner = [await shows(node, topic, actor) for actor in (STRANGER, OWNER)]
    node.rights.keeps_out = {STRANGER}
    burst = [said(topic, 1), counted(topic, 5), closed(topic), said(topic, 2), counted(topic, 6)]
    await node.writes(*burst)
    await node.says(topic, 3)
    await owner.reaches(6)
    assert owner.seqs == [1, 2, 3, 4, 5, 6]
    assert stranger.seqs == [1, 2, 3]
    assert stranger.closed is None
    assert (stranger.session.topics, owner.session.topics) == (set(), {topic})
    with pytest.raises(Refusal, match="topic"):
        await node.hub.recover(topic, None, STRANGER)


async def test_rights_are_asked_of_all_at_once(node: Node, topic: str) -> None:
    """A full room is one question."""
    screens = [await shows(node, topic, user(n)) for n in range(100)]
    node.rights.keeps_out = {user(n) for n in range(0, 100, 2)}
    await node.writes(closed(topic), said(topic, 1))
    await until(lambda: all(screen.seqs == [1, 2] for screen in screens[1::2]), "the others go on")
    assert all(screen.seqs == [1] for screen in screens[::2])
    assert node.rights.asked == [100]


async def test_what_comes_while_rights_are_asked_waits(node: Node, topic: str) -> None:
    """However it comes, also another entry that excludes; and in order."""
    stranger, guest, owner = [await shows(node, topic, actor) for actor in (STRANGER, GUEST, OWNER)]
    node.rights.keeps_out = {STRANGER}
    asked, answered = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        asked.set()
        await answered.wait()

    node.rights.before_answer = wait
    await node.writes(closed(topic))
    await asked.wait()
    await node.says(topic, 1, 2)
    await node.writes(closed(topic))
    await node.says(topic, 3)
    assert owner.seqs == [1]
    node.rights.keeps_out = {STRANGER, GUEST}
    answered.set()
    await owner.reaches(5)
    assert owner.seqs == [1, 2, 3, 4, 5]
    assert stranger.seqs == [1]
    # The first question was answered after the second entry stood in the journal.
    assert guest.seqs == [1]


async def test_who_watches_may_not_stand_on_it_while_rights_are_asked(
    node: Node, topic: str
) -> None:
    """Watching once more is watching anew then: it ends with the right to."""
    stranger = await shows(node, topic, STRANGER)
    assert node.hub.standing(stranger, topic) is not None
    asked, answered = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        asked.set()
        await answered.wait()

    node.rights.before_answer = wait
    node.rights.keeps_out = {STRANGER}
    await node.writes(closed(topic))
    await asked.wait()
    assert node.hub.standing(stranger, topic) is None
    answered.set()
    await until(lambda: stranger.session.topics == set(), "the stranger is let go")
    assert node.hub.standing(stranger, topic) is None


async def test_one_who_comes_meanwhile_is_asked_too(node: Node, topic: str) -> None:
    """Whether they had been let in before, and have not arrived, or come while rights are asked."""
    owner = await shows(node, topic, OWNER)
    before = await node.hub.recover(topic, None, STRANGER)
    arriving = await node.hub.recover(topic, None, STRANGER)
    asked, answered = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        asked.set()
        await answered.wait()

    node.rights.before_answer = wait
    await node.writes(said(topic, 1), closed(topic), said(topic, 2))
    await asked.wait()
    late = Screen(STRANGER)
    watched = node.hub.attach(late, arriving)
    assert watched.seq == 2
    node.rights.keeps_out = {STRANGER}
    answered.set()
    await owner.reaches(3)
    assert late.seqs == []
    assert late not in node.hub._topics[topic].audience
    with pytest.raises(Refusal, match="topic"):
        node.hub.attach(Screen(STRANGER), before)


async def test_an_answer_given_meanwhile_ends_with_that_entry(node: Node, topic: str) -> None:
    """And tells nothing of its subject; once it is known who may watch, they are told all."""
    owner = await shows(node, topic, OWNER)
    since = Position(node.hub.epoch or "", 0)
    entries = [said(topic, 1, subject=topic), closed(topic), said(topic, 2)]
    answered = asyncio.Event()
    node.rights.before_answer = answered.wait  # type: ignore[assignment]
    await node.writes(*entries)
    await owner.reaches(2)
    during = node.hub.read(await node.hub.recover(topic, since, OWNER))
    assert told(during) == [("said", None, 1), ("closed", 0, 2)]
    answered.set()
    await owner.reaches(3)
    after = node.hub.read(await node.hub.recover(topic, since, OWNER))
    assert told(after) == [("said", 1, 1), ("closed", 0, 2), ("said", 2, 3)]


async def test_where_rights_cannot_be_asked_all_start_over(node: Node, topic: str) -> None:
    """They come back, and are asked then."""
    owner = await shows(node, topic, OWNER)

    async def fail() -> None:
        await node.hub._topics[topic].audience.served()
        raise Refusal("UNAVAILABLE", "Not now.")

    node.rights.before_answer = fail
    await node.writes(closed(topic), said(topic, 1))
    await until(lambda: owner.closed, "the end")
    assert (owner.closed, owner.seqs) == ("rights_unknown", [1])
    assert node.hub._topics[topic].told == 2


async def test_no_more_is_withheld_than_fits(
    node: Node, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the bound all start over."""
    monkeypatch.setattr(watching_module, "WITHHELD_MESSAGES", 3)
    owner = await shows(node, topic, OWNER)
    answered = asyncio.Event()
    node.rights.before_answer = answered.wait  # type: ignore[assignment]
    await node.writes(closed(topic))
    await node.says(topic, 1, 2, 3, 4)
    assert owner.closed == "slow_rights"
    answered.set()
    await until(lambda: node.hub._topics[topic].held_at is None, "the end of the question")


async def test_what_the_bus_lost_excludes_all_the_same(start_node: StartNode, topic: str) -> None:
    """Another node that missed it fetches it, and stops where it stands."""
    async with start_node() as here, start_node() as there:
        stranger, owner = [await shows(there, topic, actor) for actor in (STRANGER, OWNER)]
        there.rights.keeps_out = {STRANGER}
        lost = iter([True, False, False])
        here.bus.keeps = lambda: next(lost)  # type: ignore[method-assign]
        await here.writes(said(topic, 1), closed(topic), said(topic, 2))
        here.bus.keeps = lambda: True  # type: ignore[method-assign]
        await here.says(topic, 3)
        await owner.reaches(4)
        assert owner.seqs == [1, 2, 3, 4]
        assert stranger.seqs == [1, 2]
