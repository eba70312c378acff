"""The edge: Socket.IO clients on one side, the application on the other."""

import asyncio
import random
import time
from collections.abc import Mapping
from types import MappingProxyType

from aiohttp import web

from gateway.sockets.application import Application, Connection
from gateway.sockets.client import Client, SocketConnection
from gateway.sockets.elsewhere import Elsewhere
from gateway.sockets.engine import EngineServer
from gateway.sockets.options import SocketOptions
from gateway.sockets.owner import Owner, new_node
from gateway.sockets.session import Session

PATH = "/socket.io/"

CLOSED_PER_SECOND = 500
"""Clients that are sent elsewhere when the server drains, and authenticate anew there."""

DRAIN_WINDOW = 10.0
"""Seconds that the clients' going away is spread over at most, however many they are."""

HEED_SECONDS = 0.2
"""From telling until the first client is closed: who asks nothing more once told has all its answers then."""

COMMAND_DEADLINE = 5.0
"""Seconds that commands in hand get when the server closes."""


class SocketServer:
    """Serves Socket.IO (protocol 5, over Engine.IO 4) on an aiohttp application."""

    def __init__(
        self,
        application: Application,
        options: SocketOptions | None = None,
        owner: Owner | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._application = application
        self._options = options or SocketOptions()
        self._connections: dict[str, SocketConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._engine = EngineServer(self._options, self._client, owner or Owner(new_node(), 0, 0))
        self._elsewhere = elsewhere

    @property
    def connections(self) -> Mapping[str, Connection]:
        """The clients that are in, by their id, as of now."""
        return MappingProxyType(self._connections)

    @property
    def by_transport(self) -> Mapping[str, int]:
        """How many clients are connected over each transport, as of now."""
        websocket = self._engine.over_websocket
        return {"websocket": websocket, "polling": len(self._engine.sockets) - websocket}

    @property
    def ended(self) -> Mapping[str, int]:
        """How many connections have ended so far, by reason."""
        return MappingProxyType(self._engine.ended)

    @property
    def turned_away(self) -> int:
        """How many new connections were too many at once, so far."""
        return self._engine.turned_away

    def attach(self, app: web.Application) -> None:
        """Serve at `/socket.io/`."""
        app.router.add_route("*", PATH, self._handle)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._elsewhere is not None:
            request, answer = await self._elsewhere.answer(request)
            if answer is not None:
                return answer
        return await self._engine.handle_request(request)

    async def drain(self) -> None:
        """Let nobody in any more, tell every client, and close them one after the other; then `close`.

        In any order, so that their return is spread over those who take them in. Commands in hand are
        carried out and answered first.
        """
        self._engine.drain()
        sessions = list(self._engine.sockets.values())
        random.shuffle(sessions)
        gap = min(1 / CLOSED_PER_SECOND, DRAIN_WINDOW / max(len(sessions), 1))
        for place, session in enumerate(sessions, 1):
            if not session.closing:
                session.upper.draining(HEED_SECONDS + place * gap)
        leaving: set[asyncio.Task[None]] = set()
        begun = time.monotonic()
        for place, session in enumerate(sessions, 1):
            await asyncio.sleep(begun + HEED_SECONDS + place * gap - time.monotonic())
            leaving.add(asyncio.create_task(session.leave()))
        if leaving:
            _, late = await asyncio.wait(leaving, timeout=COMMAND_DEADLINE)
            for task in late:
                task.cancel()
        await self.close()

    async def close(self) -> None:
        """Let nobody in any more, close every connection, and wait for the commands in hand."""
        await self._engine.shutdown()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=COMMAND_DEADLINE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _client(self, session: Session) -> Client:
        return Client(
            session, self._application, self._options.namespaces, self._connections, self._tasks
        )
