"""Whether a node says truly that it lives, and that it should get traffic."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import asyncpg
import pytest

from store.database import open_database
from store.migrations import schema_watch
from tests.nodes import Installation, Node
from tests.proxy import Proxy
from tests.servers import FreshDatabase

READY = {"status": "ready", "database": True, "redis": True, "schema": True, "draining": False}
DEADLINE = 10.0


class World(NamedTuple):
    """A node, and what stands between it and its servers."""

    node: Node
    database: Proxy
    redis: Proxy
    database_url: str


@pytest.fixture(scope="module")
async def world(
    fresh_database: FreshDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        database_url = await fresh_database()
        database = await stack.enter_async_context(Proxy.before(database_url))
        redis = await stack.enter_async_context(Proxy.before(redis_url))
        installation = Installation(database.url, redis.url, tmp_path_factory.mktemp("health"))
        stack.push_async_callback(installation.close)
        yield World(await installation.start(), database, redis, database_url)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE)) as http:
        yield http


async def ask(http: aiohttp.ClientSession, node: Node, path: str) -> tuple[int, Any]:
    async with http.get(node.url + path) as answer:
        return answer.status, await answer.json()


async def becomes(
    http: aiohttp.ClientSession, node: Node, code: int, within: float, **expected: Any
) -> Any:
    """Wait until /readyz answers so."""
    answer: Any = None
    try:
        async with asyncio.timeout(within):
            while True:
                answer = await ask(http, node, "/readyz")
                if answer[0] == code and expected.items() <= answer[1].items():
                    return answer[1]
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"/readyz did not become {code} {expected} within {within} s: {answer}")


async def test_all_is_well(world: World, http: aiohttp.ClientSession) -> None:
    """200, and every part is said to be there; HEAD does too."""
    assert await ask(http, world.node, "/healthz") == (200, {"status": "alive"})
    assert await becomes(http, world.node, 200, DEADLINE, status="ready") == READY
    async with http.head(world.node.url + "/readyz") as answer:
        assert answer.status == 200


async def test_without_redis_it_is_degraded(world: World, http: aiohttp.ClientSession) -> None:
    """Still ready: the gallery stays live. It recovers by itself."""
    await world.redis.cut()
    degraded = await becomes(http, world.node, 200, DEADLINE, redis=False)
    assert degraded == {**READY, "status": "degraded", "redis": False}
    assert (await ask(http, world.node, "/healthz"))[0] == 200
    await world.redis.mend()
    await becomes(http, world.node, 200, 5.0, status="ready")


async def test_a_redis_that_swallows_everything_is_missed(
    world: World, http: aiohttp.ClientSession
) -> None:
    """A deaf line is found out, not only a broken one."""
    world.redis.stall()
    await becomes(http, world.node, 200, DEADLINE, status="degraded")
    world.redis.go_on()
    await becomes(http, world.node, 200, DEADLINE, status="ready")


async def test_without_the_database_it_is_unavailable(
    world: World, http: aiohttp.ClientSession
) -> None:
    """503, told fast; alive all the same. It recovers by itself."""
    await world.database.cut()
    gone = await becomes(http, world.node, 503, 5.0, database=False)
    assert (gone["status"], gone["schema"], gone["redis"]) == ("unavailable", False, True)
    assert (await ask(http, world.node, "/healthz"))[0] == 200
    await world.database.mend()
    await becomes(http, world.node, 200, 5.0, status="ready")


async def test_a_database_that_does_not_answer_is_unavailable(
    world: World, http: aiohttp.ClientSession
) -> None:
    """Within three seconds, however silent it is."""
    world.database.stall()
    asked = time.monotonic()
    status, readiness = await ask(http, world.node, "/readyz")
    assert time.monotonic() - asked < 3.0
    assert (status, readiness["database"]) == (503, False)
    world.database.go_on()
    await becomes(http, world.node, 200, DEADLINE, status="ready")


async def test_another_schema_is_unavailable(world: World, http: aiohttp.ClientSession) -> None:
    """If a migration that the code needs is not there any more, the node takes no traffic."""
    connection = await asyncpg.connect(world.database_url)
    try:
        newest = await connection.fetchrow(
            "delete from schema_migrations where version = "
            "(select max(version) from schema_migrations) returning *"
        )
        gone = await becomes(http, world.node, 503, DEADLINE, schema=False)
        assert (gone["status"], gone["database"]) == ("unavailable", True)
        await connection.execute(
            "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)",
            *(newest["version"], newest["name"], newest["checksum"]),
        )
        await becomes(http, world.node, 200, DEADLINE, status="ready")
    finally:
        await connection.close()


async def test_which_schema_fits(fresh_database: FreshDatabase) -> None:
    """All that this code needs, unchanged; more behind it does no harm, nothing at all does."""
    async with (
        open_database(await fresh_database(), connections=1) as database,
        open_database(await fresh_database(migrated=False), connections=1) as empty,
    ):
        fits = schema_watch(database)
        assert await fits()
        await database.fetch(
            "insert into schema_migrations (version, name, checksum) values ('9', 'later', 'x')"
        )
        assert await fits()
        await database.fetch(
            "update schema_migrations set checksum = 'other' "
            "where version = (select min(version) from schema_migrations)"
        )
        assert not await fits()
        assert not await schema_watch(empty)()


async def test_the_operators_port(
    world: World, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Health is there too, and the operator's page; the gallery is not."""
    ports = [record["admin_port"] for record in world.node.log if record["event"] == "serving"]
    admin = f"http://127.0.0.1:{ports[0]}"
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/", 200), ("/api/v1/x", 404)):
        async with http.get(admin + path) as answer:
            assert answer.status == status
