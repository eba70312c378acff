"""Any interleaving of what two people do leaves their screens as fresh pages would show them.

The people sit at two nodes, come and go, and act over their socket, or over REST while they have none.
At every checkpoint: page + applied events == fresh page, counters == rows, the journal is dense, and
the rows are what a model of sets says.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.nodes import Node
from tests.people import Person, refused
from tests.properties.world import World
from tests.screens import (
    NODE_POLLING,
    NODE_UPGRADED,
    NODE_WEBSOCKET,
    PYTHON_POLLING,
    PYTHON_WEBSOCKET,
    Event,
    Json,
    Refused,
    Transport,
)
from tests.store.audit import assert_sound

EXAMPLES = 40
STEPS = 30
CONTENTS = ("Nice.", "How quiet.", "Übergroß 🖼", "x" * 1000)


@dataclass
class Picture:
    """What a page shows of one post."""

    like_count: int
    comment_count: int
    comments: dict[str, tuple[str, bool]]
    """Content, and whether it was edited, by id; in the order of the page."""


@dataclass
class Page:
    """What one person has before them, and how far they know each topic."""

    pictures: dict[str, Picture] = field(default_factory=dict)
    follower_count: int = 0
    positions: dict[str, Json] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Take in an event as a client does: once, by its position."""
        if event.seq is None or event.topic not in self.positions:
            return
        position = self.positions[event.topic]
        if event.seq <= position["seq"]:
            return
        position["seq"] = event.seq
        data = event.data
        if data is None:  # what it told of is gone
            return
        if event.name in ("user:followed", "user:unfollowed"):
            self.follower_count = data["follower_count"]
            return
        picture = self.pictures.get(data.get("post_id"))
        if picture is None:
            return
        if event.name in ("post:liked", "post:unliked"):
            picture.like_count = data["like_count"]
        else:
            picture.comment_count = data["comment_count"]
            if event.name == "comment:deleted":
                picture.comments.pop(data["comment_id"], None)
            else:
                comment = data["comment"]
                picture.comments[comment["id"]] = (comment["content"], comment["is_edited"])


class Somebody:
    """A person with their page, whether or not they are connected."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.page = Page()
        self.here = False
        self.applied = 0

    def catch_up(self) -> None:
        """Apply what has arrived."""
        events = self.person.screen.events
        while self.applied < len(events):
            self.page.apply(events[self.applied])
            self.applied += 1

    async def does(self, event: str, payload: Json, node: Node) -> Any:
        """Over the socket, or over REST on that node where there is none."""
        if self.here:
            return await self.person.asks(event, payload)
        return await self.person.gets(event, payload, node=node)


@dataclass
class Model:
    """What the database has to hold."""

    likes: set[tuple[str, str]] = field(default_factory=set)
    follows: set[tuple[str, str]] = field(default_factory=set)
    comments: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Post, author and content by id."""


sides = st.integers(0, 1)
transports = st.sampled_from(
    [NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED, PYTHON_WEBSOCKET, PYTHON_POLLING]
)
deeds = st.tuples(
    sides,
    st.sampled_from(
        [
            *("post:like", "post:unlike", "user:follow", "user:unfollow"),
            *("comment:create", "comment:update", "comment:delete"),
        ]
    ),
    sides,
    st.integers(0, 20),
    st.sampled_from(CONTENTS),
    sides,
)
"""Who, what, on whose post, which of the comments there, saying what, and on which node if by REST."""


def assert_blanked(replayed: list[Event]) -> None:
    """What was deleted in the course of a replay is not told in it."""
    gone = [event.data["comment_id"] for event in replayed if event.name == "comment:deleted"]
    told = [event.data["comment"]["id"] for event in replayed if "comment" in (event.data or {})]
    assert not set(gone) & set(told)


