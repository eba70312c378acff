"""Every refusal has the same code over sockets and REST, says what was wrong, and changes nothing."""

import gzip
import re
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest

from handlers import DOMAINS
from handlers.operation import Access, Operation
from store.database import Database
from tests.nodes import Node
from tests.people import ROUTES, People, Person, Rest, Visitor, problem_of, refused
from tests.screens import (
    NODE_POLLING,
    NODE_WEBSOCKET,
    PYTHON_POLLING,
    PYTHON_WEBSOCKET,
    Json,
    NodeClients,
    Refused,
    Transport,
)

STATUSES = {
    "INVALID_CURSOR": 400,
    "UNAUTHENTICATED": 401,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "IDEMPOTENCY_CONFLICT": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "VALIDATION_ERROR": 422,
    "COMMUNITY_POST_NOT_FOUND": 404,
    "COMMUNITY_COMMENT_NOT_FOUND": 404,
    "COMMUNITY_USER_NOT_FOUND": 404,
    "COMMUNITY_ASSET_NOT_OWNED": 403,
    "COMMUNITY_POST_NOT_OWNED": 403,
    "COMMUNITY_COMMENT_NOT_OWNED": 403,
    "COMMUNITY_EDIT_WINDOW_EXPIRED": 403,
    "COMMUNITY_USER_BANNED": 403,
    "COMMUNITY_ALREADY_SHARED": 409,
    "COMMUNITY_SELF_FOLLOW": 422,
    "COMMUNITY_INVALID_TAG": 422,
    "COMMUNITY_TOO_MANY_TAGS": 422,
}
"""As gallery.md has them."""

NOBODY = str(uuid.UUID(int=7))
LONG_URL = "https://example.org/" + "x" * 1981
TAG_FORMAT = r"^[a-z0-9]$|^[a-z0-9][a-z0-9-]{0,28}[a-z0-9]$"
MEMBERS_ONLY = (
    *("asset:create", "post:create", "post:like", "post:unlike"),
    *("comment:create", "comment:update", "comment:delete", "user:follow", "user:unfollow"),
    *("post:update", "post:delete", "post:report"),
)
"""What changes something."""


class World:
    """Some people, and what they have made; no test of this module changes it."""

    people: People
    ada: Person
    """Who acts, if nobody else is said to."""
    bob: Person
    banned: Person
    visitor: Visitor
    post: Json
    """Bob's, on which all have commented."""
    hidden: Json
    """Bob's, which only he may see, with a comment of Ada's from before."""
    adas: Json
    bobs: Json
    old: Json
    """Ada's comment of 16 minutes ago."""
    his_last: Json
    """The comment that Ada's ban came too late for: the banned one's."""
    under_hidden: Json
    asset: Json
    """Ada's, not shared yet."""
    bobs_asset: Json
    adas_post: Json

    def valid(self, event: str) -> Json:
        """What a member could send."""
        payloads: dict[str, Json] = {
            "asset:create": {"asset_type": "overlay", "url": "https://example.org/a.png"},
            "post:create": {"asset_id": self.asset["id"], "title": "Dusk"},
            "post:get": {"post_id": self.post["id"]},
            "post:view": {"post_id": self.post["id"]},
            "post:update": {"post_id": self.adas_post["id"], "title": "Night"},
            "post:delete": {"post_id": self.adas_post["id"]},
            "post:report": {"post_id": self.post["id"], "reason": "spam"},
            "post:search": {"q": "dusk"},
            "post:page_of_user": {"user_id": self.bob.id},
            "post:get_engagement": {"post_id": self.post["id"]},
            "user:page_likers": {"post_id": self.post["id"]},
            "user:page_followers": {"user_id": self.bob.id},
            "user:page_following": {"user_id": self.bob.id},
            "post:like": {"post_id": self.post["id"]},
            "post:unlike": {"post_id": self.post["id"]},
            "comment:page": {"post_id": self.post["id"]},
            "comment:create": {"post_id": self.post["id"], "content": "Nice."},
            "comment:update": {"comment_id": self.adas["id"], "content": "Nicer."},
            "comment:delete": {"comment_id": self.adas["id"]},
            "user:get": {"user_id": self.bob.id},
            "user:follow": {"user_id": self.bob.id},
            "user:unfollow": {"user_id": self.bob.id},
        }
        return payloads.get(event, {})


