"""Whoever was away gets exactly what they missed, or is told that this cannot be had."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio

from store.database import Database
from tests.journal import journal_of
from tests.nodes import GENEROUS, Installation, Node
from tests.people import People
from tests.screens import (
    DEADLINE,
    NODE_POLLING,
    NODE_UPGRADED,
    NODE_WEBSOCKET,
    PYTHON_WEBSOCKET,
    Event,
    Transport,
    collapsed,
)

Nodes = tuple[Node, Node]

# A node that follows the topic replays from its ring; one that never heard of it asks the journal.
from_ring_and_journal = pytest.mark.parametrize("back_on", [0, 1], ids=["ring", "journal"])
REPLAY_ENTRIES = 500
"""The most that a replay holds: protocol.md, "Watching"."""


@pytest.fixture
async def valkey(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        yield client


async def append(
    database: Database, topic: str, entries: int, *, key: str | None = None, first: int = 1
) -> None:
    """Entries that no node has published, as if their publisher had died after the commit."""
    await database.fetch(
        "select journal_append($1, $2, $3, $4, $5, $6)",
        [topic] * entries,
        ["test:told"] * entries,
        [key] * entries,
        [None] * entries,
        [json.dumps({"number": number}) for number in range(first, first + entries)],
        [None] * entries,
    )


def replayed(answer: Any) -> list[Event]:
    assert answer["recovered"] is True
    return [Event(*event) for event in answer["events"]]


@from_ring_and_journal
@pytest.mark.parametrize(
    "over", [NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED, PYTHON_WEBSOCKET], ids=str
)
async def test_watching_again_tells_exactly_what_was_missed(
    nodes: Nodes, people: People, database: Database, over: Transport, back_on: int
) -> None:
    """In order, with the states collapsed to the newest, and then live without a hole or a double."""
    ada, bob, carol = people.named("Ada", "Bob", "Carol")
    for person in (ada, bob, carol):
        await person.comes_to(nodes[0], over)
    post = await ada.shares()
    topic = post["topic"]
    await carol.watches(post)
    await bob.watches(post)
    await ada.likes(post)
    await bob.sees("post:liked", like_count=1)
    since = bob.screen.position(topic)
    await bob.leaves()

    await ada.unlikes(post)
    comment = await ada.comments(post, "one")
    await carol.likes(post)
    await ada.edits(comment, "two")
    await ada.likes(post)
    await carol.comments(post, "three")

    await carol.sees("comment:created", comment_count=2)
    missed = await journal_of(database, topic, since["seq"])
    assert len(missed) == 6
    assert carol.screen.told(topic)[-1] == missed[-1]
    await bob.comes_to(nodes[back_on], over)
    answer = await bob.watches(post, since)
    assert replayed(answer) == collapsed(missed)
    assert [event.name for event in replayed(answer)] == [
        *("comment:created", "comment:updated"),
        *("post:liked", "comment:created"),
    ]
    assert answer["seq"] == missed[-1].seq

    await ada.unlikes(post)
    live = await bob.sees("post:unliked", like_count=1)
    assert live.seq == answer["seq"] + 1
    assert bob.screen.told(topic) == [live]


@from_ring_and_journal
async def test_nothing_was_missed(nodes: Nodes, people: People, back_on: int) -> None:
    """Coming back with the head's own seq is a recovery of nothing."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    await ada.watches(post)
    await ada.likes(post)
    await ada.sees("post:liked")
    await bob.comes_to(nodes[back_on])
    answer = await bob.watches(post, ada.screen.position(post["topic"]))
    assert replayed(answer) == []
    assert answer["seq"] == 1


@from_ring_and_journal
async def test_ones_own_topic_is_recovered_while_connecting(
    nodes: Nodes, people: People, database: Database, back_on: int
) -> None:
    """With `auth.since` what was missed follows `session:ready` as events, before live ones."""
    ada, bob, carol = people.named("Ada", "Bob", "Carol")
    await ada.comes_to(nodes[0])
    await carol.comes_to(nodes[0])
    other_screen = await bob.comes_to(nodes[0])
    await bob.comes_to(nodes[0], NODE_UPGRADED)
    await ada.follows(bob)
    await bob.sees("notification:created")
    topic = bob.screen.own_topic
    since = bob.screen.position(topic)
    await bob.leaves()

    await ada.unfollows(bob)
    await carol.follows(bob)
    await ada.follows(bob)
    # Both follows make one notification grow; its last state counts both.
    await other_screen.sees("notification:updated", count=2)
    missed = await journal_of(database, topic, since["seq"])
    assert len(missed) == 6

    await bob.comes_to(nodes[back_on], NODE_UPGRADED, since=since)
    assert bob.screen.ready["recovered"] is True
    assert bob.screen.ready["seq"] == missed[-1].seq
    await bob.screen.reaches(topic, missed[-1].seq)
    assert bob.screen.events[0].name == "session:ready"
    assert bob.screen.told(topic) == collapsed(missed)
    await ada.unfollows(bob)
    await bob.sees("user:unfollowed", follower_count=1)
    # Ada's unfollow while Bob was away was replaced by her follow, so it was never told.
    assert [event.name for event in bob.screen.told(topic)].count("user:unfollowed") == 1


