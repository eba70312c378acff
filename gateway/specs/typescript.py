"""TypeScript types of commands, acks and events, for clients of Socket.IO."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gateway.specs.contract import Contract, Meta, Refused, TopicRefused
from gateway.specs.schemas import Json, Schemas, nullable

HEAD = """\
// Types of all commands, acks and events of a Vernissage gateway.
// Made from the operation table by `python -m tests.docs.inserts`: change them there.
//
//   import { io, type Socket } from "socket.io-client";
//   import type { ClientCommands, ServerEvents } from "./vernissage";
//
//   const socket: Socket<ServerEvents, ClientCommands> = io();
//   const { data, error } = await socket.emitWithAck("post:like", { post_id });
"""
MAPS = """\
/** An event as `topic:watch` and `GET /topics/…/events` tell it. */
export type ToldEvent = {
  [E in keyof Events]: [name: E, data: Events[E], meta: Meta];
}[keyof Events];

/** What an ack has: `data` of what was done, or why nothing was. */
export type Answer<T> = { data: T; error?: undefined } | { data?: undefined; error: Refused };

/** For `Socket<ServerEvents, ClientCommands>`: what the gateway sends. */
export type ServerEvents = {
  [E in keyof Events]: (data: Events[E], meta: Meta) => void;
};

/** For `Socket<ServerEvents, ClientCommands>`: what the client sends, and how it is answered. */
export type ClientCommands = {
  [C in keyof Commands]: (command: Commands[C], ack: (answer: Answer<Acks[C]>) => void) => void;
};
"""
WIDTH = 100

_PLAIN = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def typescript(contract: Contract) -> str:
    """A module of types. The same contract gives the same text."""
    commands = contract.commands
    schemas = Schemas(
        sent=[contract.credentials, *(command.command for command in commands)],
        told=[
            *(Meta, Refused, TopicRefused),
            *(command.answer for command in commands),
            *(event.data for event in contract.events),
        ],
    )
    takes = {each.event: schemas.of(each.command) for each in commands}
    answers = {each.event: schemas.of(each.answer) for each in commands}
    told = {
        each.name: nullable(schemas.of(each.data)) if each.kept else schemas.of(each.data)
        for each in contract.events
    }
    others = [schemas.of(each) for each in (Meta, Refused, contract.credentials)]
    used = schemas.used_by({"maps": [takes, answers, told, others]})
    codes = sorted({code for command in commands for code in command.refusals})
    parts = [
        HEAD,
        *(_interface(name, schema) for name, schema in used.items()),
        _named("Code", "The codes of refusals.", _union(map(_quoted, codes))),
        _map("Commands", "What each command takes.", takes),
        _map("Acks", "The `data` of each command's ack.", answers),
        _map(
            "Events", "The data of each event; null in a replay, where its subject is gone.", told
        ),
        MAPS,
    ]
    return "\n".join(parts)


def _interface(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    fields = []
    for field, inner in schema["properties"].items():
        said = "Code" if (name, field) == ("Refused", "code") else _said(inner)
        fields.append(_field(field, said, optional=field not in required))
    return _block(f"export interface {name}", schema.get("description", ""), fields)


def _map(name: str, text: str, types: Mapping[str, Json]) -> str:
    fields = [_field(_quoted(key), _said(schema), optional=False) for key, schema in types.items()]
    return _block(f"export interface {name}", text, fields)


def _named(name: str, text: str, said: str) -> str:
    return f"{_comment(text)}export type {name} = {said};\n"


def _field(name: str, said: str, *, optional: bool) -> str:
    return f"  {name}{'?' if optional else ''}: {said};"


def _block(head: str, text: str, lines: Sequence[str]) -> str:
    body = "".join(f"{line}\n" for line in lines)
    return f"{_comment(text)}{head} {{\n{body}}}\n"


def _comment(text: str) -> str:
    if not text:
        return ""
    lines = [line for paragraph in text.split("\n") for line in _wrapped(paragraph)]
    if len(lines) == 1:
        return f"/** {lines[0]} */\n"
    return "/**\n" + "".join(f" * {line}".rstrip() + "\n" for line in lines) + " */\n"


def _wrapped(paragraph: str) -> Iterator[str]:
    line = ""
    for word in paragraph.split():
        if line and len(line) + len(word) + len(" * ") >= WIDTH:
            yield line
            line = word
        else:
            line = f"{line} {word}".lstrip()
    yield line


def _said(schema: Json) -> str:
    """A schema as a type. Raises KeyError for what no struct of ours makes."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return _union(_said(each) for each in schema["anyOf"])
    if "enum" in schema:
        return _union(_quoted(value) for value in schema["enum"])
    if "prefixItems" in schema:
        return "ToldEvent" if _tells_an_event(schema) else _tuple(schema)
    if schema.get("type") == "array":
        inner = _said(schema["items"])
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if schema.get("type") == "object":
        return "Record<string, unknown>"
    return _PLAIN[schema["type"]]


def _tuple(schema: Json) -> str:
    return f"[{', '.join(_said(each) for each in schema['prefixItems'])}]"


def _tells_an_event(schema: Json) -> bool:
    return bool(schema["prefixItems"][-1].get("$ref", "").endswith("/Meta"))


def _union(types: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(types))


def _quoted(value: Any) -> str:
    return json.dumps(value)
