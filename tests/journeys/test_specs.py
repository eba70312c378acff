"""What a gateway says of itself: the documents that it serves, beside what it does."""

import json
from typing import Any

import pytest
from aiohttp import web

from gateway.composition import worker
from gateway.http import listener
from gateway.http.runner import Runner
from gateway.http.site import VIEWS
from gateway.metrics.worker import READINGS_PATH
from tests.nodes import Installation, Node
from tests.people import Rest

SITE = {
    *VIEWS,
    "/docs",
    "/docs/{name}",
    "/gallery/{name}",
    "/client/{name}",
    "/vendor/{name}",
    "/media/{name}",
    "/socket.io/",
}
"""Pages, pictures and sockets: what is no request over REST."""
PRIVATE = {READINGS_PATH}
"""What only the launcher asks, at a socket that nobody else reaches."""
DOCUMENTS = {"/openapi.json", "/asyncapi.json"}


@pytest.fixture(scope="module")
async def node(installation: Installation) -> Node:
    return await installation.start()


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
async def test_a_document_is_served_as_it_is_printed(
    installation: Installation, node: Node, rest: Rest, name: str
) -> None:
    """By every process the same, whatever chance there is in its hashes; unchanged it is not sent again."""
    served = await rest.send(node, "GET", f"/{name}.json")
    assert served.status == 200
    assert served.headers["Content-Type"] == "application/json"
    assert json.loads(await installation.command(name)) == served.body
    known = {"If-None-Match": served.headers["ETag"]}
    assert (await rest.send(node, "GET", f"/{name}.json", headers=known)).status == 304


async def test_every_route_is_in_the_document_and_the_other_way_round(
    installation: Installation, node: Node, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the page, its files, the pictures, and the documents themselves."""
    apps: list[web.Application] = []

    class Noting(Runner):
        def __init__(self, app: web.Application, **options: Any) -> None:
            apps.append(app)
            super().__init__(app, **options)

    monkeypatch.setattr(listener, "Runner", Noting)
    with installation.assigned() as (settings, assignment):
        async with worker._worker(settings, assignment):
            pass
    served = {
        (route.method, route.resource.canonical)
        for app in apps
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    document = (await rest.send(node, "GET", "/openapi.json")).body
    told = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert {each for each in served if each[1] not in SITE | DOCUMENTS | PRIVATE} == told
