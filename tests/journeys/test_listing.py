"""Pages of posts are the same over sockets and REST, and lead into what is live."""

import asyncio
from typing import Any

from tests.nodes import Node
from tests.people import People, refused
from tests.waiting import DEADLINE

Nodes = tuple[Node, Node]


async def test_a_page_is_the_same_over_sockets_and_rest(nodes: Nodes, people: People) -> None:
    """From either node; a list of tags over the socket is one with commas in a query."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    for number in range(3):
        await ada.shares(f"Fox {number}", tags=["fox", f"n{number}"])
    await ben.follows(ada)
    for event, fields in (
        ("feed:page", {"feed_type": "recent", "limit": 2}),
        ("feed:page", {"feed_type": "following", "limit": 2}),
        ("feed:page", {"tags": ["n1", "fox"]}),
        ("post:page", {"sort": "most_liked", "user_id": ada.id, "limit": 2}),
        ("post:page", {"tags": ["n1", "n2"], "asset_type": "overlay"}),
        ("post:page", {"search": "foxes", "user_id": ada.id}),
    ):
        emitted = await ben.asks(event, fields)
        query = {
            name: ",".join(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        got = await ben.gets(event, query)
        assert got == emitted
        assert emitted.get("items") or emitted.get("posts")


async def test_who_watches_and_then_reads_a_page_misses_nothing(
    nodes: Nodes, people: People
) -> None:
    """The page's `seq` says which events it holds already: the rest follow on the post's topic."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    post = await ada.shares("Dusk", tags=["seq"])
    await ada.likes(post)
    watched = await ben.watches(post)

    async def on_the_page() -> Any:
        (found,) = (await ben.asks("feed:page", {"tags": "seq"}))["posts"]
        return found

    page = await on_the_page()
    assert (page["topic"], page["seq"], page["like_count"]) == (watched["topic"], 1, 1)
    assert (page["is_liked"], "is_hidden" in page) == (False, False)
    await ben.likes(post)
    liked = await ben.sees("post:liked", like_count=2)
    assert liked.meta["seq"] == page["seq"] + 1
    page = await on_the_page()
    assert (page["seq"], page["like_count"], page["is_liked"]) == (2, 2, True)


async def test_a_new_post_is_told_to_all_who_watch_the_gallery(
    nodes: Nodes, people: People
) -> None:
    """A visitor too; the post is on the first page then."""
    (ada,) = people.named("Ada")
    visitor = people.visitor()
    await ada.comes_to(nodes[0])
    await visitor.comes_to(nodes[1])
    await visitor.asks("topic:watch", {"topic": "gallery"})
    post = await ada.shares("News", tags=["news"])
    told = await visitor.sees("post:created")
    assert told.data["post"]["id"] == post["id"]
    (found,) = (await visitor.asks("feed:page", {"tags": ["news"]}))["posts"]
    assert told.data["post"].items() <= found.items()


async def test_a_visitor_follows_nobody(nodes: Nodes, people: People) -> None:
    """The following feed takes a user, over sockets and REST alike."""
    visitor = people.visitor()
    await visitor.comes_to(nodes[0])
    for ask in (visitor.asks, visitor.gets):
        with refused("UNAUTHENTICATED"):
            await ask("feed:page", {"feed_type": "following"})


async def test_most_liked_follows_the_likes(nodes: Nodes, people: People) -> None:
    """Within seconds, on every node: of one author, with a tag."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    liked, newer = [await ada.shares(title, tags=["standing"]) for title in ("Liked", "Newer")]
    await ben.likes(liked)
    query = {"sort": "most_liked", "user_id": ada.id, "tags": "standing"}
    async with asyncio.timeout(DEADLINE):
        while True:
            first, second = (await ada.asks("post:page", query))["items"]
            if first["id"] == liked["id"]:
                break
            assert first["id"] == newer["id"]
            await asyncio.sleep(0.05)
    assert (first["like_count"], second["like_count"]) == (1, 0)
