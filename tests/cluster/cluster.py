"""The whole of a large installation on one machine: what `make cluster` starts, and its tests.

    async with open_cluster(folder) as cluster:
        cluster.url                       # of HAProxy, before three nodes
        cluster.shards                    # a Valkey cluster of three shards
        cluster.postgres, cluster.standby

HAProxy runs with the configuration that `deploy/` ships.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from gateway.embedded import free_port
from store.database import Database, open_database
from tests import valkeys
from tests.deploy.proxies import HOST, Door, haproxy
from tests.nodes import Installation, Node
from tests.proxy import Proxy
from tests.replicas import Pair, primary_with_standby

NODES = 3


@dataclass(frozen=True)
class Cluster:
    """It runs. Tests of faults take it for their `Place`: it has doors, and a database to look at."""

    pair: Pair
    shards: valkeys.ValkeyCluster
    installation: Installation
    ports: list[str]
    settings: Mapping[str, str]
    door: Door
    way: Proxy
    """Between the nodes and the primary."""

    @property
    def url(self) -> str:
        """Where people come in."""
        return self.door.url

    @property
    def doors(self) -> list[str]:
        return [self.url]

    @property
    def nodes(self) -> list[Node]:
        """Those that run, in HAProxy's order."""
        by_port = {node.url.rpartition(":")[2]: node for node in self.installation.nodes}
        return [by_port[port] for port in self.ports]

    async def start(self, number: int) -> Node:
        """Start the node of this number; again, if it has ended."""
        port = self.ports[number]
        return await self.installation.start(
            port, node_url=f"http://{HOST}:{port}", trusted_proxies=HOST, **self.settings
        )

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """The primary."""
        url = self.pair.primary.url
        async with open_database(url, connections=2, command_seconds=60) as database:
            yield database

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """The rows of one query, from the primary."""
        async with self.database() as database:
            return await database.fetch(query, *args)


@asynccontextmanager
async def open_cluster(
    folder: Path, *, port: int | None = None, breakable: bool = False, **settings: str
) -> AsyncIterator[Cluster]:
    """All of it, with its data in `folder`; HAProxy is at `port`, or any that is free.

    With `breakable` the nodes reach their primary by a `way` that can be cut.
    """
    async with AsyncExitStack() as stack:
        (folder / "valkeys").mkdir()
        (folder / "nodes").mkdir()
        pair = await stack.enter_async_context(primary_with_standby(folder))
        shards = await stack.enter_async_context(valkeys.open_cluster(folder / "valkeys"))
        ports = [str(free_port()) for _ in range(NODES)]
        way = await stack.enter_async_context(Proxy.before(pair.primary.url))
        door = await stack.enter_async_context(
            haproxy([f"http://{HOST}:{each}" for each in ports], folder, {}, None, port=port)
        )
        installation = Installation(
            way.url if breakable else pair.primary.url,
            shards.url,
            folder / "nodes",
            replica_url=pair.standby.url,
        )
        stack.push_async_callback(installation.close)
        secret = {"cluster_secret": token_hex(32)}
        cluster = Cluster(pair, shards, installation, ports, {**secret, **settings}, door, way)
        await asyncio.gather(*map(cluster.start, range(NODES)))
        await door.marks()  # it has asked those who had not begun
        yield cluster
