"""What is hidden is invisible to strangers, whatever they ask and wherever they listen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from handlers import DOMAINS
from handlers.operation import Access, Operation
from store.database import Database
from store.gallery import Gallery
from tests.nodes import Node
from tests.people import People, Person, Visitor, client_id
from tests.screens import NODE_POLLING, Refused

Nodes = tuple[Node, Node]
Json = dict[str, Any]

GONE = {"COMMUNITY_POST_NOT_FOUND", "COMMUNITY_COMMENT_NOT_FOUND"}
NOT_FOR_THEM = {"UNAUTHENTICATED", "FORBIDDEN"}


@dataclass
class World:
    """Ada's post was there for all to see, like and talk about; then it was hidden."""

    ada: Person
    sam: Person
    """A stranger who follows Ada, was told of the post, likes it, and has commented on it."""
    mo: Person
    """A moderator who did the same."""
    visitor: Visitor
    hidden: Json
    shown: Json
    inspired: Json
    """Mo's post, for which the hidden one stands as inspiration."""
    comments: list[Json]
    before: Json
    """Where everybody's topics stood before any of it."""

    @property
    def secrets(self) -> list[str]:
        """What tells of the hidden post wherever it stands."""
        said = [each[field] for each in self.comments for field in ("id", "content")]
        post = [self.hidden[field] for field in ("id", "title", "asset_id", "asset_url")]
        return [*post, *said]

    def betrayed_by(self, answer: Any) -> list[str]:
        text = msgspec.json.encode(answer).decode()
        return [secret for secret in self.secrets if secret in text]


async def before_hiding(nodes: Nodes, people: People, database: Database) -> World:
    ada, sam, mo = people.named("Ada", "Sam", "Mo")
    mo.role = "moderator"
    visitor = people.visitor()
    await ada.comes_to(nodes[0])
    await sam.comes_to(nodes[1], NODE_POLLING)
    await mo.comes_to(nodes[1])
    await visitor.comes_to(nodes[0])
    gallery = await visitor.screen.watches("gallery")
    for follower in (sam, mo):
        await follower.follows(ada)
    sams = await sam.shares("What Sam made")
    asset = await ada.makes(url="https://example.org/unseen.svg")
    hidden = await ada.shares(
        "Zinfandel", asset_id=asset["id"], tags=["vintage"], inspired_by_post_id=sams["id"]
    )
    shown = await ada.shares("Riesling", tags=["vintage"])
    inspired = await mo.shares("After Ada", inspired_by_post_id=hidden["id"])
    comments = []
    for person in (sam, mo, ada):
        await person.likes(hidden)
        comments.append(await person.comments(hidden, f"{person.name} tasted it"))
    await sam.asks("post:report", {"post_id": hidden["id"], "reason": "other"})
    await mo.asks("post:feature", {"post_id": hidden["id"], "featured": True})
    for person in (sam, mo, ada, visitor):
        await person.watches(hidden)
    await Gallery(database).trending.refresh()
    return World(ada, sam, mo, visitor, hidden, shown, inspired, comments, gallery)


ASKS: dict[str, Callable[[World], Json]] = {
    "notification:page": lambda _: {"limit": 50},
    "asset:page": lambda _: {"limit": 50},
    "post:get": lambda world: {"post_id": world.hidden["id"]},
    "post:page": lambda world: {"user_id": world.ada.id},
    "post:page_featured": lambda _: {"limit": 50},
    "post:page_trending": lambda _: {"limit": 50},
    "post:search": lambda _: {"q": "Zinfandel"},
    "post:page_mine": lambda _: {"limit": 50},
    "post:page_liked": lambda _: {"limit": 50},
    "post:page_following": lambda _: {"limit": 50},
    "post:page_of_user": lambda world: {"user_id": world.ada.id},
    "feed:page": lambda _: {"tags": "vintage"},
    "post:get_engagement": lambda world: {"post_id": world.hidden["id"]},
    "user:page_likers": lambda world: {"post_id": world.hidden["id"]},
    "comment:page": lambda world: {"post_id": world.hidden["id"]},
    "user:get": lambda world: {"user_id": world.ada.id},
    "user:page_followers": lambda world: {"user_id": world.ada.id},
    "user:page_following": lambda world: {"user_id": world.sam.id},
    "report:page": lambda _: {"limit": 50},
}
"""How each reading operation is asked, so that it would show the hidden post to whoever may see it."""

