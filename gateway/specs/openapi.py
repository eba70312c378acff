"""The OpenAPI 3.1 document: every request over REST, its answers and its refusals."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.http.idempotency import HEADER, KEY, REPLAYED
from gateway.refusals import STATUSES
from gateway.specs.contract import Contract, Route
from gateway.specs.schemas import Json, Schemas, without_null
from handlers.operation import Access, Limit

TITLE = "Vernissage"
TEXT = (
    "A real-time social gateway. An answer is bare JSON; a refusal is a problem of RFC 9457 with a stable "
    "`code`. The same operations are Socket.IO commands, and what happens is told as events: see "
    "`/asyncapi.json`."
)
SIGN_IN = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "Without a token one is a visitor, who reads what is public. "
    "A bad token is refused, and never makes a visitor.",
}
WHO = {
    Access.PUBLIC: "everybody",
    Access.MEMBER: "users",
    Access.MODERATOR: "moderators and admins",
    Access.ADMIN: "admins",
}

_IN_BRACES = re.compile(r"{(\w+)}")
_CODE = re.compile(r"`([A-Z_]+)`")
_BODILESS = ("GET", "DELETE")


class Problem(msgspec.Struct, frozen=True):
    """Why a request was refused, as RFC 9457 has it. `code` says it for programs, `detail` for people.

    `retry_after` is in seconds, where waiting helps.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    details: dict[str, Any]
    request_id: str
    retry_after: float | msgspec.UnsetType = msgspec.UNSET


_ALWAYS = ("X-Request-Id", "RateLimit", "RateLimit-Policy")
_HEADERS: Mapping[str, Json] = {
    "X-Request-Id": {
        "description": "The request's name in the logs: the one that it came with, or a new one.",
        "required": True,
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "How one stands with each limit that was asked: `r` requests remain, and one more in "
        "`t` seconds (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "Those limits: at most `q` requests in `w` seconds.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "After how many seconds it may be worth another try.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {
        "description": "How to sign in.",
        "required": True,
        "schema": {"const": "Bearer"},
    },
}
_OF_MAKING: Mapping[str, Json] = {
    REPLAYED: {
        "description": "The answer is the first one to this key: nothing was done now.",
        "schema": {"const": "true"},
    },
}
_OF_READING: Mapping[str, Json] = {
    "ETag": {
        "description": "The answer's tag, to be asked with again.",
        "required": True,
        "schema": {"type": "string", "pattern": '^W/"[^"]+"$'},
    },
    "Cache-Control": {
        "description": "Nobody keeps an answer without asking again; one for a user nobody else keeps.",
        "required": True,
        "schema": {"enum": ["public, no-cache", "private, no-cache"]},
    },
    "Link": {
        "description": "Where the neighbours of this page are (RFC 8288): `next`, `prev`, `first`.",
        "schema": {"type": "string"},
    },
}
_PARAMETERS: Mapping[str, Json] = {
    "RequestId": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "A name for the request, of 1 to 64 letters, digits, dots, dashes and "
        "underscores. Anything else counts as none.",
        "schema": {"type": "string"},
    },
    "IdempotencyKey": {
        "name": HEADER,
        "in": "header",
        "description": "A name of the client's own for this request. The same key with the same body gives "
        "the first answer again, for 24 hours.",
        "schema": {"type": "string", "pattern": f"^{KEY.pattern}$"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "Tags of the answers that one has already.",
        "schema": {"type": "string"},
    },
}


def openapi(contract: Contract, version: str) -> Json:
    """The document. The same contract gives the same bytes."""
    routes = contract.routes
    schemas = Schemas(
        sent=[route.command for route in routes],
        told=[Problem, *(answer for route in routes for answer in route.answers.values())],
    )
    paths: Json = {}
    for route in routes:
        item = paths.setdefault(route.path, {})
        item[route.method.lower()] = _operation(route, schemas, contract)
    components = {
        "responses": _shared(paths),
        "securitySchemes": {"token": SIGN_IN},
        "parameters": dict(_PARAMETERS),
        "headers": {**_HEADERS, **_OF_MAKING, **_OF_READING},
    }
    return {
        "openapi": "3.1.1",
        "info": {"title": TITLE, "version": version, "description": TEXT},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {"schemas": schemas.used_by({**paths, **components}), **components},
    }


def _operation(route: Route, schemas: Schemas, contract: Contract) -> Json:
    fields = schemas.whole(route.command)
    in_path = _IN_BRACES.findall(route.path)
    there: Json = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.text.partition("\n\n")[0],
        "description": described(route.text, route.access, route.limit) + _over_sockets(route),
        "parameters": [*_parameters(route, fields, in_path), *_header_parameters(route)],
        "responses": _responses(route, schemas, contract),
        "security": _security(route),
    }
    body = _body(route, fields, in_path, schemas)
    if body is not None:
        there["requestBody"] = body
    return there


def described(text: str, access: Access, limit: Limit | None) -> str:
    """What there is to say of an operation beside its first line."""
    lines = [text.partition("\n\n")[2], f"For {WHO[access]}."]
    if limit is not None:
        hours = limit.window.total_seconds() / 3600
        window = "an hour" if hours == 1 else f"in {hours:g} hours"
        lines.append(f"A user has {limit.count} {limit.name} {window}.")
    return "\n\n".join(line for line in lines if line)


