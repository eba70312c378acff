"""What one does on one screen, the others see on theirs, over every transport and across nodes."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from store.database import Database
from tests.journal import journal_of
from tests.nodes import Node
from tests.people import People
from tests.screens import NODE_WEBSOCKET, TRANSPORTS, Transport
from tests.store.audit import assert_sound

Nodes = tuple[Node, Node]

each_transport = pytest.mark.parametrize("over", TRANSPORTS, ids=str)


async def post_row(database: Database, post: Any) -> Any:
    return await database.fetchrow("select * from community_posts where id = $1", post["id"])


@each_transport
@pytest.mark.parametrize("across", [False, True], ids=["one-node", "two-nodes"])
async def test_a_like_a_comment_and_a_follow_reach_the_screens_of_others(
    nodes: Nodes, people: People, database: Database, over: Transport, across: bool
) -> None:
    """Watchers get absolute counts and rising seqs, the writer what was committed; PostgreSQL agrees."""
    ada, bob = people.named("Ada", "Bob")
    await bob.comes_to(nodes[0], over)
    await ada.comes_to(nodes[1] if across else nodes[0], over)
    post = await bob.shares("Dusk over the harbour")
    watched = await bob.watches(post)
    await ada.watches(post)

    liked = await ada.likes(post)
    comment = await ada.comments(post, "How quiet.")
    followed = await ada.follows(bob)

    like = await bob.sees("post:liked")
    said = await bob.sees("comment:created")
    follow = await bob.sees("user:followed")
    assert liked == {
        "post_id": post["id"],
        "liked": True,
        "changed": True,
        "like_count": 1,
        "seq": like.seq,
    }
    assert like.data == {"post_id": post["id"], "like_count": 1, "actors": [ada.summary]}
    assert comment["author"] == ada.summary
    assert (comment["can_edit"], comment["can_delete"]) == (True, True)
    told = {name: comment[name] for name in comment if name not in ("can_edit", "can_delete")}
    assert said.data == {"post_id": post["id"], "comment": told, "comment_count": 1}
    assert followed == {
        "user_id": bob.id,
        "following": True,
        "changed": True,
        "follower_count": 1,
    }
    assert follow.data == {"user_id": bob.id, "actor": ada.summary, "follower_count": 1}

    # The writer watches too, and sees the same.
    assert (await ada.sees("post:liked")) == like
    assert (await ada.sees("comment:created")) == said

    for topic, screen in ((post["topic"], ada.screen), (bob.screen.own_topic, bob.screen)):
        journal = await journal_of(database, topic)
        await screen.reaches(topic, len(journal))
        assert screen.told(topic) == journal
    assert [like.seq, said.seq] == [watched["seq"] + 1, watched["seq"] + 2]

    row = await post_row(database, post)
    assert (row["like_count"], row["comment_count"]) == (1, 1)
    await assert_sound(database)


@each_transport
async def test_what_is_taken_back_is_seen_too(
    nodes: Nodes, people: People, database: Database, over: Transport
) -> None:
    """Unlike, edit, delete and unfollow travel to the other node with the counts as they are then."""
    ada, bob = people.named("Ada", "Bob")
    await bob.comes_to(nodes[0], over)
    await ada.comes_to(nodes[1])
    post = await bob.shares()
    await bob.watches(post)
    await ada.likes(post)
    comment = await ada.comments(post, "Nice")
    await ada.follows(bob)

    unliked = await ada.unlikes(post)
    edited = await ada.edits(comment, "Very nice")
    deleted = await ada.deletes(comment)
    unfollowed = await ada.unfollows(bob)

    assert (unliked["liked"], unliked["changed"], unliked["like_count"]) == (False, True, 0)
    assert (edited["content"], edited["is_edited"]) == ("Very nice", True)
    assert deleted == {"comment_id": comment["id"]}
    assert (unfollowed["following"], unfollowed["follower_count"]) == (False, 0)

    await bob.sees("post:unliked", post_id=post["id"], like_count=0, actors=[])
    update = await bob.sees("comment:updated", comment_count=1)
    assert (update.data["comment"]["content"], update.data["comment"]["is_edited"]) == (
        "Very nice",
        True,
    )
    gone = await bob.sees("comment:deleted")
    assert gone.data == {"post_id": post["id"], "comment_id": comment["id"], "comment_count": 0}
    await bob.sees("user:unfollowed", user_id=bob.id, actor=ada.summary, follower_count=0)
    assert all(first < second for first, second in pairwise(bob.screen.seqs(post["topic"])))
    await assert_sound(database)


async def test_a_state_that_is_there_already_is_told_to_nobody(
    nodes: Nodes, people: People, database: Database
) -> None:
    """A second like answers what is, with `changed` false and the same seq; nothing is journalled."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    post = await bob.shares()
    first = await ada.likes(post)
    assert await ada.likes(post) == {**first, "changed": False}
    assert (await ada.unlikes(post))["changed"]
    assert not (await ada.unlikes(post))["changed"]
    assert (await ada.follows(bob))["changed"]
    assert not (await ada.follows(bob))["changed"]
    journal = await journal_of(database, post["topic"])
    assert [event.name for event in journal] == ["post:liked", "post:unliked"]


