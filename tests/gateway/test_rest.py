"""REST over real connections: a table of operations, and everything that a client may get wrong."""

import asyncio
import gzip
import re
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.auth.tokens import SharedKey, Verifier, user_id_of
from gateway.http import rest as rest_module
from gateway.http.rest import BODY_BYTES
from gateway.limits import Admission, Gate
from handlers.actor import Actor
from handlers.domain import Domain, Topic, Wish
from handlers.operation import Access, Call, Limit, Operation
from store.database import Database, open_database
from store.identity import Claimed, Identity
from store.journal import EventType, Kind, NewEntry
from store.refusal import Refusal
from tests.gateway.counting import Counting
from tests.gateway.serving import ADA, MODERATOR, ORIGIN, SECRET, served, token
from tests.gateway.wire import Answer, Wire
from tests.servers import FreshDatabase

THING = "0190c7a2-1111-7000-8000-000000000000"
THINGS_AT = "/api/v1/things"


class Get(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    thing_id: UUID
    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 20
    q: str | None = None


class Make(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    count: int = 0
    changed: bool = True


class MakeOnce(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    id: UUID | None = None


class Rename(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    thing_id: UUID
    name: str


class Drop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    thing_id: UUID


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


async def echo(call: Call[None], command: Any) -> Any:
    call.changed = getattr(command, "changed", True)
    return {"by": call.actor.id, "command": command}


async def fail(call: Call[None], command: Nothing) -> Any:
    raise RuntimeError("postgresql://vernissage:hunter2@db/")


async def refuse(call: Call[None], command: Nothing) -> Any:
    raise Refusal("THING_BUSY", "Come back later.", retry_after=1.2, thing="this one")


LIMIT = Limit("making", 2)
ONCE = Limit("once", 1)
OPERATIONS: tuple[Operation[None, Any, Any], ...] = (
    Operation("thing:get", "GET", "/{thing_id}", Get, Any, echo, access=Access.PUBLIC),
    Operation("thing:make", "POST", "", Make, Any, echo, creates=True),
    Operation("thing:rename", "PUT", "/{thing_id}", Rename, Any, echo),
    Operation("thing:drop", "DELETE", "/{thing_id}", Drop, Any, echo),
    Operation("thing:big", "POST", "/big", Make, Any, echo, max_bytes=200_000),
    Operation("thing:limited", "POST", "/limited", Nothing, Any, echo, limit=LIMIT),
    Operation("thing:once", "POST", "/once", MakeOnce, Any, echo, limit=ONCE, creates=True),
    Operation("thing:moderate", "POST", "/moderate", Make, Any, echo, access=Access.MODERATOR),
    Operation("thing:fail", "GET", "/fail/now", Nothing, Any, fail, access=Access.PUBLIC),
    Operation("thing:refuse", "GET", "/refuse/now", Nothing, Any, refuse, access=Access.PUBLIC),
)


async def _all_but_secrets(store: None, wishes: Sequence[Wish]) -> list[bool]:
    return [name != "secret" for _, (name,) in wishes]


THINGS: Domain[None] = Domain(
    "things",
    THINGS_AT,
    lambda database: None,
    operations=OPERATIONS,
    topics=(Topic("thing:{name}", _all_but_secrets),),
    statuses={"THING_BUSY": 503, "VALIDATION_ERROR": 400},
)
STRICT: Domain[None] = Domain(
    "strict",
    "/api/v1/strict",
    lambda database: None,
    operations=(Operation("strict:make", "POST", "", Make, Any, echo),),
)


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    async with open_database(await fresh_database(), connections=2) as database:
        yield database


@pytest.fixture(scope="module")
async def wire(database: Database, redis_url: str) -> AsyncIterator[Wire]:
    """Two domains served over HTTP, as the composition root does it; the clock stands at 0."""
    gate = Gate(Counting(), 1_000.0)
    gate_for_limit = Gate(Counting(), 1.0)

    class Both(Gate):
        """Generous, but for what these tests limit."""

        async def admit(
            self,
            actor: Actor,
            limit: Limit | None,
            admission: Admission | None = None,
            *,
            paced: bool = True,
        ) -> Admission:
            each = gate_for_limit if limit else gate
            return await each.admit(actor, limit, admission, paced=paced)

    stores: dict[str, None] = {"things": None, "strict": None}
    both = Both(Counting(), 1.0)
    async with served([THINGS, STRICT], stores, database, redis_url, both) as wire:
        yield wire


# Routes


async def test_a_get_takes_its_command_from_path_and_query(wire: Wire) -> None:
    """Numbers and names as text; a visitor may call what is public."""
    answer = await wire.ask("GET", f"{THINGS_AT}/{THING}?limit=7&q=a%20b%C3%A9")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "by": None,
        "command": {"thing_id": THING, "limit": 7, "q": "a bé"},
    }


async def test_a_post_takes_its_command_from_the_body(wire: Wire) -> None:
    """201 for what is new, 200 for what was there."""
    answer = await wire.ask("POST", THINGS_AT, body=b'{"name":"x"}', token=ADA)
    assert answer.status == 201
    assert answer.json["command"]["name"] == "x"
    assert answer.json["by"] == str(user_id_of("ada", "me"))
    again = await wire.ask("POST", THINGS_AT, body=b'{"name":"x","changed":false}', token=ADA)
    assert again.status == 200


async def test_a_put_takes_both(wire: Wire) -> None:
    """The path says which, the body what."""
    answer = await wire.ask("PUT", f"{THINGS_AT}/{THING}", body=b'{"name":"x"}', token=ADA)
    assert (answer.status, answer.json["command"]) == (200, {"thing_id": THING, "name": "x"})


async def test_a_delete_needs_no_body(wire: Wire) -> None:
    """What one comes with is not looked at."""
    for body in (None, b"", b"not json"):
        answer = await wire.ask("DELETE", f"{THINGS_AT}/{THING}", body=body, token=ADA)
        assert (answer.status, answer.json["command"]) == (200, {"thing_id": THING})


async def test_head_answers_as_get_without_a_body(wire: Wire) -> None:
    """The same status and headers, refusals too."""
    path = f"{THINGS_AT}/{THING}"
    get, head = await wire.ask("GET", path), await wire.ask("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.body))
    assert (await wire.ask("HEAD", f"{THINGS_AT}/nothing")).status == 400
    assert (await wire.ask("HEAD", "/nothing")).status == 404


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/v1/things/a/b/c", "/API/v1/things", "//"])
async def test_an_unknown_path_is_not_found(wire: Wire, path: str) -> None:
    """A problem like any other."""
    answer = await wire.ask("GET", path)
    assert (answer.status, answer.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "OPTIONS", "POST"])
async def test_another_method_is_not_allowed(wire: Wire, method: str) -> None:
    """The answer names those that are."""
    answer = await wire.ask(method, f"{THINGS_AT}/{THING}")
    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    allowed = {each.strip() for each in answer.headers["Allow"].split(",")}
    assert allowed == {"GET", "HEAD", "PUT", "DELETE"}


async def test_a_path_of_its_own_is_no_other_ones_braces(wire: Wire) -> None:
    """`PUT /big` is not a PUT of the thing that is called `big`: there is a path of that name."""
    answer = await wire.ask("PUT", f"{THINGS_AT}/big", body=b'{"name": "x"}')
    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "identifier", ["nothing", "%00", "%ff", "%ed%a0%80", "..%2f..%2fetc", "%2e%2e", "%", "%zz", "+"]
)
async def test_nonsense_in_a_path_is_misshapen(wire: Wire, identifier: str) -> None:
    """However it is encoded, it is no id."""
    answer = await wire.ask("GET", f"{THINGS_AT}/{identifier}")
    assert (answer.status, answer.code) in ((400, "VALIDATION_ERROR"), (404, "NOT_FOUND"))


@pytest.mark.parametrize(
    ("query", "details"),
    [
        ("limit=abc", {"limit": "Expected `int`, got `str`"}),
        ("limit=0", {"limit": "Expected `int` >= 1"}),
        ("limit=51", {"limit": "Expected `int` <= 50"}),
        ("limit=", {"limit": "Expected `int`, got `str`"}),
        ("limit=1&limit=2", {"limit": "Expected one value"}),
        ("q=a&q=a", {"q": "Expected one value"}),
        ("more=1", {"more": "is not known"}),
        ("thing_id=1", {"thing_id": "is not known"}),
        ("=1", {"$": "is not known"}),
        ("q=%ff", {"$": "Expected a query in UTF-8"}),
        ("q=%ed%a0%80", {"$": "Expected a query in UTF-8"}),
        ("code=1", {"code": "is not known"}),
        ("%00=1", {"\0": "is not known"}),
        ("self=1&retry_after=1", {"self": "is not known", "retry_after": "is not known"}),
        (f"limit={'9' * 5_000}", {"limit": "Integer value out of range"}),
    ],
)
async def test_a_wrong_query_is_misshapen(wire: Wire, query: str, details: dict[str, str]) -> None:
    """Each field and why, once; nothing is guessed."""
    answer = await wire.ask("GET", f"{THINGS_AT}/{THING}?{query}")
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert answer.json["details"] == details


# Bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"5",
        b'"x"',
        b"not json",
        b'{"name":"x"} {}',
        b'{"name":"\xff"}',
        b'{"name":"\\ud800"}',
        b'{"name":5}',
        b'{"name":"x","more":1}',
        b'{"name":"x","count":1e999}',
        b'{"name":' + b"[" * 60_000,
        b"[" * 60_000,
        b'{"name":"x","count":' + b"9" * 5_000 + b"}",
        '{"name":"x"}'.encode("utf-16"),
    ],
)
async def test_a_wrong_body_is_misshapen(wire: Wire, body: bytes) -> None:
    """Whatever is no JSON object of the right shape."""
    answer = await wire.ask("POST", THINGS_AT, body=body, token=ADA)
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert len(answer.json["details"]) == 1