TELLS_OF_NOTHING_THERE = {"session:get"}
"""What answers who asks, and nothing that anybody could hide."""
TELLS_NO_POST = {"user:get", "user:page_followers", "user:page_following"}
TELLS_OF_IT = {"post:get_engagement", "user:page_likers"}
"""What these answer stands for the post that they were asked about."""
OWN_THINGS = {"notification:page", "asset:page"}
"""Ada's own show it to her; a moderator has none of it."""

FIELDS: dict[str, Callable[[World], Any]] = {
    "post_id": lambda world: world.hidden["id"],
    "comment_id": lambda world: world.comments[0]["id"],
    "inspired_by_post_id": lambda world: world.hidden["id"],
    "content": lambda _: "More.",
    "title": lambda _: "More",
    "reason": lambda _: "spam",
    "id": lambda _: client_id(),
}


def operations() -> Iterator[Operation[Any, Any, Any]]:
    for domain in DOMAINS:
        yield from domain.operations


def about_posts() -> list[Operation[Any, Any, Any]]:
    """Those that name a post or a comment, and are for everybody or for users."""
    return [
        each
        for each in operations()
        if {"post_id", "comment_id"} & set(each.command.__struct_fields__)
        and each.access in (Access.PUBLIC, Access.MEMBER)
    ]


async def answer(person: Visitor, event: str, payload: Json, node: Node | None) -> Any:
    """What a socket answers, or a node over REST; the refusal where it is one."""
    try:
        if node is None:
            return await person.asks(event, payload)
        return await person.gets(event, payload, node=node)
    except Refused as refusal:
        return refusal


def test_every_reading_operation_is_walked() -> None:
    """A new one needs a line in ASKS."""
    reading = {each.event for each in operations() if each.method == "GET"}
    assert ASKS.keys() == reading - TELLS_OF_NOTHING_THERE


