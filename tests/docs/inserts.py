"""What the documents take from elsewhere: tables of what the domains declare, and example programs.

`python -m tests.docs.inserts` writes them into the pages, between `<!-- table: … -->` or `<!-- file: … -->`
and `<!-- end -->`, and the TypeScript types and the routes into web/client; tests see to it that this has been done.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import yaml
from msgspec import inspect

from gateway.metrics.catalogue import METRICS
from gateway.settings import describe, read_settings
from gateway.specs import routes, typescript
from handlers import DOMAINS
from handlers.domain import Domain
from handlers.operation import Access, Limit, Operation
from load.bench.lines import Row
from load.bench.table import doubts, markdown
from load.feeds.table import HEADS
from load.scale.tables import TABLES as SCALE
from load.scale.tables import markdown as scale
from store.gallery.shapes import AssetType
from tests.docs.effects import EFFECTS
from tests.docs.limits import limits as all_limits
from tests.faults.promise import HEADS as PROMISE_HEADS
from tests.gateway.specs.documents import contract
from tests.views import VIEWS

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
ALERTS = DOCS.parent / "deploy" / "prometheus" / "alerts.yml"
RESULTS = DOCS.parent / "load" / "results"
TYPES = DOCS.parent / "web" / "client" / "vernissage.d.ts"
ROUTES = DOCS.parent / "web" / "client" / "routes.js"

_WHO = {
    Access.PUBLIC: "everybody",
    Access.MEMBER: "users",
    Access.MODERATOR: "moderators",
    Access.ADMIN: "admins",
}
_MARKED = re.compile(r"(<!-- (table|file): (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_LANGUAGES = {".mjs": "js", ".py": "python", ".sh": "sh"}


def with_inserts(page: str) -> str:
    """A page with everything inserted as it is now."""

    def insert(found: re.Match[str]) -> str:
        text = TABLES[found[3]]() if found[2] == "table" else _program(DOCS / found[3])
        return f"{found[1]}\n{text}\n{found[4]}"

    return _MARKED.sub(insert, page)


def inserted_files(page: str) -> list[Path]:
    """The files that stand in a page."""
    return [DOCS / found[3] for found in _MARKED.finditer(page) if found[2] == "file"]


def operations() -> str:
    """What can be asked for, over which way, by whom."""
    return _table(
        ("command", "REST", "who", "limit", "answer"),
        (
            (
                f"`{operation.event}`",
                f"`{operation.method} {domain.base}{operation.path}`",
                _WHO[operation.access],
                _limit(operation.limit),
                _name(operation.answer) + (", 201" if operation.creates else ""),
            )
            for domain, operation in _operations()
        ),
    )


def commands() -> str:
    """The fields of every command."""
    return _table(
        ("command", "fields"),
        ((f"`{operation.event}`", _fields(operation.command)) for _, operation in _operations()),
    )


def shapes() -> str:
    """The structs that answers and events are made of."""
    roots = [operation.answer for _, operation in _operations()]
    roots += [event.data for domain in DOMAINS for told in domain.events.values() for event in told]
    return _table(("shape", "fields"), sorted(_structs(roots).items()))


def views() -> str:
    """A picture of every view of the page, on every screen."""
    screens = ("desktop-light", "desktop-dark", "phone-light", "phone-dark")
    return _table(
        ("view", *(screen.replace("-", ", ") for screen in screens)),
        (
            (view.name, *(f"![{view.name}](views/{view.name}-{screen}.webp)" for screen in screens))
            for view in VIEWS
        ),
    )


def events() -> str:
    """What is told on which topic."""
    return _table(
        ("topic", "event", "kind", "data"),
        (
            (f"`{topic}`", f"`{event.name}`", event.kind.value, _name(event.data))
            for domain in DOMAINS
            for topic, told in sorted(domain.events.items())
            for event in told
        ),
    )


def effects() -> str:
    """What each operation causes, and where that is shown."""
    return _table(
        ("command", "REST", "causes", "shown by"),
        (
            (
                f"`{operation.event}`",
                f"`{operation.method} {operation.path}`",
                ", ".join(f"`{event}`" for event in EFFECTS[operation.event].events),
                _shown(EFFECTS[operation.event].shown),
            )
            for _, operation in _operations()
        ),
    )


def _shown(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../tests/{file})"


def metrics() -> str:
    """Every metric that the operator's port tells."""
    return _table(
        ("metric", "kind", "labels", "what it tells"),
        (
            (
                f"`{metric.name}`",
                metric.kind.value,
                ", ".join(f"`{label}`" for label in metric.labels),
                metric.told,
            )
            for metric in METRICS
        ),
    )


