"""What the log tells of one command or request, and what it never tells."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest

from tests.nodes import GENEROUS, JWT_SECRET, Installation, Node
from tests.people import COMMUNITY, People, Rest, refused
from tests.proxy import Proxy
from tests.servers import FreshDatabase
from tests.waiting import until


class World(NamedTuple):
    """A node, and what stands between it and its database."""

    node: Node
    database: Proxy


@pytest.fixture(scope="module")
async def world(
    fresh_database: FreshDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Proxy.before(await fresh_database()))
        installation = Installation(database.url, redis_url, tmp_path_factory.mktemp("logs"))
        stack.push_async_callback(installation.close)
        yield World(await installation.start(**GENEROUS), database)


def lines(node: Node, event: str, **fields: Any) -> list[dict[str, Any]]:
    return [line for line in node.log if line["event"] == event and fields.items() <= line.items()]


async def test_one_id_goes_from_the_socket_to_the_database(
    world: World, people: People, rest: Rest
) -> None:
    """A command's lines share its id, also where it was written together with others; so do a request's."""
    node = world.node
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(node)
    await bob.comes_to(node)
    post = await ada.shares("Dusk")
    await world.database.cut()
    try:
        for person in (ada, bob):
            with refused("UNAVAILABLE"):
                await person.likes(post)
        answer = await rest.send(
            *(node, "GET", f"{COMMUNITY}/posts/{post['id']}"), headers={"X-Request-Id": "of-a-test"}
        )
        assert answer.status == 503
    finally:
        await world.database.mend()
    await until(lambda: len(lines(node, "a command failed")) == 2, "both commands are told")
    failed = lines(node, "a command failed", command="post:like", code="UNAVAILABLE")
    ids = [line["request_id"] for line in failed]
    assert len(set(ids)) == 2
    for each in ids:
        (told,) = [
            line
            for line in lines(node, "database unavailable")
            if each in line.get("requests", "").split()
        ]
        assert "request_id" not in told, "a batch belongs to no single caller"
    for event in ("request", "database unavailable"):
        assert lines(node, event, request_id="of-a-test"), event


async def test_nothing_that_people_say_or_show_is_told(
    world: World, people: People, rest: Rest
) -> None:
    """No token and no secret, no title, no comment, no words that were looked for; not in failures either."""
    node = world.node
    (ada,) = people.named("Adelheid")
    await ada.comes_to(node)
    post = await ada.shares("Unspeakable title", description="Unspeakable description")
    await ada.comments(post, "Unspeakable comment")
    with refused("VALIDATION_ERROR"):
        await ada.comments(post, "Unspeakable" * 1000)
    with refused("UNKNOWN_COMMAND"):
        await ada.asks("unspeakable:command", {"words": "Unspeakable"})
    with refused("UNAUTHENTICATED"):
        await ada.comes_to(node, token="unspeakable.token")  # noqa: S106
    for path, given in (
        ("/posts/search?q=unspeakable", {}),
        (f"/posts/{post['id']}/comments", {"json": {"content": "Unspeakable", "more": "x"}}),
        (f"/posts/{post['id']}/comments", {"data": b'{"content": "Unspeakable'}),
    ):
        method = "POST" if given else "GET"
        await rest.send(node, method, COMMUNITY + path, token=ada.token(), **given)  # type: ignore[arg-type]
    await world.database.cut()
    try:
        with refused("UNAVAILABLE"):
            await ada.likes(post)
    finally:
        await world.database.mend()
    written = [str(line) for line in node.log]
    assert written
    for line in written:
        for word in ("unspeakable", "adelheid", "bearer", "eyj", JWT_SECRET):
            assert word.lower() not in line.lower()
