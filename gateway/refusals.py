"""The general part of the error catalogue; each domain adds its own."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import msgspec.inspect

from handlers.operation import Refusal

STATUSES: Mapping[str, int] = {
    "UNKNOWN_COMMAND": 400,
    "INVALID_CURSOR": 400,
    "UNAUTHENTICATED": 401,
    "TOKEN_EXPIRED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "IDEMPOTENCY_CONFLICT": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "VALIDATION_ERROR": 422,
    "TOO_MANY_TOPICS": 422,
    "RATE_LIMITED": 429,
    "INTERNAL": 500,
    "OVERLOADED": 503,
    "UNAVAILABLE": 503,
}


def sign_in_first() -> Refusal:
    """A visitor wants what takes a user."""
    return Refusal("UNAUTHENTICATED", "Sign in first: this takes a token.")


def topic_not_found(topic: str) -> Refusal:
    """There is no such topic, or this actor may not know of it."""
    return Refusal("NOT_FOUND", "There is no such topic.", topic=topic)


def internal(request_id: str) -> Refusal:
    """Something that should never happen did; the log has it under this id."""
    return Refusal("INTERNAL", "Something went wrong on our side.", request_id=request_id)


MISSHAPEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON raises; msgspec's ValidationError is one of the first."""


FIELD_CHARACTERS = 100
"""Of a field's name, which may be the client's invention."""

_PLACE = re.compile(r" - at (?:`key` in )?`\$([^`]*)`$")
_NAMED = re.compile(r"Object (?:contains )?(missing required|unknown) field `(.*)`", re.DOTALL)


FAULTS_MOST = 20
"""How many fields of one command are named."""


def misshapen(
    error: Exception,
    shape: type[Any] | None = None,
    given: Any = None,
    *,
    strict: bool = True,
) -> Refusal:
    """The command does not have the right shape; `details` names each field that is wrong, and why.

    msgspec says "Expected `str`, got `int` - at `$.title`", or names a field that is missing or unknown, and
    stops there. The others are found where `given` are the fields that came, for a command of that `shape`.
    """
    if not isinstance(error, msgspec.ValidationError):
        refusal = Refusal(
            "VALIDATION_ERROR", "Send valid JSON, in UTF-8 and without lone surrogates."
        )
        refusal.details["$"] = "must be valid JSON in UTF-8"
        return refusal
    faults = [_fault(str(error))]
    if shape is not None and isinstance(given, dict):
        faults = [*_faults(shape, given, strict)][:FAULTS_MOST] or faults
    message = " ".join(f"`{field}`: {why}." for field, why in faults)
    refusal = Refusal("VALIDATION_ERROR", message)
    refusal.details.update(faults)
    return refusal


def _faults(shape: type[Any], given: Mapping[str, Any], strict: bool) -> Iterator[tuple[str, str]]:
    """Each field that is wrong by itself, and why: the known ones in order, then the unknown ones."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    for name, field in fields.items():
        if name in given:
            try:
                msgspec.convert(given[name], field.type, strict=strict)
            except msgspec.ValidationError as error:
                place, why = _fault(str(error), name)
                if place == name and (choices := _choices(msgspec.inspect.type_info(field.type))):
                    why = f"{why}, must be one of {', '.join(choices)}"
                yield place, why
        elif field.required:
            yield name, "is required"
    for name in given:
        if name not in fields:
            yield name[:FIELD_CHARACTERS] or "$", "is not known"


def _choices(kind: msgspec.inspect.Type) -> list[str]:
    """The values of a type that has just a few."""
    match kind:
        case msgspec.inspect.Metadata():
            return _choices(kind.type)
        case msgspec.inspect.UnionType():
            return [value for each in kind.types for value in _choices(each)]
        case msgspec.inspect.LiteralType():
            return [f"`{value}`" for value in kind.values]
        case msgspec.inspect.EnumType():
            return [f"`{member.value}`" for member in kind.cls]
        case _:
            return []


def _fault(message: str, within: str = "") -> tuple[str, str]:
    """The field that msgspec complains of, and why; `within` is the one that it looked at."""
    place = _PLACE.search(message)
    why, path = (message[: place.start()], place[1]) if place else (message, "")
    if (named := _NAMED.fullmatch(why)) is not None:
        why = "is required" if named[1] == "missing required" else "is not known"
        path = f"{path}.{named[2]}"
    return f"{within}{path}".removeprefix(".")[:FIELD_CHARACTERS] or "$", why
