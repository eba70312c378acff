"""Whatever clients of the tests send and get is held against the documents: each test is a check of them too.

`Rest` and `Screen` tell here of every answer, ack and event of a real node, and of what was accepted.
What the documents do not say fails the test in which it happened. Schemas of what clients are told are closed
for this: a field that is not in them is found.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs
import pytest

from gateway.sockets.server import PATH as SOCKETS_PATH
from tests.gateway.specs.documents import asyncapi_of, openapi_of

Json = dict[str, Any]

COMMON = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-type", "date", "server"),
        *("transfer-encoding", "vary", "keep-alive", "x-content-type-options"),
    }
)
"""Headers that say nothing of our own: those of HTTP itself, and those of CORS."""
NOT_OURS = re.compile("access-control-.*")
UNKEPT = frozenset({"cache-control"})
"""Headers that every refusal has, whatever was asked for."""

MADE_UP = "test:"
"""With which the names of events begin that tests write into the journal themselves."""


class Drift:
    """The documents of the product, and what was found that they do not say."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def answered(
        self,
        method: str,
        target: str,
        status: int,
        headers: Mapping[str, str],
        body: Any,
        sent: Any = None,
    ) -> None:
        """A request was answered. `sent` is its body as JSON, where one is known."""
        path, query = urlsplit(target).path, dict(parse_qsl(urlsplit(target).query))
        asked = self._rest.find("GET" if method == "HEAD" else method, path)
        if asked is None:
            if status >= 400 and method != "HEAD" and path != SOCKETS_PATH:
                self._hold(self._rest.problem(), body, f"{method} {path} {status}")
            return
        where = f"{method} {asked.path} {status}"
        response = asked.response(status)
        if response is None:
            self.found.append(f"{where}: no such status is documented: {body}")
            return
        self._look_at_headers(response, headers, where)
        if method != "HEAD" and "content" in response:
            ((kind, schema),) = asked.contents(status).items()
            if headers["Content-Type"].partition(";")[0] != kind:
                self.found.append(f"{where}: is no {kind} but {headers['Content-Type']}")
            else:
                self._hold(schema, body, where)
        if status < 300 and sent is not None:
            self._hold(asked.body, sent, f"{where}, which was accepted")
        if status < 300:
            for name in query.keys() - asked.query:
                self.found.append(f"{where}: takes a parameter `{name}`")

    def acked(self, event: str, payload: Any, answer: Any) -> None:
        """A command was answered."""
        key = event.replace(":", "_")
        if not self._sockets.knows(key):
            if "data" in answer:
                self.found.append(f"{event}: is carried out and not documented")
            return
        self._hold(self._sockets.payload(f"{key}_ack"), answer, f"ack of {event}")
        if "data" not in answer:
            return
        self._hold(self._sockets.payload(key), payload or {}, f"{event}, which was accepted")
        if event == "topic:watch":
            for watched in answer["data"].get("topics", [answer["data"]]):
                for told in watched.get("events", ()):
                    self.told(*told)

    def told(self, name: str, data: Any, meta: Any) -> None:
        """An event has come."""
        if name.startswith(MADE_UP):
            return
        key = f"{name.replace(':', '_')}_event"
        if not self._sockets.knows(key):
            self.found.append(f"{name}: no such event is documented")
            return
        self._hold(self._sockets.payload(key), data, name)
        self._hold(self._sockets.headers(key), meta, f"meta of {name}")
        if self._sockets.is_kept(key) != ("seq" in meta):
            self.found.append(f"{name}: its kind and its meta disagree: {meta}")

    def _look_at_headers(self, response: Json, headers: Mapping[str, str], where: str) -> None:
        told = {name.lower(): each for name, each in response.get("headers", {}).items()}
        for name, each in told.items():
            if self._rest.header(each).get("required") and name not in {*map(str.lower, headers)}:
                self.found.append(f"{where}: has no header {name}")
        for name in map(str.lower, headers):
            if not (name in told or name in COMMON | UNKEPT or NOT_OURS.fullmatch(name)):
                self.found.append(f"{where}: has a header {name}")

    def _hold(self, schema: Any, value: Any, where: str) -> None:
        error = next(schema.iter_errors(value), None)
        if error is not None:
            place = "".join(f"[{step!r}]" for step in error.instance_path)
            self.found.append(f"{where}: {place} {error.message}: {value!r}"[:2_000])

    @cached_property
    def _rest(self) -> "_Rest":
        return _Rest(openapi_of())

    @cached_property
    def _sockets(self) -> "_Sockets":
        return _Sockets(asyncapi_of())


