"""What other programs write into the database reaches the screens of those who watch."""

# ruff: noqa: S608 (what psql runs is our own text)

from collections.abc import AsyncIterator
from typing import Any

import pytest

from store.database import Database
from tests.nodes import Installation, Node
from tests.outside import Outside
from tests.people import People
from tests.screens import Event
from tests.store.audit import assert_sound

Nodes = tuple[Node, Node]


@pytest.fixture
async def outside(installation: Installation, authenticator: str) -> AsyncIterator[Outside]:
    outside = Outside(installation.database_url)
    yield outside
    await outside.close()


async def test_psql_reaches_the_screens(
    nodes: Nodes, people: People, database: Database, outside: Outside
) -> None:
    """A like, a comment and a follow, on whichever node one watches; then they are taken back."""
    ada, ben, cyd = people.named("Ada", "Ben", "Cyd")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    await cyd.comes_to(nodes[1])  # the gateway knows them from now on
    post = await ada.shares()
    await ada.watches(post)
    await ben.watches(post)
    await ben.likes(post)
    await ada.sees("post:liked", like_count=1)
    await ben.sees("post:liked", like_count=1)

    async def psql(statement: str) -> str:
        return await outside.psql(statement, cyd.id)

    pair = f"('{post['id']}', '{cyd.id}')"
    await psql(f"insert into community_likes (post_id, user_id) values {pair}")
    for person in (ada, ben):
        liked = await person.sees("post:liked", like_count=2)
        assert [actor["id"] for actor in liked.data["actors"]] == [cyd.id, ben.id]
    notified = await ada.sees("notification:updated", kind="post_liked")
    assert notified.data["count"] == 2

    comment_id = await psql(
        "insert into community_comments (post_id, user_id, content) "
        f"values ('{post['id']}', '{cyd.id}', ' From psql. ') returning id"
    )
    for person in (ada, ben):
        written: Event = await person.sees("comment:created", comment_count=1)
        assert written.data["comment"]["id"] == comment_id.strip()
        assert written.data["comment"]["content"] == "From psql."
        assert written.data["comment"]["author"] == cyd.summary
    await psql(
        f"insert into community_follows (follower_id, following_id) values ('{cyd.id}', '{ada.id}')"
    )
    await ada.sees("user:followed", follower_count=1, actor=cyd.summary)
    page: Any = await ben.gets("post:get", {"post_id": post["id"]})
    assert (page["like_count"], page["comment_count"]) == (2, 1)

    await psql(f"delete from community_likes where user_id = '{cyd.id}'")
    await psql(f"delete from community_comments where user_id = '{cyd.id}'")
    await psql(f"delete from community_follows where follower_id = '{cyd.id}'")
    for person in (ada, ben):
        await person.sees("post:unliked", like_count=1)
        await person.sees("comment:deleted", comment_count=0)
    await ada.sees("user:unfollowed", follower_count=0)
    await assert_sound(database)


async def test_the_gateway_writes_beside_an_open_transaction(
    nodes: Nodes, people: People, database: Database, outside: Outside
) -> None:
    """Somebody outside likes, comments and follows, and does not commit: nobody at the gateway waits."""
    ada, ben, cyd = people.named("Ada", "Ben", "Cyd")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    await cyd.comes_to(nodes[1])
    post = await ada.shares()
    await ada.watches(post)
    session = outside.session("authenticated", sub=cyd.id)
    async with session.transaction() as transaction:
        pair = (post["id"], cyd.id)
        await transaction.execute(
            "insert into community_likes (post_id, user_id) values ($1, $2)", *pair
        )
        await transaction.execute(
            "insert into community_comments (post_id, user_id, content) values ($1, $2, 'x')", *pair
        )
        await transaction.execute(
            "insert into community_follows (follower_id, following_id) values ($1, $2)",
            *(cyd.id, ada.id),
        )
        assert (await ben.likes(post))["like_count"] == 1
        await ben.comments(post)
        assert (await ben.follows(ada))["follower_count"] == 1
        await ben.unlikes(post)
        assert (await ben.likes(post))["like_count"] == 1
    await ada.sees("post:liked", like_count=2)
    await ada.sees("comment:created", comment_count=2)
    await ada.sees("user:followed", follower_count=2)
    await assert_sound(database)
