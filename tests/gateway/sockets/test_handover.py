"""Handing a connection to its owner: two workers in one process, so that one can see who has it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from gateway.http.listener import Listener
from gateway.sockets.elsewhere import Elsewhere
from gateway.sockets.forwarding import Vouching
from gateway.sockets.handover import LARGEST_HEAD, Handover
from gateway.sockets.owner import Owner
from gateway.sockets.server import SocketServer
from tests.gateway.sockets.edge import Echo, until

VOUCHING = Vouching("a secret")


class Forwards:
    """In the place of a forwarder: writes down what it is given, and answers 200."""

    def __init__(self) -> None:
        self.paths: list[Path | str] = []

    async def forward(self, request: web.Request, to: Path | str) -> web.StreamResponse:
        await request.read()
        self.paths.append(to)
        return web.Response(text="forwarded")


class Worker:
    """One worker, as the composition root makes it."""

    def __init__(self, owner: Owner, folder: Path) -> None:
        app = web.Application()
        self.owner = owner
        self.forwards = Forwards()
        self.listener = Listener(app)
        self.handover = Handover(owner, str(folder), self.listener.adopt)
        self.server = SocketServer(
            Echo(),
            owner=owner,
            elsewhere=Elsewhere(
                owner,
                str(folder),
                VOUCHING,
                self.handover,
                self.forwards,
                nowhere,  # type: ignore[arg-type]
            ),
        )
        self.server.attach(app)

    async def open(self, stack: AsyncExitStack) -> None:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/socket.io/?EIO=4"
        await self.listener.open([listening])
        stack.push_async_callback(self.listener.close)
        self.handover.open()
        stack.callback(self.handover.close)
        stack.push_async_callback(self.server.close)

    @property
    def connections(self) -> int:
        server = self.listener._runner.server
        assert server is not None
        return len(server.connections)


async def nowhere(node: str) -> str | None:
    return None


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[tuple[Worker, Worker]]:
    one, other = (Worker(Owner("node", slot, 0), tmp_path) for slot in range(2))
    async with AsyncExitStack() as stack:
        await one.open(stack)
        await other.open(stack)
        yield one, other


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http:
        yield http


async def session_of(worker: Worker, http: aiohttp.ClientSession) -> str:
    async with http.get(
        f"{worker.url}&transport=polling", headers={"Connection": "close"}
    ) as answer:
        sid: str = json.loads((await answer.text())[1:])["sid"]
        return sid


async def poll(worker: Worker, sid: str, http: aiohttp.ClientSession, **headers: str) -> str:
    """What a poll that reaches `worker` is answered with."""
    url = f"{worker.url}&transport=polling&sid={sid}"
    async with http.get(url, headers=headers) as answer:
        return f"{answer.status} {await answer.text()}"


async def test_the_owner_has_the_connection_from_then_on(
    workers: tuple[Worker, Worker], http: aiohttp.ClientSession
) -> None:
    """The other worker has no part in it any more, and nobody forwards."""
    one, other = workers
    sid = await session_of(other, http)
    await until(lambda: not other.connections)
    polling = asyncio.create_task(poll(one, sid, http))
    await until(lambda: other.connections == 1 and one.connections == 0, "the handover")
    async with aiohttp.ClientSession() as second:
        url = f"{other.url}&transport=polling&sid={sid}"
        async with second.post(url, data="40") as answer:
            assert await answer.text() == "ok"
    assert (await polling).startswith('200 40{"sid"')
    assert one.forwards.paths == []


async def test_a_post_is_forwarded(
    workers: tuple[Worker, Worker], http: aiohttp.ClientSession
) -> None:
    """To the owner's private socket; the connection stays where it is."""
    one, other = workers
    sid = await session_of(other, http)
    async with http.post(f"{one.url}&transport=polling&sid={sid}", data="40") as answer:
        assert await answer.text() == "forwarded"
    assert one.connections == 1
    assert [path.name for path in one.forwards.paths if isinstance(path, Path)] == ["1.0.http"]


async def test_a_large_head_is_forwarded(
    workers: tuple[Worker, Worker], http: aiohttp.ClientSession
) -> None:
    """More than 16 KiB do not fit into the message."""
    one, other = workers
    sid = await session_of(other, http)
    large = {f"X-Large-{number}": "x" * (LARGEST_HEAD // 4) for number in range(4)}
    assert await poll(one, sid, http, **large) == "200 forwarded"


async def test_an_owner_that_takes_nothing_more_is_forwarded_to(
    workers: tuple[Worker, Worker], http: aiohttp.ClientSession
) -> None:
    """Its socket's queue is the kernel's, and has an end."""
    one, other = workers
    sid = await session_of(other, http)
    asyncio.get_running_loop().remove_reader(other.handover._socket)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flood:
        flood.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                flood.sendto(b"", str(other.handover._path))
        assert await poll(one, sid, http) == "200 forwarded"


async def test_an_owner_that_is_gone_is_nobody(
    workers: tuple[Worker, Worker], http: aiohttp.ClientSession
) -> None:
    """The worker that was asked answers as for every unknown session."""
    one, other = workers
    gone = Owner("node", 1, 7).new_sid()
    assert (await poll(one, gone, http)).startswith("400 ")
    async with http.post(f"{one.url}&transport=polling&sid={gone}", data="40") as answer:
        assert await answer.text() == "forwarded"  # it is the forwarder that finds nobody
    assert one.connections == 1
    assert not other.connections
