"""Real servers for tests: one PostgreSQL and one Valkey for the whole run, from the first use on.

    async def test_a_like_is_kept(fresh_database, redis_url):
        url = await fresh_database()

`fresh_database()` makes a database of its own, migrated, owned by the role that the gateway has
in `make run` (no superuser); `fresh_database(migrated=False)` an empty one. `superuser_url` may do
what that role may not. `redis_url` is shared by all tests, keys and channels alike: use names of
your own, or `fresh_redis_url`, which begins without any keys.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import asyncpg
import pytest
import redis.asyncio

from gateway.embedded import EmbeddedServers, embedded_servers
from store.migrations import migrate


class FreshDatabase(Protocol):
    def __call__(self, *, migrated: bool = True) -> Awaitable[str]: ...


MEMORY = Path("/dev/shm")  # noqa: S108 (a file system, not a file)
ROOM = 4 << 30
"""Bytes that make a file system in memory worth it: there a new cluster takes half the time."""


@contextmanager
def data_folder() -> Iterator[Path]:
    """An empty folder for servers' data, which every account reaches; pytest's are for their owner."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    with tempfile.TemporaryDirectory(prefix="vernissage-", dir=MEMORY if roomy else None) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def servers_dir() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
async def servers(servers_dir: Path) -> AsyncIterator[EmbeddedServers]:
    async with embedded_servers(servers_dir, durable=False) as running:
        yield running


@pytest.fixture(scope="session")
def superuser_url(servers: EmbeddedServers) -> str:
    assert servers.superuser_url is not None
    return servers.superuser_url


@pytest.fixture(scope="session")
def fresh_database(servers: EmbeddedServers, superuser_url: str) -> FreshDatabase:
    numbers = count(1)
    templates: list[str] = []
    migrating = asyncio.Lock()

    async def create(name: str, template: str) -> str:
        connection = await asyncpg.connect(superuser_url)
        try:
            await connection.execute(
                f"create database {name} owner vernissage template {template} strategy file_copy"
            )
        finally:
            await connection.close()
        assert servers.database_url is not None
        return urlsplit(servers.database_url)._replace(path=f"/{name}").geturl()

    async def be_another(url: str) -> None:
        """A copy is an installation of its own, as every real database is: its channels in Redis too."""
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(
                "update installation set id = default, epoch = default, cursor_key = default"
            )
        finally:
            await connection.close()

    async def fresh(*, migrated: bool = True) -> str:
        async with migrating:
            if migrated and not templates:
                await migrate(await create("migrated", "template1"))
                templates.append("migrated")
        url = await create(f"test_{next(numbers)}", "migrated" if migrated else "template1")
        if migrated:
            await be_another(url)
        return url

    return fresh


@pytest.fixture(scope="session")
def redis_url(servers: EmbeddedServers) -> str:
    assert servers.redis_url is not None
    return servers.redis_url


@pytest.fixture
async def fresh_redis_url(redis_url: str) -> str:
    client = redis.asyncio.Redis.from_url(redis_url)
    await client.flushall()
    await client.aclose()
    return redis_url