@pytest.fixture(scope="module")
async def world(
    nodes: tuple[Node, Node], database: Database, rest: Rest, node_clients: NodeClients
) -> AsyncIterator[World]:
    world = World()
    people = world.people = People(rest, node_clients)
    world.ada, world.bob, world.banned = people.named("Ada", "Bob", "Mallory")
    world.visitor = people.visitor()
    for one in (world.ada, world.bob, world.banned, world.visitor):
        await one.comes_to(nodes[0])
    world.post = await world.bob.shares("Bob's")
    world.hidden = await world.bob.shares("Hidden")
    world.adas_post = await world.ada.shares("Ada's")
    world.adas = await world.ada.comments(world.post, "Ada's")
    world.old = await world.ada.comments(world.post, "Ada's old one")
    world.bobs = await world.bob.comments(world.post, "Bob's")
    world.under_hidden = await world.ada.comments(world.hidden, "Ada's")
    world.his_last = await world.banned.comments(world.post, "Mallory's")
    world.asset = await world.ada.makes()
    world.bobs_asset = await world.bob.makes()
    await database.fetch(
        "update community_posts set is_hidden = true where id = $1", world.hidden["id"]
    )
    await database.fetch(
        "update community_comments set created_at = created_at - interval '16 minutes' "
        "where id = $1",
        world.old["id"],
    )
    await database.fetch(
        "insert into community_user_stats (user_id, is_banned) values ($1, true) "
        "on conflict (user_id) do update set is_banned = true",
        world.banned.id,
    )
    yield world
    await people.close()


_EVERYTHING = (
    "select (select count(*) from events) as events, (select count(*) from community_likes) as likes, "
    "(select count(*) from community_follows) as follows, "
    "(select count(*) from community_posts) as posts, (select count(*) from assets) as assets, "
    "(select json_agg(content order by id) from community_comments)::text as comments"
)


@pytest.fixture(autouse=True)
async def _nothing_changes(world: World, database: Database) -> AsyncIterator[None]:
    before = await database.fetchrow(_EVERYTHING)
    yield
    assert await database.fetchrow(_EVERYTHING) == before


class Case(NamedTuple):
    """A command, and how it is refused."""

    name: str
    event: str
    payload: Callable[[World], Json]
    code: str
    details: Callable[[World], Json] | None = None
    who: str = "ada"


def about(*fields: str) -> Callable[[World], Json]:
    """The details repeat these names with what the command said."""
    return lambda world: dict.fromkeys(fields)


def with_(event: str, **fields: Any) -> Callable[[World], Json]:
    return lambda world: {**world.valid(event), **fields}


def without(event: str, field: str) -> Callable[[World], Json]:
    def payload(world: World) -> Json:
        fields = dict(world.valid(event))
        del fields[field]
        return fields

    return payload


def invalid(name: str, event: str, **fields: Any) -> Case:
    """A VALIDATION_ERROR that names the last of the fields."""
    return Case(
        name, event, with_(event, **fields), "VALIDATION_ERROR", about(list(fields)[-1].rstrip("_"))
    )


