"""The dispatcher: what is checked in which order, and what a caller gets to know."""

import enum
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.dispatch import Dispatcher, Outcome
from gateway.limits import COMMANDS_AT_ONCE, Gate
from gateway.refusals import MISSHAPEN, STATUSES, misshapen
from handlers import DOMAINS
from handlers.actor import Actor, Role
from handlers.domain import Domain
from handlers.operation import Access, Call, Limit, Operation
from store.refusal import Refusal
from tests.gateway.counting import Counting

HOURLY = Limit("things", 3)


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=5)]
    changed: bool = True


class Named(msgspec.Struct, frozen=True):
    name: str


async def make(call: Call[str], thing: Thing) -> Named:
    call.changed = thing.changed
    return Named(f"{call.store}: {thing.name}")


MAKE = Operation("thing:make", "POST", "/things", Thing, Named, make, limit=HOURLY, creates=True)
ADA = Actor(uuid4(), Role.USER, "192.0.2.1")
VISITOR = Actor(None, Role.USER, "192.0.2.2")


def dispatcher(operation: Operation[Any, Any, Any], gate: Gate | None = None) -> Dispatcher:
    domain = Domain("things", "/api/v1/things", lambda database: "store", operations=(operation,))
    return Dispatcher([domain], {"things": "store"}, gate or Gate(Counting(), 1.0))


async def run(
    operation: Operation[Any, Any, Any],
    payload: bytes = b'{"name":"x"}',
    actor: Actor = ADA,
    gate: Gate | None = None,
) -> Outcome:
    """The operation as a socket calls it."""
    table = dispatcher(operation, gate)
    served = table.find(operation.event)
    assert served is not None
    return await table.call(served, actor, lambda: served.decode(msgspec.Raw(payload)))


async def refusal_of(
    operation: Operation[Any, Any, Any],
    payload: bytes = b'{"name":"x"}',
    actor: Actor = ADA,
    gate: Gate | None = None,
) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await run(operation, payload, actor, gate)
    return caught.value


async def test_an_operation_is_carried_out() -> None:
    """It gets the caller and its domain's store, and its answer is JSON."""
    outcome = await run(MAKE)
    assert outcome == Outcome(Named("store: x"), b'{"name":"store: x"}', created=True)


async def test_nothing_new_is_not_created() -> None:
    """A creation that found nothing to do answers as one that was done before."""
    assert not (await run(MAKE, b'{"name":"x","changed":false}')).created
    assert not (await run(replace(MAKE, creates=False))).created


def test_an_unknown_event_is_not_served() -> None:
    """The dispatcher has no operation for it."""
    assert dispatcher(MAKE).find("thing:break") is None


def test_an_event_has_one_operation() -> None:
    """Two operations of one name are a fault of the table, found at the start."""
    domain = Domain("things", "/", lambda database: None, operations=(MAKE, MAKE))
    with pytest.raises(ValueError, match="same event"):
        Dispatcher([domain], {"things": None}, Gate(Counting(), 1.0))


def test_every_refusal_has_a_status() -> None:
    """The general codes and those of every domain, 4xx or 5xx, wherever they come up."""
    table = Dispatcher(DOMAINS, {domain.name: None for domain in DOMAINS}, Gate(Counting(), 1.0))
    codes = {*STATUSES, *(code for domain in DOMAINS for code in domain.statuses)}
    for served in table.served:
        assert served.statuses.keys() == codes
        assert all(400 <= status < 600 for status in served.statuses.values())


def test_a_domain_has_the_last_word_on_its_own_statuses() -> None:
    """What it says of a general code holds for its operations; its own codes hold for all."""
    strange = Domain(
        "strange",
        "/",
        lambda database: None,
        operations=(MAKE,),
        statuses={"VALIDATION_ERROR": 400, "ODD": 418},
    )
    plain = Domain("plain", "/", lambda database: None, operations=(replace(MAKE, event="p:m"),))
    table = Dispatcher([strange, plain], {"strange": None, "plain": None}, Gate(Counting(), 1.0))
    mine, others = (served.statuses for served in table.served)
    assert (mine["VALIDATION_ERROR"], mine["ODD"]) == (400, 418)
    assert (others["VALIDATION_ERROR"], others["ODD"]) == (422, 418)


@pytest.mark.parametrize(
    ("access", "actor", "code"),
    [
        (Access.PUBLIC, VISITOR, None),
        (Access.MEMBER, VISITOR, "UNAUTHENTICATED"),
        (Access.MODERATOR, VISITOR, "UNAUTHENTICATED"),
        (Access.ADMIN, VISITOR, "UNAUTHENTICATED"),
        *((access, ADA, None) for access in (Access.PUBLIC, Access.MEMBER)),
        *((access, ADA, "FORBIDDEN") for access in (Access.MODERATOR, Access.ADMIN)),
        *((a, Actor(uuid4(), Role.MODERATOR, ""), None) for a in Access if a is not Access.ADMIN),
        (Access.ADMIN, Actor(uuid4(), Role.MODERATOR, ""), "FORBIDDEN"),
        *((access, Actor(uuid4(), Role.ADMIN, ""), None) for access in Access),
    ],
)
async def test_who_may_call(access: Access, actor: Actor, code: str | None) -> None:
    """Each kind of access includes those after it."""
    operation = replace(MAKE, access=access)
    if code is None:
        assert await run(operation, actor=actor)
    else:
        assert (await refusal_of(operation, actor=actor)).code == code


