"""The OpenAPI document: the standard's own rules, and what it says of a small table."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.refusals import STATUSES
from handlers import DOMAINS
from handlers.domain import Domain
from handlers.operation import Access, Call, Limit, Operation
from store.cursors import Page
from tests.gateway.specs.documents import openapi_of

Json = dict[str, Any]

THING = "/api/v1/things/{thing_id}"


class Paint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another colour for a thing.

    A colour of null is none.
    """

    thing_id: UUID
    colour: Annotated[str, msgspec.Meta(min_length=1, max_length=20)] | None = None
    coats: Annotated[int, msgspec.Meta(ge=1, le=3)] = 1


class Find(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tags: str | list[str] | None = None
    sort: Literal["old", "new"] = "new"
    cursor: str | None = None


class Thing(msgspec.Struct, frozen=True):
    """A thing."""

    id: UUID
    colour: str | None = None
    secret: bool | msgspec.UnsetType = msgspec.UNSET


class Subject(msgspec.Struct, frozen=True, omit_defaults=True):
    id: UUID
    title: str | None = None


class Make(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    id: UUID | None = None


class Ref(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    thing_id: UUID


async def handle(call: Call[None], command: Any) -> Any:
    """The actor does it.

    It takes a while.
    """


THINGS: Domain[None] = Domain(
    "things",
    "/api/v1/things",
    lambda database: None,
    operations=(
        Operation("thing:page", "GET", "", Find, Page[Thing], handle, access=Access.PUBLIC),
        Operation("thing:make", "POST", "", Make, Thing, handle, creates=True),
        Operation(
            *("thing:paint", "PUT", "/{thing_id}", Paint, Thing, handle),
            access=Access.MODERATOR,
            limit=Limit("paintings", 5),
            refuses=("THING_BUSY",),
        ),
        Operation("thing:drop", "DELETE", "/{thing_id}", Ref, Subject, handle),
    ),
    statuses={"THING_BUSY": 409, "VALIDATION_ERROR": 400},
)


@pytest.fixture(scope="module")
def document() -> Json:
    return openapi_of(THINGS)


def asked(document: Json, method: str, path: str) -> Any:
    return document["paths"][path][method]


def parameters(document: Json, method: str, path: str) -> dict[str, Json]:
    """Those that are the operation's own, by name."""
    own = asked(document, method, path)["parameters"]
    return {each["name"]: each for each in own if "$ref" not in each}


def codes(document: Json, method: str, path: str) -> dict[str, set[str]]:
    """The codes of the refusals, by status."""
    told = {}
    for status, response in asked(document, method, path)["responses"].items():
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        content = response.get("content", {})
        if "application/problem+json" in content:
            (_, narrowed) = content["application/problem+json"]["schema"]["allOf"]
            assert narrowed["properties"]["status"] == {"const": int(status)}
            told[status] = set(narrowed["properties"]["code"]["enum"])
    return told


@pytest.mark.parametrize("dev", [True, False])
def test_the_document_keeps_to_the_standard(dev: bool) -> None:
    """As the validator of the OpenAPI community has it."""
    OpenAPIV31SpecValidator(openapi_of(dev=dev)).validate()


def test_every_operation_of_the_product_is_there() -> None:
    """By its route, under a name of its own."""
    document = openapi_of()
    for domain in DOMAINS:
        for operation in domain.operations:
            told = asked(document, operation.method.lower(), domain.base + operation.path)
            assert told["operationId"] == operation.event.replace(":", "_")
            assert f"`{operation.event}`" in told["description"]


def test_signing_in_as_anybody_is_for_development() -> None:
    """In production it is not there, and so it is not told of."""
    paths = openapi_of()["paths"].keys() - openapi_of(dev=False)["paths"].keys()
    assert paths == {"/api/v1/session/dev"}


def test_words_come_from_docstrings(document: Json) -> None:
    """The handler's first line is the summary; who may, and how often, is added."""
    told = asked(document, "put", THING)
    assert told["summary"] == "The actor does it."
    assert told["description"].split("\n\n") == [
        "It takes a while.",
        "For moderators and admins.",
        "A user has 5 paintings an hour.",
        "Over Socket.IO: `thing:paint`.",
    ]


def test_what_is_in_the_path_is_not_in_the_body(document: Json) -> None:
    """A field of the path is a parameter; the rest of a PUT is its body, closed, with its limits."""
    assert parameters(document, "put", THING) == {
        "thing_id": {
            "name": "thing_id",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"},
        }
    }
    body = asked(document, "put", THING)["requestBody"]
    assert body["required"] is False
    schema = body["content"]["application/json"]["schema"]
    assert schema["properties"] == {
        "colour": {
            "anyOf": [{"type": "string", "minLength": 1, "maxLength": 20}, {"type": "null"}],
            "default": None,
        },
        "coats": {"type": "integer", "minimum": 1, "maximum": 3, "default": 1},
    }
    assert schema["required"] == []
    assert schema["additionalProperties"] is False


def test_a_body_with_required_fields_is_required(document: Json) -> None:
    """One that is the whole command is named after it."""
    assert asked(document, "post", "/api/v1/things")["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Make"}}},
    }
    assert "requestBody" not in asked(document, "delete", THING)


