"""The AsyncAPI 3 document: every command over Socket.IO, its ack, and every event."""

import re
from typing import Any

from gateway.specs.contract import Command, Contract, Meta, Refused, Told, TopicRefused
from gateway.specs.openapi import SIGN_IN, TITLE, described
from gateway.specs.schemas import Json, Schemas, nullable

TEXT = (
    "What goes over Socket.IO (protocol 5, Engine.IO 4), at the path `/socket.io/` and the namespace `/`. "
    "A command is an event with one argument, the payload, and an ack with one argument: `{data}` or "
    "`{error}`. An event of the gateway has two arguments: the payload, and what stands here as headers, "
    "`{topic, seq, at}`. A topic is watched by `topic:watch`, and a user's own from the moment of "
    "connecting. The same operations are there over REST: see `/openapi.json`."
)
KINDS = {
    "state": "Carries the absolute value: a newer one of the same key replaces it.",
    "log": "Every one counts.",
    "ephemeral": "Tells of the moment, and is kept nowhere.",
}
COMMANDS = "commands"
SESSION = "session"

_IN_BRACES = re.compile(r"{(\w+)}")


def asyncapi(contract: Contract, version: str) -> Json:
    """The document. The same contract gives the same bytes."""
    schemas = Schemas(
        sent=[contract.credentials, *(command.command for command in contract.commands)],
        told=[
            *(Meta, Refused, TopicRefused),
            *(command.answer for command in contract.commands),
            *(event.data for event in contract.events),
        ],
    )
    messages: Json = {"connect": _connect(contract, schemas)}
    channels: Json = {
        SESSION: _channel("/", "What is told of the session itself."),
        COMMANDS: _channel("/", "Commands, and their acks."),
    }
    operations: Json = {}
    _put(channels, SESSION, "connect")
    for command in contract.commands:
        key = _key(command.event)
        messages[key] = _message(command, schemas)
        messages[f"{key}_ack"] = _ack(command, schemas)
        _put(channels, COMMANDS, key, f"{key}_ack")
        operations[key] = _asking(command, key)
    for pattern in contract.topics:
        channels[_topic(pattern)] = _channel(pattern, f"The topic `{pattern}`.")
    for event in contract.events:
        key = f"{_key(event.name)}_event"
        channel = SESSION if event.topic is None else _topic(event.topic)
        message = _event(event, schemas)
        if messages.setdefault(key, message) != message:
            raise ValueError(f"{event.name} is not the same on all topics")
        _put(channels, channel, key)
    for name, channel in channels.items():
        told = [key for key in channel["messages"] if key.endswith("_event")]
        if told:
            operations[f"{name}_told"] = _telling(name, told)
    operations["connect"] = _connecting()
    document: Json = {
        "asyncapi": "3.0.0",
        "info": {"title": TITLE, "version": version, "description": TEXT},
        "defaultContentType": "application/json",
        "servers": {
            "gateway": {
                "host": "localhost:8080",
                "pathname": "/socket.io/",
                "protocol": "socket.io",
                "protocolVersion": "5",
                "description": "Wherever the gateway is open: here as `make run` does it.",
                "security": [{"$ref": "#/components/securitySchemes/token"}],
            }
        },
        "channels": channels,
        "operations": operations,
    }
    return {
        **document,
        "components": {
            "messages": messages,
            "schemas": _as_draft_7(schemas.used_by({"messages": messages})),
            "securitySchemes": {"token": SIGN_IN},
        },
    }


def _connect(contract: Contract, schemas: Schemas) -> Json:
    return {
        "name": "connect",
        "summary": "The `auth` of the CONNECT packet, which may be left out.",
        "payload": schemas.of(contract.credentials),
    }


def _message(command: Command, schemas: Schemas) -> Json:
    return {
        "name": command.event,
        "summary": command.text.partition("\n")[0],
        "payload": schemas.of(command.command),
    }


def _ack(command: Command, schemas: Schemas) -> Json:
    error = {
        "allOf": [
            schemas.of(Refused),
            {"properties": {"code": {"enum": sorted(command.refusals)}}},
        ]
    }
    done = {
        "type": "object",
        "properties": {"data": schemas.of(command.answer)},
        "required": ["data"],
    }
    refused = {"type": "object", "properties": {"error": error}, "required": ["error"]}
    return {
        "name": command.event,
        "summary": f"The ack of `{command.event}`.",
        "payload": {"oneOf": [done, refused]},
    }


def _event(event: Told, schemas: Schemas) -> Json:
    """What is kept may be told again when its subject is gone: then its payload is null."""
    data = schemas.of(event.data)
    return {
        "name": event.name,
        "summary": _said(schemas.whole(event.data)),
        "description": KINDS[event.kind],
        "tags": [{"name": event.kind}],
        "payload": nullable(data) if event.kept else data,
        "headers": schemas.of(Meta),
    }


def _said(schema: Json) -> str:
    text: str = schema.get("description", "")
    return text.partition("\n")[0]


def _asking(command: Command, key: str) -> Json:
    return {
        "action": "receive",
        "channel": _ref("channels", COMMANDS),
        "summary": command.text.partition("\n")[0],
        "description": described(command.text, command.access, command.limit),
        "messages": [_ref("channels", COMMANDS, "messages", key)],
        "reply": {
            "channel": _ref("channels", COMMANDS),
            "messages": [_ref("channels", COMMANDS, "messages", f"{key}_ack")],
        },
    }


def _telling(channel: str, told: list[str]) -> Json:
    return {
        "action": "send",
        "channel": _ref("channels", channel),
        "messages": [_ref("channels", channel, "messages", key) for key in told],
    }


def _connecting() -> Json:
    return {
        "action": "receive",
        "channel": _ref("channels", SESSION),
        "summary": "Connect: as somebody with a token, or as a visitor without one.",
        "messages": [_ref("channels", SESSION, "messages", "connect")],
        "reply": {
            "channel": _ref("channels", SESSION),
            "messages": [_ref("channels", SESSION, "messages", "session_ready_event")],
        },
    }


def _channel(address: str, text: str) -> Json:
    channel: Json = {"address": address, "description": text, "messages": {}}
    if names := _IN_BRACES.findall(address):
        channel["parameters"] = {name: {"description": "As REST spells it."} for name in names}
    return channel


def _put(channels: Json, channel: str, *keys: str) -> None:
    for key in keys:
        channels[channel]["messages"][key] = _ref("components", "messages", key)


def _topic(pattern: str) -> str:
    """The key of a topic's channel: `post:{id}` is `topic_post`."""
    parts = [part for part in pattern.split(":") if not part.startswith("{")]
    return "_".join(["topic", *parts])


def _as_draft_7(schema: Any) -> Any:
    """The schema in the draft that AsyncAPI is built on, which says tuples in another way."""
    if isinstance(schema, dict):
        if "prefixItems" in schema:
            schema = {**schema, "items": schema["prefixItems"], "additionalItems": False}
            del schema["prefixItems"]
        return {key: _as_draft_7(value) for key, value in schema.items()}
    return [_as_draft_7(each) for each in schema] if isinstance(schema, list) else schema


def _key(name: str) -> str:
    return name.replace(":", "_")


def _ref(*path: Any) -> Json:
    return {"$ref": "#/" + "/".join(path)}
