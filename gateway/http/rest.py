"""REST: a route for each operation of the table, and reading a topic without a socket."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import hdrs, web
from aiohttp.web_request import Request

from gateway.delivery.hub import Hub, Position, Seq
from gateway.dispatch import Dispatcher, Outcome, Served, check_access
from gateway.http.caching import Tagger, cache_control, is_known
from gateway.http.edge import OPERATION, STATUSES_HERE, Edge
from gateway.http.idempotency import REPLAYED, Kept, Keys, Once, key_of
from gateway.http.links import links
from gateway.http.quotas import ADMISSION
from gateway.limits import Admission, Gate
from gateway.refusals import MISSHAPEN, misshapen
from gateway.sessions import Sessions
from handlers.actor import Actor
from handlers.operation import Refusal
from handlers.validation import invalid

T = TypeVar("T")

BODY_BYTES = 64 * 1024
"""Of a request's body, unpacked, unless its operation says otherwise."""
BODY_SECONDS = 10.0
"""Within which a request's body has to be there."""
TOPIC_EVENTS = "topic:events"
"""What reading a topic is called where requests are counted: it is no operation of a domain."""
ENCODINGS = ("identity", "gzip", "deflate")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Since(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a topic's events."""

    epoch: str | None = None
    seq: Seq | None = None

    @property
    def position(self) -> Position | None:
        """None from now on. Raises Refusal for half a position."""
        if self.epoch is not None and self.seq is not None:
            return Position(self.epoch, self.seq)
        if self.epoch is None and self.seq is None:
            return None
        raise invalid("seq" if self.seq is None else "epoch", "is required with the other")


class Rest:
    """The REST side of the operation table."""

    def __init__(
        self,
        edge: Edge,
        dispatcher: Dispatcher,
        sessions: Sessions,
        hub: Hub,
        gate: Gate,
        keys: Keys,
    ) -> None:
        self._edge = edge
        self._dispatcher = dispatcher
        self._sessions = sessions
        self._hub = hub
        self._gate = gate
        self._once = Once(dispatcher, gate, keys)

    def attach(self, app: web.Application) -> None:
        """Add the routes."""
        paths = [each.domain.base + each.operation.path for each in self._dispatcher.served]
        for served, own in zip(self._dispatcher.served, paths, strict=True):
            path = apart(own, paths)
            handler = self._route(served)
            app.router.add_route(served.operation.method, path, handler)
            if served.operation.method == hdrs.METH_GET:
                app.router.add_route(hdrs.METH_HEAD, path, handler)
        app.router.add_get("/api/v1/topics/{topic}/events", self._events)

    async def actor(self, request: Request) -> Actor:
        """Who makes this request. Raises Refusal for a token that is no good."""
        address = self._edge.address(request)
        header = request.headers.get("Authorization")
        if header is None:
            return self._sessions.visitor(address)
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal("UNAUTHENTICATED", "Use `Authorization: Bearer <token>`.")
        _, actor, _ = await self._sessions.identify(token.strip(), address)
        return actor

    def _route(self, served: Served) -> Callable[[Request], Awaitable[web.Response]]:
        operation = served.operation
        in_query = operation.method in ("GET", "DELETE")
        most = operation.max_bytes or BODY_BYTES
        tagger = Tagger(operation.weak_fields) if operation.method == hdrs.METH_GET else None

        async def handle(request: Request) -> web.Response:
            request[OPERATION] = operation.event
            request[STATUSES_HERE] = served.statuses
            actor = await self.actor(request)
            check_access(operation.access, actor)  # before anything of the body is taken in
            key = None if tagger is not None else key_of(request)
            try:
                fields = (
                    query_fields(request)
                    if in_query
                    else body_fields(request, await read_json(request, most))
                )
                for name, value in request.match_info.items():
                    if name in fields:
                        raise msgspec.ValidationError(f"Object contains unknown field `{name}`")
                    fields[name] = value
            except MISSHAPEN as error:
                raise misshapen(error) from error
            admission = request[ADMISSION] = Admission()
            convert = from_query if in_query else from_body

            def decode() -> Any:
                return convert(fields, operation.command)

            if key is not None and operation.creates:
                return _kept(await self._once.call(served, actor, fields, decode, key, admission))
            outcome = await self._dispatcher.call(
                served,
                actor,
                decode,
                admission,
                shown=request.method != hdrs.METH_HEAD,
            )
            if tagger is not None:
                return _read(request, actor, outcome, tagger)
            return web.Response(
                body=outcome.body,
                status=201 if outcome.created else 200,
                content_type="application/json",
            )

        return handle

    async def _events(self, request: Request) -> web.Response:
        """What watching the topic from this position would answer."""
        request[OPERATION] = TOPIC_EVENTS
        actor = await self.actor(request)
        try:
            since = from_query(query_fields(request), Since)
        except msgspec.ValidationError as error:
            raise misshapen(error) from error
        position = since.position
        admission = request[ADMISSION] = Admission()
        await self._gate.admit(actor, None, admission)
        recovery = await self._hub.recover(request.match_info["topic"], position, actor)
        watched = self._hub.read(recovery)
        return web.Response(
            body=_encode(watched),
            content_type="application/json",
            headers={hdrs.CACHE_CONTROL: "no-store"},  # nobody asks the same again
        )


def _read(request: Request, actor: Actor, outcome: Outcome, tagger: Tagger) -> web.Response:
    """The answer to a GET: 304 where the client has it already."""
    tag = tagger.tag(outcome.body, actor)
    headers = {
        hdrs.ETAG: tag,
        hdrs.CACHE_CONTROL: cache_control(actor),
        hdrs.VARY: hdrs.AUTHORIZATION,
    }
    page = outcome.answer
    next_cursor, number = getattr(page, "next_cursor", None), getattr(page, "page", 1)
    if (neighbours := links(request, next_cursor, number)) is not None:
        headers[hdrs.LINK] = neighbours
    if is_known(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=outcome.body, content_type="application/json", headers=headers)


def _kept(answer: Kept) -> web.Response:
    """The answer to a request that had a key."""
    return web.Response(
        body=answer.body,
        status=answer.status,
        content_type="application/json",
        headers={REPLAYED: "true"} if answer.replayed else None,
    )


def apart(path: str, others: Iterable[str]) -> str:
    """A path whose braces stand for anything but what is a path of its own in their place.

    Otherwise `PUT /posts/mine`, which there is not, would be taken for a PUT of a post of that name.
    """
    steps = path.split("/")
    taken: dict[int, set[str]] = {}
    for other in (each.split("/") for each in others):
        if len(other) == len(steps):
            differing = [at for at, step in enumerate(steps) if step != other[at]]
            if len(differing) == 1 and steps[differing[0]].startswith("{"):
                taken.setdefault(differing[0], set()).add(other[differing[0]])
    for at, names in taken.items():
        literal = "|".join(re.escape(name) for name in sorted(names) if not name.startswith("{"))
        if literal:
            steps[at] = f"{steps[at][:-1]}:(?!(?:{literal})(?:/|$))[^{{}}/]+}}"
    return "/".join(steps)


async def read_json(request: Request, most: int) -> bytes:
    """The whole body, of at most `most` bytes as decompressed. Raises Refusal."""
    if not request.body_exists:
        return b""
    if hdrs.CONTENT_TYPE in request.headers and request.content_type != "application/json":
        raise Refusal(
            "UNSUPPORTED_MEDIA_TYPE",
            "Send the body as application/json.",
            content_type=request.content_type,
        )
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower()
    if encoding not in ENCODINGS:
        raise Refusal(
            "UNSUPPORTED_MEDIA_TYPE",
            f"Send the body in one of these encodings: {', '.join(ENCODINGS)}.",
            content_encoding=encoding,
        )
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    raise Refusal(
                        "PAYLOAD_TOO_LARGE",
                        f"The body may have {most} bytes.",
                        max_bytes=most,
                    )
    except TimeoutError:
        raise Refusal(
            "VALIDATION_ERROR", f"The body did not come within {BODY_SECONDS:g} seconds."
        ) from None
    except (web.RequestPayloadError, ConnectionError):
        raise Refusal("VALIDATION_ERROR", "The body did not come whole.") from None
    return bytes(body)


def query_fields(request: Request) -> dict[str, Any]:
    """The query as fields. Raises msgspec.ValidationError for a name that stands twice, and for no UTF-8."""
    try:
        unquote_to_bytes(request.rel_url.raw_query_string).decode()
    except UnicodeDecodeError:  # aiohttp would put U+FFFD in its place
        raise msgspec.ValidationError("Expected a query in UTF-8") from None
    fields: dict[str, Any] = {}
    for name, value in request.query.items():
        if name in fields:
            raise msgspec.ValidationError(f"Expected one value - at `$.{name}`")
        fields[name] = value
    return fields


def from_query(fields: Mapping[str, Any], struct: type[T]) -> T:
    """The struct that the texts of a query make. Raises Refusal and msgspec.ValidationError.

    There is no null in a query: what is not wanted is left out, and `null` is a text like any other.
    """
    made = _converted(fields, struct, strict=False)
    for name, value in fields.items():
        if isinstance(value, str) and value.lower() == "null" and getattr(made, name) is None:
            raise msgspec.ValidationError(f"Expected a value, got `null` - at `$.{name}`")
    return made


def from_body(fields: Mapping[str, Any], struct: type[T]) -> T:
    """The struct that the fields of a body make. Raises Refusal."""
    return _converted(fields, struct, strict=True)


def _converted(fields: Mapping[str, Any], struct: type[T], *, strict: bool) -> T:
    try:
        return msgspec.convert(fields, struct, strict=strict)
    except msgspec.ValidationError as error:
        raise misshapen(error, struct, fields, strict=strict) from error


def body_fields(request: Request, body: bytes) -> dict[str, Any]:
    """The body as fields. Raises msgspec.ValidationError for a query beside it."""
    if (stray := next(iter(request.query), None)) is not None:
        raise msgspec.ValidationError(f"Object contains unknown field `{stray}`")
    return _decode(body) if body else {}
