"""The AsyncAPI document: the standard's own schema, and what it says of commands and events."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from handlers import DOMAINS
from tests.gateway.specs.documents import asyncapi_of
from tests.programs import NODE_FOLDER

Json = dict[str, Any]

STANDARD = NODE_FOLDER / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"


@pytest.fixture(scope="module")
def document() -> Json:
    return asyncapi_of()


def message(document: Json, key: str) -> Any:
    return document["components"]["messages"][key]


def test_the_document_keeps_to_the_standard(document: Json, node: Path) -> None:
    """As the JSON Schema of the AsyncAPI initiative has it."""
    jsonschema_rs.validate(json.loads(STANDARD.read_text()), document)


def test_every_reference_leads_somewhere(document: Json) -> None:
    """The standard's schema does not follow them."""
    references = list(_references(document))
    assert references
    for reference in references:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_command_is_there(document: Json) -> None:
    """Those of the table, and the session's own; each with its ack."""
    commands = {operation.event for domain in DOMAINS for operation in domain.operations}
    commands |= {"topic:watch", "topic:unwatch", "auth:refresh"}
    asked = [each for each in document["operations"].values() if each["action"] == "receive"]
    names = {key for each in asked for key in _keys(each["messages"])}
    assert names == {"connect", *(command.replace(":", "_") for command in commands)}
    for each in asked:
        (key,) = _keys(each["messages"])
        answer = "session_ready_event" if key == "connect" else f"{key}_ack"
        assert _keys(each["reply"]["messages"]) == [answer]


def test_every_event_is_on_its_topic(document: Json) -> None:
    """A topic of a family has the family's pattern for its address."""
    for domain in DOMAINS:
        for pattern, told in domain.events.items():
            (channel,) = [
                each for each in document["channels"].values() if each["address"] == pattern
            ]
            names = {message(document, key)["name"] for key in channel["messages"]}
            assert names >= {event.name for event in told}


def test_what_is_kept_may_be_told_again_without_its_subject(document: Json) -> None:
    """Then the payload is null; what is kept nowhere always has one."""
    kept = message(document, "comment_created_event")
    assert kept["payload"] == {
        "anyOf": [{"$ref": "#/components/schemas/CommentWritten"}, {"type": "null"}]
    }
    assert kept["tags"] == [{"name": "log"}]
    fleeting = message(document, "post_viewed_event")
    assert fleeting["payload"] == {"$ref": "#/components/schemas/Viewed"}


def test_an_ack_is_data_or_a_refusal_that_can_happen(document: Json) -> None:
    """Codes of HTTP alone are not among them."""
    done, refused = message(document, "post_like_ack")["payload"]["oneOf"]
    assert done["properties"]["data"] == {"$ref": "#/components/schemas/Liked"}
    codes = refused["properties"]["error"]["allOf"][1]["properties"]["code"]["enum"]
    assert {"COMMUNITY_POST_NOT_FOUND", "UNAUTHENTICATED", "RATE_LIMITED"} <= set(codes)
    assert not {"PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "FORBIDDEN"} & set(codes)


def _keys(references: list[Json]) -> list[str]:
    return [each["$ref"].rpartition("/")[2] for each in references]


def _references(part: Any) -> Any:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from _references(each)
    elif isinstance(part, list):
        for each in part:
            yield from _references(each)