async def test_access_is_checked_before_shape_and_shape_before_rate() -> None:
    """Who may not call learns nothing of the shape, and a wrong shape costs nothing of the limits."""
    counting = Counting()
    gate = Gate(counting, 1.0)
    assert (await refusal_of(MAKE, b"{", VISITOR, gate)).code == "UNAUTHENTICATED"
    assert (await refusal_of(MAKE, b"{", ADA, gate)).code == "VALIDATION_ERROR"
    assert counting.asked == []
    for _ in range(3):
        await run(MAKE, gate=gate)
    assert (await refusal_of(MAKE, b"{", ADA, gate)).code == "VALIDATION_ERROR"
    assert (await refusal_of(MAKE, gate=gate)).code == "RATE_LIMITED"


async def test_rate_is_checked_before_the_handler() -> None:
    """Past the limit nothing is carried out."""
    calls = []

    async def note(call: Call[str], thing: Thing) -> None:
        calls.append(thing)

    gate = Gate(Counting(), 1.0)
    operation = replace(MAKE, handle=note)
    for _ in range(3):
        await run(operation, gate=gate)
    refusal = await refusal_of(operation, gate=gate)
    assert refusal.code == "RATE_LIMITED"
    assert refusal.details == {"limit": 3, "window_seconds": 3600.0}
    assert refusal.retry_after is not None
    assert 3500 < refusal.retry_after <= 3600
    assert len(calls) == 3


async def test_what_is_refused_or_changes_nothing_costs_nothing_of_the_limit() -> None:
    """The hourly limits count accepted, state-changing commands; the general pace counts all."""
    gate = Gate(Counting(), 1.0)

    async def refuse(call: Call[str], thing: Thing) -> None:
        raise Refusal("COMMUNITY_USER_BANNED", "No.")

    async def fail(call: Call[str], thing: Thing) -> None:
        raise RuntimeError("a bug")

    async def answer_nonsense(call: Call[str], thing: Thing) -> Any:
        return object()

    for handle in (refuse, fail, answer_nonsense):
        with capture_logs():
            assert await refusal_of(replace(MAKE, handle=handle), gate=gate)
    await run(MAKE, b'{"name":"x","changed":false}', gate=gate)
    for _ in range(3):
        await run(MAKE, gate=gate)
    assert (await refusal_of(MAKE, gate=gate)).code == "RATE_LIMITED"
    for _ in range(COMMANDS_AT_ONCE - 8):
        await run(replace(MAKE, limit=None), gate=gate)
    refusal = await refusal_of(replace(MAKE, limit=None), gate=gate)
    assert refusal.details == {"limit": 20, "window_seconds": 10.0}


async def test_a_bug_does_not_leak() -> None:
    """The caller gets INTERNAL with an id, the log the error under the same id."""
    secret = "password=hunter2"  # noqa: S105

    async def fail(call: Call[str], thing: Thing) -> None:
        raise RuntimeError(secret)

    with capture_logs() as logs:
        refusal = await refusal_of(replace(MAKE, handle=fail))
    assert refusal.code == "INTERNAL"
    assert secret not in str(refusal.as_error())
    assert logs[0]["log_level"] == "error"
    assert logs[0]["request_id"] == refusal.details["request_id"]
    assert repr(logs[0]["exc_info"]) == repr(RuntimeError(secret))
    with structlog.contextvars.bound_contextvars(request_id="r1"), capture_logs():
        assert (await refusal_of(replace(MAKE, handle=fail))).details == {"request_id": "r1"}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b'"name"',
        b"{",
        b'{"name":"x"',
        b'{"name":"x"}}',
        b'{"name":"\xff"}',
        b'{"name":"\\ud800"}',
        b'{"name":' + b"[" * 100_000,
        b"[" * 100_000,
        b'{"a":' * 10_000,
        b'{"name":"x","changed":1e999}',
        b'{"name":' + b"9" * 5_000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
)
async def test_a_misshapen_command_is_a_validation_error(payload: bytes) -> None:
    """Whatever is wrong with it, deep as it may go."""
    refusal = await refusal_of(MAKE, payload)
    assert refusal.code == "VALIDATION_ERROR"
    assert len(refusal.details) == 1