def _over_sockets(route: Route) -> str:
    return "" if route.event is None else f"\n\nOver Socket.IO: `{route.event}`."


def _security(route: Route) -> list[Json]:
    if not {"UNAUTHENTICATED", "TOKEN_EXPIRED"} & route.refusals.keys():
        return []
    signed_in: Json = {"token": []}
    return [{}, signed_in] if route.access is Access.PUBLIC else [signed_in]


def _parameters(route: Route, fields: Json, in_path: Iterable[str]) -> list[Json]:
    properties = fields.get("properties", {})
    told = [_parameter("path", name, properties[name], required=True) for name in in_path]
    if route.method in _BODILESS:
        told += [
            _parameter("query", name, schema, required=name in fields["required"])
            for name, schema in properties.items()
            if name not in in_path
        ]
    return told


def _header_parameters(route: Route) -> list[Json]:
    names = ["RequestId"]
    if route.is_tagged:
        names.append("IfNoneMatch")
    if HTTPStatus.CREATED in route.answers:
        names.append("IdempotencyKey")
    return [_ref("parameters", name) for name in names]


def _parameter(place: str, name: str, schema: Json, *, required: bool) -> Json:
    schema = without_null(schema)
    parameter: Json = {"name": name, "in": place, "required": required, "schema": schema}
    lists = [each for each in schema.get("anyOf", ()) if each.get("type") == "array"]
    if lists:  # written with commas between, which is the other way that such a field can be given
        parameter |= {"schema": lists[0], "style": "form", "explode": False}
    return parameter


def _body(route: Route, fields: Json, in_path: Iterable[str], schemas: Schemas) -> Json | None:
    rest = [name for name in fields.get("properties", ()) if name not in in_path]
    if route.method in _BODILESS or not rest:
        return None
    required = [name for name in fields["required"] if name in rest]
    schema = schemas.of(route.command)
    if in_path:
        properties = {name: fields["properties"][name] for name in rest}
        schema = {**fields, "properties": properties, "required": required}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _responses(route: Route, schemas: Schemas, contract: Contract) -> Json:
    told: Json = {}
    own = _own_headers(route, schemas)
    for status, answer in route.answers.items():
        told[str(status)] = {
            "description": _said(route, status),
            "headers": own,
            "content": {"application/json": {"schema": schemas.of(answer)}},
        }
        if status == HTTPStatus.CREATED and (links := _links(route, contract)):
            told[str(status)]["links"] = links
    if route.is_tagged:
        told["304"] = {"description": "One has it already.", "headers": own}
    for status in sorted(set(route.refusals.values())):
        codes = sorted(code for code, at in route.refusals.items() if at == status)
        told[str(status)] = _refusal(status, codes, schemas)
    return told


def _shared(paths: Json) -> Json:
    """Takes the refusals that many requests have in common out of `paths`: they stand once, by name."""
    refusals: Json = {}
    for item in paths.values():
        for operation in item.values():
            responses = operation["responses"]
            for status, response in responses.items():
                codes = _CODE.findall(response["description"])
                if codes and STATUSES.keys() >= set(codes):
                    name = ".".join([status, *codes])
                    refusals[name] = response
                    responses[status] = _ref("responses", name)
    return dict(sorted(refusals.items()))


def _own_headers(route: Route, schemas: Schemas) -> Json:
    """What comes with the answers that are no refusals."""
    names = [*_ALWAYS]
    if route.is_tagged:
        names += ["ETag", "Cache-Control"]
        if "next_cursor" in schemas.whole(route.answers[HTTPStatus.OK])["properties"]:
            names.append("Link")
    if HTTPStatus.CREATED in route.answers:
        names.append(REPLAYED)
    return _headers(*names)


def _said(route: Route, status: int) -> str:
    if HTTPStatus.CREATED not in route.answers:
        return HTTPStatus(status).phrase
    return (
        "It was made."
        if status == HTTPStatus.CREATED
        else "It was made before, by the same request."
    )


def _refusal(status: int, codes: list[str], schemas: Schemas) -> Json:
    narrowed = {"properties": {"status": {"const": status}, "code": {"enum": codes}}}
    headers = [*_ALWAYS]
    if status in (429, 503):
        headers.append("Retry-After")
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append("WWW-Authenticate")
    schema = {"allOf": [schemas.of(Problem), narrowed]}
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}.",
        "headers": _headers(*headers),
        "content": {"application/problem+json": {"schema": schema}},
    }


def _links(route: Route, contract: Contract) -> Json:
    """What can be asked for about a thing that was made: whatever has its id in the path."""
    if "id" not in route.answers[HTTPStatus.CREATED].__struct_fields__:
        return {}
    name = f"{route.tag}_id"
    return {
        other.name: {
            "operationId": other.name,
            "parameters": {name: "$response.body#/id"},
        }
        for other in contract.routes
        if f"{{{name}}}" in other.path
    }


def _headers(*names: str) -> Json:
    return {name: _ref("headers", name) for name in names}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}
