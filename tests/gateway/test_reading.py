"""Reading over REST: tags of answers, 304, and the links of lists. gateway/http/caching.py, links.py."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.caching import Tagger
from gateway.limits import Gate
from handlers.actor import Actor, Role
from handlers.domain import Domain
from handlers.operation import Access, Call, Operation
from store.database import open_database
from tests.gateway.counting import Counting
from tests.gateway.serving import ADA, BEN, served
from tests.gateway.wire import Answer, Wire
from tests.servers import FreshDatabase

BASE = "/api/v1/things"
SHOW = f"{BASE}/0190c7a2-1111-7000-8000-000000000000"


class Show(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    thing_id: UUID
    said: str = "x"
    views: int = 0


class List(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cursor: str | None = None
    page: Annotated[int, msgspec.Meta(ge=1)] | None = None
    tags: str = ""
    last: bool = False


class Things(msgspec.Struct, frozen=True):
    next_cursor: str | None
    page: int


async def show(call: Call[list[str]], command: Show) -> Any:
    call.store.append(command.said)
    return {"said": command.said, "views": command.views, "parts": [{"views": command.views}]}


async def some(call: Call[list[str]], command: List) -> Things:
    return Things(None if command.last else "the next & <last>", command.page or 1)


SHOWN: list[str] = []
THINGS: Domain[list[str]] = Domain(
    "things",
    BASE,
    lambda database: SHOWN,
    operations=(
        Operation("thing:page", "GET", "", List, Things, some, access=Access.PUBLIC),
        Operation(
            "thing:show",
            "GET",
            "/{thing_id}",
            Show,
            Any,
            show,
            access=Access.PUBLIC,
            weak_fields=("views",),
        ),
        Operation("thing:put", "PUT", "/{thing_id}", Show, Any, show, weak_fields=("views",)),
    ),
)


@pytest.fixture(scope="module")
async def wire(fresh_database: FreshDatabase, redis_url: str) -> AsyncIterator[Wire]:
    gate = Gate(Counting(), None)
    async with (
        open_database(await fresh_database(), connections=1) as database,
        served([THINGS], {"things": SHOWN}, database, redis_url, gate) as wire,
    ):
        yield wire


async def tag_of(wire: Wire, path: str = SHOW, token: str = "") -> str:
    answer = await wire.ask("GET", path, token=token)
    assert answer.status == 200
    return str(answer.headers["ETag"])


# Tags


async def test_a_tag_is_weak_and_stays(wire: Wire) -> None:
    """The same answer has the same tag, whoever asks how often; HEAD tells it too."""
    tag = await tag_of(wire)
    assert re.fullmatch(r'W/"[\w-]{16}"', tag)
    assert await tag_of(wire) == tag
    head = await wire.ask("HEAD", SHOW)
    assert (head.status, head.headers["ETag"], head.body) == (200, tag, b"")


async def test_what_the_client_has_is_not_sent_again(wire: Wire) -> None:
    """304, with all that says how it may be kept, and nothing that tells of a body."""
    tag = await tag_of(wire, token=ADA)
    for method in ("GET", "HEAD"):
        answer = await wire.ask(method, SHOW, f"If-None-Match: {tag}", token=ADA)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert "Authorization" in answer.headers["Vary"]
        assert "Content-Type" not in answer.headers
        assert "Content-Length" not in answer.headers


async def test_a_304_is_carried_out_like_any_request(wire: Wire) -> None:
    """Whoever has the page looks at it all the same."""
    tag = await tag_of(wire)
    SHOWN.clear()
    assert (await wire.ask("GET", SHOW, f"If-None-Match: {tag}")).status == 304
    assert SHOWN == ["x"]


async def test_weak_fields_do_not_count(wire: Wire) -> None:
    """At any depth; all others do."""
    tag = await tag_of(wire)
    assert await tag_of(wire, f"{SHOW}?views=12345") == tag
    assert await tag_of(wire, f"{SHOW}?said=y") != tag
    assert await tag_of(wire, f'{SHOW}?said="views":1') != await tag_of(
        wire, f'{SHOW}?said="views":2'
    )


async def test_each_has_tags_of_their_own(wire: Wire) -> None:
    """What one user has is not taken for what another would get."""
    tags = {await tag_of(wire), await tag_of(wire, token=ADA), await tag_of(wire, token=BEN)}
    assert len(tags) == 3


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("{tag}", True),
        ("{strong}", True),
        ("*", True),
        (" * ", True),
        ('"a", {tag}', True),
        ('"a",{tag},"b"', True),
        ('W/"a" ,\t{tag}', True),
        (", ,{tag},,", True),
        ('"a,b", {tag}', True),
        ('"", {tag}', True),
        ('"\xe9", {tag}', True),
        ('"a"', False),
        ("", False),
        (",", False),
        ('{tag} "a"', False),
        ("{tag}, *", False),
        ("{tag}, a", False),
        ("w/{strong}", False),
        ("{tag}x", False),
        ('"{tag}"', False),
        ('"a", "', False),
        ('"a' + ", " * 3_000, False),
        ('"a"' + ", " * 3_000 + "x", False),
    ],
)
async def test_lists_of_tags(wire: Wire, header: str, known: bool) -> None:
    """As RFC 9110 has it: compared weakly, empty elements allowed; what is no list says nothing."""
    tag = await tag_of(wire)
    given = header.replace("{tag}", tag).replace("{strong}", tag.removeprefix("W/"))
    answer = await wire.ask("GET", SHOW, f"If-None-Match: {given}")
    assert answer.status == (304 if known else 200)


async def test_tags_in_several_lines_are_one_list(wire: Wire) -> None:
    """A header may be sent in parts."""
    tag = await tag_of(wire)
    answer = await wire.ask("GET", SHOW, 'If-None-Match: "a"', f"If-None-Match: {tag}")
    assert answer.status == 304


async def test_only_reading_is_answered_by_304(wire: Wire) -> None:
    """A change is carried out and answered, whatever the client has; a refusal has no tag."""
    answer = await wire.ask("PUT", SHOW, "If-None-Match: *", body=b"{}", token=ADA)
    assert (answer.status, "ETag" in answer.headers) == (200, False)
    refused = await wire.ask("GET", f"{BASE}/nothing", "If-None-Match: *")
    assert (refused.status, refused.headers["Cache-Control"]) == (422, "no-store")
    assert "ETag" not in refused.headers


async def test_who_may_keep_an_answer(wire: Wire) -> None:
    """A visitor's anybody, a user's nobody else; and each is asked after before it is used again."""
    visitors, adas = await wire.ask("GET", SHOW), await wire.ask("GET", SHOW, token=ADA)
    assert visitors.headers["Cache-Control"] == "public, no-cache"
    assert adas.headers["Cache-Control"] == "private, no-cache"
    for answer in (visitors, adas):
        assert answer.headers["Vary"] == "Authorization, Origin"


# Any two answers


NASTY = [
    '"view_count":1',
    'view_count":2',
    '\\"view_count\\":3',
    ',"trending_score":1',
    "}",
    "]",
    "é",
]
TEXTS = st.text('ab"\\:,{}[]1', max_size=8) | st.sampled_from(NASTY)
VALUES = st.none() | st.booleans() | st.integers(0, 3) | TEXTS | st.lists(TEXTS, max_size=2)
NAMES = st.sampled_from(["title", "like_count", "view_counts", "my_view_count"]) | TEXTS
POSTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=2)
WEAK = st.tuples(st.integers(0), st.floats(0, 1e9))


def answer_of(posts: list[dict[str, Any]], weak: tuple[int, float]) -> bytes:
    """A page of these, with views and scores in their midst."""
    views, score = weak
    page = []
    for post in posts:
        first, *rest = [*post.items(), ("id", 1)]
        page.append(dict([first, ("view_count", views), *rest, ("trending_score", score)]))
    return msgspec.json.encode({"items": page})


@given(POSTS, POSTS, WEAK, WEAK)
def test_another_answer_has_another_tag(
    posts: list[dict[str, Any]],
    others: list[dict[str, Any]],
    weak: tuple[int, float],
    later: tuple[int, float],
) -> None:
    """Whenever two answers differ, views and score aside, their tags do; else they are the same."""
    tagger = Tagger(("view_count", "trending_score"))
    ada = Actor(uuid4(), Role.USER, "192.0.2.1")
    tag = tagger.tag(answer_of(posts, weak), ada)
    assert tagger.tag(answer_of(posts, later), ada) == tag
    same = answer_of(others, weak) == answer_of(posts, weak)
    assert (tagger.tag(answer_of(others, later), ada) == tag) == same


# Links


def links_of(answer: Answer) -> dict[str, tuple[str, dict[str, str]]]:
    """The targets of `Link` by relation: path, and parameters."""
    found = re.findall(r'<([^>]*)>; rel="(\w+)"', answer.headers.get("Link", ""))
    parts = {rel: urlsplit(target) for target, rel in found}
    return {rel: (each.path, dict(parse_qsl(each.query))) for rel, each in parts.items()}


async def test_what_follows_is_linked(wire: Wire) -> None:
    """By cursor, with all parameters of the request kept."""
    answer = await wire.ask("GET", f"{BASE}?tags=a%2Cb%20%3E&cursor=old")
    following = {"tags": "a,b >", "cursor": "the next & <last>"}
    assert links_of(answer) == {"next": (BASE, following), "first": (BASE, {"tags": "a,b >"})}
    last = await wire.ask("GET", f"{BASE}?last=true")
    assert "Link" not in last.headers


async def test_pages_by_number_link_back(wire: Wire) -> None:
    """Onwards by cursor, which goes to any depth; back by number."""
    links = links_of(await wire.ask("GET", f"{BASE}?page=3&tags=a"))
    assert links == {
        "next": (BASE, {"tags": "a", "cursor": "the next & <last>"}),
        "prev": (BASE, {"tags": "a", "page": "2"}),
        "first": (BASE, {"tags": "a"}),
    }
    assert links_of(await wire.ask("GET", f"{BASE}?page=1")).keys() == {"next"}


async def test_a_page_has_one_number_however_it_is_written(wire: Wire) -> None:
    """A query is text, and 1.1e1 is a way to write 11."""
    links = links_of(await wire.ask("GET", f"{BASE}?page=1.1e1"))
    assert links["prev"] == (BASE, {"page": "10"})


@pytest.mark.parametrize("null", ["null", "NULL"])
async def test_there_is_no_null_in_a_query(wire: Wire, null: str) -> None:
    """What is not wanted is left out; where text is asked for, `null` is a text."""
    answer = await wire.ask("GET", f"{BASE}?page={null}")
    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")
    assert answer.json["details"] == {"page": "Expected a value, got `null`"}
    assert (await wire.ask("GET", f"{BASE}?cursor={null}&tags={null}")).status == 200


@pytest.mark.parametrize("head", ["HEAD", "GET"])
async def test_a_304_has_its_links(wire: Wire, head: str) -> None:
    """So that a client which walks by `Link` can walk what it has."""
    answer = await wire.ask(head, BASE, "If-None-Match: *")
    assert (answer.status, links_of(answer).keys()) == (304, {"next"})


async def test_no_host_gets_into_a_link(wire: Wire) -> None:
    """Whatever the request says of host, scheme or proxy, and however its target is written."""
    answer = await wire.send(
        f"GET http://evil.example{BASE}?tags=%0d%0aSet-Cookie:a%3E HTTP/1.1\r\n"
        "Host: evil.example\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    assert answer.status == 200
    assert "evil" not in answer.headers["Link"]
    assert answer.headers["Link"].startswith(f"<{BASE}?")
    assert "Set-Cookie" not in answer.headers