async def test_every_field_that_is_wrong_is_named() -> None:
    """Known ones that came or are missing, then unknown ones: twenty at most."""
    payload = {"changed": "x", **{f"more{n}": n for n in range(2)}}
    refusal = await refusal_of(MAKE, msgspec.json.encode(payload))
    assert refusal.details == {
        "name": "is required",
        "changed": "Expected `bool`, got `str`",
        "more0": "is not known",
        "more1": "is not known",
    }
    assert "`name`: is required. `changed`: Expected" in refusal.message
    many = await refusal_of(MAKE, msgspec.json.encode({f"more{n}": n for n in range(1000)}))
    assert len(many.details) == 20


@given(st.binary(max_size=60))
async def test_no_payload_does_harm(payload: bytes) -> None:
    """Any bytes are a command or a VALIDATION_ERROR."""
    codes = []
    try:
        await run(MAKE, payload)
    except Refusal as refusal:
        codes.append(refusal.code)
    assert codes in ([], ["VALIDATION_ERROR"])


HOSTILE = ["code", "message", "retry_after", "self", "details", "args", "__class__", "", "\0", "$"]


@pytest.mark.parametrize("name", [*HOSTILE, "a` - at `$.b", "x" * 5_000, "\U0001f600", "a.b[0]"])
async def test_hostile_names_of_fields(name: str) -> None:
    """A field may be called whatever a client likes: it is not known, and no more."""
    refusal = await refusal_of(MAKE, msgspec.json.encode({"name": "x", name: 1}))
    assert refusal.code == "VALIDATION_ERROR"
    assert refusal.retry_after is None
    assert list(refusal.details.values()) == ["is not known"]
    assert len(str(refusal.as_error())) < 500


class Kind(enum.Enum):
    A = "a"


class Place(msgspec.Struct, forbid_unknown_fields=True):
    seq: Annotated[int, msgspec.Meta(ge=0)]


class Wide(msgspec.Struct, forbid_unknown_fields=True):
    """All kinds of field."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=3, pattern="^a")] = "a"
    id: UUID | None = None
    tags: list[str] = []
    place: Place | None = None
    places: Annotated[list[Place], msgspec.Meta(max_length=2)] = []
    kind: Kind = Kind.A
    mood: Literal["good", "bad"] = "good"
    counts: dict[str, int] = {}
    numbered: dict[int, int] = {}
    number: float = 0.0


@pytest.mark.parametrize(
    ("payload", "details"),
    [
        ("5", {"$": "Expected `object`, got `int`"}),
        ('{"title":5}', {"title": "Expected `str`, got `int`"}),
        ('{"title":""}', {"title": "Expected `str` of length >= 1"}),
        ('{"title":"aaaa"}', {"title": "Expected `str` of length <= 3"}),
        ('{"title":"b"}', {"title": "Expected `str` matching regex '^a'"}),
        ('{"id":"x"}', {"id": "Invalid UUID"}),
        ('{"tags":5}', {"tags": "Expected `array`, got `int`"}),
        ('{"tags":["x",5]}', {"tags[1]": "Expected `str`, got `int`"}),
        ('{"place":{}}', {"place.seq": "is required"}),
        ('{"place":{"seq":-1}}', {"place.seq": "Expected `int` >= 0"}),
        ('{"place":{"seq":1,"more":1}}', {"place.more": "is not known"}),
        ('{"places":[{"seq":1},{"seq":"x"}]}', {"places[1].seq": "Expected `int`, got `str`"}),
        ('{"places":[[]]}', {"places[0]": "Expected `object`, got `array`"}),
        (
            '{"places":[{"seq":1},{"seq":1},{"seq":1}]}',
            {"places": "Expected `array` of length <= 2"},
        ),
        ('{"kind":"z"}', {"kind": "Invalid enum value 'z'"}),
        ('{"mood":"z"}', {"mood": "Invalid enum value 'z'"}),
        ('{"counts":{"k":"x"}}', {"counts[...]": "Expected `int`, got `str`"}),
        ('{"numbered":{"k":1}}', {"numbered": "Expected `int`, got `str`"}),
        ('{"number":1e999}', {"number": "Number out of range"}),
        ('{"more":1}', {"more": "is not known"}),
        ('{"place":{"":1}}', {"place.": "is not known"}),
    ],
)
def test_details_name_the_field_and_say_why(payload: str, details: dict[str, str]) -> None:
    """Wherever it is: at the top, nested, in a list, in a mapping."""
    with pytest.raises(MISSHAPEN) as caught:
        msgspec.json.decode(payload, type=Wide)
    assert misshapen(caught.value).details == details


@pytest.mark.parametrize("field", ["kind", "mood"])
def test_where_there_is_a_choice_it_is_told(field: str) -> None:
    """An enumeration, or literals."""
    given = {field: "z"}
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, Wide)
    why = misshapen(caught.value, Wide, given).details[field]
    assert why.startswith("Invalid enum value 'z', must be one of `")