class TwoPeople(RuleBasedStateMachine):
    """Two people and a post of each."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.both: list[Somebody] = []
        self.posts: list[Json] = []
        self.model = Model()

    @initialize(where=st.tuples(sides, sides), over=st.tuples(transports, transports))
    def arrive(self, where: tuple[int, int], over: tuple[Transport, Transport]) -> None:
        """At one node or two: a node without watchers knows a topic from the journal alone."""
        self.world.run(self._arrive(where, over))

    async def _arrive(self, where: tuple[int, int], over: tuple[Transport, Transport]) -> None:
        self.both = [Somebody(person) for person in self.world.people.named("Ada", "Bob")]
        for one in self.both:
            await one.person.comes_to(self.world.nodes[0])
            self.posts.append(await one.person.shares())
            await one.person.leaves()
        for one, place, transport in zip(self.both, where, over, strict=True):
            await self._come(one, self.world.nodes[place], transport, resume=False)

    @rule(deed=deeds)
    def act(self, deed: Any) -> None:
        """One deed, whose answer is as the model has it."""
        self.world.run(self._act(deed))

    async def _act(self, deed: Any) -> None:
        who, event, *_ = deed
        one = self.both[who]
        command = self._command(deed)
        if command is None:
            return
        payload, expected = command
        doing = one.does(event, payload, self.world.nodes[deed[-1]])
        if isinstance(expected, str):
            with refused(expected):
                await doing
            return
        answer = await doing
        for name, value in expected.items():
            assert answer[name] == value, (event, payload, answer, expected)
        self._remember(one, event, payload, answer)

    def _command(self, deed: Any) -> tuple[Json, Json | str] | None:
        """What to send, and what of the answer is known, or the code of the refusal."""
        who, event, whose, which, content, _ = deed
        me, other = self.both[who].person.id, self.both[1 - who].person.id
        post = self.posts[whose]
        if event in ("post:like", "post:unlike"):
            liked = event == "post:like"
            changed = ((post["id"], me) in self.model.likes) != liked
            count = sum(post_id == post["id"] for post_id, _ in self.model.likes)
            count += changed * (1 if liked else -1)
            return {"post_id": post["id"]}, {"changed": changed, "like_count": count}
        if event in ("user:follow", "user:unfollow"):
            following = event == "user:follow"
            changed = ((me, other) in self.model.follows) != following
            known = {"changed": changed, "follower_count": int(following)}
            return {"user_id": other}, known
        if event == "comment:create":
            return {"post_id": post["id"], "content": content}, {"content": content}
        there = [key for key, (where, *_) in self.model.comments.items() if where == post["id"]]
        if not there:
            return None
        comment_id = there[which % len(there)]
        author = self.model.comments[comment_id][1]
        if event == "comment:update":
            payload = {"comment_id": comment_id, "content": content}
            mine = author == me
            return payload, {"content": content} if mine else "COMMUNITY_COMMENT_NOT_OWNED"
        may = me in (author, post["user_id"])
        known = {"comment_id": comment_id}
        return known, known if may else "COMMUNITY_COMMENT_NOT_OWNED"

    def _remember(self, one: Somebody, event: str, payload: Json, answer: Json) -> None:
        me = one.person.id
        match event:
            case "post:like":
                self.model.likes.add((payload["post_id"], me))
            case "post:unlike":
                self.model.likes.discard((payload["post_id"], me))
            case "user:follow":
                self.model.follows.add((me, payload["user_id"]))
            case "user:unfollow":
                self.model.follows.discard((me, payload["user_id"]))
            case "comment:create":
                self.model.comments[answer["id"]] = (payload["post_id"], me, answer["content"])
            case "comment:update":
                post_id, author, _ = self.model.comments[payload["comment_id"]]
                self.model.comments[payload["comment_id"]] = (post_id, author, answer["content"])
            case "comment:delete":
                del self.model.comments[payload["comment_id"]]

    @rule(deeds=st.lists(deeds, min_size=2, max_size=8))
    def act_at_once(self, deeds: list[Any]) -> None:
        """Several deeds of both at the same time; who wins is not for the model to say."""
        self.world.run(self._act_at_once(deeds))

    async def _act_at_once(self, deeds: list[Any]) -> None:
        doing = []
        for deed in deeds:
            if (command := self._command(deed)) is not None:
                doing.append(
                    self.both[deed[0]].does(deed[1], command[0], self.world.nodes[deed[-1]])
                )
        for answer in await asyncio.gather(*doing, return_exceptions=True):
            if isinstance(answer, Refused):
                assert answer.code in (
                    "COMMUNITY_COMMENT_NOT_FOUND",
                    "COMMUNITY_COMMENT_NOT_OWNED",
                )
            elif isinstance(answer, BaseException):
                raise answer
        self.model = await self._stored()

    @precondition(lambda self: self.both and any(one.here for one in self.both))
    @rule(who=sides, cut=st.booleans())
    def leave(self, who: int, cut: bool) -> None:
        """Close the connection, with a goodbye or without."""
        one = self.both[who]
        if one.here:
            self.world.run(self._leave(one, cut))

    async def _leave(self, one: Somebody, cut: bool) -> None:
        one.catch_up()
        one.here = False
        if cut and hasattr(one.person.screen, "cut"):
            await one.person.screen.cut()
        await one.person.leaves()

    @precondition(lambda self: self.both and not all(one.here for one in self.both))
    @rule(who=sides, where=sides, over=transports, resume=st.sampled_from([True, True, False]))
    def come_back(self, who: int, where: int, over: Transport, resume: bool) -> None:
        """To either node, from where one was or with a fresh page."""
        one = self.both[who]
        if not one.here:
            self.world.run(self._come(one, self.world.nodes[where], over, resume=resume))

    @precondition(lambda self: self.both and not all(one.here for one in self.both))
    @rule(who=sides, where=sides, over=transports, deeds=st.lists(deeds, min_size=1, max_size=4))
    def come_back_meanwhile(self, who: int, where: int, over: Transport, deeds: list[Any]) -> None:
        """While the other one is at it."""
        one = self.both[who]
        if one.here:
            return

        async def both() -> None:
            others = [(1 - who, *deed[1:]) for deed in deeds]
            await asyncio.gather(
                self._come(one, self.world.nodes[where], over, resume=True),
                self._act_at_once(others),
            )

        self.world.run(both())

    async def _come(self, one: Somebody, node: Node, over: Transport, *, resume: bool) -> None:
        positions = one.page.positions if resume else {}
        own = f"user:{one.person.id}"
        screen = await one.person.comes_to(node, over, since=positions.get(own))
        one.applied = 0
        if not (resume and screen.ready["recovered"]):
            one.page.positions[own] = {name: screen.ready[name] for name in ("epoch", "seq")}
            profile = await one.person.gets("user:get", {"user_id": one.person.id})
            one.page.follower_count = profile["stats"]["follower_count"]
        for post in self.posts:
            topic = post["topic"]
            answer = await screen.watches(topic, positions.get(topic))
            if answer["recovered"]:
                events = [Event(*event) for event in answer["events"]]
                assert_blanked(events)
                for event in events:
                    one.page.apply(event)
                one.page.positions[topic]["seq"] = answer["seq"]
            else:
                assert topic not in positions, "within what the journal holds nothing is lost"
                picture, seq = await self._picture(one, post["id"], node)
                one.page.pictures[post["id"]] = picture
                one.page.positions[topic] = {"epoch": answer["epoch"], "seq": seq}
        one.here = True

    async def _picture(self, one: Somebody, post_id: str, node: Node) -> tuple[Picture, int]:
        """A fresh page, and the position that it is no older than."""
        post = await one.person.gets("post:get", {"post_id": post_id}, node=node)
        query: Json = {"post_id": post_id, "limit": 50}
        comments: dict[str, tuple[str, bool]] = {}
        while True:
            page = await one.person.gets("comment:page", query, node=node)
            for each in page["items"]:
                comments[each["id"]] = (each["content"], each["is_edited"])
            if not page["has_more"]:
                return Picture(post["like_count"], post["comment_count"], comments), post["seq"]
            query["cursor"] = page["next_cursor"]

    @rule()
    def checkpoint(self) -> None:
        """Wait until everything told has arrived, and compare."""
        self.world.run(self._check())

    async def _check(self) -> None:
        heads = {
            row["topic"]: row["seq"]
            for row in await self.world.database.fetch(
                "select topic, seq from topics where topic = any ($1)",
                [
                    *(post["topic"] for post in self.posts),
                    *(f"user:{one.person.id}" for one in self.both),
                ],
            )
        }
        for one, far_node in zip(self.both, reversed(self.world.nodes), strict=True):
            if not one.here:
                continue

            def settled(one: Somebody = one) -> bool | None:
                one.catch_up()
                positions = one.page.positions
                return (
                    all(positions[topic]["seq"] >= heads.get(topic, 0) for topic in positions)
                    or None
                )

            await one.person.screen.until(settled, f"all up to {heads}")
            for post_id, picture in one.page.pictures.items():
                fresh, _ = await self._picture(one, post_id, far_node)
                assert picture == fresh
                assert list(picture.comments) == list(fresh.comments)
                assert fresh.comment_count == len(fresh.comments)
            profile = await one.person.gets("user:get", {"user_id": one.person.id}, node=far_node)
            assert one.page.follower_count == profile["stats"]["follower_count"]
            for topic in one.page.positions:
                seqs = one.person.screen.seqs(topic)
                assert seqs == sorted(set(seqs)), topic
        assert await self._stored() == self.model

    async def _stored(self) -> Model:
        """The model that the rows are."""
        posts = [post["id"] for post in self.posts]
        people = [one.person.id for one in self.both]
        fetch = self.world.database.fetch
        likes = await fetch(
            "select post_id::text, user_id::text from community_likes where post_id = any ($1)",
            posts,
        )
        follows = await fetch(
            "select follower_id::text, following_id::text from community_follows "
            "where follower_id = any ($1)",
            people,
        )
        comments = await fetch(
            "select id::text, post_id::text, user_id::text, content from community_comments "
            "where post_id = any ($1) order by created_at, id",
            posts,
        )
        return Model(
            {tuple(row) for row in likes},
            {tuple(row) for row in follows},
            {row["id"]: (row["post_id"], row["user_id"], row["content"]) for row in comments},
        )

    @invariant()
    def nobody_is_thrown_out(self) -> None:
        for one in self.both:
            assert not one.here or one.person.screen.disconnected is None

    def teardown(self) -> None:
        self.world.run(self._end())

    async def _end(self) -> None:
        try:
            for one, node in zip(self.both, self.world.nodes, strict=False):
                if not one.here and one.page.positions:
                    await self._come(one, node, NODE_WEBSOCKET, resume=True)
            if self.both:
                await self._check()
                await assert_sound(self.world.database)
        finally:
            await self.world.people.close()


def test_two_peoples_screens_converge(world: World) -> None:
    """Hypothesis looks for an interleaving that does not; the one it finds it prints, with its seed."""
    run_state_machine_as_test(
        lambda: TwoPeople(world),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            # Shrinking waits out a deadline at each attempt: minutes, in which CI would give up.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
