"""Looking at a post is counted once, and the count is seen by those who watch."""

import socketio

from store.database import Database
from tests.nodes import GENEROUS, Installation, Node
from tests.people import COMMUNITY, People, refused
from tests.store.audit import assert_sound

Nodes = tuple[Node, Node]


async def test_a_view_is_seen_on_all_nodes(
    nodes: Nodes, people: People, database: Database
) -> None:
    """By command or by reading the post, of users and visitors; it has no place in the journal."""
    ada, ben = people.named("Ada", "Ben")
    visitor = people.visitor()
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    await visitor.comes_to(nodes[1])
    post = await ada.shares()
    for person in (ada, ben, visitor):
        await person.watches(post)
    fields = {"post_id": post["id"]}

    assert await ben.asks("post:view", fields) == {**fields, "view_count": 1}
    for person in (ada, ben, visitor):
        seen = await person.sees("post:viewed", **fields, view_count=1)
        assert seen.meta.keys() == {"topic", "at"}
        assert seen.topic == post["topic"]
    # Ben on another node, and again: nobody is told, and nothing counts.
    assert await ben.gets("post:view", fields, node=nodes[0]) == {**fields, "view_count": 1}
    read = await ben.gets("post:get", fields, node=nodes[0])
    assert read["view_count"] == 1

    await visitor.gets("post:get", fields, node=nodes[0])
    await ada.sees("post:viewed", **fields, view_count=2)
    assert await visitor.asks("post:view", fields) == {**fields, "view_count": 2}
    await ada.asks("post:get", fields)
    for person in (ada, ben, visitor):
        await person.sees("post:viewed", **fields, view_count=3)
    await ben.likes(post)
    like = await ada.sees("post:liked")
    assert like.seq == 1
    views = [event.data["view_count"] for event in ben.screen.events if event.name == "post:viewed"]
    assert views == sorted(views)
    assert (await ben.gets("post:get_engagement", fields))["view_count"] == 3
    await assert_sound(database)


async def test_what_nobody_sees_is_no_view(nodes: Nodes, people: People) -> None:
    """HEAD counts nothing; an answer that the reader has already, 304, is read all the same."""
    ada, ben, cid = people.named("Ada", "Ben", "Cid")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    await ada.watches(post)
    path = f"{COMMUNITY}/posts/{post['id']}"
    send = people.rest.send
    head = await send(nodes[1], "HEAD", path, token=ben.token())
    assert head.status == 200
    first = await send(nodes[1], "GET", path, token=cid.token())
    await ada.sees("post:viewed", view_count=1)
    has = {"If-None-Match": first.headers["ETag"]}
    again = await send(nodes[0], "GET", path, token=cid.token(), headers=has)
    assert again.status == 304
    has = {"If-None-Match": "*"}
    assert (await send(nodes[0], "GET", path, token=ben.token(), headers=has)).status == 304
    await ada.sees("post:viewed", view_count=2)


async def test_visitors_behind_a_proxy_are_told_apart(
    installation: Installation, people: People, database: Database
) -> None:
    """By the address that a trusted proxy names; over REST and sockets alike."""
    node = await installation.start(**GENEROUS, trusted_proxies="127.0.0.0/8")
    (ada,) = people.named("Ada")
    await ada.comes_to(node)
    post = await ada.shares()
    fields = {"post_id": post["id"]}
    path = f"{COMMUNITY}/posts/{post['id']}/view"
    for count, address in ((1, "192.0.2.1"), (2, "192.0.2.2"), (2, "192.0.2.1")):
        headers = {"X-Forwarded-For": address}
        viewed = await people.rest.send(node, "POST", path, headers=headers)
        assert viewed.body == {**fields, "view_count": count}
    client = socketio.AsyncClient(reconnection=False)
    for count, address in ((2, "192.0.2.2"), (3, "192.0.2.3")):
        await client.connect(node.url, headers={"X-Forwarded-For": address})
        answer = await client.call("post:view", fields, timeout=10)
        assert answer == {"data": {**fields, "view_count": count}}
        await client.disconnect()


async def test_what_is_hidden_is_not_viewed(
    nodes: Nodes, people: People, database: Database
) -> None:
    """Except by its owner; and nobody is told."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    post = await ada.shares()
    fields = {"post_id": post["id"]}
    await database.fetch("update community_posts set is_hidden = true where id = $1", post["id"])
    for ask in (ben.asks, ben.gets):
        with refused("COMMUNITY_POST_NOT_FOUND", **fields):
            await ask("post:view", fields)
    await ada.watches(post)
    assert (await ada.asks("post:view", fields))["view_count"] == 1
    assert (await ada.asks("post:get", fields))["view_count"] == 1
    await ada.likes(post)
    await ada.sees("post:liked")
    assert "post:viewed" not in [event.name for event in ada.screen.events]