async def test_a_new_post_is_told_to_everybody(nodes: Nodes, people: People) -> None:
    """Whoever watches `gallery` gets `post:created`, without what depends on the reader."""
    ada, visitor = people.named("Ada")[0], people.visitor()
    await visitor.comes_to(nodes[1])
    await visitor.screen.watches("gallery")
    await ada.comes_to(nodes[0])
    asset = await ada.makes(prompt="a secret recipe")
    post = await ada.shares("Dusk", asset_id=asset["id"], tags=["Night "], show_prompt=False)
    assert post["prompt_used"] == "a secret recipe"
    created = await visitor.sees("post:created")
    shown = created.data["post"]
    assert shown["id"] == post["id"]
    assert (shown["tags"], shown["author"], shown["prompt_used"]) == (["night"], ada.summary, None)
    assert not {"is_liked", "is_hidden", "topic", "seq"} & shown.keys()


async def test_a_visitor_watches_what_is_public(nodes: Nodes, people: People) -> None:
    """Without a token one sees a post's life, and no user's own topic."""
    ada, bob = people.named("Ada", "Bob")
    visitor = people.visitor()
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[0])
    await visitor.comes_to(nodes[1])
    post = await bob.shares()
    await visitor.watches(post)
    await ada.follows(bob)
    await ada.likes(post)
    await visitor.sees("post:liked", like_count=1)
    assert {event.topic for event in visitor.screen.events} == {None, post["topic"]}


async def test_one_who_has_left_a_topic_hears_no_more_of_it(nodes: Nodes, people: People) -> None:
    """After `topic:unwatch` nothing of the topic comes; other topics go on."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    left, kept = await bob.shares("Left"), await bob.shares("Kept")
    for post in (left, kept):
        await bob.watches(post)
    answer = await bob.asks("topic:unwatch", {"topic": left["topic"]})
    assert answer == {"topic": left["topic"]}
    await ada.likes(left)
    await ada.likes(kept)
    await bob.sees("post:liked", post_id=kept["id"])
    # Both likes have made notifications by now; a like of `left` would have come before them.
    await bob.sees("notification:created")
    await bob.sees("notification:created")
    assert bob.screen.told(left["topic"]) == []


@each_transport
async def test_whoever_watches_again_is_told_where_it_stands(
    nodes: Nodes, people: People, over: Transport
) -> None:
    """With nothing replayed unless it is asked for, and nothing told twice; not once they have left."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1], over)
    post = await ada.shares()
    first = await bob.watches(post)
    liked = await ada.likes(post)
    await bob.sees("post:liked", post_id=post["id"])
    again = await bob.watches(post)
    assert (again["topic"], again["epoch"]) == (first["topic"], first["epoch"])
    assert (again["seq"], again["recovered"], again["events"]) == (liked["seq"], False, [])
    replayed = await bob.watches(post, since={"epoch": first["epoch"], "seq": first["seq"]})
    assert replayed["recovered"]
    await bob.asks("topic:unwatch", {"topic": post["topic"]})
    anew = await bob.watches(post)
    assert anew["seq"] == liked["seq"]
    await ada.unlikes(post)
    await bob.sees("post:unliked", post_id=post["id"])
    assert [event.name for event in bob.screen.told(post["topic"])] == [
        "post:liked",
        "post:unliked",
    ]


async def test_many_topics_are_watched_with_one_command(nodes: Nodes, people: People) -> None:
    """Each topic gets an answer of its own, one that may not be watched its own error."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    posts = [await ada.shares(str(number)) for number in range(3)]
    topics = [post["topic"] for post in posts]
    answer = await bob.asks(
        "topic:watch", {"topics": [{"topic": topic} for topic in (*topics, ada.screen.own_topic)]}
    )
    *watched, not_his = answer["topics"]
    assert [each["topic"] for each in watched] == topics
    assert not_his["error"]["code"] == "NOT_FOUND"
    for post in posts:
        await ada.likes(post)
        await bob.sees("post:liked", post_id=post["id"])


async def test_a_command_without_an_ack_is_carried_out(nodes: Nodes, people: People) -> None:
    """Nothing answers it, and its effect is seen."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0], NODE_WEBSOCKET)
    await bob.comes_to(nodes[1])
    post = await bob.shares()
    await bob.watches(post)
    await ada.screen.tells("post:like", {"post_id": post["id"]})
    await bob.sees("post:liked", like_count=1)


async def test_a_clients_commands_are_handled_in_order(nodes: Nodes, people: People) -> None:
    """Commands that are sent at once end as the last one says, over WebSocket and polling."""
    ada, bob = people.named("Ada", "Bob")
    await bob.comes_to(nodes[1])
    post = await bob.shares()
    for over in TRANSPORTS:
        await ada.comes_to(nodes[0], over)
        answers = await asyncio.gather(
            *(ada.likes(post) if turn % 2 == 0 else ada.unlikes(post) for turn in range(12))
        )
        assert [answer["liked"] for answer in answers] == [True, False] * 6
        assert all(answer["changed"] for answer in answers)
        assert all(first["seq"] < second["seq"] for first, second in pairwise(answers))