CASES = [
    *(
        Case("as a visitor", event, lambda world, event=event: world.valid(event),
             "UNAUTHENTICATED", about(), "visitor")
        for event in (
            *MEMBERS_ONLY,
            *("asset:page", "post:page_mine", "post:page_liked", "post:page_following"),
        )
    ),
    Case("following, as a visitor", "feed:page", with_("feed:page", feed_type="following"),
         "UNAUTHENTICATED", about(), "visitor"),
    # Shape.
    *(invalid("an unknown field", event, surprise=1) for event in ROUTES),
    *(
        Case(f"without {field}", event, without(event, field), "VALIDATION_ERROR", about(field))
        for event, field in (
            ("asset:create", "asset_type"), ("asset:create", "url"), ("post:create", "asset_id"),
            ("post:create", "title"), ("comment:create", "content"), ("comment:update", "content"),
        )
    ),
    *(
        invalid(f"{field} is no UUID", event, **{field: "7"})
        for event, field in (
            ("post:get", "post_id"), ("post:like", "post_id"), ("post:unlike", "post_id"),
            ("comment:page", "post_id"), ("comment:create", "post_id"),
            ("comment:update", "comment_id"), ("comment:delete", "comment_id"),
            ("user:get", "user_id"), ("user:follow", "user_id"), ("user:unfollow", "user_id"),
            ("post:create", "asset_id"), ("post:create", "inspired_by_post_id"),
            ("post:create", "id"), ("comment:create", "id"), ("asset:create", "id"),
            ("post:report", "id"),
            ("post:page", "user_id"),
        )
    ),
    *(
        invalid(f"{field} of the wrong type", event, **{field: value})
        for event, field, value in (
            ("comment:create", "content", 7), ("comment:update", "content", ["Nice."]),
            ("post:create", "title", {"en": "Dusk"}), ("post:create", "title", None),
            ("post:create", "description", 7), ("post:create", "tags", "night"),
            ("post:create", "show_prompt", "yes"), ("asset:create", "url", 7),
            ("asset:create", "asset_type", "poem"), ("asset:create", "prompt", []),
        )
    ),
    *(
        invalid("an id that is no UUIDv7", event, id=str(uuid.uuid4()))
        for event in ("asset:create", "post:create", "comment:create")
    ),
    *(
        invalid(f"{field} {value!r}", event, **{field: value})
        for event, field, value in (
            ("comment:page", "limit", 0), ("comment:page", "limit", 51),
            ("comment:page", "page", 0), ("feed:page", "limit", 51),
            ("feed:page", "feed_type", "best"), ("post:page", "sort", "best"),
            ("post:page", "asset_type", "poem"), ("post:page", "limit", "many"),
        )
    ),
    invalid("a page too deep", "comment:page", limit=50, page=201),
    invalid("a page beside a cursor", "comment:page", cursor="x", page=2),
    # Text.
    *(
        invalid(f"{field} {what}", event, **{field: value})
        for event, field, most in (
            ("comment:create", "content", 1000), ("comment:update", "content", 1000),
            ("post:create", "title", 100), ("post:create", "description", 500),
        )
        for what, value in (
            ("too long", "x" * (most + 1)), ("with NUL", "a\0b"), ("with a bidirectional control", "a\u202eb"),
        )
    ),
    *(
        invalid(f"{field} of blanks", event, **{field: " \u00a0\n"})
        for event, field in (
            ("comment:create", "content"), ("comment:update", "content"), ("post:create", "title"),
        )
    ),
    *(
        invalid(f"the url {url[:30]}", "asset:create", url=url)
        for url in (
            "", "picture.svg", "ftp://example.org/a", "javascript:alert(1)", "https://",
            "/etc/passwd", "/media/../secrets", "https://example.org/a b", LONG_URL,
        )
    ),
    *(
        Case(f"{field} with a lone surrogate", event, with_(event, **{field: "a\ud83d"}),
             "VALIDATION_ERROR", about("$"))
        for event, field in (
            ("comment:create", "content"), ("comment:update", "content"),
            ("post:create", "title"), ("post:create", "description"), ("asset:create", "prompt"),
        )
    ),
    # Posts.
    *(
        Case(f"{which} post", event,
             lambda world, event=event, which=which: {
                 **world.valid(event),
                 "post_id": NOBODY if which == "an unknown" else world.hidden["id"],
             },
             "COMMUNITY_POST_NOT_FOUND",
             lambda world, which=which: {
                 "post_id": NOBODY if which == "an unknown" else world.hidden["id"]
             }, who)
        for which in ("an unknown", "a hidden")
        for who, event in (
            ("ada", "post:get"), ("visitor", "post:get"), ("ada", "comment:page"),
            ("visitor", "comment:page"), ("ada", "post:like"), ("ada", "post:unlike"),
            ("ada", "comment:create"), ("ada", "post:update"), ("ada", "post:delete"),
            ("ada", "post:get_engagement"), ("visitor", "post:get_engagement"),
            ("ada", "user:page_likers"), ("visitor", "user:page_likers"),
        )
    ),
    *(
        Case("somebody else's post", event,
             lambda world, event=event: {
                 **world.valid(event), "post_id": world.post["id"]
             },
             "COMMUNITY_POST_NOT_OWNED")
        for event in ("post:update", "post:delete")
    ),
    Case("inspired by an unknown post", "post:create",
         with_("post:create", inspired_by_post_id=NOBODY),
         "COMMUNITY_POST_NOT_FOUND", lambda world: {"post_id": NOBODY}),
    Case("inspired by a hidden post", "post:create",
         lambda world: {**world.valid("post:create"), "inspired_by_post_id": world.hidden["id"]},
         "COMMUNITY_POST_NOT_FOUND", lambda world: {"post_id": world.hidden["id"]}),
    Case("an unknown asset", "post:create", with_("post:create", asset_id=NOBODY),
         "COMMUNITY_ASSET_NOT_OWNED", lambda world: {"asset_id": NOBODY}),
    Case("somebody else's asset", "post:create",
         lambda world: {"asset_id": world.bobs_asset["id"], "title": "Mine"},
         "COMMUNITY_ASSET_NOT_OWNED", lambda world: {"asset_id": world.bobs_asset["id"]}),
    Case("an asset shared before", "post:create",
         lambda world: {"asset_id": world.adas_post["asset_id"], "title": "Again"},
         "COMMUNITY_ALREADY_SHARED", lambda world: {"asset_id": world.adas_post["asset_id"]}),
    *(
        Case(f"the tag {tag!r}", "post:create", with_("post:create", tags=["fine", tag]),
             "COMMUNITY_INVALID_TAG",
             lambda world, tag=tag: {"tag": tag.strip().lower(), "expected_format": TAG_FORMAT})
        for tag in ("", "two words", "-edge", "edge-", "x" * 31, "Ünder", "a\0b", "night\n-")
    ),
    Case("six tags", "post:create", with_("post:create", tags=list("abcdef")),
         "COMMUNITY_TOO_MANY_TAGS", lambda world: {"count": 6, "max_count": 5}),
    # Comments.
    *(
        Case(name, event, lambda world, event=event, which=which: {
                 **world.valid(event), "comment_id": which(world)
             },
             "COMMUNITY_COMMENT_NOT_FOUND", lambda world, which=which: {"comment_id": which(world)})
        for name, which in (
            ("an unknown comment", lambda world: NOBODY),
            ("a comment on a hidden post", lambda world: world.under_hidden["id"]),
        )
        for event in ("comment:update", "comment:delete")
    ),
    *(
        Case(name, event, lambda world, event=event, which=which: {
                 **world.valid(event), "comment_id": getattr(world, which)["id"]
             },
             "COMMUNITY_COMMENT_NOT_OWNED",
             lambda world, which=which: {"comment_id": getattr(world, which)["id"]}, who)
        for name, event, which, who in (
            ("somebody else's comment", "comment:update", "bobs", "ada"),
            ("a comment on one's own post", "comment:update", "adas", "bob"),
            ("somebody else's comment", "comment:delete", "bobs", "ada"),
        )
    ),
    Case("after 15 minutes", "comment:update",
         lambda world: {"comment_id": world.old["id"], "content": "Too late."},
         "COMMUNITY_EDIT_WINDOW_EXPIRED",
         lambda world: {"comment_id": world.old["id"], "window_minutes": 15}),
    # Users.
    *(
        Case("an unknown user", event, lambda world: {"user_id": NOBODY},
             "COMMUNITY_USER_NOT_FOUND", lambda world: {"user_id": NOBODY}, who)
        for event, who in (
            ("user:get", "ada"), ("user:get", "visitor"),
            ("user:follow", "ada"), ("user:unfollow", "ada"), ("post:page_of_user", "ada"),
            ("user:page_followers", "ada"), ("user:page_following", "visitor"),
        )
    ),
    *(
        Case("oneself", event, lambda world: {"user_id": world.ada.id}, "COMMUNITY_SELF_FOLLOW")
        for event in ("user:follow", "user:unfollow")
    ),
    *(
        Case("when banned", event, lambda world, event=event: {
                 **world.valid(event),
                 **({"comment_id": world.his_last["id"]} if event.startswith("comment:")
                    and event != "comment:create" else {}),
             },
             "COMMUNITY_USER_BANNED", about(), "banned")
        for event in MEMBERS_ONLY
    ),
    # Ids used before.
    Case("an id used for another comment", "comment:create",
         lambda world: {**world.valid("comment:create"), "id": world.adas["id"]},
         "IDEMPOTENCY_CONFLICT", lambda world: {"id": world.adas["id"]}),
    Case("an id that somebody else used", "comment:create",
         lambda world: {"post_id": world.post["id"], "content": "Bob's", "id": world.bobs["id"]},
         "IDEMPOTENCY_CONFLICT", lambda world: {"id": world.bobs["id"]}),
    Case("an id used for another post", "post:create",
         lambda world: {**world.valid("post:create"), "id": world.adas_post["id"]},
         "IDEMPOTENCY_CONFLICT", lambda world: {"id": world.adas_post["id"]}),
    Case("an id used for another asset", "asset:create",
         lambda world: {**world.valid("asset:create"), "id": world.asset["id"]},
         "IDEMPOTENCY_CONFLICT", lambda world: {"id": world.asset["id"]}),
    # Cursors.
    *(
        Case(f"the cursor {cursor!r}", event, with_(event, cursor=cursor), "INVALID_CURSOR")
        for event in ("comment:page", "post:page", "feed:page")
        for cursor in ("", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "é" * 40)
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.event}, {case.name}")
async def test_a_refusal_is_the_same_over_sockets_and_rest(world: World, case: Case) -> None:
    """The same code and details, the status that goes with the code, and a problem of RFC 9457."""
    who: Visitor = getattr(world, case.who)
    payload = case.payload(world)
    with pytest.raises(Refused) as by_socket:
        await who.asks(case.event, payload)
    with pytest.raises(Refused) as by_rest:
        await who.gets(case.event, payload)
    for caught in (by_socket, by_rest):
        assert caught.value.code == case.code
        assert caught.value.message
        assert caught.value.retry_after is None
        if case.details is not None:
            expected = case.details(world)
            if case.code == "VALIDATION_ERROR":
                assert caught.value.details.keys() == expected.keys()
                assert all(isinstance(why, str) for why in caught.value.details.values())
            else:
                assert caught.value.details == expected
    assert by_rest.value.status == STATUSES[case.code]


OPERATIONS = [(domain.base, operation) for domain in DOMAINS for operation in domain.operations]


@pytest.mark.parametrize(
    ("base", "operation"), OPERATIONS, ids=[operation.event for _, operation in OPERATIONS]
)
async def test_nobody_may_do_what_is_above_them(
    world: World, base: str, operation: Operation[Any, Any, Any]
) -> None:
    """Of all operations that there are: before it is looked at what exactly was wanted."""
    route = re.sub("{.*?}", NOBODY, base + operation.path)
    above = {
        Access.PUBLIC: {},
        Access.MEMBER: {world.visitor: "UNAUTHENTICATED"},
        Access.MODERATOR: {world.visitor: "UNAUTHENTICATED", world.ada: "FORBIDDEN"},
        Access.ADMIN: {world.visitor: "UNAUTHENTICATED", world.ada: "FORBIDDEN"},
    }[operation.access]
    for one, code in above.items():
        with refused(code):
            await one.asks(operation.event, {"surprise": 1})
        answer = await world.people.rest.send(
            *(one.node, operation.method, route), token=one.token()
        )
        problem = problem_of(answer)
        assert (problem.code, problem.status) == (code, 401 if code == "UNAUTHENTICATED" else 403)
    if world.ada not in above:
        with refused("VALIDATION_ERROR"):
            await world.ada.asks(operation.event, {"surprise": 1})


async def test_a_cursor_is_good_for_the_list_that_gave_it(world: World) -> None:
    """Another post's comments, or another feed, do not take it."""
    page = await world.ada.asks("comment:page", {"post_id": world.post["id"], "limit": 1})
    cursor = page["next_cursor"]
    for event, payload in (
        ("comment:page", {"post_id": world.adas_post["id"], "cursor": cursor}),
        ("feed:page", {"cursor": cursor}),
        ("post:page", {"cursor": cursor, "sort": "most_liked"}),
    ):
        with refused("INVALID_CURSOR"):
            await world.ada.asks(event, payload)
        with refused("INVALID_CURSOR"):
            await world.ada.gets(event, payload)


@pytest.mark.parametrize("payload", ["x", 7, True, None, [], [{}]])
async def test_a_payload_that_is_no_object_is_refused(world: World, payload: Any) -> None:
    """Over the socket and as a body alike."""
    path = f"/api/v1/community/posts/{world.post['id']}/comments"
    with refused("VALIDATION_ERROR"):
        await world.ada.screen.asks("comment:create", {"post_id": payload, "content": payload})
    answer = await world.people.rest.send(
        *(world.ada.node, "POST", path), token=world.ada.token(), json=payload
    )
    assert problem_of(answer).code == "VALIDATION_ERROR"
    with refused("VALIDATION_ERROR"):
        await world.ada.screen.asks("post:like", [payload])


async def test_a_body_that_cannot_be_decompressed_is_refused(world: World) -> None:
    answer = await world.people.rest.send(
        *(world.ada.node, "POST", f"/api/v1/community/posts/{world.post['id']}/comments"),
        token=world.ada.token(),
        data=b'{"content":"Nice."}',
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    assert (problem_of(answer).code, answer.status) == ("VALIDATION_ERROR", 422)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{}x", b"\xff", b'{"content":"\xed\xa0\x80"}', b"[" * 5000, b'{"content":1e400}'],
)
async def test_a_body_that_is_no_json_is_refused(world: World, body: bytes) -> None:
    path = f"/api/v1/community/posts/{world.post['id']}/comments"
    answer = await world.people.rest.send(
        *(world.ada.node, "POST", path),
        token=world.ada.token(),
        data=body,
        headers={"Content-Type": "application/json"},
    )
    assert (problem_of(answer).code, answer.status) == ("VALIDATION_ERROR", 422)


async def test_an_unknown_command_is_refused(world: World) -> None:
    """`UNKNOWN_COMMAND` over the socket; over REST an unknown path is `NOT_FOUND`."""
    for name in ("post:cook", "message", "", "x" * 200, "topic:watch2"):
        with refused("UNKNOWN_COMMAND", command=name[:100]):
            await world.ada.asks(name, {})
    for path in ("/api/v1/community/nothing", "/api/v1/posts", "/nothing"):
        answer = await world.people.rest.send(world.ada.node, "GET", path, token=world.ada.token())
        assert (problem_of(answer).code, answer.status) == ("NOT_FOUND", 404)


async def test_a_method_that_a_path_does_not_take_is_refused(world: World) -> None:
    """With the methods that it takes."""
    path = f"/api/v1/community/posts/{world.post['id']}/like"
    for method in ("GET", "PUT", "PATCH"):
        answer = await world.people.rest.send(
            *(world.ada.node, method, path), token=world.ada.token()
        )
        assert (problem_of(answer).code, answer.status) == ("METHOD_NOT_ALLOWED", 405)
        assert set(answer.headers["Allow"].split(",")) >= {"POST", "DELETE"}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""]
)
async def test_a_body_of_another_type_is_refused(world: World, content_type: str) -> None:
    """Only JSON is taken, so that no page's form can post here."""
    answer = await world.people.rest.send(
        *(world.ada.node, "POST", f"/api/v1/community/posts/{world.post['id']}/comments"),
        token=world.ada.token(),
        data=b'{"content":"Nice."}',
        headers={"Content-Type": content_type},
    )
    assert (problem_of(answer).code, answer.status) == ("UNSUPPORTED_MEDIA_TYPE", 415)