async def test_what_is_hidden_is_invisible(
    nodes: Nodes, people: People, database: Database
) -> None:
    """To a stranger and a visitor, by every operation, over sockets and REST on either node.

    Lists, counts, search, topics, replays, notifications, presence, feeds, inspirations, and whatever
    would write about it. A moderator sees it by the same questions, so they could have shown it.
    """
    world = await before_hiding(nodes, people, database)
    ada, sam, mo, visitor = world.ada, world.sam, world.mo, world.visitor
    since = {"epoch": world.before["epoch"], "seq": world.before["seq"]}
    sams_start = {"epoch": since["epoch"], "seq": 0}
    news = await sam.sees("feed:post_created")
    assert news.data["post"]["id"] == world.hidden["id"]
    await sam.sees("presence:changed", viewers=4)

    await mo.asks("post:hide", {"post_id": world.hidden["id"], "hidden": True, "reason": "spam"})
    for person in (sam, visitor):
        await person.sees("post:hidden", post_id=world.hidden["id"])

    shown_to: dict[str, set[str]] = {"Mo": set(), "Ada": set()}
    for event, ask in ASKS.items():
        for node in (None, *nodes):
            for person in (sam, visitor):
                told = await answer(person, event, ask(world), node)
                if isinstance(told, Refused):
                    assert told.code in GONE | NOT_FOR_THEM, event
                    assert event not in TELLS_NO_POST
                    continue
                assert event not in TELLS_OF_IT
                assert world.betrayed_by(told) == [], (event, told)
            for insider in (mo, ada):
                told = await answer(insider, event, ask(world), node)
                if not isinstance(told, Refused) and (
                    event in TELLS_OF_IT or world.betrayed_by(told)
                ):
                    shown_to[insider.name].add(event)
    assert shown_to["Mo"] == ASKS.keys() - TELLS_NO_POST - OWN_THINGS
    assert shown_to["Ada"] >= OWN_THINGS | TELLS_OF_IT | {"post:get", "post:page_of_user"}

    # Counts, and what other things say of it.
    for person in (sam, visitor):
        for event, payload in (
            ("post:page", {"user_id": ada.id}),
            ("post:page_of_user", {"user_id": ada.id}),
            ("post:page", {"user_id": ada.id, "search": "Zinfandel"}),
            ("post:page", {"user_id": ada.id, "tags": ["vintage"], "sort": "most_liked"}),
        ):
            page = await person.asks(event, payload)
            left = [] if "search" in payload else [world.shown["id"]]
            assert [post["id"] for post in page["items"]] == left
            assert page["total"] == len(left)
        assert (await person.asks("post:search", {"q": "Zinfandel"}))["total"] == 0
        stats = (await person.asks("user:get", {"user_id": ada.id}))["stats"]
        assert (stats["post_count"], stats["total_likes_received"]) == (1, 0)
        after = await person.asks("post:get", {"post_id": world.inspired["id"]})
        assert after["inspired_by_post_id"] is None
    for feed_type in ("following", "recent", "trending"):
        page = await sam.asks("feed:page", {"feed_type": feed_type, "limit": 50})
        assert world.betrayed_by(page) == []
    inbox = await sam.asks("notification:page", {"limit": 50})
    assert [each for each in inbox["items"] if each["kind"] == "post_inspired"] == []

    # Topics and replays: of the gallery's, that it was hidden is all.
    for person in (sam, visitor):
        for node in nodes:
            topic = world.hidden["topic"]
            there = await people.rest.send(
                node, "GET", f"/api/v1/topics/{topic}/events", token=person.token(), params=since
            )
            assert there.status == 404
        with pytest.raises(Refused, match="NOT_FOUND"):
            await person.screen.watches(world.hidden["topic"], since)
        replay = await person.screen.watches("gallery", since)
        assert replay["recovered"]
        told = [event for event in replay["events"] if world.betrayed_by(event)]
        assert [(name, data) for name, data, _ in told] == [
            ("post:hidden", {"post_id": world.hidden["id"]})
        ]
    own = await sam.screen.watches(sam.screen.own_topic, sams_start)
    assert own["recovered"]
    assert world.betrayed_by(own["events"]) == []

    # Whatever would write about it.
    for operation in about_posts():
        fields = operation.command.__struct_fields__
        payload = {field: FIELDS[field](world) for field in fields if field in FIELDS}
        if operation.event == "post:report":
            payload = {"post_id": payload["post_id"], "reason": "spam"}
        for node in (None, *nodes):
            for person in (sam, visitor):
                told = await answer(person, operation.event, payload, node)
                assert isinstance(told, Refused), operation.event
                assert told.code in GONE | ({"UNAUTHENTICATED"} if person is visitor else set())
    asset = await sam.makes()
    after = {"asset_id": asset["id"], "title": "Me too", "inspired_by_post_id": world.hidden["id"]}
    assert (await answer(sam, "post:create", after, None)).code == "COMMUNITY_POST_NOT_FOUND"

    # What happens to it now, only those hear who may see it.
    heard = {person: len(person.screen.events) for person in (sam, visitor)}
    await ada.comments(world.hidden, "Ada alone")
    await ada.unlikes(world.hidden)
    await ada.asks("post:update", {"post_id": world.hidden["id"], "title": "Zinfandel 2"})
    await mo.screen.until(
        lambda: next((e for e in mo.screen.events if e.name == "post:updated"), None), "the update"
    )
    await ada.comments(world.shown, "Come and see")
    for person, before in heard.items():
        await person.asks("post:get", {"post_id": world.shown["id"]})
        assert world.betrayed_by([e.data for e in person.screen.events[before:]]) == []
