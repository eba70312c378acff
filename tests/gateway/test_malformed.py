"""What is no request, or half of one: a problem like any other. gateway/http/runner.py."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from gateway.http.runner import HEAD_LINE_BYTES, Runner
from gateway.limits import Gate
from handlers.domain import Domain
from handlers.operation import Access, Call, Operation
from store.database import open_database
from tests.gateway.counting import Counting
from tests.gateway.serving import served
from tests.gateway.wire import Wire, parsed
from tests.servers import FreshDatabase
from tests.waiting import until

HOST = "Host: x\r\nConnection: close\r\n"
POST = f"POST /api/v1/things HTTP/1.1\r\n{HOST}Content-Type: application/json\r\n"


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: UUID | None = None


async def make(call: Call[None], command: Nothing) -> dict[str, Any]:
    return {}


THINGS: Domain[None] = Domain(
    "things",
    "/api/v1/things",
    lambda database: None,
    operations=(Operation("thing:make", "POST", "", Nothing, Any, make, access=Access.PUBLIC),),
)


@pytest.fixture(scope="module")
async def wire(fresh_database: FreshDatabase, redis_url: str) -> AsyncIterator[Wire]:
    gate = Gate(Counting(), None)
    async with (
        open_database(await fresh_database(), connections=1) as database,
        served([THINGS], {"things": None}, database, redis_url, gate) as wire,
    ):
        yield wire


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client that speaks TLS\r\n\r\n",
        b"hello there\r\n\r\n",
        b"\x00\xff\xfe\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
        b"GET http://a:99999999/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
        f"{POST}Content-Length: abc\r\n\r\n".encode(),
        f"{POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}".encode(),
        f"{POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
        f"{POST}Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n".encode(),
        f"{POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n".encode(),
        f"{POST}Transfer-Encoding: chunked\r\n\r\n{'f' * 30}\r\n{{}}".encode(),
    ],
)
async def test_what_is_no_request_is_a_problem(wire: Wire, sent: bytes) -> None:
    """400, and why in a few words; the connection is closed, and no error of ours is logged."""
    with capture_logs() as logs:
        answer = await wire.send(sent)
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert list(answer.json["details"]) == ["request"]
    assert [log["log_level"] for log in logs] == ["info"]
    assert logs[0]["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("part", ["target", "header"])
async def test_a_head_may_have_lines_of_so_many_bytes(wire: Wire, part: str) -> None:
    """431 past that, with the bound."""

    async def ask(size: int) -> Any:
        target, header = ("/" + "a" * (size - 1), "b") if part == "target" else ("/", "b" * size)
        return await wire.send(f"GET {target} HTTP/1.1\r\n{HOST}A: {header}\r\n\r\n".encode())

    assert (await ask(HEAD_LINE_BYTES - 100)).status == 404
    answer = await ask(HEAD_LINE_BYTES + 1)
    assert (answer.status, answer.code) == (431, "PAYLOAD_TOO_LARGE")
    assert answer.json["details"] == {"max_bytes": HEAD_LINE_BYTES}


async def test_an_unknown_expectation(wire: Wire) -> None:
    """417, before anything is done."""
    answer = await wire.send(f"{POST}Expect: tea\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    assert (answer.status, answer.code) == (417, "VALIDATION_ERROR")


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "x"])
async def test_an_encoding_that_is_not_known(wire: Wire, encoding: str) -> None:
    """415, whoever is the first to notice."""
    answer = await wire.send(
        f"{POST}Content-Encoding: {encoding}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_nonsense_in_the_middle_of_a_body(wire: Wire) -> None:
    """Each answer that comes before the connection closes is a problem."""
    answer = await wire.send(
        f"{POST}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n".encode(), b"zz\r\n}\r\n0\r\n\r\n"
    )
    assert answer.status in (400, 422)
    first, *others = answer.body.split(b"HTTP/1.")
    assert msgspec.json.decode(first)["code"] == "VALIDATION_ERROR"
    for other in others:
        assert parsed(b"HTTP/1." + other).code == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("OPTIONS", "*", 404),
        ("CONNECT", "a.example:443", 404),
        ("GET", "/%zz%ff%00", 404),
        ("GET", "//", 404),
        ("HEAD", "/nothing", 404),
        ("OPTIONS", "/api/v1/things", 405),
        ("PROPFIND", "/api/v1/things", 405),
        ("HEAD", "/api/v1/things", 405),
    ],
)
async def test_odd_requests(wire: Wire, method: str, target: str, status: int) -> None:
    """Well formed, but for nothing that there is; a wrong method is told the right ones."""
    answer = await wire.ask(method, target)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.headers.get("Allow") == "POST") == (status == 405)
    assert (answer.body == b"") == (method == "HEAD")


async def test_a_broken_body_ends_the_connection_and_says_so(wire: Wire) -> None:
    """So that no client sends its next request into a connection that is about to close."""
    head = POST.replace("Connection: close\r\n", "")
    answer = await wire.send(
        f"{head}Content-Encoding: gzip\r\nContent-Length: 7\r\n\r\ngarbage".encode()
    )
    assert (answer.status, answer.headers["Connection"]) == (422, "close")


async def test_who_takes_no_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks for much and reads nothing holds neither task nor memory for ever."""
    monkeypatch.setattr("gateway.http.runner.ANSWER_SECONDS", 0.2)

    async def much(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * (32 << 20))

    app = web.Application()
    app.router.add_get("/", much)
    runner = Runner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.transport.pause_reading()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        server = runner.server
        assert server is not None
        await until(lambda: server.connections, "the connection")
        await until(lambda: not server.connections, "its end")
        writer.close()
    finally:
        await runner.cleanup()
