"""Whatever people and their moderator do, the gallery is what a model of sets says, for everybody.

Two users, a moderator and a visitor act at two nodes, over sockets and REST. Each answer is as the model
has it, refusals too. At every checkpoint all lists of everybody hold what they may see and nothing else,
the visitor's wall of applied events is a fresh page, and counters equal rows.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from handlers import DOMAINS
from tests.fuzz.budget import IS_LONG, SHARE
from tests.people import Answer, Person, Visitor, body_of, client_id, refused
from tests.properties.gallery import Gallery, Refusal
from tests.properties.world import World
from tests.screens import PYTHON_WEBSOCKET, Json
from tests.store.audit import assert_sound

EXAMPLES = 6
"""The first of which are simple."""
STEPS = 8

NAMES = ("ada", "bob", "mo")


class Deed(NamedTuple):
    """Who does what, to which post and which comment on it, or to whom.

    `way` is over one's socket, or over REST on one node or the other.
    """

    what: str
    who: str
    whom: str
    pick: int
    which: int
    way: Any
    flag: bool


ANYWHERE = ("share", "follow", "ban", "review", "see")
"""What is done to no post in particular."""
WHAT = (
    *("share", "share", "like", "like", "like", "comment", "comment", "follow", "follow"),
    *("update", "delete", "uncomment", "view", "hide", "hide", "feature", "report"),
    *("ban", "review", "see"),
)
OPERATIONS = {
    operation.event: (domain.base, operation)
    for domain in DOMAINS
    for operation in domain.operations
}
deeds = st.builds(
    Deed,
    what=st.sampled_from(WHAT),
    who=st.sampled_from(NAMES),
    whom=st.sampled_from(NAMES),
    pick=st.integers(0, 7),
    which=st.integers(0, 7),
    way=st.sampled_from(["socket", 0, 1]),
    flag=st.booleans(),
)
PAGE = 50


class Everything(RuleBasedStateMachine):
    """Two users, a moderator, and a visitor who looks at the wall."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.news = 0
        """What has been done since everybody looked."""
        self.people: dict[str, Person] = {}

    @initialize()
    def arrive(self) -> None:
        self.world.run(self._arrive())

    async def _arrive(self) -> None:
        self.people = dict(zip(NAMES, self.world.people.named(*NAMES), strict=True))
        self.people["mo"].role = "moderator"
        self.visitor = self.world.people.visitor()
        for place, one in enumerate((*self.people.values(), self.visitor)):
            await one.comes_to(self.world.nodes[place % 2], PYTHON_WEBSOCKET)
        self.word = f"w{uuid4().hex}"
        self.tag = self.word[:30]
        watched = await self.visitor.screen.watches("gallery")
        self.wall: dict[str, tuple[str, bool]] = {}
        self.applied, self.from_seq = 0, watched["seq"]
        self.model = Gallery(staff="mo")

    @rule(todo=st.lists(deeds, min_size=4, max_size=12))
    def act(self, todo: list[Deed]) -> None:
        """One deed after the other, each answered as the model has it."""
        self.world.run(self._act(todo))

    async def _act(self, todo: list[Deed]) -> None:
        for deed in todo:
            known = [*self.model.posts, *self.model.gone[-2:]]
            if deed.what in ANYWHERE:
                await getattr(self, f"_{deed.what}")(deed)
            elif known:
                await getattr(self, f"_{deed.what}")(deed, known[deed.pick % len(known)])

    async def _does(self, deed: Deed, event: str, payload: Json, refusal: Refusal) -> Any | None:
        """What was answered; None where it was refused, as it has to be."""
        actor = self.people[deed.who]
        self.news += 1

        async def ask() -> Any:
            if deed.way == "socket":
                return await actor.asks(event, payload)
            return body_of(await self._requests(actor, deed.way, event, payload))

        if refusal is None:
            return await ask()
        with refused(refusal):
            await ask()
        return None

    async def _requests(self, actor: Person, node: int, event: str, payload: Json) -> Answer:
        base, operation = OPERATIONS[event]
        path = base + operation.path
        body = {name: value for name, value in payload.items() if f"{{{name}}}" not in path}
        return await self.world.people.rest.send(
            *(self.world.nodes[node], operation.method, path.format_map(payload)),
            token=actor.token(),
            **{"json": body} if body else {},
        )

    async def _share(self, deed: Deed) -> None:
        asset = {"asset_type": "overlay", "url": "https://example.org/a.png"}
        made = await self._does(deed, "asset:create", asset, self.model.writing(deed.who))
        if made:
            title = f"{self.word} {len(self.model.posts)}"
            fields = {"asset_id": made["id"], "title": title, "tags": [self.tag]}
            post = await self._does(deed, "post:create", fields, None)
            assert post is not None
            self.model.share(deed.who, post["id"], title)

    async def _update(self, deed: Deed, post_id: str) -> None:
        payload = {"post_id": post_id, "title": f"{self.word} renamed by {deed.who}"}
        refusal = self.model.changing(deed.who, post_id, deleting=False)
        if await self._does(deed, "post:update", payload, refusal):
            self.model.posts[post_id].title = payload["title"]

    async def _delete(self, deed: Deed, post_id: str) -> None:
        refusal = self.model.changing(deed.who, post_id, deleting=True)
        if await self._does(deed, "post:delete", {"post_id": post_id}, refusal):
            self.model.delete(post_id)

    async def _like(self, deed: Deed, post_id: str) -> None:
        event = "post:like" if deed.flag else "post:unlike"
        refusal = self.model.writing(deed.who, post_id)
        answer = await self._does(deed, event, {"post_id": post_id}, refusal)
        if answer:
            changed = self.model.like(deed.who, post_id, deed.flag)
            count = len(self.model.posts[post_id].likers)
            assert (answer["changed"], answer["like_count"]) == (changed, count)

    async def _comment(self, deed: Deed, post_id: str) -> None:
        payload = {"post_id": post_id, "content": f"Says {deed.who}", "id": client_id()}
        refusal = self.model.writing(deed.who, post_id)
        if await self._does(deed, "comment:create", payload, refusal):
            self.model.comment(deed.who, post_id, payload["id"], payload["content"])

    async def _uncomment(self, deed: Deed, post_id: str) -> None:
        comments = list(self.model.posts[post_id].comments) if post_id in self.model.posts else []
        if not comments:
            return
        comment_id = comments[deed.which % len(comments)]
        refusal = self.model.uncommenting(deed.who, post_id, comment_id)
        if await self._does(deed, "comment:delete", {"comment_id": comment_id}, refusal):
            self.model.uncomment(post_id, comment_id)

    async def _follow(self, deed: Deed) -> None:
        event = "user:follow" if deed.flag else "user:unfollow"
        refusal = self.model.following(deed.who, deed.whom)
        answer = await self._does(deed, event, {"user_id": self.people[deed.whom].id}, refusal)
        if answer:
            assert answer["changed"] == self.model.follow(deed.who, deed.whom, deed.flag)

    async def _view(self, deed: Deed, post_id: str) -> None:
        refusal = None if self.model.may_see(deed.who, post_id) else "COMMUNITY_POST_NOT_FOUND"
        answer = await self._does(deed, "post:view", {"post_id": post_id}, refusal)
        if answer:
            viewers = self.model.posts[post_id].viewers
            viewers.add(deed.who)
            assert answer["view_count"] == len(viewers)

    async def _hide(self, deed: Deed, post_id: str) -> None:
        payload = {"post_id": post_id, "hidden": deed.flag}
        if await self._does(deed, "post:hide", payload, self.model.moderating(deed.who, post_id)):
            self.model.posts[post_id].hidden = deed.flag

    async def _feature(self, deed: Deed, post_id: str) -> None:
        payload = {"post_id": post_id, "featured": deed.flag}
        refusal = self.model.moderating(deed.who, post_id)
        if await self._does(deed, "post:feature", payload, refusal):
            self.model.posts[post_id].featured = deed.flag

    async def _ban(self, deed: Deed) -> None:
        if deed.whom != "mo":
            banned = (
                deed.flag and deed.which == 0
            )  # who is banned does nothing that is worth a look
            payload = {"user_id": self.people[deed.whom].id, "banned": banned}
            await self._does(deed._replace(who="mo"), "user:ban", payload, None)
            (self.model.banned.add if banned else self.model.banned.discard)(deed.whom)

    async def _report(self, deed: Deed, post_id: str) -> None:
        payload = {"post_id": post_id, "reason": "spam"}
        refusal = self.model.reporting(deed.who, post_id)
        answer = await self._does(deed, "post:report", payload, refusal)
        if answer:
            self.model.posts[post_id].reporters.add(deed.who)
            self.model.reports[answer["report_id"]] = (post_id, "pending")

    async def _review(self, deed: Deed) -> None:
        if not self.model.reports:
            return
        report_id = list(self.model.reports)[deed.pick % len(self.model.reports)]
        payload = {"report_id": report_id, "status": "actioned", "hide_post": deed.flag}
        refusal = self.model.reviewing(deed.who, report_id)
        if await self._does(deed, "report:review", payload, refusal):
            post_id, _ = self.model.reports[report_id]
            self.model.reports[report_id] = (post_id, "actioned")
            self.model.posts[post_id].hidden |= deed.flag

    async def _see(self, deed: Deed) -> None:
        payload = {"before": datetime.now(UTC).isoformat()}
        answer = await self._does(deed, "notification:see", payload, None)
        assert answer is not None
        assert answer["unseen_count"] == 0
        self.model.see(deed.who)

    @precondition(lambda self: self.news)
    @rule()
    def checkpoint(self) -> None:
        """Everybody reads everything."""
        self.world.run(self._check())

    async def _check(self) -> None:
        self.news = 0
        await asyncio.gather(*(self._look(who) for who in ("ada", "bob", "mo", None)))
        await self._look_at_the_wall()
        pending = await self._items(self.people["mo"], "report:page", {"status": "pending"}, PAGE)
        found = {each["id"] for each in pending} & self.model.reports.keys()
        assert found == {key for key, (_, at) in self.model.reports.items() if at == "pending"}

    async def _look(self, who: str | None) -> None:
        """All lists, as one reader sees them, on the node that is not theirs."""
        reader: Visitor = self.visitor if who is None else self.people[who]
        names = {person.id: name for name, person in self.people.items()}
        visible = self.model.visible_to(who)
        lists = {
            "post:page": ({"tags": self.tag}, visible),
            "post:search": ({"q": self.word}, sorted(visible)),
        }
        if who is not None:
            followed = {whom for one, whom in self.model.follows if one == who}
            of = self.model.posts
            lists["post:page_mine"] = ({}, [key for key in visible if of[key].owner == who])
            lists["post:page_liked"] = ({}, sorted(key for key in visible if who in of[key].likers))
            lists["post:page_following"] = (
                {},
                [key for key in visible if of[key].owner in followed],
            )
        for event, (query, expected) in lists.items():
            items = await self._items(reader, event, query, 3)
            ids = [each["id"] for each in items]
            in_order = event not in ("post:search", "post:page_liked")
            assert (ids if in_order else sorted(ids)) == expected, (who, event)
            for item in items:
                self._compare(who, item)
        for name, person in self.people.items():
            query = {"user_id": person.id}
            followers = await self._items(reader, "user:page_followers", query, PAGE)
            assert [names[each["id"]] for each in followers] == [
                one for one, whom in reversed(self.model.follows) if whom == name
            ]
        for post_id in visible:
            likers = await self._items(reader, "user:page_likers", {"post_id": post_id}, PAGE)
            assert [names[each["id"]] for each in likers] == self.model.posts[post_id].likers[::-1]
            comments = await self._items(reader, "comment:page", {"post_id": post_id}, 3)
            there = self.model.posts[post_id].comments
            assert [each["id"] for each in comments] == list(there)
        if who is not None:
            inbox = await self._items(reader, "notification:page", {}, PAGE)
            unseen = {
                (each["kind"], each["subject"]["id"]): each["count"]
                for each in inbox
                if not each["seen"]
            }
            assert unseen == {
                (kind, self.people[subject].id if kind == "user_followed" else subject): len(
                    pending
                )
                for (receiver, kind, subject), pending in self.model.unseen.items()
                if receiver == who
            }, who

    def _compare(self, who: str | None, item: Json) -> None:
        post = self.model.posts[item["id"]]
        assert item["title"] == post.title
        assert item["is_featured"] == post.featured
        assert item["like_count"] == len(post.likers)
        assert item["comment_count"] == len(post.comments)
        assert item["view_count"] == len(post.viewers)
        assert item["is_liked"] == (who in post.likers)
        privy = who in (post.owner, self.model.staff)
        assert item.get("is_hidden") == (post.hidden if privy else None)

    async def _items(self, reader: Visitor, event: str, query: Json, limit: int) -> list[Json]:
        """All pages of a list, walked by cursor."""
        items: list[Json] = []
        page: Json = {"next_cursor": None, "has_more": True}
        while page["has_more"]:
            cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
            page = await reader.asks(event, {**query, "limit": limit, **cursor})
            items += page["items"]
            if limit == PAGE:
                break
        return items

    async def _look_at_the_wall(self) -> None:
        """What the events of the gallery leave on a visitor's wall is what a visitor reads."""
        rows = await self.world.database.fetch("select seq from topics where topic = 'gallery'")
        for row in rows:
            if row["seq"] > self.from_seq:
                await self.visitor.screen.reaches("gallery", row["seq"])
        told = self.visitor.screen.told("gallery")
        for event in told[self.applied :]:
            post = (event.data or {}).get("post")
            if event.name in ("post:created", "post:updated", "post:featured") and post:
                self.wall[post["id"]] = (post["title"], post["is_featured"])
            elif event.name in ("post:hidden", "post:deleted") and event.data:
                self.wall.pop(event.data["post_id"], None)
        self.applied = len(told)
        posts = {key: self.model.posts[key] for key in self.model.visible_to(None)}
        assert self.wall == {key: (post.title, post.featured) for key, post in posts.items()}

    def teardown(self) -> None:
        self.world.run(self._end())

    async def _end(self) -> None:
        try:
            if self.people:
                await self._check()
                await assert_sound(self.world.database)
        finally:
            await self.world.people.close()


def test_the_gallery_is_what_the_model_says(world: World) -> None:
    """Hypothesis looks for a sequence after which it is not; the one it finds it prints."""
    until = time.monotonic() + SHARE
    while True:
        run_state_machine_as_test(
            lambda: Everything(world),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                print_blob=True,
                derandomize=not IS_LONG,
                phases=[Phase.explicit, Phase.reuse, Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
        if time.monotonic() >= until:
            return
