"""Who may do what: every operation, as everybody, over sockets and REST; and what it tells.

What is expected follows from the access that the operation declares, from whether it writes (banned
users do not), and from the row that it has here. An operation without a row fails.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers import DOMAINS
from handlers.operation import Access, Operation
from store.database import Database
from tests.docs.effects import EFFECTS
from tests.nodes import Node
from tests.people import People, Person, Rest, Visitor, body_of
from tests.screens import Json, NodeClients, Refused

OPERATIONS = {
    operation.event: (domain.base, operation)
    for domain in DOMAINS
    for operation in domain.operations
}
EVERYBODY = ("visitor", "user", "owner", "banned", "moderator", "admin")
RIGHTS = {
    Access.PUBLIC: EVERYBODY,
    Access.MEMBER: EVERYBODY[1:],
    Access.MODERATOR: ("moderator", "admin"),
    Access.ADMIN: ("admin",),
}
JOURNALLED = {
    event.name
    for domain in DOMAINS
    for told in domain.events.values()
    for event in told
    if event.kind.value != "ephemeral"
}


class Stage:
    """People of every kind, and what they act on: it belongs to the owner unless it says otherwise."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.cast: dict[str, Visitor] = {"visitor": people.visitor()}
        for name in EVERYBODY[1:]:
            (person,) = people.named(name)
            person.role = name if name in ("moderator", "admin") else None
            self.cast[name] = person
        (self.star,) = people.named("star")
        self.turn = 0

    async def opens(self, node: Node, database: Database) -> None:
        for one in (*self.cast.values(), self.star):
            await one.comes_to(node)
        self.stars = await self.star.shares("The star's")
        self.post = await self.owner.shares("Of the owner")
        self.comment = await self.owner.comments(self.stars, "By the owner")
        await database.fetch(
            "insert into community_user_stats (user_id, is_banned) values ($1, true) "
            "on conflict (user_id) do update set is_banned = true",
            self.cast["banned"].id,
        )

    @property
    def owner(self) -> Person:
        owner = self.cast["owner"]
        assert isinstance(owner, Person)
        return owner

    @property
    def other_time(self) -> bool:
        """True and false in turn, so that a state is set and taken back."""
        self.turn += 1
        return self.turn % 2 == 1


Payload = Callable[[Stage], Awaitable[Json]]


def of(**fields: Callable[[Stage], Any]) -> Payload:
    """A payload of what is there."""

    async def payload(stage: Stage) -> Json:
        return {name: value(stage) for name, value in fields.items()}

    return payload


@dataclass
class Row:
    """How an operation is tried, and who is refused by it though their role would do."""

    payload: Payload = field(default_factory=of)
    writes: bool = False
    refused: dict[str, str] = field(default_factory=dict)


def but_for_owner(code: str, *, moderated: bool = False) -> dict[str, str]:
    """Everybody else is refused; where it is `moderated`, moderators and admins are not."""
    return dict.fromkeys(("user",) if moderated else ("user", "moderator", "admin"), code)


async def a_new_asset(stage: Stage) -> Json:
    return {"asset_id": (await stage.owner.makes())["id"], "title": "New"}


async def a_new_post(stage: Stage) -> Json:
    return {"post_id": (await stage.owner.shares("To go"))["id"]}


async def a_new_comment(stage: Stage) -> Json:
    return {"comment_id": (await stage.owner.comments(stage.stars, "To go"))["id"]}


async def a_report_to_make(stage: Stage) -> Json:
    return {**await a_new_post(stage), "reason": "spam"}


async def a_report_to_review(stage: Stage) -> Json:
    about = await a_new_post(stage)
    made = await stage.star.asks("post:report", {**about, "reason": "spam"})
    return {"report_id": made["report_id"], "status": "actioned", "hide_post": True}


async def a_liked_post(stage: Stage) -> Json:
    await stage.owner.likes(stage.stars)
    return {"post_id": stage.stars["id"]}


async def a_followed_user(stage: Stage) -> Json:
    await stage.owner.follows(stage.star)
    return {"user_id": stage.star.id}


async def a_new_text(stage: Stage) -> Json:
    return {"comment_id": stage.comment["id"], "content": f"Said {datetime.now(UTC)}"}


async def a_new_title(stage: Stage) -> Json:
    return {"post_id": stage.post["id"], "title": f"Called {datetime.now(UTC)}"}


the_post = of(post_id=lambda stage: stage.post["id"])
the_stars_post = of(post_id=lambda stage: stage.stars["id"])
the_star = of(user_id=lambda stage: stage.star.id)