async def test_a_body_past_64_kib_is_refused(world: World) -> None:
    """Whether its length is said or not; compressed ones count as what they grow to."""
    path = f"/api/v1/community/posts/{world.post['id']}/comments"

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(65):
            yield b" " * 1024
        yield b"{}"

    for body, headers in (
        (b" " * (64 * 1024 + 1), {}),
        (chunks(), {}),
        (gzip.compress(b" " * (1 << 20)), {"Content-Encoding": "gzip"}),
    ):
        answer = await world.people.rest.send(
            *(world.ada.node, "POST", path),
            token=world.ada.token(),
            data=body,
            headers={"Content-Type": "application/json", **headers},
        )
        assert (problem_of(answer).code, answer.status) == ("PAYLOAD_TOO_LARGE", 413)


@pytest.mark.parametrize(
    "over", [NODE_WEBSOCKET, NODE_POLLING, PYTHON_WEBSOCKET, PYTHON_POLLING], ids=str
)
async def test_a_message_past_16_kib_costs_the_socket(
    world: World, people: People, over: Transport
) -> None:
    """The one that sent it is closed and nobody else; just below, the command is judged."""
    (carol,) = people.named("Carol")
    await carol.comes_to(world.ada.node, over)
    with refused("VALIDATION_ERROR"):
        await carol.comments(world.post, "x" * 16_000)
    await carol.screen.tells("comment:create", {"content": "x" * 16_400})
    await carol.screen.is_disconnected()
    assert (await world.ada.asks("post:get", {"post_id": world.post["id"]}))["id"]


