"""Valkeys of the embedded binary that may be killed and started again: one alone, or a cluster of them.

    async with open_cluster(folder) as cluster:
        settings["REDIS_URL"] = cluster.url
        dead = await cluster.primary_of("a key")
        await dead.kill()
        await dead.start()
        await cluster.is_whole()

A cluster has three shards, each a primary with a replica that takes its place within seconds.
"""

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisError

from gateway.embedded import free_port
from gateway.embedded.home import Home, home_of, valkey_program
from gateway.embedded.process import ATTEMPTS, Child
from gateway.startup import CannotStart
from tests.servers import data_folder

SHARDS = 3
START_SECONDS = 20.0
"""Within which a server answers, and a cluster is formed or whole again."""
NODE_TIMEOUT_MS = 2_000
"""How long a node may be silent before the others take it for dead."""


class ValkeyNode:
    """One server, always at the same port, once started. It keeps nothing but its cluster's list of nodes."""

    def __init__(
        self, home: Home, password: str, settings: Mapping[str, str], *, sentinel: bool = False
    ) -> None:
        self.port = 0
        self.cluster_port = 0
        self.password = password
        self._home = home
        self._settings = settings
        self._sentinel = sentinel
        self._name = f"valkey-{secrets.token_hex(4)}"
        self._child: Child | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.address}/0"

    @property
    def pid(self) -> int:
        """Its process, once started."""
        assert self._child is not None
        return self._child.pid

    async def start(self) -> None:
        """Serve; at first at a port that is free, after that again at the same one."""
        for _ in range(ATTEMPTS):
            port = self.port or free_port()
            self._child = await Child.spawn(
                self._home.account,
                [valkey_program(self._home.account), *self._configure(port)],
                death_signal=signal.SIGTERM,
                log=self._home.folder / f"{self._name}.log",
            )
            if await self._ready(port):
                self.port = port
                return
        raise CannotStart(f"Valkey did not start: {self._child.complaint}")

    async def kill(self) -> None:
        """End it at once."""
        if self._child is not None:
            await self._child.stop(signal.SIGKILL)

    async def stop(self) -> None:
        """Shut it down in order."""
        if self._child is not None:
            await self._child.stop(signal.SIGTERM)

    async def ask(self, *command: str | int) -> Any:
        """What it answers to one command. Raises RedisError."""
        async with Redis.from_url(self.url, decode_responses=True, protocol=2) as client:
            return await client.execute_command(*command)

    def _configure(self, port: int) -> list[Path | str]:
        folder = self._home.folder / self._name
        if not folder.exists():
            self._home.account.make_folder(folder)
        lines = {
            "bind": "127.0.0.1",
            "port": str(port),
            "dir": f'"{folder}"',
            "requirepass": self.password,
            **({} if self._sentinel else {"save": '""', "masterauth": self.password}),
            **self._settings,
        }
        if lines.get("cluster-enabled") == "yes":
            self.cluster_port = self.cluster_port or free_port()
            lines["cluster-port"] = str(self.cluster_port)
        config = folder / "valkey.conf"
        if not (self._sentinel and self.port):  # a sentinel keeps what it knows there
            self._home.account.write(config, "".join(f"{k} {v}\n" for k, v in lines.items()))
        return [config, "--sentinel"] if self._sentinel else [config]

    async def _ready(self, port: int) -> bool:
        """Whether it answers; False when it ended instead."""
        assert self._child is not None
        url = f"redis://:{self.password}@127.0.0.1:{port}"
        async with asyncio.timeout(START_SECONDS):
            while self._child.alive:
                try:
                    async with Redis.from_url(url, protocol=2) as client:
                        await client.execute_command("PING")
                        return True
                except (RedisError, OSError):
                    await asyncio.sleep(0.01)
            return False


