"""The lists are the same over sockets and REST, and what is hidden is on none of them."""

from collections.abc import Iterator
from typing import Any

from store.database import Database
from store.gallery.trending import Trending
from tests.nodes import Node
from tests.people import ROUTES, People, Person, refused

Nodes = tuple[Node, Node]


def lists(creator: Person, post: Any) -> dict[str, dict[str, Any]]:
    """Every list in which a post, or what hangs on it, could be; with the fields that ask for it."""
    of_post, of_creator = {"post_id": post["id"]}, {"user_id": creator.id}
    named = {
        "post:search": {"q": post["title"]},
        "post:page_of_user": of_creator,
        "user:page_likers": of_post,
        "comment:page": of_post,
        "user:page_followers": of_creator,
        "user:page_following": of_creator,
    }
    pages = [name for name in ROUTES if ":page" in name or name == "post:search"]
    return {name: named.get(name, {}) for name in pages}


SAME_LIST = {"post:page", "feed:page"}
"""Without filters both are all posts, newest first: a cursor is good for either."""
OWN_POSTS = {"post:page_mine", "post:page_of_user"}
"""And so are one's own posts, asked for by whichever name."""
PERSONAL = {
    *("asset:page", "notification:page", "post:page_mine", "post:page_liked"),
    "post:page_following",
}


def forgeries(cursor: str) -> Iterator[str]:
    """What is almost this cursor: a character changed, left out or added, here and there."""
    for place in range(0, len(cursor), 7):
        before, after = cursor[:place], cursor[place + 1 :]
        yield before + ("A" if cursor[place] != "A" else "B") + after
        yield before + after
        yield before + "-" + cursor[place:]
    yield from (cursor + "=", cursor.swapcase(), cursor * 2, "")


def items(page: Any) -> list[Any]:
    found: list[Any] = page.get("items", page.get("posts"))
    return found


def total(page: Any) -> int:
    return int(page.get("total", page.get("total_count")))


async def test_a_list_is_the_same_over_sockets_and_rest(
    nodes: Nodes, people: People, database: Database
) -> None:
    """Page after page, from either node, by cursor and by number; a cursor leads on in its own list only."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    posts = [await ben.shares("Walrus") for _ in range(3)]
    await ada.makes()
    await ben.follows(ada)
    await ada.follows(ben)
    for post in posts:
        await ada.likes(post)
        await ada.comments(post)
        await ben.comments(post)
    await ben.likes(posts[0])
    await database.fetch(
        "update community_posts set is_featured = true where title = $1", posts[0]["title"]
    )
    await ada.shares("Walrus")
    await ben.likes(await ada.shares("Walrus"))
    await Trending(database).refresh()
    cursors: dict[str, str] = {}
    for event, fields in lists(ben, posts[0]).items():
        first = await ada.asks(event, {**fields, "limit": 1})
        assert len(items(first)) == 1, event
        assert await ada.gets(event, {**fields, "limit": 1}, node=nodes[1]) == first
        if event in ("user:page_followers", "user:page_following"):
            assert first["has_more"] is False
            continue
        assert first["has_more"], event
        after = {**fields, "limit": 1, "cursor": first["next_cursor"]}
        second = await ada.asks(event, after)
        assert await ada.gets(event, after, node=nodes[1]) == second
        assert items(second) != items(first)
        if event != "feed:page":  # which is walked by cursor alone
            assert await ada.gets(event, {**fields, "limit": 1, "page": 2}) == second
        cursors[event] = first["next_cursor"]
        for forged in forgeries(first["next_cursor"]):
            with refused("INVALID_CURSOR"):
                await ada.gets(event, {**fields, "cursor": forged})
    for event, fields in lists(ben, posts[0]).items():
        for other, cursor in cursors.items():
            if other == event or {other, event} <= SAME_LIST or {other, event} <= OWN_POSTS:
                continue
            with refused("INVALID_CURSOR"):
                await ada.gets(event, {**fields, "cursor": cursor})
    for event in PERSONAL & cursors.keys():
        with refused("INVALID_CURSOR"):
            await ben.gets(event, {"cursor": cursors[event]})


async def test_what_is_hidden_is_on_no_list(
    nodes: Nodes, people: People, database: Database
) -> None:
    """Strangers find it nowhere and count it nowhere, on either way; owner and moderators find it."""
    ada, ben, cem, max_ = people.named("Ada", "Ben", "Cem", "Max")
    max_.role = "moderator"
    visitor = people.visitor()
    for person in (ada, ben, cem, max_, visitor):
        await person.comes_to(nodes[0])
    seen, hidden = await ben.shares("Otter"), await ben.shares("Hidden otter")
    for person in (ada, ben, max_):
        for post in (seen, hidden):
            await person.likes(post)
            await person.comments(post)
        if person is not ben:
            await person.follows(ben)
    await ben.follows(cem)
    await cem.follows(ben)
    ids = [seen["id"], hidden["id"]]
    await database.fetch("update community_posts set is_featured = true where id = any ($1)", ids)
    await database.fetch("update community_posts set is_hidden = true where id = $1", ids[1])

    asked = lists(ben, hidden)
    asked["post:search"] = {"q": "otters"}
    of_the_post = [event for event, fields in asked.items() if "post_id" in fields]
    personal = ("asset:page", "notification:page", "post:page_mine", "post:page_liked")
    public = [event for event in asked if event not in (*personal, "post:page_following")]

    def posts_on(page: Any) -> list[str]:
        return [item["id"] for item in items(page) if "title" in item]

    for person, events in ((ada, asked), (visitor, public)):
        for event in events:
            fields = asked[event]
            for ask in (person.asks, person.gets):
                if event in of_the_post:
                    with refused("COMMUNITY_POST_NOT_FOUND"):
                        await ask(event, fields)
                    continue
                page = await ask(event, fields)
                assert hidden["id"] not in posts_on(page), event
                if event in ("post:page_of_user", "post:page_liked", "post:page_following"):
                    assert (posts_on(page), total(page)) == ([seen["id"]], 1), event
        with refused("COMMUNITY_POST_NOT_FOUND"):
            await person.gets("post:get_engagement", {"post_id": hidden["id"]})
    assert total(await ada.asks("post:search", {"q": "otters"})) == 1

    for person in (ben, max_):
        for event, fields in asked.items():
            if event in of_the_post:
                assert total(await person.gets(event, fields)) == 3
        for event in ("post:page_featured", "post:search", "post:page_of_user", "post:page_liked"):
            assert hidden["id"] in posts_on(await person.gets(event, asked[event])), event
    assert hidden["id"] in posts_on(await ben.asks("post:page_mine"))
    assert hidden["id"] in posts_on(await max_.asks("post:page_following"))