@pytest.mark.parametrize(("body", "kind"), [(b"null", "null"), (b"[]", "array"), (b"5", "int")])
async def test_a_body_that_is_no_object_is_told_so_as_over_sockets(
    wire: Wire, body: bytes, kind: str
) -> None:
    """In the words of JSON."""
    answer = await wire.ask("POST", THINGS_AT, body=body, token=ADA)
    assert answer.json["details"] == {"$": f"Expected `object`, got `{kind}`"}


async def test_no_body_at_all_is_an_empty_object(wire: Wire) -> None:
    """What needs nothing can be asked for with nothing."""
    answer = await wire.ask("POST", f"{THINGS_AT}/limited", token=MODERATOR)
    assert (answer.status, answer.json["command"]) == (200, {})
    assert (await wire.ask("POST", THINGS_AT, token=ADA)).json["details"] == {"name": "is required"}


@pytest.mark.parametrize("field", ["name", "surprise"])
async def test_a_post_takes_nothing_from_the_query(wire: Wire, field: str) -> None:
    """A field that stands there is refused, also one that the body may have."""
    answer = await wire.ask("POST", f"{THINGS_AT}?{field}=y", body=b'{"name":"x"}', token=ADA)
    assert (answer.status, answer.json["details"]) == (400, {field: "is not known"})