async def test_without_since_a_connection_starts_from_now(nodes: Nodes, people: People) -> None:
    """`session:ready` names the head and recovers nothing."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[0])
    await ada.follows(bob)
    await bob.comes_to(nodes[1])
    assert bob.screen.ready["recovered"] is False
    assert bob.screen.ready["seq"] == 2
    await bob.screen.asks("topic:unwatch", {"topic": "gallery"})
    assert [event.name for event in bob.screen.events] == ["session:ready"]


@from_ring_and_journal
async def test_what_was_deleted_is_not_replayed(
    nodes: Nodes, people: People, database: Database, back_on: int
) -> None:
    """A deleted comment's entries keep their place and say nothing any more."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[0])
    post = await ada.shares()
    await bob.watches(post)
    since = bob.screen.position(post["topic"])
    comment = await ada.comments(post, "regrettable")
    await ada.edits(comment, "still regrettable")
    kept = await ada.comments(post, "harmless")
    await ada.deletes(comment)
    await bob.sees("comment:deleted", comment_id=comment["id"])

    await bob.comes_to(nodes[back_on])
    events = replayed(await bob.watches(post, since))
    assert [(event.name, event.data is None) for event in events] == [
        ("comment:created", True),
        ("comment:updated", True),
        ("comment:created", False),
        ("comment:deleted", False),
    ]
    assert events[2].data["comment"]["id"] == kept["id"]
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert "regrettable" not in str(events)
    stored = await database.fetch(
        "select data from events where subject = $1", f"comment:{comment['id']}"
    )
    assert "regrettable" not in str(stored)


@pytest.mark.parametrize(
    ("missed", "recovered"), [(REPLAY_ENTRIES, True), (REPLAY_ENTRIES + 1, False)]
)
async def test_a_replay_is_bounded(
    nodes: Nodes, people: People, database: Database, missed: int, recovered: bool
) -> None:
    """500 missed entries are told; with one more nothing is, rather than a part."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    post = await ada.shares()
    await ada.watches(post)
    since = ada.screen.position(post["topic"])
    await append(database, post["topic"], missed)
    answer = await bob.watches(post, since)
    assert (answer["recovered"], answer["seq"]) == (recovered, missed)
    numbers = [data["number"] for _, data, _ in answer["events"]]
    assert numbers == (list(range(1, missed + 1)) if recovered else [])


async def test_states_count_once_however_often_they_changed(
    nodes: Nodes, people: People, database: Database
) -> None:
    """A thousand changes of one state and some log entries are few enough for a replay."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    post = await ada.shares()
    await ada.watches(post)
    since = ada.screen.position(post["topic"])
    await append(database, post["topic"], 1, first=1)
    await append(database, post["topic"], 1000, first=2, key="likes")
    await append(database, post["topic"], 1, first=1002)
    answer = await bob.watches(post, since)
    assert [event.seq for event in replayed(answer)] == [1, 1001, 1002]


async def test_what_has_left_the_journal_cannot_be_recovered(
    nodes: Nodes, people: People, database: Database
) -> None:
    """From before the oldest entry that is kept nothing is told; from there on everything."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    post = await ada.shares()
    epoch = (await ada.watches(post))["epoch"]
    await append(database, post["topic"], 10)
    await database.fetch("delete from events where topic = $1 and seq <= 4", post["topic"])
    answer = await bob.watches(post, {"epoch": epoch, "seq": 3})
    assert (answer["recovered"], answer["events"], answer["seq"]) == (False, [], 10)
    answer = await bob.watches(post, {"epoch": epoch, "seq": 4})
    assert [event.seq for event in replayed(answer)] == [5, 6, 7, 8, 9, 10]


async def test_a_position_beyond_the_head_is_none_of_ours(nodes: Nodes, people: People) -> None:
    """Somebody who claims to have seen the future recovers nothing, and still watches."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    post = await ada.shares()
    epoch = (await ada.watches(post))["epoch"]
    answer = await bob.watches(post, {"epoch": epoch, "seq": 99})
    assert (answer["recovered"], answer["events"], answer["seq"]) == (False, [], 0)
    await ada.likes(post)
    await bob.sees("post:liked", like_count=1)


