"""A PostgreSQL and a Valkey of our own that may be killed and started again, with proxies before them."""

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from gateway.embedded.home import home_of
from gateway.embedded.postgres import PostgreSQL
from gateway.embedded.valkey import Valkey
from tests.proxy import Proxy


class Server:
    """One of them, running. PostgreSQL keeps what it has acknowledged, Valkey nothing."""

    def __init__(self, program: PostgreSQL | Valkey) -> None:
        self._program = program
        self._proxies: list[Proxy] = []

    @property
    def url(self) -> str:
        """Where it is, past all proxies; another address after each start."""
        return self._program.url

    @asynccontextmanager
    async def behind(self) -> AsyncIterator[Proxy]:
        """A proxy before it, which leads to it after a new start, too."""
        async with Proxy.before(self.url) as proxy:
            self._proxies.append(proxy)
            yield proxy
            self._proxies.remove(proxy)

    async def kill(self) -> None:
        """End all of its processes at once, with SIGKILL."""
        first = psutil.Process(self._program.pid)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        await self._program.stop()

    async def stop(self) -> None:
        """Shut it down in order."""
        await self._program.stop()

    async def start(self) -> None:
        """Start it again."""
        await self._program.start()
        for proxy in self._proxies:
            proxy.turn_to(self.url)


@dataclass(frozen=True)
class Servers:
    """Both. PostgreSQL writes to disk before it acknowledges, as it does for people."""

    postgres: Server
    valkey: Server


@asynccontextmanager
async def own_servers(folder: Path) -> AsyncIterator[Servers]:
    """A PostgreSQL and a Valkey with their data in `folder`, to do anything to."""
    home = home_of(folder)
    async with AsyncExitStack() as stack:
        programs = (
            PostgreSQL(home, folder / "postgres.log", durable=True),
            Valkey(home, folder / "valkey.log"),
        )
        for program in programs:
            await program.start()
            stack.push_async_callback(program.stop)
        yield Servers(*map(Server, programs))
