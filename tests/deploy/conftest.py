"""Three machines behind the proxies of `deploy/`, and people who come to them by TLS."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.embedded import free_port
from tests.deploy.proxies import HOST, Door, Identity, haproxy, installed, nginx
from tests.nodes import Installation, Node
from tests.people import People, Rest
from tests.screens import DEADLINE, NodeClients, node_driver

ADDRESSES = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
BALANCER = "127.0.0.77"
CLUSTER_SECRET = "0123456789abcdef-fedcba9876543210"  # noqa: S105


class Machines:
    """Three gateways, each at an address of its own, and nobody else's."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._port = str(free_port())
        self.nodes: list[Node] = []

    @property
    def urls(self) -> list[str]:
        return [f"http://{address}:{self._port}" for address in ADDRESSES]

    async def start(self, number: int) -> Node:
        """The machine of this number, from 0 on."""
        return await self._installation.start(
            port=self._port,
            host=ADDRESSES[number],
            node_url=self.urls[number],
            cluster_secret=CLUSTER_SECRET,
            trusted_proxies=HOST,
            ping_interval="0.5",
        )

    async def open(self) -> None:
        self.nodes = list(await asyncio.gather(*map(self.start, range(len(ADDRESSES)))))

    async def replace(self, number: int) -> None:
        """Start the machine of this number again, which has ended."""
        self.nodes[number] = await self.start(number)


@pytest.fixture(scope="module")
async def machines(installation: Installation) -> Machines:
    for program in ("haproxy", "nginx"):
        installed(program)
    machines = Machines(installation)
    await machines.open()
    return machines


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Identity.made(tmp_path_factory.mktemp("identity"))


@pytest.fixture(scope="module")
async def doors(
    machines: Machines, identity: Identity, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Door]]:
    """Both proxies, by name, before the same machines."""
    folder = tmp_path_factory.mktemp("proxies")
    (folder / "haproxy").mkdir()
    (folder / "nginx").mkdir()
    folder.chmod(0o755)
    settings = {"BALANCERS": BALANCER}
    async with (
        haproxy(machines.urls, folder / "haproxy", settings, identity) as one,
        nginx(machines.urls, folder / "nginx", BALANCER, identity) as other,
    ):
        yield {"haproxy": one, "nginx": other}


@pytest.fixture(scope="module")
async def node_clients(node: Path, identity: Identity) -> AsyncIterator[NodeClients]:
    """Official clients that trust the proxies."""
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(identity.certificate)}
    async with node_driver(node, environment) as clients:
        yield clients


@pytest.fixture
async def people(node_clients: NodeClients, identity: Identity) -> AsyncIterator[People]:
    connector = aiohttp.TCPConnector(ssl=identity.trusted())
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        people = People(Rest(http), node_clients)
        yield people
        await people.close()