@from_ring_and_journal
async def test_nothing_is_lost_or_doubled_while_others_write(
    nodes: Nodes, people: People, database: Database, back_on: int
) -> None:
    """Coming back again and again in the middle of writing, one ends with every comment once."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[0])
    post = await ada.shares()
    topic = post["topic"]
    await bob.watches(post)
    writing = asyncio.gather(*(ada.comments(post, str(number)) for number in range(60)))
    heard: list[int] = []
    turn = 0
    async with asyncio.timeout(DEADLINE):
        while not writing.done() or (heard or [0])[-1] < 60:
            # With each turn on the other node or the same: live, from the ring, from the journal.
            since = bob.screen.position(topic)
            heard += [seq for seq in bob.screen.seqs(topic) if seq not in heard]
            await bob.leaves()
            turn += 1
            await bob.comes_to(nodes[back_on if turn % 2 else 0])
            answer = await bob.watches(post, since)
            heard += [event.seq for event in replayed(answer)]
    await writing
    assert heard == list(range(1, 61))


async def test_what_the_bus_lost_is_fetched_from_the_journal(
    nodes: Nodes, people: People, valkey: redis.asyncio.Redis
) -> None:
    """A node whose subscription broke tells what was committed meanwhile, in order, once it is back."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    post = await ada.shares()
    await bob.watches(post)
    await ada.comments(post, "before")
    await bob.sees("comment:created", comment_count=1)
    await valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    for number in range(5):
        await ada.comments(post, str(number))
    await bob.sees("comment:created", comment_count=6)
    assert bob.screen.seqs(post["topic"]) == [1, 2, 3, 4, 5, 6]


async def test_a_position_of_another_history_recovers_nothing(
    installation: Installation, people: People, valkey: redis.asyncio.Redis
) -> None:
    """After `vernissage epoch --bump` old positions are void: on new nodes, and soon on running ones."""
    ada, bob = people.named("Ada", "Bob")
    running = await installation.start(**GENEROUS)
    await ada.comes_to(running)
    await bob.comes_to(running)
    post = await ada.shares()
    before = await bob.watches(post)
    own = bob.screen.position(bob.screen.own_topic)
    bumped = await installation.command("epoch", "--bump")
    assert bumped not in (before["epoch"], own["epoch"])
    since = {"epoch": before["epoch"], "seq": before["seq"]}
    # A running node notices at its next look at the journal, which a broken subscription hastens.
    await valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    await bob.screen.is_disconnected()

    for node in (running, await installation.start(**GENEROUS)):
        await bob.comes_to(node, since=own)
        assert (bob.screen.ready["recovered"], bob.screen.ready["epoch"]) == (False, bumped)
        answer = await bob.watches(post, since)
        assert (answer["recovered"], answer["epoch"], answer["events"]) == (False, bumped, [])
        assert (await bob.watches(post, {**since, "epoch": bumped}))["recovered"] is True


async def test_a_prompt_that_is_not_shown_any_more_is_not_replayed(
    nodes: Nodes, people: People
) -> None:
    """A node keeps the newest entries of the gallery, and has heard them when they still told it."""
    ada, visitor = people.named("Ada")[0], people.visitor()
    await ada.comes_to(nodes[0])
    await visitor.comes_to(nodes[1])
    watched = await visitor.screen.watches("gallery")
    here = {"epoch": watched["epoch"], "seq": watched["seq"]}
    asset = await ada.makes(prompt="a secret recipe")
    post = await ada.shares("Dusk", asset_id=asset["id"])
    changed = await ada.asks("post:update", {"post_id": post["id"], "show_prompt": False})
    assert changed["prompt_used"] == "a secret recipe"  # to its author
    await visitor.sees("post:updated")
    events = replayed(await visitor.screen.watches("gallery", here))
    mine = [event for event in events if event.data["post"]["id"] == post["id"]]
    assert [event.data["post"]["prompt_used"] for event in mine] == [None, None]