TOPICS: dict[str, Callable[[World], str]] = {
    "no family": lambda world: "weather",
    "nothing": lambda world: "",
    "a family's unknown": lambda world: f"post:{NOBODY}",
    "no id": lambda world: "post:",
    "no UUID": lambda world: "post:7",
    "another spelling": lambda world: world.post["topic"].upper().replace("POST", "post"),
    "another depth": lambda world: f"{world.post['topic']}:x",
    "hidden": lambda world: world.hidden["topic"],
    "somebody else's own": lambda world: f"user:{world.bob.id}",
    "NUL": lambda world: "post:\0",
}


@pytest.mark.parametrize("who", ["ada", "visitor"])
@pytest.mark.parametrize("which", TOPICS)
async def test_a_topic_that_one_may_not_know_is_not_found(
    world: World, who: str, which: str
) -> None:
    """Unknown, hidden and somebody else's are the same, to watch and to read."""
    topic = TOPICS[which](world)
    if which == "another spelling" and topic == world.post["topic"]:
        pytest.skip("this id has no letters")
    one: Visitor = getattr(world, who)
    with refused("NOT_FOUND", topic=topic):
        await one.screen.watches(topic)
    if topic and "\0" not in topic:
        answer = await world.people.rest.send(
            *(one.node, "GET", f"/api/v1/topics/{topic}/events"), token=one.token()
        )
        assert (problem_of(answer).code, answer.status) == ("NOT_FOUND", 404)
        assert problem_of(answer).details == {"topic": topic}


