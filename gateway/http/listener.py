"""An application at the public port, which can stop letting people in before it stops answering."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from aiohttp import hdrs, web
from aiohttp.web_request import Request

from gateway.http.runner import Connection, Runner
from gateway.sockets.server import PATH as SOCKETS_PATH

LISTEN_BACKLOG = 4_096
"""Connections that may wait: as many as come back at once when a machine has died."""
HEAD_SECONDS = 75.0
"""Within which the head of the next request has to be there; proxies keep connections for 60."""
LINGERING_SECONDS = 2.0
"""How long what follows a refused head is read, so that the client gets to see the refusal."""
SHUTDOWN_SECONDS = 3.0
"""Within which requests in hand have to be answered at the end."""
FIRST_REQUEST_SECONDS = 0.5
"""How long, at the end, a connection that has just been let in has for its first request."""
LOOK_SECONDS = 0.01
"""Between two looks at whether it has come."""


def runner(app: web.Application) -> Runner:
    """What serves an application of ours."""
    return Runner(
        app,
        access_log=None,
        keepalive_timeout=HEAD_SECONDS,
        lingering_time=LINGERING_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )


class MovableConnection(Connection):
    """A client's connection, which can go from one worker to another.

    One that another worker has let in begins with `head`, the request that was read there.
    """

    __slots__ = ("_head", "_unfinished")

    def __init__(self, server: web.Server, head: bytes, **options: Any) -> None:
        super().__init__(server, **options)
        self._head = head
        self._unfinished = False

    @property
    def holds_more(self) -> bool:
        """Whether the client has sent more than the head of the request in hand."""
        return bool(self._unfinished or self._messages or self._message_tail)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._head:
            self.data_received(self._head)
            self._head = b""

    def data_received(self, data: bytes) -> None:
        if data:
            # What follows a head and is whole waits in the queue; of what is not, the parser has the beginning.
            self._unfinished = not data.endswith(b"\r\n\r\n")
        super().data_received(data)


class Listener:
    """Serves `app`: begins with `open`, lets nobody in after `stop_listening`, and ends with `close`."""

    def __init__(self, app: web.Application) -> None:
        self._stopping = False
        self._servers: list[asyncio.Server] = []
        app.on_response_prepare.append(self._send_elsewhere)
        self._runner = runner(app)

    async def open(self, listening: Sequence[socket.socket]) -> None:
        """Serve at these sockets, which are bound."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        for each in listening:
            self._servers.append(
                await loop.create_server(self._connection, sock=each, backlog=LISTEN_BACKLOG)
            )

    async def adopt(self, head: bytes, connection: socket.socket) -> None:
        """Serve a connection that another worker has let in, beginning with the request it read."""
        connection.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: self._connection(head), connection
        )

    async def stop_listening(self) -> None:
        """Let nobody in any more. Whoever is in is still answered, REST with `Connection: close`.

        Returns once those who came in last have had time for their first request.
        """
        self._stopping = True
        for server in self._servers:
            server.close()
        for _ in range(
            3
        ):  # what has been accepted becomes a connection within that many loop passes
            await asyncio.sleep(0)
        for _ in range(round(FIRST_REQUEST_SECONDS / LOOK_SECONDS)):
            if not self._has_strangers():
                break
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """Answer the requests in hand, and close all connections."""
        for server in self._servers:
            server.close()
        await self._runner.cleanup()

    def _connection(self, head: bytes = b"") -> MovableConnection:
        server = self._runner.server
        assert server is not None
        return MovableConnection(server, head, loop=asyncio.get_running_loop(), **server._kwargs)

    def _has_strangers(self) -> bool:
        """Whether there is a connection that has asked for nothing yet."""
        server = self._runner.server
        return server is not None and any(
            not connection._request_count for connection in server.connections
        )

    async def _send_elsewhere(self, request: Request, response: web.StreamResponse) -> None:
        if self._stopping and request.path != SOCKETS_PATH:
            response.headers[hdrs.CONNECTION] = "close"
            response.force_close()