def alerts() -> str:
    """What Prometheus should wake people for, as deploy/ has it."""
    return _table(
        ("alert", "after", "severity", "what it means", "what to do"),
        (
            (
                f"`{rule['alert']}`",
                rule.get("for", "at once"),
                rule["labels"]["severity"],
                rule["annotations"]["summary"],
                rule["annotations"]["action"],
            )
            for rule in alert_rules()
        ),
    )


def alert_rules() -> list[dict[str, Any]]:
    """The rules as Prometheus reads them."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def feeds() -> str:
    """What `make bench-feeds` found last, as its run was kept."""
    kept = json.loads(max(RESULTS.glob("*-feeds.json")).read_text())
    machine, gallery = kept["machine"], kept["gallery"]
    said = f"{machine['date']}, {machine['CPU']}, {machine['cores']} cores; " + ", ".join(
        f"{name}: {value:g}" for name, value in gallery.items()
    )
    if doubt := machine.get("doubt"):
        said += f". Beware: {doubt}"
    return f"{said}.\n\n" + _table(HEADS, (tuple(case["row"]) for case in kept["cases"]))


def promises() -> str:
    """What `make faults` found in the run that was kept."""
    kept = json.loads((DOCS.parent / "tests" / "faults" / "results.json").read_text())
    machine = kept["machine"]
    command = "make faults QUICK=1" if kept["form"] == "quick" else "make faults"
    said = (
        f"`{command}`, {machine['date']}, {machine['CPU']}, {machine['cores']} cores, "
        f"{machine['memory']}, Python {machine['Python']}."
    )
    return f"{said}\n\n" + _table(PROMISE_HEADS, map(tuple, kept["rows"]))


def bench() -> str:
    """What `make bench` found last, as its run was kept."""
    runs = (
        each for each in RESULTS.glob("*.json") if not re.search("-(quick|feeds|costs)", each.name)
    )
    kept = max(
        (json.loads(each.read_text()) for each in runs), key=lambda run: run["machine"]["date"]
    )
    machine = kept["machine"]
    names = [field.name for field in fields(Row)]
    rows = [Row(**{name: row[name] for name in names}) for row in kept["rows"]]
    said = (
        f"`{kept['command']}`, {machine['date']}, {machine['CPU']}, {machine['cores']} cores, "
        f"{machine['memory']}, Node {machine['Node']}, Socket.IO {machine['Socket.IO']}."
    )
    told = "".join(f"\n- ? {doubt}" for doubt in doubts(rows))
    return f"{said}\n\n{markdown(rows)}\n{told and told + chr(10)}"


SIZED_BY = {
    "CPU per delivery, one event at a time, 1,000 watchers": "an event to one watcher, quiet room",
    "deliveries per second and core, hot room": "events to watchers, hot room, by one core",
    "CPU per inbound command with ack, no database": "a command and its ack, without its database work",
    "feed pages of 20 per second and core": "feed pages of 20 by REST, by one core",
    "signed-in joins per second and core": "clients that sign in, by one core",
    "memory per idle signed-in WebSocket": "a connection that is quiet",
    "durable likes spread over 200 posts": "likes, stored and told, by the whole machine with its database",
    "durable comments spread over 200 posts": "comments, likewise",
}
"""The measures of `make bench` that a size is made from, in the words of an operator."""


def sizing() -> str:
    """What things cost, as the latest kept runs have it."""
    runs = (json.loads(each.read_text()) for each in RESULTS.glob("*.json"))
    benches = sorted(
        (run for run in runs if "rows" in run and "outcomes" in run),
        key=lambda run: run["machine"]["date"],
    )
    latest = {row["measure"]: (row, run) for run in benches for row in run["rows"]}
    return _table(
        ("what", "cost or rate", "measured on"),
        (
            (what, _measured(row), f"{run['machine']['CPU']}, {run['machine']['cores']} cores")
            for what, (row, run) in ((what, latest[of]) for of, what in SIZED_BY.items())
        ),
    )


def _measured(row: dict[str, Any]) -> str:
    digits = 1 if row["ours"] < 100 else 0
    return f"{row['ours']:,.{digits}f} {row['unit']}".replace(" /s", "/s")


def limits() -> str:
    """Every constant that bounds something, room by room."""
    rows = (
        (f"[{each.file}](../{each.file})", f"`{each.name}`", each.shown, each.told or "")
        for each in all_limits()
    )
    return _table(("in", "name", "value", "what"), rows)


BOUNDS = ("WORKERS", "PING", "MAX_PAYLOAD", "RATE_LIMITS", "SOCKETS_PER", "CONNECTS_PER")


def settings() -> str:
    """The settings that bound something, with their defaults."""
    return _table(
        ("setting", "default"),
        (
            (f"`{name}`", "one for each core" if name == "VERNISSAGE_WORKERS" else value)
            for name, value, _ in describe(read_settings({}))
            if name.removeprefix("VERNISSAGE_").startswith(BOUNDS)
        ),
    )


TABLES: dict[str, Callable[[], str]] = {
    each.__name__: each
    for each in (
        *(
            operations,
            commands,
            shapes,
            views,
            events,
            effects,
            metrics,
            alerts,
            feeds,
            promises,
            bench,
            sizing,
        ),
        *(limits, settings),
    )
} | {f"scale:{name}": partial(scale, name) for name in SCALE}


def _operations() -> Iterator[tuple[Domain[Any], Operation[Any, Any, Any]]]:
    return ((domain, operation) for domain in DOMAINS for operation in domain.operations)


def _limit(limit: Limit | None) -> str:
    if limit is None:
        return ""
    hours = limit.window.total_seconds() / 3600
    return f"{limit.count} {limit.name} " + ("an hour" if hours == 1 else f"in {hours:g} hours")


def _program(file: Path) -> str:
    return f"```{_LANGUAGES[file.suffix]}\n{file.read_text()}```\n"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _name(type_: Any) -> str:
    """What a struct is called; `Page[Post]` is a page of posts."""
    if arguments := get_args(type_):
        return f"{get_origin(type_).__name__} of {arguments[0].__name__}"
    return str(type_.__name__)


def _fields(struct: Any) -> str:
    """A struct's own fields, after the name of the one that it extends."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    base = info.cls.__base__
    inherited: tuple[str, ...] = ()
    if base is not msgspec.Struct:
        inherited = base.__struct_fields__
    own = [field for field in info.fields if field.name not in inherited]
    said = [
        f"`{field.encode_name}{'' if field.required else '?'}` {_said(field.type)}" for field in own
    ]
    return ", ".join([f"all of {base.__name__}", *said] if inherited else said)