def test_a_query_has_no_null(document: Json) -> None:
    """What is not wanted is left out there; a list is written with commas."""
    told = parameters(document, "get", "/api/v1/things")
    assert told["sort"]["schema"] == {
        "type": "string",
        "enum": ["new", "old"],
        "default": "new",
    }
    assert told["cursor"] == {
        "name": "cursor",
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
    }
    assert told["tags"]["schema"] == {"type": "array", "items": {"type": "string"}}
    assert (told["tags"]["style"], told["tags"]["explode"]) == ("form", False)


def test_answers_have_every_field_that_is_always_there(document: Json) -> None:
    """A default says nothing there: fields are told, but for those that may be UNSET or are omitted."""
    schemas = document["components"]["schemas"]
    assert schemas["Thing"]["required"] == ["id", "colour"]
    assert "default" not in schemas["Thing"]["properties"]["colour"]
    assert schemas["Thing"]["properties"].keys() == {"id", "colour", "secret"}
    assert schemas["Subject"]["required"] == ["id"]
    assert schemas["Subject"]["properties"]["title"] == {"type": "string"}
    page = schemas["PageOfThing"]["properties"]["items"]
    assert page == {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}


def test_what_is_made_answers_201_and_leads_on(document: Json) -> None:
    """The same request again is a 200; links name what can be asked for about the new thing."""
    told = asked(document, "post", "/api/v1/things")["responses"]
    assert told.keys() >= {"200", "201"}
    assert told["201"]["links"].keys() == {"thing_paint", "thing_drop"}
    assert told["201"]["links"]["thing_drop"]["parameters"] == {"thing_id": "$response.body#/id"}


def test_refusals_follow_from_the_declaration(document: Json) -> None:
    """Each with the status that its domain gives it, and only where it can happen."""
    at_all = {
        "401": {"UNAUTHENTICATED", "TOKEN_EXPIRED"},
        "400": {"VALIDATION_ERROR"},
        "429": {"RATE_LIMITED"},
        "500": {"INTERNAL"},
        "503": {"OVERLOADED", "UNAVAILABLE"},
    }
    with_body = {"413": {"PAYLOAD_TOO_LARGE"}, "415": {"UNSUPPORTED_MEDIA_TYPE"}}
    assert codes(document, "delete", THING) == at_all
    assert codes(document, "get", "/api/v1/things") == {
        **at_all,
        "400": {"VALIDATION_ERROR", "INVALID_CURSOR"},
    }
    assert codes(document, "post", "/api/v1/things") == {
        **at_all,
        **with_body,
        "409": {"IDEMPOTENCY_CONFLICT"},
    }
    assert codes(document, "put", THING) == {
        **at_all,
        **with_body,
        "403": {"FORBIDDEN"},
        "409": {"THING_BUSY"},
    }


def test_what_visitors_may_do_takes_no_token(document: Json) -> None:
    """A token is taken everywhere; where it is needed there is no other way."""
    assert asked(document, "get", "/api/v1/things")["security"] == [{}, {"token": []}]
    assert asked(document, "delete", THING)["security"] == [{"token": []}]


def test_a_code_without_a_status_is_found_at_once() -> None:
    """It would be a 500 on the wire."""
    careless = Operation("thing:drop", "DELETE", "/x", Ref, Thing, handle, refuses=("THING_LOST",))
    with pytest.raises(KeyError, match="THING_LOST"):
        openapi_of(Domain("things", "/", lambda database: None, operations=(careless,)))


def test_every_refusal_of_a_domain_is_given_by_some_operation() -> None:
    """A code that no operation declares is one that no client is told of."""
    declared = {
        code for domain in DOMAINS for operation in domain.operations for code in operation.refuses
    }
    known = {code for domain in DOMAINS for code in domain.statuses}
    assert known - declared == set()
    assert declared - known <= STATUSES.keys()


def test_one_name_is_one_schema() -> None:
    """A struct that is sent and told in different ways would be two things of one name."""
    mixed = Operation("thing:mix", "POST", "", Make, Make, handle)
    with pytest.raises(ValueError, match="Make is both sent and told"):
        openapi_of(Domain("things", "/", lambda database: None, operations=(mixed,)))
