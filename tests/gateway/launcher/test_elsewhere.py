"""Requests that reach another worker than their session's, on this machine and from another one."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.embedded import free_port
from gateway.sockets.forwarding import MARKER
from gateway.sockets.owner import Owner
from tests.nodes import GENEROUS, Installation, Node
from tests.waiting import until

WORKERS = 3
CLUSTER_SECRET = "0123456789abcdef-fedcba9876543210"  # noqa: S105
PROXY = "127.0.0.2"
"""From where `X-Forwarded-*` is believed."""


@pytest.fixture(scope="module")
async def machines(installation: Installation) -> tuple[Node, Node]:
    """Two machines that know each other, one with several workers."""

    async def start(workers: int) -> Node:
        port = str(free_port())
        return await installation.start(
            port=port,
            workers=str(workers),
            node_url=f"http://127.0.0.1:{port}",
            cluster_secret=CLUSTER_SECRET,
            trusted_proxies=PROXY,
            **GENEROUS,
        )

    one, other = await asyncio.gather(start(WORKERS), start(1))
    return one, other


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Every request comes over a new connection, to whichever worker."""
    connector = aiohttp.TCPConnector(force_close=True)
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http:
        yield http


class Poller:
    """A visitor's session over long-polling; each request goes to the node that is named."""

    def __init__(self, http: aiohttp.ClientSession, sid: str) -> None:
        self.http = http
        self.sid = sid
        self.heard: list[str] = []

    @classmethod
    async def comes_in(cls, http: aiohttp.ClientSession, node: Node) -> "Poller":
        async with http.get(f"{node.url}/socket.io/?EIO=4&transport=polling") as answer:
            poller = cls(http, json.loads((await answer.text())[1:])["sid"])
        assert await poller.post(node, "40") == (200, "ok")
        while not any("session:ready" in packet for packet in poller.heard):
            await poller.get(node)
        return poller

    def url(self, node: Node, transport: str = "polling") -> str:
        return f"{node.url}/socket.io/?EIO=4&transport={transport}&sid={self.sid}"

    async def get(self, node: Node) -> tuple[int, str]:
        async with self.http.get(self.url(node)) as answer:
            text = await answer.text()
            if answer.status == 200:
                self.heard += text.split("\x1e")
            return answer.status, text

    async def post(self, node: Node, packet: str) -> tuple[int, str]:
        async with self.http.post(self.url(node), data=packet) as answer:
            return answer.status, await answer.text()

    async def asks(self, node: Node, other: Node | None = None, ack: int = 0) -> None:
        """A command, and its ack, which may be fetched somewhere else."""
        said = f'42{ack}["topic:unwatch",{{"topic":"gallery"}}]'
        assert await self.post(node, said) == (200, "ok")
        answer = f'43{ack}[{{"data":{{"topic":"gallery"}}}}]'
        while answer not in self.heard:
            assert (await self.get(other or node))[0] == 200


async def test_each_request_finds_its_session(
    machines: tuple[Node, Node], http: aiohttp.ClientSession
) -> None:
    """Whatever worker the kernel chooses for it."""
    machine, _ = machines
    pollers = [await Poller.comes_in(http, machine) for _ in range(8)]
    assert len({Owner.of(poller.sid) for poller in pollers}) > 1
    for ack in range(5):
        await asyncio.gather(*(poller.asks(machine, ack=ack) for poller in pollers))


async def test_one_connection_may_carry_many_sessions(machines: tuple[Node, Node]) -> None:
    """As browsers share theirs: each request is judged by itself, REST among them."""
    machine, _ = machines
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as http:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True)
        ) as spread:
            pollers = [await Poller.comes_in(spread, machine) for _ in range(8)]
        assert len({Owner.of(poller.sid) for poller in pollers}) > 1
        for ack in range(3):
            for poller in pollers:
                poller.http = http
                await poller.asks(machine, ack=ack)
                async with http.get(f"{machine.url}/api/v1/community/posts") as answer:
                    assert answer.status == 200


