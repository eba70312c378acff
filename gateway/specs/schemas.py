"""JSON Schemas of the structs that clients send and get."""

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_origin

import msgspec

Json = dict[str, Any]

_AT = "#/components/schemas/"
_OF = re.compile(r"(\w+?)_(\w+)_")
"""How msgspec names what is generic: `Page_Post_`."""


class Schemas:
    """The schemas of structs, each once, under its name.

    What clients send may leave out what has a default. What they are told always has every field, save
    those that may be UNSET; there may be more fields some day, so it is open.
    """

    def __init__(self, sent: Iterable[Any], told: Iterable[Any]) -> None:
        self._refs: dict[Any, Json] = {}
        self._components: Json = {}
        self._add(list(sent), told=False)
        self._add(list(told), told=True)

    def of(self, type_: Any) -> Json:
        """The schema of one of the types, mostly a reference to a component; of a tuple, of any of them."""
        if isinstance(type_, tuple):
            return {"anyOf": [self.of(each) for each in type_]}
        return self._refs[type_]

    def whole(self, type_: Any) -> Json:
        """The schema of one of the structs itself."""
        component: Json = self._components[self.of(type_)["$ref"].removeprefix(_AT)]
        return component

    def used_by(self, document: Json) -> Json:
        """The components that a document refers to, by name."""
        found: Json = {}
        waiting = list(_references(document))
        while waiting:
            if (name := waiting.pop()) not in found:
                found[name] = self._components[name]
                waiting += _references(found[name])
        return dict(sorted(found.items()))

    def _add(self, types: list[Any], *, told: bool) -> None:
        flat = (
            each for type_ in types for each in (type_ if isinstance(type_, tuple) else (type_,))
        )
        types = list(dict.fromkeys(flat))
        made = msgspec.json.schema_components(types, ref_template=_AT + "{name}")
        schemas, components = msgspec.json.decode(
            msgspec.json.encode(made)
        )  # defaults too are JSON
        terse = {
            struct.__name__ for struct in _structs(types) if struct.__struct_config__.omit_defaults
        }
        for name, component in components.items():
            schema = _renamed(component)
            title = schema.pop("title", name)
            if "description" in schema:
                schema["description"] = prose(schema["description"])
            if told:
                schema = _told(schema, terse=title in terse)
            if self._components.setdefault(_name(name), schema) != schema:
                raise ValueError(f"{name} is both sent and told, and not the same")
        for type_, schema in zip(types, schemas, strict=True):
            self._refs[type_] = _renamed(schema)


def reference(struct: type) -> Json:
    """A reference to a struct's component."""
    return {"$ref": _AT + struct.__name__}


def prose(docstring: str | None) -> str:
    """A docstring as a document shows it: paragraphs without line breaks."""
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def nullable(schema: Json) -> Json:
    """What `schema` allows, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def without_null(schema: Json) -> Json:
    """What `schema` allows, but for null and its default of null."""
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if rest.get("default", ...) is None:
        del rest["default"]
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **rest}
    return {"anyOf": choices, **rest} if choices else rest


def _told(schema: Json, *, terse: bool) -> Json:
    """The schema of an answer or event, where defaults say nothing: fields are there, or they are not."""
    always = set(schema.get("required", ()))
    properties = {}
    for name, field in schema.get("properties", {}).items():
        if "default" in field:
            if terse:
                field = without_null(field)
            else:
                always.add(name)
            field = {key: value for key, value in field.items() if key != "default"}
        properties[name] = field
    schema = {key: value for key, value in schema.items() if key != "additionalProperties"}
    if "properties" in schema:
        required = [name for name in properties if name in always]
        schema |= {"properties": properties, "required": required}
    return schema


def _structs(types: Iterable[Any]) -> Iterator[Any]:
    """All structs that these types are made of."""
    waiting: list[Any] = list(msgspec.inspect.multi_type_info(types))
    seen: set[Any] = set()
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in seen:
                continue
            seen.add(info.cls)
            yield get_origin(info.cls) or info.cls
            waiting += [field.type for field in info.fields]
        else:
            for name in ("type", "item_type", "key_type", "value_type"):
                if isinstance(inner := getattr(info, name, None), msgspec.inspect.Type):
                    waiting.append(inner)
            for name in ("types", "item_types"):
                waiting += getattr(info, name, ())


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and value.startswith(_AT):
                yield value.removeprefix(_AT)
            else:
                yield from _references(value)
    elif isinstance(schema, list | tuple):
        for each in schema:
            yield from _references(each)


def _renamed(schema: Any) -> Any:
    """The schema under our names of components; of what is one of some texts it says that it is text."""
    if isinstance(schema, list):
        return [_renamed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {
        key: _AT + _name(value.removeprefix(_AT)) if key == "$ref" else _renamed(value)
        for key, value in schema.items()
    }
    is_text = isinstance(values := renamed.get("enum"), list) and all(
        isinstance(value, str) for value in values
    )
    return {"type": "string", **renamed} if is_text else renamed


def _name(name: str) -> str:
    """`Page_Post_` as one says it: PageOfPost."""
    found = _OF.fullmatch(name)
    return f"{found[1]}Of{found[2]}" if found else name