class ValkeyCluster:
    """Shards of a primary and a replica each, formed once it is started."""

    def __init__(self, nodes: Sequence[ValkeyNode], password: str) -> None:
        self.nodes = nodes
        self.password = password

    @property
    def url(self) -> str:
        """All nodes; whoever asks one of them learns of the others."""
        return f"redis+cluster://:{self.password}@{','.join(node.address for node in self.nodes)}"

    async def form(self) -> None:
        """Make a cluster of the nodes, which have to run."""
        primaries, replicas = self.nodes[:SHARDS], self.nodes[SHARDS:]
        for epoch, node in enumerate(self.nodes, 1):
            await node.ask("CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for n, primary in enumerate(primaries):
            first, end = (REDIS_CLUSTER_HASH_SLOTS * each // SHARDS for each in (n, n + 1))
            await primary.ask("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for node in self.nodes[1:]:
            await self.nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, node.cluster_port)
        async with asyncio.timeout(START_SECONDS):
            for node in self.nodes:
                while (await _info(node))["cluster_known_nodes"] != str(len(self.nodes)):
                    await asyncio.sleep(0.02)
            for primary, replica in zip(primaries, replicas, strict=True):
                await replica.ask("CLUSTER", "REPLICATE", await primary.ask("CLUSTER", "MYID"))
        await self.is_whole()

    async def primary_of(self, key: str) -> ValkeyNode:
        """The node that answers for a key or a channel now."""
        slot = key_slot(key.encode())
        for first, last, (_, port, *_), *_ in await self._slots():
            if first <= slot <= last:
                return self._at(port)
        raise AssertionError(f"nobody has slot {slot}")

    async def shares_shard(self, key: str, primary: ValkeyNode) -> bool:
        """Whether this node answers for the key."""
        return await self.primary_of(key) is primary

    async def replica_of(self, key: str) -> ValkeyNode:
        """The one that takes its place should that die."""
        slot = key_slot(key.encode())
        for first, last, _, *replicas in await self._slots():
            if first <= slot <= last and replicas:
                return self._at(replicas[0][1])
        raise AssertionError(f"slot {slot} has no replica")

    async def is_whole(self, seconds: float = START_SECONDS) -> None:
        """Return once all nodes agree that each shard has its replica, and all replicas are up to date."""
        async with asyncio.timeout(seconds):
            for node in self.nodes:
                while not await self._is_whole_to(node):
                    await asyncio.sleep(0.02)

    async def _is_whole_to(self, node: ValkeyNode) -> bool:
        slots = await node.ask("CLUSTER", "SLOTS")
        told = [sorted({port for _, port, *_ in servers}) for _, _, *servers in slots]
        if {port for ports in told for port in ports} != {each.port for each in self.nodes}:
            return False
        role = await node.ask("ROLE")
        linked = role[0] == "master" or role[3] == "connected"
        return linked and (await _info(node))["cluster_state"] == "ok" and all(map(len, told))

    async def _slots(self) -> Any:
        for node in self.nodes:
            try:
                if (await _info(node))["cluster_state"] == "ok":
                    return await node.ask("CLUSTER", "SLOTS")
            except (RedisError, OSError):
                continue
        raise AssertionError("no node of the cluster is well")

    def _at(self, port: int) -> ValkeyNode:
        return next(node for node in self.nodes if node.port == port)


async def _info(node: ValkeyNode) -> dict[str, str]:
    lines = (await node.ask("CLUSTER", "INFO")).splitlines()
    return dict(line.split(":", 1) for line in lines)


@asynccontextmanager
async def open_cluster(folder: Path, **settings: str) -> AsyncIterator[ValkeyCluster]:
    """A cluster with its data in `folder`; `settings` are Valkey's, with _ for -."""
    password = secrets.token_urlsafe(24)
    config = {
        "cluster-enabled": "yes",
        "cluster-node-timeout": str(NODE_TIMEOUT_MS),
        "cluster-require-full-coverage": "no",
        "cluster-replica-validity-factor": "0",
        "cluster-allow-replica-migration": "no",
        "repl-diskless-sync-delay": "0",
        **{name.replace("_", "-"): value for name, value in settings.items()},
    }
    home = home_of(folder)
    cluster = ValkeyCluster(
        [ValkeyNode(home, password, config) for _ in range(2 * SHARDS)], password
    )
    try:
        await asyncio.gather(*(node.start() for node in cluster.nodes))
        await cluster.form()
        yield cluster
    finally:
        await asyncio.gather(*(node.kill() for node in cluster.nodes))


@pytest.fixture(scope="session")
async def valkey_cluster() -> AsyncIterator[ValkeyCluster]:
    """A cluster for all tests; what they do to it they mend."""
    with data_folder() as folder:
        async with open_cluster(folder) as cluster:
            yield cluster


@pytest.fixture(params=["server", "cluster"])
def either_url(request: pytest.FixtureRequest) -> str:
    """The URL of one server, and that of a cluster."""
    if request.param == "server":
        return str(request.getfixturevalue("redis_url"))
    return str(request.getfixturevalue("valkey_cluster").url)


class Watched:
    """A master with a replica, and sentinels that put it into the master's place should that die."""

    NAME = "main"

    def __init__(
        self, master: ValkeyNode, replica: ValkeyNode, sentinels: Sequence[ValkeyNode]
    ) -> None:
        self.master = master
        self.replica = replica
        self.sentinels = sentinels

    @property
    def url(self) -> str:
        """All sentinels, and what they call the master."""
        hosts = ",".join(sentinel.address for sentinel in self.sentinels)
        return (
            f"redis+sentinel://:{self.master.password}@{hosts}/{self.NAME}"
            f"?sentinel_password={self.sentinels[0].password}"
        )

    async def is_replica(self, node: ValkeyNode) -> None:
        """Return once it follows another one, as sentinels have told it."""
        async with asyncio.timeout(START_SECONDS):
            while (await node.ask("ROLE"))[0] != "slave" or (await node.ask("ROLE"))[
                3
            ] != "connected":
                await asyncio.sleep(0.05)

    async def is_whole(self) -> None:
        """Return once all sentinels know of each other and of the replica, which is up to date."""
        await self.is_replica(self.replica)
        async with asyncio.timeout(START_SECONDS):
            for sentinel in self.sentinels:
                while not await self._is_whole_to(sentinel):
                    await asyncio.sleep(0.05)

    async def _is_whole_to(self, sentinel: ValkeyNode) -> bool:
        others = await sentinel.ask("SENTINEL", "SENTINELS", self.NAME)
        replicas = await sentinel.ask("SENTINEL", "REPLICAS", self.NAME)
        return len(others) == len(self.sentinels) - 1 and len(replicas) == 1


@asynccontextmanager
async def open_watched(folder: Path, sentinels: int = 3) -> AsyncIterator[Watched]:
    """A master, its replica and so many sentinels, with their data in `folder`."""
    home = home_of(folder)
    password, sentinels_password = (secrets.token_urlsafe(24) for _ in range(2))
    nodes: list[ValkeyNode] = []
    try:
        master = ValkeyNode(home, password, {"repl-diskless-sync-delay": "0"})
        nodes.append(master)
        await master.start()
        replica = ValkeyNode(home, password, {"replicaof": f"127.0.0.1 {master.port}"})
        watching = {
            "sentinel monitor": f"{Watched.NAME} 127.0.0.1 {master.port} {sentinels // 2 + 1}",
            "sentinel auth-pass": f"{Watched.NAME} {password}",
            "sentinel down-after-milliseconds": f"{Watched.NAME} 1000",
            "sentinel failover-timeout": f"{Watched.NAME} 5000",
        }
        others = [
            ValkeyNode(home, sentinels_password, watching, sentinel=True) for _ in range(sentinels)
        ]
        nodes += [replica, *others]
        await asyncio.gather(*(node.start() for node in nodes[1:]))
        watched = Watched(master, replica, others)
        await watched.is_whole()
        yield watched
    finally:
        await asyncio.gather(*(node.kill() for node in nodes))
