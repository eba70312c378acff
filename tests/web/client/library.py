"""The client library in Node, driven by `tests/node/client.mts`: what it is asked to do, and what it tells."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web

from tests.listening import listening
from tests.programs import NODE_FOLDER
from tests.screens import LINE_BYTES, Json, Refused
from tests.waiting import found

T = TypeVar("T")

DEADLINE = 30.0
"""Seconds within which whatever a test waits for has to happen: a client without a socket takes its time."""


class LibraryClient:
    """One client of the library. `told` is all that it has told so far."""

    def __init__(self, process: "LibraryProcess", name: str) -> None:
        self.told: list[Json] = []
        self._process = process
        self._name = name
        self._ids = count(1)
        self._news = asyncio.Event()
        self._passed = 0

    def send(self, do: str, **what: Any) -> None:
        self._process.send({"client": self._name, "do": do, **what})

    def watch(
        self,
        topic: str | None,
        since: Mapping[str, Any] | None = None,
        *,
        name: str = "it",
        reads: str | None = None,
    ) -> None:
        """Watch a topic, None for one's own; `reads` is the post that is read where it has to be."""
        self.send("watch", watch=name, topic=topic, since=since, reads=reads)

    async def asks(self, event: str, payload: Json) -> Any:
        """Send a command; what it answers. Raises Refused."""
        return await self._answer("command", event=event, payload=payload)

    async def likes(self, post: Json, liked: bool = True) -> None:
        """Like a post that is shown. Raises Refused."""
        await self._answer("like", post=post["id"], liked=liked)

    async def follows(self, user: str, following: bool = True) -> None:
        """Raises Refused."""
        await self._answer("follow", user=user, following=following)

    async def signs_out(self, *, everywhere: bool = False) -> None:
        """Raises Refused."""
        await self._answer("leave", everywhere=everywhere)

    async def is_live(self, status: str) -> None:
        """Wait until the newest status is this one."""
        await self.until(lambda: self.statuses[-1:] == [status] or None, status)

    async def is_watching(self, watch: str = "it") -> None:
        """Wait until a watched post is live: whoever comes is told who is there."""

        def look() -> bool | None:
            told = (
                each["event"][0]
                for each in self.told
                if each.get("watch") == watch and "event" in each
            )
            return "presence:changed" in told or None

        await self.until(look, "who is there")

    async def shows(self, post: Json, *expected: Any) -> None:
        """Wait until the post shows like count, whether one likes it, and comment count."""
        wanted = [post["id"], *expected]
        await self.until(lambda: self.shown(post)[-1:] == [wanted] or None, str(wanted))

    async def hears(self, seq: int, *, watch: str = "it") -> None:
        """Wait until the entry of this number has come."""
        await self.until(lambda: seq in self.seqs(watch) or None, f"entry {seq}")

    async def tells(self, **expected: Any) -> Json:
        """The next thing told that has these fields; what came before it is passed over."""

        def look() -> Json | None:
            for place, told in enumerate(self.told):
                if place >= self._passed and expected.items() <= told.items():
                    self._passed = place + 1
                    return told
            return None

        return await self.until(look, str(expected))

    @property
    def statuses(self) -> list[str]:
        return [told["status"] for told in self.told if "status" in told]

    def shown(self, post: Json) -> list[Any]:
        """What was shown of a post, one after the other."""
        return [told["shown"] for told in self.told if told.get("shown", [""])[0] == post["id"]]

    def seqs(self, watch: str = "it") -> list[int]:
        """The numbers of the events that a watch was told of."""
        events = [
            told["event"] for told in self.told if told.get("watch") == watch and "event" in told
        ]
        return [meta["seq"] for _, _, meta in events if "seq" in meta]

    async def until(self, look: Callable[[], T | None], what: str) -> T:
        """Wait until `look` finds something."""
        return await found(look, self._news, what, lambda: str(self.told), DEADLINE)

    def told_by_driver(self, told: Json) -> None:
        self.told.append(told)
        self._news.set()

    async def _answer(self, do: str, **what: Any) -> Any:
        identifier = next(self._ids)
        self.send(do, id=identifier, **what)
        told = await self.until(
            lambda: next((each for each in self.told if each.get("id") == identifier), None),
            f"the answer to {what}",
        )
        if "refused" in told:
            raise Refused(told["refused"])
        return told["data"]


class LibraryProcess:
    """The Node process in which the clients run."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._clients: dict[str, LibraryClient] = {}
        self._names = count(1)
        self._reading = asyncio.create_task(self._read())

    def open(
        self,
        url: str,
        token: str | None = None,
        *,
        tokens: list[str | None] | None = None,
        transports: tuple[str, ...] = ("polling", "websocket"),
    ) -> LibraryClient:
        """A client that connects; `tokens` are what it is given when it asks for one."""
        name = str(next(self._names))
        client = self._clients[name] = LibraryClient(self, name)
        client.send("open", url=url, token=token, tokens=tokens, transports=transports)
        return client

    def send(self, order: Json) -> None:
        assert self._process.stdin is not None
        assert self._process.returncode is None, "the driver has ended; its stderr says why"
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def close_all(self) -> None:
        for client in self._clients.values():
            client.send("close")
        self._clients = {}

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert await self._process.wait() == 0
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            if (client := self._clients.get(told["client"])) is not None:
                client.told_by_driver(told)


@pytest.fixture(scope="module")
async def library_process(node: Path) -> AsyncIterator[LibraryProcess]:
    process = await asyncio.create_subprocess_exec(
        *(node, "client.mts"),
        cwd=NODE_FOLDER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    clients = LibraryProcess(process)
    yield clients
    await clients.end()


@pytest.fixture
async def library(library_process: LibraryProcess) -> AsyncIterator[LibraryProcess]:
    """Opens clients of the library, which are closed after the test."""
    yield library_process
    library_process.close_all()


class Firewall:
    """An HTTP proxy before a gateway. While it is `closed` it lets no socket through, of either transport."""

    def __init__(self, target: str, http: aiohttp.ClientSession) -> None:
        self.closed = True
        self.url = ""
        self._target = target
        self._http = http

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Polling passes as any request does; WebSocket never."""
        if request.path.startswith("/socket.io/") and self.closed:
            return web.Response(status=403, text="blocked")
        kept = ("Authorization", "Content-Type")
        async with self._http.request(
            request.method,
            self._target + request.path_qs,
            headers={name: request.headers[name] for name in kept if name in request.headers},
            data=await request.read(),
        ) as answer:
            return web.Response(
                status=answer.status,
                body=await answer.read(),
                headers={
                    name: answer.headers[name]
                    for name in ("Content-Type", "Retry-After")
                    if name in answer.headers
                },
            )


@pytest.fixture
async def firewall(nodes: tuple[Any, Any]) -> AsyncIterator[Firewall]:
    """Stands before the first node."""
    async with aiohttp.ClientSession() as http:
        firewall = Firewall(nodes[0].url, http)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", firewall.pass_on)
        async with listening(app) as firewall.url:
            yield firewall
