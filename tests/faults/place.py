"""Where faults happen: two nodes, and before each node's PostgreSQL and Redis a proxy of its own.

async with open_place(folder) as place:
    one, other = place.stations
    one.database.stall(Way.BACK)
    await one.kill_worker()
    await place.is_well()
"""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from gateway.embedded import free_port
from store.database import Database, open_database
from store.migrations import migrate
from tests.faults.servers import Server, Servers, own_servers
from tests.nodes import GENEROUS, Installation, Node
from tests.proxy import Proxy

OURS = {"worker died"}
"""What a node logs as an error because of what was done to it."""
OTHER_DESCRIPTORS = 12
"""Connections to PostgreSQL and Redis that are there at one time and not at another."""
WELL_SECONDS = 30.0
"""Within which everything has to be well again before the next test begins."""


class Station:
    """One node, always at the same address, and its ways to PostgreSQL and Redis."""

    def __init__(self, installation: Installation, database: Proxy, bus: Proxy) -> None:
        self.database = database
        self.bus = bus
        self.installation = installation
        self._port = str(free_port())
        self._settings: dict[str, str] = {}
        self._admin: tuple[Node, str | None] | None = None

    @property
    def admin_url(self) -> str:
        """Where its operator asks; the log is read but once for it."""
        if self._admin is None or self._admin[0] is not self.node:
            self._admin = (self.node, self.node.admin_url)
        return str(self._admin[1])

    @property
    def node(self) -> Node:
        """The node, as started last."""
        return self.installation.nodes[-1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def begin(self, **settings: str) -> None:
        """Start the node."""
        self._settings = {**GENEROUS, **settings}
        await self.installation.start(self._port, **self._settings)

    async def kill(self) -> None:
        """End the node at once, launcher and workers."""
        await self.node.stop(signal.SIGKILL)

    async def begin_again(self) -> None:
        """Start the node as it was started before."""
        await self.installation.start(self._port, **self._settings)

    def kill_worker(self) -> None:
        """End its workers at once; the launcher starts others."""
        for worker in self.node.workers:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(worker).kill()

    @property
    def workers(self) -> list[psutil.Process]:
        """Its workers, as processes."""
        return [psutil.Process(worker) for worker in self.node.workers]

    @property
    def descriptors(self) -> int:
        """Files and sockets that its workers have open."""
        return sum(worker.num_fds() for worker in self.workers)

    @property
    def memory(self) -> int:
        """Bytes of memory that its workers hold."""
        return sum(int(worker.memory_info().rss) for worker in self.workers)

    async def metric(self, name: str, **labels: str) -> float:
        """What `/metrics` says of it, over all other labels."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.admin_url}/metrics") as answer,
        ):
            lines = (await answer.text()).splitlines()
        told = [line.rpartition(" ") for line in lines if re.match(rf"{name}[{{ ]", line)]
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(float(value) for head, _, value in told if all(w in head for w in wanted))

    async def mend(self) -> None:
        """From now on what goes its ways passes as it comes."""
        for proxy in (self.database, self.bus):
            proxy.go_on()
            proxy.throttle(None)
            await proxy.change(None)


class Place:
    """Servers and nodes. `database` is to look at, past all faults."""

    def __init__(self, servers: Servers, stations: tuple[Station, ...]) -> None:
        self.servers = servers
        self.stations = stations

    @property
    def doors(self) -> list[str]:
        """The addresses of the nodes."""
        return [station.url for station in self.stations]

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """The database itself, with no proxy before it."""
        url = self.servers.postgres.url
        async with open_database(url, connections=2, command_seconds=60) as database:
            yield database

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """The rows of one query."""
        async with self.database() as database:
            return await database.fetch(query, *args)

    async def restart(self, server: Server, *, how: signal.Signals = signal.SIGTERM) -> None:
        """End a server, in order or at once, and start it."""
        await (server.kill() if how is signal.SIGKILL else server.stop())
        await server.start()

    async def is_well(self, seconds: float = WELL_SECONDS, *, status: str = "ready") -> None:
        """Return once every node says so of itself. Raises TimeoutError."""
        async with aiohttp.ClientSession() as http, asyncio.timeout(seconds):
            for station in self.stations:
                while await _status(http, station.url) != status:
                    await asyncio.sleep(0.02)

    def errors(self) -> list[str]:
        """What the nodes have logged as errors, but for those that were killed."""
        return [
            f"{record['event']}: {record.get('exception', '')[-3000:]}"
            for station in self.stations
            for node in station.installation.nodes
            for record in node.errors
            if record["event"] not in OURS
        ]


async def _status(http: aiohttp.ClientSession, url: str) -> str | None:
    try:
        async with http.get(f"{url}/readyz", timeout=aiohttp.ClientTimeout(total=5)) as answer:
            said = await answer.json()
            return str(said["status"])
    except (OSError, TimeoutError, aiohttp.ClientError):
        return None


@asynccontextmanager
async def open_place(folder: Path, **settings: str) -> AsyncIterator[Place]:
    """Servers of our own in `folder`, and two nodes whose limits nobody reaches."""
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(own_servers(folder))
        await migrate(servers.postgres.url)
        stations = []
        for name in ("one", "other"):
            database = await stack.enter_async_context(servers.postgres.behind())
            bus = await stack.enter_async_context(servers.valkey.behind())
            (folder / name).mkdir()
            installation = Installation(database.url, bus.url, folder / name)
            stack.push_async_callback(installation.close)
            stations.append(Station(installation, database, bus))
        await asyncio.gather(*(station.begin(**settings) for station in stations))
        yield Place(servers, tuple(stations))