def _structs(types: Iterable[Any]) -> dict[str, str]:
    """The fields of these structs and all that they are made of, by name."""
    found: dict[str, str] = {}
    waiting = [inspect.type_info(each) for each in types]
    while waiting:
        info = waiting.pop()
        if isinstance(info, inspect.StructType):
            name = info.cls.__name__
            if name == "Page":  # of whatever: described in words
                fields = [field for field in info.fields if field.name == "items"]
            else:
                fields = list(info.fields)
                found[name] = _fields(info.cls)
            waiting += [field.type for field in fields]
        elif isinstance(info, inspect.ListType | inspect.VarTupleType):
            waiting.append(info.item_type)
        elif isinstance(info, inspect.UnionType):
            waiting += info.types
    return found


def _said(info: inspect.Type) -> str:
    """A type in the fewest words."""
    match info:
        case inspect.Metadata():
            more = dict(info.extra_json_schema or {})
            inner = info.type
            if isinstance(inner, inspect.IntType):
                more, inner = {"minimum": inner.ge, **more}, inspect.IntType()
            return _said(inner) + _bounds(more)
        case inspect.UnionType():
            return " or ".join(_said(each) for each in info.types)
        case inspect.LiteralType() if set(info.values) == set(get_args(AssetType)):
            return "AssetType"
        case inspect.LiteralType():
            return " · ".join(f"`{value}`" for value in info.values)
        case inspect.ListType() | inspect.VarTupleType():
            return f"[{_said(info.item_type)}]"
        case inspect.StructType():
            return info.cls.__name__
        case inspect.IntType():
            bounds = {"minimum": info.ge or None, "maximum": info.le}
            return "int" + _bounds({name: at for name, at in bounds.items() if at is not None})
    return _WORDS[type(info)]


_WORDS: dict[type, str] = {
    inspect.StrType: "text",
    inspect.UUIDType: "uuid",
    inspect.BoolType: "bool",
    inspect.FloatType: "number",
    inspect.DateTimeType: "time",
    inspect.NoneType: "null",
}


def _bounds(schema: dict[str, Any]) -> str:
    least = schema.get("minLength", schema.get("minimum"))
    most = schema.get("maxLength", schema.get("maximum"))
    if most is not None:
        return f" (up to {most})" if least is None else f" ({least}–{most})"
    return "" if least is None else f" (from {least})"


def main() -> None:
    """Bring every page up to date, and what the client library is made of."""
    for page in (DOCS.parent / "README.md", *DOCS.glob("*.md")):
        page.write_text(with_inserts(page.read_text()))
    TYPES.write_text(typescript(contract()))
    ROUTES.write_text(routes(contract()))


if __name__ == "__main__":
    main()