async def test_requests_that_come_together_are_all_answered(machines: tuple[Node, Node]) -> None:
    """A client that sends the next request before the answer keeps its order, over one connection."""
    machine, _ = machines
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        pollers = [await Poller.comes_in(http, machine) for _ in range(6)]
        for poller in pollers:
            assert await poller.post(machine, '420["topic:unwatch",{"topic":"gallery"}]') == (
                200,
                "ok",
            )
    port = machine.url.rpartition(":")[2]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    for poller in pollers:
        path = poller.url(machine).removeprefix(machine.url)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
    for _ in pollers:
        assert b'430[{"data":{"topic":"gallery"}}]' in await body_of(reader)
    assert b"alive" in await body_of(reader)
    writer.write(b"lthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b"alive" in await asyncio.wait_for(reader.read(), 10)
    writer.close()


async def body_of(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 200 "), head
    size = next(
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    return await reader.readexactly(size)


async def test_a_websocket_takes_over_on_whatever_worker_it_arrives(
    machines: tuple[Node, Node], http: aiohttp.ClientSession
) -> None:
    """On the owner's machine, and on the other one too."""
    for node in (*machines, machines[0], machines[0]):
        poller = await Poller.comes_in(http, machines[0])
        async with http.ws_connect(poller.url(node, "websocket")) as websocket:
            await websocket.send_str("2probe")
            assert await websocket.receive_str(timeout=10) == "3probe"
            await websocket.send_str("5")
            for ack in range(3):
                await websocket.send_str(f'42{ack}["topic:unwatch",{{"topic":"gallery"}}]')
                answer = await websocket.receive_str(timeout=10)
                assert answer == f'43{ack}[{{"data":{{"topic":"gallery"}}}}]'
        assert (await poller.get(node))[0] == 400


async def test_machines_forward_to_each_other(
    machines: tuple[Node, Node], http: aiohttp.ClientSession
) -> None:
    """A client's requests may alternate between them, in both directions."""
    one, other = machines
    for home, away in ((one, other), (other, one)):
        poller = await Poller.comes_in(http, home)
        await poller.asks(away, home, ack=1)
        await poller.asks(home, away, ack=2)
        await poller.asks(away, away, ack=3)


async def test_a_client_that_leaves_is_gone_for_its_owner_too(
    machines: tuple[Node, Node], http: aiohttp.ClientSession
) -> None:
    """Hanging up while a forwarded poll is held ends the session, as it does without forwarding."""
    one, other = machines
    poller = await Poller.comes_in(http, one)
    with pytest.raises(TimeoutError):  # it is held, until the client has had enough
        await http.get(poller.url(other), timeout=aiohttp.ClientTimeout(total=1.0))
    async with asyncio.timeout(10):
        while (await poller.post(one, "3"))[0] != 400:
            await asyncio.sleep(0.01)


async def test_the_client_of_a_forwarded_request_is_the_one_that_sent_it(
    machines: tuple[Node, Node],
) -> None:
    """A proxy that is trusted is trusted over another machine, too; a forged marker is worth nothing."""
    one, other = machines
    page = {"Origin": "https://gallery.example", "Host": "gallery.example"}
    told = {**page, "X-Forwarded-Proto": "https"}
    connector = aiohttp.TCPConnector(force_close=True, local_addr=(PROXY, 0))
    async with (
        aiohttp.ClientSession(connector=connector) as proxy,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as stranger,
    ):
        for node in (one, other):
            poller = await Poller.comes_in(proxy, one)
            async with proxy.post(poller.url(node), data="3", headers=told) as answer:
                assert (answer.status, await answer.text()) == (200, "ok")
            for forged in ({}, {MARKER: f"{PROXY} {'0' * 64}"}, {MARKER: PROXY}):
                async with stranger.post(
                    poller.url(node), data="3", headers={**told, **forged}
                ) as answer:
                    assert answer.status == 400
                    assert "not an accepted origin" in await answer.text()


async def test_a_sid_of_nobody_is_refused(
    machines: tuple[Node, Node], http: aiohttp.ClientSession
) -> None:
    """Made up, of a worker that is gone, or of a machine that is not there: the client starts anew."""
    one, _ = machines
    poller = await Poller.comes_in(http, one)
    owner = Owner.of(poller.sid)
    assert owner is not None
    for sid in (
        owner.new_sid(),
        Owner(owner.node, owner.slot, (owner.generation + 5) % 16).new_sid(),
        Owner(owner.node, 200, 0).new_sid(),
        Owner("none", 0, 0).new_sid(),
        "../../../etc/passwd.",
        "x",
    ):
        stranger = Poller(http, sid)
        for _ in range(WORKERS):
            assert (await stranger.get(one))[0] == 400
            assert (await stranger.post(one, "40"))[0] == 400
    await poller.asks(one)


async def test_nothing_of_what_was_handed_over_stays(machines: tuple[Node, Node]) -> None:
    """When the clients have gone each worker has as many descriptors as before."""
    machine, _ = machines

    def descriptors() -> int:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in machine.workers)

    async def come_and_go(sessions: int) -> None:
        async with aiohttp.ClientSession() as http:
            pollers = await asyncio.gather(
                *(Poller.comes_in(http, machine) for _ in range(sessions))
            )
            for ack in range(4):
                await asyncio.gather(*(poller.asks(machine, ack=ack) for poller in pollers))
            for poller in pollers:
                assert (await poller.post(machine, "1"))[0] == 200

    await come_and_go(20)  # the workers' own pools fill
    await until(lambda: not between(), "the workers have let go of each other")
    before = descriptors()
    for _ in range(3):
        await come_and_go(20)
    await until(lambda: descriptors() <= before, "the descriptors are closed")


def between() -> int:
    """Connections at the workers' private HTTP sockets."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return sum(line.endswith(".http") and line.split()[5] == "03" for line in lines)


async def test_the_private_sockets_are_private(machines: tuple[Node, Node]) -> None:
    """Only the gateway's account can reach them, and their paths are short enough."""
    assert machines
    paths = [Path(line.split()[-1]) for line in Path("/proc/net/unix").read_text().splitlines()]
    folders = {path.parent for path in paths if path.suffix == ".handover" and path.exists()}
    assert folders
    for folder in folders:
        assert folder.stat().st_mode & 0o777 == 0o700
        for each in folder.iterdir():
            assert each.stat().st_mode & 0o777 == 0o600
            assert len(str(each)) <= 107