class _Asked:
    """An operation of the OpenAPI document."""

    def __init__(self, path: str, operation: Json, document: Json) -> None:
        self.path = path
        self.shape = re.compile(re.sub(r"{\w+}", "[^/]+", path))
        self.query = {each["name"] for each in operation["parameters"] if each.get("in") == "query"}
        self._operation = operation
        self._document = document
        self.contents = cache(self._contents)

    def response(self, status: int) -> Json | None:
        response: Json | None = self._operation["responses"].get(str(status))
        if response is not None and "$ref" in response:
            name = response["$ref"].rpartition("/")[2]
            response = self._document["components"]["responses"][name]
        return response

    def _contents(self, status: int) -> dict[str, Any]:
        response = self.response(status)
        assert response is not None
        return {
            kind: _modern(content["schema"], self._document)
            for kind, content in response["content"].items()
        }

    @cached_property
    def body(self) -> Any:
        nothing: Json = {"type": "object", "maxProperties": 0}
        body = self._operation.get("requestBody")
        schema = body["content"]["application/json"]["schema"] if body else nothing
        return _modern(schema, self._document)


class _Rest:
    """The OpenAPI document, by method and path."""

    def __init__(self, document: Json) -> None:
        self._document = _closed(document)
        self._asked = [
            (method.upper(), _Asked(path, operation, self._document))
            for path, item in document["paths"].items()
            for method, operation in item.items()
        ]
        self._asked.sort(key=lambda each: each[1].path.count("{"))  # /posts/mine is no {post_id}
        self.find = cache(self._find)
        self.problem: Callable[[], Any] = cache(
            lambda: _modern({"$ref": "#/components/schemas/Problem"}, self._document)
        )

    def _find(self, method: str, path: str) -> _Asked | None:
        fitting = (each for at, each in self._asked if at == method and each.shape.fullmatch(path))
        return next(fitting, None)

    def header(self, reference: Json) -> Json:
        header: Json = self._document["components"]["headers"][reference["$ref"].rpartition("/")[2]]
        return header


class _Sockets:
    """The AsyncAPI document, by keys of messages."""

    def __init__(self, document: Json) -> None:
        self._document = _closed(document)
        self._messages: Json = self._document["components"]["messages"]
        self.payload = cache(lambda key: self._schema(self._messages[key]["payload"]))
        self.headers = cache(lambda key: self._schema(self._messages[key]["headers"]))

    def knows(self, key: str) -> bool:
        return key in self._messages

    def is_kept(self, key: str) -> bool:
        return bool(self._messages[key]["tags"] != [{"name": "ephemeral"}])

    def _schema(self, schema: Json) -> Any:
        whole = {"allOf": [schema], "components": self._document["components"]}
        return jsonschema_rs.Draft7Validator(whole, validate_formats=True)


def _modern(schema: Json, document: Json) -> Any:
    whole = {"allOf": [schema], "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _closed(document: Json) -> Json:
    """The document with closed schemas: clients are promised no more than what stands there."""
    components = document["components"]
    schemas = {
        name: {"additionalProperties": False, **schema}
        for name, schema in components["schemas"].items()
    }
    return {**document, "components": {**components, "schemas": schemas}}


DRIFT = Drift()


@pytest.fixture(autouse=True)
def nothing_drifts() -> Iterator[None]:
    """What the gateway does in a test is what the documents say it does."""
    DRIFT.found.clear()
    yield
    assert DRIFT.found == []
