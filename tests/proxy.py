"""A TCP proxy before a real server, which can fail as a network does.

async with Proxy.before(redis_url) as proxy:
    client = Redis.from_url(proxy.url)
    await proxy.cut()     # every connection is reset, and new ones are refused
    await proxy.mend()
    proxy.stall()         # connections stay, and nothing passes
    proxy.stall(Way.BACK) # or only what the server answers does not
    proxy.go_on()
    proxy.throttle(10_000)
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from urllib.parse import urlsplit

Change = Callable[[bytes], bytes]
"""What becomes of the bytes of one connection, piece by piece."""


class Way(Enum):
    """A direction through the proxy."""

    THERE = "from the client to the server"
    BACK = "from the server to the client"


class Proxy:
    """Passes on what comes to `url`."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._parts = urlsplit(url)
        self._target = _address(url)
        self._changes: Callable[[], Change] | None = None
        self._server: asyncio.Server | None = None
        self._port = 0
        self._moving = {way: asyncio.Event() for way in Way}
        self.go_on()
        self._bytes_per_second: float | None = None
        self.pieces = 0
        """Writes of clients that were passed on: of one who waits for answers, as many as round trips."""
        self._passing: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @classmethod
    @asynccontextmanager
    async def before(cls, url: str, *, tls: ssl.SSLContext | None = None) -> AsyncIterator["Proxy"]:
        """A proxy before the server at `url`, of any scheme; with `tls` that is spoken with the proxy."""
        proxy = cls(url, tls)
        await proxy.mend()
        try:
            yield proxy
        finally:
            await proxy.cut()

    @property
    def url(self) -> str:
        """The address of the server, by way of the proxy."""
        credentials, at, _ = self._parts.netloc.rpartition("@")
        return self._parts._replace(netloc=f"{credentials}{at}127.0.0.1:{self._port}").geturl()

    @property
    def port(self) -> int:
        return self._port

    @property
    def connections(self) -> int:
        return len(self._passing)

    async def mend(self) -> None:
        """Take connections, again at the same port."""
        self._server = await asyncio.start_server(
            self._take, "127.0.0.1", self._port, ssl=self._tls
        )
        self._port = self._server.sockets[0].getsockname()[1]

    def turn_to(self, url: str) -> None:
        """Lead new connections to another server."""
        self._target = _address(url)

    async def cut(self) -> None:
        """Refuse new connections, and reset those that there are."""
        assert self._server is not None
        self._server.close()
        await self.reset()

    async def reset(self) -> None:
        """Reset all connections; new ones may come."""
        tasks = list(self._passing)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stall(self, *ways: Way) -> None:
        """Pass on nothing any more, as a network that swallows every packet; or nothing one way."""
        for way in ways or Way:
            self._moving[way].clear()

    def go_on(self) -> None:
        """Pass on what was kept back, and all that follows."""
        for moving in self._moving.values():
            moving.set()

    def moves(self, way: Way) -> bool:
        """Whether something passes that way."""
        return self._moving[way].is_set()

    def throttle(self, bytes_per_second: float | None) -> None:
        """Pass on so much of each connection each way at the most; None: as it comes."""
        self._bytes_per_second = bytes_per_second

    async def change(self, changes: Callable[[], Change] | None) -> None:
        """Change what the server answers, on each connection by what `changes` makes for it.

        Connections that there are are reset, unless nothing changes.
        """
        if changes is not self._changes:
            self._changes = changes
            await self.reset()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing[task] = writer
        others: asyncio.StreamWriter | None = None
        try:
            await self._moving[Way.THERE].wait()
            answers, others = await asyncio.open_connection(*self._target)
            change = self._changes() if self._changes else bytes
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, others, Way.THERE, bytes))
                group.create_task(self._pass(answers, writer, Way.BACK, change))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            del self._passing[task]
            for each in (writer, others):
                if each is not None:
                    each.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way, change: Change
    ) -> None:
        while data := await reader.read(1 << 16):
            await self._moving[way].wait()
            if self._bytes_per_second is not None:
                await asyncio.sleep(len(data) / self._bytes_per_second)
            if way is Way.THERE:
                self.pieces += 1
            writer.write(change(data))
            await writer.drain()
        await self._moving[way].wait()
        with suppress(OSError):
            if writer.can_write_eof():
                writer.write_eof()
        raise ConnectionResetError  # one end is gone: so is the other


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