ROWS = {
    "session:get": Row(),
    "session:revoke": Row(of(jti=lambda stage: f"nobody's {stage.other_time}")),
    "notification:page": Row(),
    "notification:see": Row(of(before=lambda stage: datetime.now(UTC).isoformat())),
    "asset:create": Row(
        of(asset_type=lambda stage: "overlay", url=lambda stage: "https://example.org/a.png"),
        writes=True,
    ),
    "asset:page": Row(),
    "post:create": Row(
        a_new_asset, writes=True, refused=but_for_owner("COMMUNITY_ASSET_NOT_OWNED")
    ),
    "post:get": Row(the_post),
    "post:update": Row(a_new_title, writes=True, refused=but_for_owner("COMMUNITY_POST_NOT_OWNED")),
    "post:delete": Row(
        a_new_post, writes=True, refused=but_for_owner("COMMUNITY_POST_NOT_OWNED", moderated=True)
    ),
    "post:view": Row(the_post),
    "post:page": Row(),
    "post:page_featured": Row(),
    "post:page_trending": Row(),
    "post:search": Row(of(q=lambda stage: "owner")),
    "post:page_mine": Row(),
    "post:page_liked": Row(),
    "post:page_following": Row(),
    "post:page_of_user": Row(the_star),
    "feed:page": Row(),
    "post:like": Row(the_stars_post, writes=True),
    "post:unlike": Row(a_liked_post, writes=True),
    "post:get_engagement": Row(the_post),
    "user:page_likers": Row(the_post),
    "comment:page": Row(the_post),
    "comment:create": Row(
        of(post_id=lambda stage: stage.post["id"], content=lambda stage: "New"), writes=True
    ),
    "comment:update": Row(
        a_new_text, writes=True, refused=but_for_owner("COMMUNITY_COMMENT_NOT_OWNED")
    ),
    "comment:delete": Row(
        a_new_comment,
        writes=True,
        refused=but_for_owner("COMMUNITY_COMMENT_NOT_OWNED", moderated=True),
    ),
    "user:get": Row(the_star),
    "user:page_followers": Row(the_star),
    "user:page_following": Row(the_star),
    "user:follow": Row(the_star, writes=True),
    "user:unfollow": Row(a_followed_user, writes=True),
    "post:report": Row(a_report_to_make, writes=True),
    "report:page": Row(),
    "report:review": Row(a_report_to_review, writes=True),
    "post:feature": Row(
        of(post_id=lambda stage: stage.post["id"], featured=lambda stage: stage.other_time),
        writes=True,
    ),
    "post:hide": Row(
        of(post_id=lambda stage: stage.post["id"], hidden=lambda stage: stage.other_time),
        writes=True,
    ),
    "user:ban": Row(
        of(user_id=lambda stage: stage.star.id, banned=lambda stage: False), writes=True
    ),
}


def expected(operation: Operation[Any, Any, Any], row: Row, who: str) -> str | None:
    """The code of the refusal, None where there is none."""
    if who not in RIGHTS[operation.access]:
        return "UNAUTHENTICATED" if who == "visitor" else "FORBIDDEN"
    if who == "banned" and row.writes:
        return "COMMUNITY_USER_BANNED"
    return row.refused.get(who)


@pytest.fixture(scope="module")
async def stage(
    nodes: tuple[Node, Node], database: Database, rest: Rest, node_clients: NodeClients
) -> AsyncIterator[Stage]:
    people = People(rest, node_clients)
    stage = Stage(people)
    await stage.opens(nodes[0], database)
    yield stage
    await people.close()


def test_every_operation_has_a_row() -> None:
    """And every row an operation."""
    assert ROWS.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("event", OPERATIONS)
async def test_who_may_do_what(stage: Stage, database: Database, event: str) -> None:
    """Over both ways the same: done, or refused by the same code; and told as the documents say."""
    base, operation = OPERATIONS[event]
    row = ROWS[event]
    told: set[str] = set()
    for who in EVERYBODY:
        actor = stage.cast[who]
        for over in (_by_socket, _by_rest):
            payload = await row.payload(stage)
            (before,) = await database.fetch(_NEWEST)
            try:
                await over(stage, actor, base, operation, payload)
                found = None
            except Refused as refused:
                found = refused.code
            assert found == expected(operation, row, who), (who, over.__name__)
            news = {row["type"] for row in await database.fetch(_SINCE, before["at"])}
            told |= news & JOURNALLED - {"trending:refreshed"}
            assert not (found and news), (who, over.__name__, news)
    declared = set(EFFECTS[event].events) & JOURNALLED
    assert told <= declared
    assert {name for name in declared if not name.startswith("notification:")} <= told


_NEWEST = "select coalesce(max(created_at), '-infinity') as at from events"
_SINCE = "select distinct type from events where created_at > $1 and type <> 'trending:refreshed'"


async def _by_socket(
    stage: Stage, actor: Visitor, base: str, operation: Operation[Any, Any, Any], payload: Json
) -> None:
    await actor.asks(operation.event, payload)


async def _by_rest(
    stage: Stage, actor: Visitor, base: str, operation: Operation[Any, Any, Any], payload: Json
) -> None:
    path = base + operation.path
    rest = {name: value for name, value in payload.items() if f"{{{name}}}" not in path}
    given = "params" if operation.method in ("GET", "DELETE") else "json"
    answer = await stage.people.rest.send(
        *(actor.node, operation.method, path.format_map(payload)),
        token=actor.token(),
        **{given: rest} if rest else {},
    )
    body_of(answer)