async def test_the_owner_and_moderators_watch_what_is_hidden(world: World, people: People) -> None:
    """For them it is there, with its state."""
    (moderator,) = people.named("Grace")
    moderator.role = "moderator"
    await moderator.comes_to(world.bob.node)
    for one in (world.bob, moderator):
        assert (await one.watches(world.hidden))["topic"] == world.hidden["topic"]
        post = await one.asks("post:get", {"post_id": world.hidden["id"]})
        assert post["is_hidden"] is True
        over_rest = await one.gets("post:get", {"post_id": world.hidden["id"]})
        # Its score is that of the moment, and its views are counted behind the answers.
        passing = {"trending_score": None, "view_count": None}
        assert {**over_rest, **passing} == {**post, **passing}


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "topic"),
        ({"topic": "gallery", "topics": []}, "topic"),
        ({"topic": 7}, "topic"),
        ({"topics": "gallery"}, "topics"),
        ({"topics": [{"topic": "gallery", "surprise": 1}]}, "topics"),
        ({"topic": "gallery", "since": {"seq": 1}}, "since"),
        ({"topic": "gallery", "since": {"epoch": "x", "seq": "1"}}, "since"),
        ({"topic": "gallery", "since": {"epoch": "x", "seq": -1}}, "since"),
        ({"topic": "gallery", "since": {"epoch": "x", "seq": 1 << 70}}, "since"),
        ({"topic": "gallery", "surprise": 1}, "surprise"),
    ],
)
async def test_a_malformed_wish_to_watch_is_refused(
    world: World, payload: Json, field: str
) -> None:
    with refused("VALIDATION_ERROR") as caught:
        await world.ada.asks("topic:watch", payload)
    assert [name for name in caught.value.details if name.startswith(field)]


async def test_a_payload_sent_again_is_the_first_answer(world: World) -> None:
    """The same id with the same body makes nothing new: 200 instead of 201 over REST."""
    again = {"post_id": world.post["id"], "content": "Ada's", "id": world.adas["id"]}
    comment = await world.ada.asks("comment:create", again)
    assert (comment["id"], comment["created_at"]) == (world.adas["id"], world.adas["created_at"])
    answer = await world.ada.requests("comment:create", again)
    assert (answer.status, answer.body) == (200, comment)


async def test_a_banned_user_reads(world: World) -> None:
    """What everybody may read; `can_edit` and `can_delete` are false then."""
    post = {"post_id": world.post["id"]}
    assert (await world.banned.asks("post:get", post))["id"] == world.post["id"]
    page = await world.banned.gets("comment:page", post)
    mine = next(each for each in page["items"] if each["id"] == world.his_last["id"])
    assert (mine["can_edit"], mine["can_delete"]) == (False, False)
    await world.banned.watches(world.post)


async def test_a_refused_command_leaves_the_socket_open(world: World) -> None:
    """After all of these the same sockets still answer."""
    assert world.ada.screen.disconnected is None
    assert (await world.ada.asks("user:get", {"user_id": world.bob.id}))["user"]["id"]
