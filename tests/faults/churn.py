"""Those who come and are gone again, most of them before anybody knows who they are."""

import asyncio
import random
import socket
from collections.abc import Sequence

from load import wire
from tests.faults.clients import RESET_AT_ONCE
from tests.faults.place import Station

AT_ONCE = 64
RUN_SECONDS = 300.0


class Churn:
    """Visitors who come and are cut off at some moment or other."""

    def __init__(self, station: Station, posts: Sequence[str]) -> None:
        self._station = station
        self._posts = posts
        self._chance = random.Random(16)  # noqa: S311

    async def run(self, count: int) -> None:
        """So many of them, some at the same time."""
        left = iter(range(count))

        async def visits() -> None:
            for _ in left:
                await self._visit()

        async with asyncio.timeout(RUN_SECONDS):
            await asyncio.gather(*(visits() for _ in range(AT_ONCE)))

    async def _visit(self) -> None:
        host, _, port = self._station.url.removeprefix("http://").partition(":")
        hello = wire.upgrade_request(f"{host}:{port}")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            moment = self._chance.randrange(6)
            if moment == 0:
                return
            if moment == 1:
                writer.write(hello[: self._chance.randrange(len(hello))])
                await asyncio.sleep(0)
                return
            writer.write(hello)
            if moment == 2:
                await asyncio.sleep(0)
                return
            await reader.readuntil(b"\r\n\r\n")
            writer.write(wire.text(wire.connect(None)))
            if moment == 3:
                await asyncio.sleep(0)
                return
            await _until(reader, b"session:ready")
            topic = f"post:{self._chance.choice(self._posts)}"
            writer.write(wire.text(wire.command(1, "topic:watch", {"topic": topic})))
            if moment == 4:
                return
            await _until(reader, b"431[")
        except (OSError, asyncio.IncompleteReadError):
            pass  # the server may be the first to end it
        finally:
            own = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
            writer.transport.abort()


async def _until(reader: asyncio.StreamReader, sign: bytes) -> None:
    seen = b""
    while sign not in seen:
        more = await reader.read(4096)
        if not more:
            raise ConnectionResetError
        seen += more
