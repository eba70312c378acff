"""Reading again what one has: 304 as long as it holds, and never longer."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from store.database import Database
from tests.nodes import Node
from tests.people import COMMUNITY, People, Person, Visitor
from tests.screens import Json

Nodes = tuple[Node, Node]
Read = tuple[Visitor, str, Json]


class Reader:
    """Reads the same pages again and again, and holds each answer against its tag."""

    def __init__(self, reads: Sequence[Read]) -> None:
        self._reads = reads
        self._known: list[tuple[str, Any]] = []

    async def begin(self) -> None:
        """Read everything for the first time."""
        self._known = [await self._read(read) for read in self._reads]

    async def changed(self) -> set[str]:
        """What reads differently than before: exactly that is not answered by 304."""
        events = set()
        for place, (read, (tag, body)) in enumerate(zip(self._reads, self._known, strict=True)):
            who, event, payload = read
            again = await who.requests(event, payload, headers={"If-None-Match": tag})
            now_tag, now = await self._read(read)
            if now == body:
                assert (again.status, again.headers["ETag"]) == (304, tag), event
            else:
                assert again.status == 200, event
                assert _still(again.body) == now
                assert again.headers["ETag"] == now_tag != tag
                events.add(event)
            self._known[place] = now_tag, now
        return events

    async def _read(self, read: Read) -> tuple[str, Any]:
        who, event, payload = read
        answer = await who.requests(event, payload)
        assert answer.status == 200, answer.body
        return answer.headers["ETag"], _still(answer.body)


def _still(body: Any) -> Any:
    """An answer without views and score."""
    if isinstance(body, dict):
        weak = ("view_count", "trending_score")
        return {name: _still(value) for name, value in body.items() if name not in weak}
    return [_still(each) for each in body] if isinstance(body, list) else body


async def test_a_304_is_never_wrong(nodes: Nodes, people: People, database: Database) -> None:
    """Through all that can change a page, whoever reads: the tag changes exactly when the page does."""
    ada, ben, max_ = people.named("Ada", "Ben", "Max")
    max_.role = "moderator"
    visitor = people.visitor()
    for each in (ada, ben, max_, visitor):
        await each.comes_to(nodes[0])
    post = await ada.shares("Dusk")
    comment = await ben.comments(post, "Nice.")
    one = {"post_id": post["id"]}
    reader = Reader(
        [
            (who, event, payload)
            for who in (ada, ben, max_, visitor)
            for event, payload in (
                ("comment:page", one),
                ("feed:page", {}),
                ("post:get", one),
                ("post:page_of_user", {"user_id": ada.id}),
                ("user:get", {"user_id": ada.id}),
                ("user:page_likers", one),
            )
        ]
        + [(ada, "notification:page", {}), (ben, "post:page_liked", {})]
    )
    posts = {"feed:page", "post:get", "post:page_of_user"}

    async def passes(what: Callable[[], Awaitable[Any]], *events: str) -> None:
        await what()
        assert await reader.changed() == set(events)

    async def ages() -> None:
        await database.fetch(
            "update community_comments set created_at = created_at - $1::interval where id = $2",
            timedelta(minutes=16),
            comment["id"],
        )

    async def moderates(path: str, **body: Any) -> None:
        answer = await people.rest.send(
            *(nodes[0], "PUT", f"{COMMUNITY}/admin{path}"), token=max_.token(), json=body
        )
        assert answer.status == 200, answer.body

    async def renamed(person: Person, name: str) -> None:
        person.name = name
        await person.gets("user:get", {"user_id": person.id})

    await reader.begin()
    assert await reader.changed() == set()
    # What others do.
    await passes(lambda: ben.asks("post:view", one))
    await passes(
        lambda: ben.likes(post),
        *(*posts, "user:page_likers", "user:get", "notification:page", "post:page_liked"),
    )
    await passes(
        lambda: ben.edits(comment, "Very nice."), "comment:page", *posts, "post:page_liked"
    )
    await passes(ages, "comment:page")
    await passes(lambda: ben.follows(ada), "user:get", "notification:page")
    await passes(
        lambda: renamed(ben, "Benedikt"), "comment:page", "user:page_likers", "notification:page"
    )
    await passes(lambda: renamed(ada, "Ada L."), *posts, "user:get", "post:page_liked")
    # What one does oneself.
    await passes(
        lambda: ada.gets("notification:see", {"before": "2100-01-01T00:00:00Z"}),
        "notification:page",
    )
    await passes(lambda: ada.likes(post), *posts, "user:page_likers", "user:get", "post:page_liked")
    await passes(
        lambda: ada.asks("post:update", {**one, "title": "Dawn"}), *posts, "post:page_liked"
    )
    # What moderators do.
    await passes(
        lambda: moderates(f"/posts/{post['id']}/feature", featured=True), *posts, "post:page_liked"
    )
    await passes(lambda: moderates(f"/users/{ben.id}/ban", banned=True), "comment:page")


async def test_what_is_hidden_is_not_read_from_what_one_has(nodes: Nodes, people: People) -> None:
    """Not found, whatever tag the reader comes with; and `*` does not tell that it is there."""
    ada, ben = people.named("Ada", "Ben")
    ada.role = "moderator"
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    post = await ada.shares()
    one = {"post_id": post["id"]}
    tag = (await ben.requests("post:get", one)).headers["ETag"]
    hide = f"{COMMUNITY}/admin/posts/{post['id']}/hide"
    for hidden, status in ((True, 404), (False, 304)):
        answer = await people.rest.send(
            *(nodes[0], "PUT", hide), token=ada.token(), json={"hidden": hidden}
        )
        assert answer.status == 200
        for given in ("*", tag) if hidden else ("*",):
            again = await ben.requests("post:get", one, headers={"If-None-Match": given})
            assert again.status == status


async def test_a_304_counts_a_view(nodes: Nodes, people: People) -> None:
    """Who looks at what they have looks at it."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    post = await ada.shares()
    await ada.watches(post)
    answer = await ben.requests("post:get", {"post_id": post["id"]}, headers={"If-None-Match": "*"})
    assert answer.status == 304
    await ada.sees("post:viewed", view_count=1)


async def test_tags_hold_on_all_nodes(nodes: Nodes, people: People) -> None:
    """What one node gave out the other one knows."""
    ada = people.named("Ada")[0]
    await ada.comes_to(nodes[0])
    one = {"post_id": (await ada.shares())["id"]}
    tag = (await ada.requests("post:get", one)).headers["ETag"]
    again = await ada.requests("post:get", one, node=nodes[1], headers={"If-None-Match": tag})
    assert again.status == 304


@pytest.mark.parametrize("by", ["cursor", "page"])
async def test_lists_are_walked_by_their_links(nodes: Nodes, people: People, by: str) -> None:
    """`next` until there is none: every comment once, on any node; then there is no more."""
    (ada,) = people.named("Ada")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    comments = [await ada.comments(post, str(number)) for number in range(5)]
    target = f"{COMMUNITY}/posts/{post['id']}/comments?limit=2" + "&page=1" * (by == "page")
    seen: list[Json] = []
    for turn in range(3):
        answer = await people.rest.send(nodes[turn % 2], "GET", target, token=ada.token())
        seen += answer.body["items"]
        target = str(answer.links.get("next", ""))
    assert seen == comments
    assert target == ""