async def test_a_field_of_the_path_cannot_be_given_in_the_body(wire: Wire) -> None:
    """The path says which thing is meant, and nothing else does."""
    body = msgspec.json.encode({"name": "x", "thing_id": str(uuid4())})
    answer = await wire.ask("PUT", f"{THINGS_AT}/{THING}", body=body, token=ADA)
    assert answer.json["details"] == {"thing_id": "is not known"}


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "APPLICATION/JSON",
    ],
)
async def test_bodies_are_json(wire: Wire, kind: str) -> None:
    """In any spelling of the type; JSON is UTF-8 whatever the charset says."""
    answer = await wire.ask(
        "POST", THINGS_AT, f"Content-Type: {kind}", body='{"name":"é"}'.encode(), token=ADA
    )
    assert answer.json["command"]["name"] == "é"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/jsonx",
        "json",
        "",
    ],
)
async def test_another_type_is_unsupported(wire: Wire, kind: str) -> None:
    """So that no page elsewhere can send a simple form here."""
    answer = await wire.ask(
        "POST", THINGS_AT, f"Content-Type: {kind}", body=b'{"name":"x"}', token=ADA
    )
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
        ("GZIP", gzip.compress),
    ],
)
async def test_compressed_bodies(
    wire: Wire, encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    """What HTTP clients send, they may send compressed."""
    answer = await wire.ask(
        "POST", THINGS_AT, f"Content-Encoding: {encoding}", body=encode(b'{"name":"x"}'), token=ADA
    )
    assert answer.json["command"]["name"] == "x"


async def test_an_unknown_encoding_is_unsupported(wire: Wire) -> None:
    """It is named, with those that would do."""
    answer = await wire.ask("POST", THINGS_AT, "Content-Encoding: lzw", body=b"x", token=ADA)
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert answer.json["details"] == {"content_encoding": "lzw"}


@pytest.mark.parametrize("body", [b"garbage", gzip.compress(b'{"name":"x"}', mtime=0)[:15], b""])
async def test_a_body_that_cannot_be_decompressed(wire: Wire, body: bytes) -> None:
    """It is the client's fault, and no error of ours."""
    with capture_logs() as logs:
        answer = await wire.ask("POST", THINGS_AT, "Content-Encoding: gzip", body=body, token=ADA)
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert not [log for log in logs if log["log_level"] == "error"]


async def test_the_size_of_a_body_is_bounded(wire: Wire) -> None:
    """To the byte, for each operation its own bound."""
    frame = len(b'{"name":""}')

    async def post(path: str, size: int) -> Answer:
        body = b'{"name":"%b"}' % (b"x" * (size - frame))
        return await wire.ask("POST", path, body=body, token=ADA)

    assert (await post(THINGS_AT, BODY_BYTES)).status == 201
    over = await post(THINGS_AT, BODY_BYTES + 1)
    assert (over.status, over.code) == (413, "PAYLOAD_TOO_LARGE")
    assert over.json["details"] == {"max_bytes": BODY_BYTES}
    assert (await post(f"{THINGS_AT}/big", 200_000)).status == 200
    assert (await post(f"{THINGS_AT}/big", 200_001)).status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_decompression_bomb_is_not_blown_up(wire: Wire, encoding: str) -> None:
    """64 MiB in 64 KiB: the bound counts what comes out, and the rest is never decompressed."""
    compress = gzip.compress if encoding == "gzip" else zlib.compress
    bomb = compress(b'{"name":"' + b"x" * (1 << 26) + b'"}')
    answer = await wire.ask(
        "POST", THINGS_AT, f"Content-Encoding: {encoding}", body=bomb, token=ADA
    )
    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_body_in_chunks(wire: Wire) -> None:
    """However it is cut, and in whatever segments it comes."""
    answer = await wire.send(
        f"POST {THINGS_AT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {ADA}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode(),
        b'5\r\n{"nam\r\n',
        b'7\r\ne":"x"}\r\n',
        b"0\r\n\r\n",
    )
    assert (answer.status, answer.json["command"]["name"]) == (201, "x")


async def test_a_slow_body_is_not_waited_for(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the deadline the request is refused, and the connection closed."""
    monkeypatch.setattr(rest_module, "BODY_SECONDS", 0.1)
    answer = await wire.send(
        f"POST {THINGS_AT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {ADA}\r\n"
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"name"'.encode()
    )
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


async def test_who_may_not_call_is_not_read(wire: Wire) -> None:
    """A visitor's body, however large or wrong or slow, is answered by UNAUTHENTICATED at once."""
    head = (
        f"POST {THINGS_AT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        "Content-Type: text/plain\r\nContent-Length: 1000000000\r\n\r\n"
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", wire._port)
    writer.write(head)
    line = await asyncio.wait_for(reader.readline(), 5.0)
    writer.close()
    assert line == b"HTTP/1.1 401 Unauthorized\r\n"
    forbidden = await wire.ask("POST", f"{THINGS_AT}/moderate", body=b"{", token=ADA)
    assert (forbidden.status, forbidden.code) == (403, "FORBIDDEN")


async def test_a_client_that_goes_in_the_middle_is_no_error(wire: Wire) -> None:
    """Half a request leaves no error in the log."""
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection("127.0.0.1", wire._port)
        writer.write(
            f"POST {THINGS_AT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADA}\r\n"
            'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"name"'.encode()
        )
        await writer.drain()
        writer.transport.abort()
        assert (await wire.ask("POST", THINGS_AT, body=b'{"name":"x"}', token=ADA)).status == 201
    assert not [log for log in logs if log["log_level"] == "error"]


async def test_expect_100_continue(wire: Wire) -> None:
    """The body is asked for, and the answer follows."""
    answer = await wire.ask(
        "POST", THINGS_AT, "Expect: 100-continue", body=b'{"name":"x"}', token=ADA
    )
    assert answer.status == 201


# Who asks


@pytest.mark.parametrize(
    "header",
    [
        "Basic YTpi",
        "Bearer",
        "Bearer ",
        "",
        "Token x",
        "Bearer x",
        "Bearer \xff\xfe",
        f"Bearer {ADA}x",
        f"Bearer {ADA} {ADA}",
        "Bearer " + "x" * 8_000,
    ],
)
async def test_a_bad_token_is_refused(wire: Wire, header: str) -> None:
    """Also where a visitor would do: a bad token is never downgraded."""
    answer = await wire.ask("GET", f"{THINGS_AT}/{THING}", f"Authorization: {header}")
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_an_expired_token_is_told_apart(wire: Wire) -> None:
    """So that the client knows what to do."""
    old = token("ada", exp=-1)
    answer = await wire.ask("GET", f"{THINGS_AT}/{THING}", token=old)
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
    older = Verifier("HS256", "me", "you", SharedKey(SECRET), clock=lambda: 2_000.0)
    with pytest.raises(Refusal) as caught:
        await older.verify(ADA)
    assert caught.value.code == "TOKEN_EXPIRED"


async def test_a_token_in_the_address_counts_for_nothing(wire: Wire) -> None:
    """It travels in `Authorization`, never in a URL or cookie."""
    answer = await wire.ask("POST", THINGS_AT, f"Cookie: token={ADA}", body=b'{"name":"x"}')
    assert answer.status == 401
    assert (await wire.ask("GET", f"{THINGS_AT}/{THING}?token={ADA}")).code == "VALIDATION_ERROR"


async def test_too_much(wire: Wire) -> None:
    """429, and when to come back: the same in `Retry-After` and in the limit's own words."""
    for left in (1, 0):
        answer = await wire.ask("POST", f"{THINGS_AT}/limited", token=ADA)
        assert answer.headers["RateLimit"].endswith(f', "making";r={left};t=3600')
    answer = await wire.ask("POST", f"{THINGS_AT}/limited", token=ADA)
    assert (answer.status, answer.code) == (429, "RATE_LIMITED")
    assert answer.headers["Retry-After"] == "3600"
    assert answer.headers["RateLimit"].endswith(', "making";r=0;t=3600')
    assert answer.json["details"] == {"limit": 2, "window_seconds": 3600.0}


async def test_how_one_stands_with_the_limits(wire: Wire) -> None:
    """In every answer that was brought before them, whatever it is; each request leaves one less."""
    path, left = f"{THINGS_AT}/{THING}", []
    for method, target, *headers in (
        ("GET", path),
        ("HEAD", path),
        ("GET", path, "If-None-Match: *"),
        ("GET", f"{THINGS_AT}/refuse/now"),
        ("PUT", path),
        ("DELETE", path),
    ):
        body = b'{"name":"x"}' if method == "PUT" else None
        answer = await wire.ask(method, target, *headers, body=body, token=MODERATOR)
        assert answer.headers["RateLimit-Policy"] == '"pace";q=20000;w=10'
        found = re.fullmatch(r'"pace";r=(\d+);t=1', answer.headers["RateLimit"])
        assert found is not None
        left.append(int(found[1]))
    assert left == list(range(left[0], left[0] - 6, -1))


async def test_what_is_not_limited_says_nothing_of_limits(wire: Wire) -> None:
    """What is refused before it counts, and what is no operation."""
    for method, path in (
        *(("GET", "/nothing"), ("POST", THINGS_AT), ("GET", f"{THINGS_AT}/{THING}?limit=0")),
        ("PATCH", f"{THINGS_AT}/{THING}"),
    ):
        assert "RateLimit" not in (await wire.ask(method, path)).headers


async def test_a_repetition_costs_nothing_of_the_limit(wire: Wire, database: Database) -> None:
    """Whoever has used up what an hour allows still gets the answers to what was made in it."""
    ada = Claimed(user_id_of("ada", "me"), "ada", "Ada", None, None)
    await Identity(database).users.recognize([ada])

    async def make(key: str, name: str = "x") -> Answer:
        body = msgspec.json.encode({"name": name})
        return await wire.ask(
            "POST", f"{THINGS_AT}/once", f"Idempotency-Key: {key}", body=body, token=ADA
        )

    first = await make("1")
    assert UUID(first.json["command"]["id"]).version == 7
    for _ in range(3):
        again = await make("1")
        assert (again.status, again.body) == (201, first.body)
        assert (await make("2")).code == "RATE_LIMITED"
    assert (await make("1", "y")).code == "IDEMPOTENCY_CONFLICT"


async def test_a_key_stands_once(wire: Wire) -> None:
    """Two keys, or one that is no good, are refused before anything else is looked at."""
    for keys in (["Idempotency-Key: a", "Idempotency-Key: a"], ["Idempotency-Key: a b"]):
        answer = await wire.ask("POST", f"{THINGS_AT}/once", *keys, body=b"{", token=ADA)
        assert list(answer.json["details"]) == ["Idempotency-Key"]


# Refusals


async def test_a_refusal_has_the_status_of_its_domain(wire: Wire) -> None:
    """Its own codes, and its own word on the general ones; another domain's stay as they are."""
    busy = await wire.ask("GET", f"{THINGS_AT}/refuse/now")
    assert (busy.status, busy.code) == (503, "THING_BUSY")
    assert (busy.headers["Retry-After"], busy.json["retry_after"]) == ("2", 1.2)
    assert busy.json["detail"] == "Come back later."
    assert busy.json["details"] == {"thing": "this one"}
    assert (await wire.ask("POST", THINGS_AT, body=b"{}", token=ADA)).status == 400
    assert (await wire.ask("POST", "/api/v1/strict", body=b"{}", token=ADA)).status == 422


async def test_a_bug_does_not_leak(wire: Wire) -> None:
    """INTERNAL with the request's id, under which the log has the rest."""
    with capture_logs() as logs:
        answer = await wire.ask("GET", f"{THINGS_AT}/fail/now", "X-Request-Id: r-1")
    assert (answer.status, answer.code) == (500, "INTERNAL")
    assert b"hunter2" not in answer.body
    assert answer.json["details"] == {"request_id": "r-1"}
    (error,) = [log for log in logs if log["log_level"] == "error"]
    assert error["request_id"] == "r-1"


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [
        ("r-1", True),
        ("0190c7a2-1111-7000-8000-000000000000", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("", False),
        ("a b", False),
        ("a\xff", False),
        ('a"}', False),
    ],
)
async def test_request_ids(wire: Wire, given_id: str, kept: bool) -> None:
    """The client's, where it can stand in a log; else one of ours."""
    answer = await wire.ask("GET", "/nothing", f"X-Request-Id: {given_id}")
    assert answer.code == "NOT_FOUND"
    assert (answer.headers["X-Request-Id"] == given_id) == kept
    assert len(answer.headers["X-Request-Id"]) >= (1 if kept else 32)


# Origins


async def test_preflight_of_an_allowed_origin(wire: Wire) -> None:
    """It may call with a token and JSON."""
    for path in (THINGS_AT, "/nothing"):
        answer = await wire.ask(
            "OPTIONS", path, f"Origin: {ORIGIN}", "Access-Control-Request-Method: POST"
        )
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        allowed = set(answer.headers["Access-Control-Allow-Headers"].split(", "))
        assert allowed == {
            *("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-Id")
        }
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.org",
        "http://gallery.example.org",
        "https://gallery.example.org:444",
        "https://gallery.example.org.evil.example",
        "https://gallery.example.org/",
        "https://user@gallery.example.org",
        "null",
        "*",
        "",
        "\xff",
    ],
)
async def test_another_origin_is_told_nothing(wire: Wire, origin: str) -> None:
    """No page but those of the list may read an answer, whatever it is."""
    preflight = await wire.ask(
        "OPTIONS", THINGS_AT, f"Origin: {origin}", "Access-Control-Request-Method: POST"
    )
    answer = await wire.ask("GET", f"{THINGS_AT}/{THING}", f"Origin: {origin}")
    for each in (preflight, answer):
        assert not [name for name in each.headers if name.startswith("Access-Control")]
        assert "Origin" in each.headers["Vary"]


async def test_answers_to_an_allowed_origin(wire: Wire) -> None:
    """Its pages may read answers and refusals, and the headers that matter."""
    for path in (f"{THINGS_AT}/{THING}", "/nothing", f"{THINGS_AT}/fail/now"):
        with capture_logs():
            answer = await wire.ask("GET", path, f"Origin: {ORIGIN}")
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        assert exposed == {
            *("ETag", "Idempotency-Replayed", "Link", "RateLimit", "RateLimit-Policy"),
            *("Retry-After", "X-Request-Id"),
        }


async def test_the_own_origin_needs_no_list(wire: Wire) -> None:
    """The page at `/` comes from here."""
    answer = await wire.ask("GET", "/nothing", "Origin: http://gallery.test")
    assert answer.headers["Access-Control-Allow-Origin"] == "http://gallery.test"


# Topics


class Said(msgspec.Struct, frozen=True):
    n: int


SAID = EventType("said", Kind.LOG, Said)


async def test_a_topic_can_be_read_without_a_socket(wire: Wire, database: Database) -> None:
    """What watching answers: where it stands, and what followed a position."""
    topic = f"thing:{uuid4()}"
    path = f"/api/v1/topics/{topic}/events"
    start = (await wire.ask("GET", path)).json
    assert start == {
        "topic": topic,
        "epoch": start["epoch"],
        "seq": 0,
        "recovered": False,
        "events": [],
    }
    await database.transaction(lambda t: t.journal([NewEntry(topic, SAID, Said(5))]))
    after = (await wire.ask("GET", f"{path}?epoch={start['epoch']}&seq=0")).json
    assert (after["seq"], after["recovered"]) == (1, True)
    ((name, data, meta),) = after["events"]
    assert (name, data, meta["topic"], meta["seq"]) == ("said", {"n": 5}, topic, 1)


@pytest.mark.parametrize(
    ("query", "details"),
    [
        ("epoch=x", {"seq": "is required with the other"}),
        ("seq=1", {"epoch": "is required with the other"}),
        ("epoch=x&seq=-1", {"seq": "Expected `int` >= 0"}),
        ("epoch=x&seq=99999999999999999999", {"seq": "Expected `int` <= 9223372036854775807"}),
        ("epoch=x&seq=a", {"seq": "Expected `int | null`, got `str`"}),
        ("epoch=x&seq=null", {"seq": "Expected a value, got `null`"}),
        ("since=1", {"since": "is not known"}),
    ],
)
async def test_half_a_position_is_refused(wire: Wire, query: str, details: dict[str, str]) -> None:
    """Both or neither, and a seq that can be one."""
    answer = await wire.ask("GET", f"/api/v1/topics/thing:1/events?{query}")
    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")
    assert answer.json["details"] == details


@pytest.mark.parametrize(
    "topic",
    [
        "thing:secret",
        "thing",
        "thing:",
        "thing:a:b",
        "nothing",
        "%00",
        "%ff",
        "%ed%a0%80",
        ":",
        "a" * 4_000,
    ],
)
async def test_a_topic_that_one_may_not_watch_is_not_there(wire: Wire, topic: str) -> None:
    """Hidden and unknown are the same."""
    answer = await wire.ask("GET", f"/api/v1/topics/{topic}/events")
    assert (answer.status, answer.code) == (404, "NOT_FOUND")


# Anything


@settings(max_examples=60)
@given(st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=60))
async def test_no_path_does_harm(wire: Wire, path: str) -> None:
    """Whatever is asked for, the answer is no error of ours."""
    clean = path.replace("\r", "").replace("\n", "").replace(" ", "%20")
    with capture_logs() as logs:
        answer = await wire.ask("GET", f"{THINGS_AT}/{clean}")
    assert answer.status < 500
    assert not [log for log in logs if log["log_level"] == "error"]


@settings(max_examples=60)
@given(st.binary(max_size=100))
async def test_no_body_does_harm(wire: Wire, body: bytes) -> None:
    """Any bytes are a command or a problem."""
    answer = await wire.ask("POST", THINGS_AT, body=body, token=ADA)
    assert answer.status in (200, 201) or answer.code == "VALIDATION_ERROR"
