"""Routes for clients in JavaScript: those that are kept are those that are made."""

from gateway.specs import routes
from tests.docs.inserts import ROUTES
from tests.gateway.specs.documents import contract
from tests.gateway.specs.test_openapi import THINGS


def test_the_routes_in_the_project_are_up_to_date() -> None:
    """If not: `python -m tests.docs.inserts`."""
    assert ROUTES.read_text() == routes(contract())


def test_a_route_says_how_a_command_is_sent() -> None:
    """By method and path, and whether it takes an id of the client's own."""
    made = routes(contract(THINGS)).splitlines()
    assert '  "thing:paint": { method: "PUT", path: "/api/v1/things/{thing_id}" },' in made
    assert '  "thing:make": { method: "POST", path: "/api/v1/things", makes: true },' in made
