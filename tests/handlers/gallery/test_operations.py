"""The gallery's table of operations says what can be done, and each line of it holds together."""

import inspect
import re
from typing import Any, get_type_hints

import msgspec
import pytest

from handlers.gallery import DOMAIN
from handlers.operation import Access, Operation
from handlers.validation import ClientId
from store.gallery import events, refusals
from store.journal import EventType

OPERATIONS = {operation.event: operation for operation in DOMAIN.operations}


@pytest.fixture(params=OPERATIONS, ids=str)
def operation(request: pytest.FixtureRequest) -> Operation[Any, Any, Any]:
    return OPERATIONS[request.param]


def test_an_event_stands_for_one_operation() -> None:
    """And so does a route; events are `noun:verb`."""
    assert len(OPERATIONS) == len(DOMAIN.operations)
    routes = [(operation.method, operation.path) for operation in DOMAIN.operations]
    assert len(set(routes)) == len(routes)
    assert all(re.fullmatch(r"[a-z]+:[a-z_]+", event) for event in OPERATIONS)


def test_a_command_fits_its_route(operation: Operation[Any, Any, Any]) -> None:
    """Names in braces are fields that must be given, and unknown fields are refused."""
    fields = {field.name: field for field in msgspec.structs.fields(operation.command)}
    for name in re.findall(r"{(\w+)}", operation.path):
        assert fields[name].required
    assert operation.command.__struct_config__.forbid_unknown_fields


def test_what_creates_takes_an_id_of_the_clients_own(operation: Operation[Any, Any, Any]) -> None:
    """So that it can be sent again, and so that an `Idempotency-Key` has something to stand for."""
    fields = {field.name: field for field in msgspec.structs.fields(operation.command)}
    if operation.creates:
        assert (fields["id"].type, fields["id"].default) == (ClientId | None, None)


def test_a_handler_does_what_the_table_says(operation: Operation[Any, Any, Any]) -> None:
    """It takes the command and gives the answer that the line declares."""
    hints = get_type_hints(operation.handle)
    (_, command, *others) = inspect.signature(operation.handle).parameters
    assert others == []
    assert hints[command] is operation.command
    assert hints["return"] == operation.answer


@pytest.mark.parametrize(
    ("events", "count"),
    [
        (["post:create"], 10),
        (["comment:create"], 100),
        (["post:like", "post:unlike"], 500),
        (["user:follow", "user:unfollow"], 100),
        (["post:report"], 10),
    ],
)
def test_what_is_limited(events: list[str], count: int) -> None:
    """So many an hour; undoing draws on the same budget as doing."""
    limits = [OPERATIONS[event].limit for event in events]
    assert len(set(limits)) == 1
    assert limits[0] is not None
    assert (limits[0].count, limits[0].window.total_seconds()) == (count, 3600)


def test_writing_takes_a_user() -> None:
    """No visitor changes anything, except that their looking is counted."""
    for event, operation in OPERATIONS.items():
        if operation.access is Access.PUBLIC and event != "post:view":
            assert operation.method == "GET"


def test_moderating_takes_a_moderator() -> None:
    """All that is below `/admin`, and nothing else."""
    for operation in OPERATIONS.values():
        assert (operation.access is Access.MODERATOR) == operation.path.startswith("/admin/")


def test_every_refusal_of_the_gallery_has_a_status() -> None:
    """What the store may refuse, REST can say."""
    codes = set(re.findall(r'"(COMMUNITY_\w+)"', inspect.getsource(refusals)))
    assert codes
    assert codes <= DOMAIN.statuses.keys()


def test_every_event_of_the_gallery_is_declared() -> None:
    """What may be told on which topics is part of the domain's declaration."""
    written = {value for value in vars(events).values() if isinstance(value, EventType)}
    assert {event for told in DOMAIN.events.values() for event in told} == written
