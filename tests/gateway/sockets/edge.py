"""The edge under test, with a tiny application of its own, and clients that say whatever they like."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from gateway.sockets.application import Connection
from gateway.sockets.frame import Frame
from gateway.sockets.options import SocketOptions
from gateway.sockets.server import SocketServer
from gateway.sockets.session import Session
from store.refusal import Refusal

DEADLINE = 15.0
"""Seconds within which whatever a test waits for has to happen."""


async def until(condition: Callable[[], Any], what: str = "the condition") -> None:
    """Wait until `condition` holds."""
    try:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what} did not come about") from None


class Echo:
    """Answers what it is asked, greets who comes in, and writes down what happened to it.

    `auth` may hold `{"refuse": "CODE"}` or `{"crash": true}`. While `door` is closed `connect` waits, and
    while `gate` is closed the command `wait` does. The command `now` is answered at once where that may be,
    and `trip` stumbles there.
    """

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.inside: dict[str, Connection] = {}
        self.door = asyncio.Event()
        self.door.set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.connecting = 0
        self.running = 0

    @property
    def commands(self) -> list[tuple[str, Any]]:
        """The commands carried out, in order."""
        return [entry[1:] for entry in self.log if entry[0] == "command"]

    @property
    def goodbyes(self) -> list[str]:
        """The reasons with which connections ended, in order."""
        return [entry[1] for entry in self.log if entry[0] == "disconnected"]

    async def connect(self, connection: Connection, auth: msgspec.Raw | None) -> None:
        given = msgspec.json.decode(auth) if auth is not None else {}
        connection.session = auth if auth is not None else msgspec.Raw(b"{}")
        self.connecting += 1
        await self.door.wait()
        if code := given.get("refuse"):
            raise Refusal(code, "You may not come in.", hint="none")
        if given.get("crash"):
            raise RuntimeError("a fault of the application")
        self.log.append(("connect",))

    def connected(self, connection: Connection) -> None:
        self.log.append(("connected",))
        self.inside[connection.id] = connection
        auth = bytes(connection.session)
        connection.send(Frame.event(b'"auth",%b' % auth, connection.namespace))

    async def command(
        self, connection: Connection, event: str, payload: msgspec.Raw | None
    ) -> bytes:
        assert not self.running, "one client's commands must not overlap"
        argument = None if payload is None else msgspec.json.decode(payload)
        data = b"null" if payload is None else bytes(payload)
        if event == "wait":
            self.running += 1
            try:
                await self.gate.wait()
            finally:
                self.running -= 1
        elif event == "message":
            connection.send(Frame.event(b'"message-back",%b' % data, connection.namespace))
        elif event == "crash":
            raise RuntimeError("a fault of the application")
        self.log.append(("command", event, argument))
        return b'{"data":%b}' % data

    def at_once(
        self, connection: Connection, event: str, payload: msgspec.Raw | None
    ) -> bytes | None:
        assert not self.running, "one client's commands must not overlap"
        if event == "trip":
            raise RuntimeError("a fault of the application")
        if event != "now":
            return None
        data = b"null" if payload is None else bytes(payload)
        self.log.append(("at once", event, msgspec.json.decode(data)))
        return b'{"data":%b}' % data

    def draining(self, connection: Connection, seconds: float) -> None:
        connection.send(Frame.event(b'"draining",%d' % round(seconds * 1000), connection.namespace))

    def disconnected(self, connection: Connection, reason: str) -> None:
        assert connection.closed
        self.inside.pop(connection.id, None)
        self.log.append(("disconnected", reason))


class Edge:
    """A served `SocketServer`, and ways to talk to it."""

    def __init__(
        self, server: SocketServer, application: Echo, port: int, http: aiohttp.ClientSession
    ) -> None:
        self.server = server
        self.application = application
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.http = http

    @property
    def sessions(self) -> dict[str, Session]:
        """The sessions that the server knows, by their sid."""
        return self.server._engine.sockets

    @property
    def websockets(self) -> int:
        """The WebSockets whose TCP connection is there."""
        return len(self.server._engine._websockets)

    async def request(
        self, method: str, query: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, str]:
        """Any request below `/socket.io/`; its status and text."""
        url = f"{self.url}/socket.io/?{query}"
        async with self.http.request(method, url, data=body, headers=headers) as response:
            return response.status, await response.text()

    def websocket(self, query: str = "EIO=4&transport=websocket", **headers: str) -> Any:
        """A WebSocket, as an asynchronous context manager."""
        return self.http.ws_connect(
            f"{self.url}/socket.io/?{query}", headers=headers, max_msg_size=0, autoping=False
        )

    @asynccontextmanager
    async def client(
        self, auth: str = "", *, websocket: bool = True
    ) -> AsyncIterator["Speaker | Poller"]:
        """A client that has come in, its greetings read."""
        if websocket:
            async with self.websocket() as ws:
                speaker = Speaker(ws)
                await speaker.hears(r"0\{")
                await speaker.says(f"40{auth}")
                await speaker.greeted()
                yield speaker
        else:
            poller = await self.poller()
            await poller.says(f"40{auth}")
            await poller.greeted()
            yield poller

    async def poller(self) -> "Poller":
        """A session over long-polling that has not come in yet."""
        status, text = await self.request("GET", "EIO=4&transport=polling")
        assert status == 200, text
        return Poller(self, json.loads(text[1:])["sid"])

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare TCP connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def raw_websocket(
        self, query: str = "EIO=4&transport=websocket", receive_buffer: int | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A WebSocket whose frames the test makes itself; the handshake is done."""
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 20)
        writer.write(
            f"GET /socket.io/?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE)
        assert b" 101 " in head, head
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        return reader, writer


class Talker:
    """A client that has a session."""

    async def says(self, *packets: str) -> None: ...

    async def reads(self) -> str:
        """The next packet; pings are answered and skipped."""
        raise NotImplementedError

    async def hears(self, pattern: str) -> str:
        """The next packet, which has to match."""
        packet = await self.reads()
        assert re.match(pattern, packet), f"{packet!r} instead of {pattern!r}"
        return packet

    async def greeted(self) -> None:
        await self.hears(r'40\{"sid":"[A-Za-z0-9_-]{20}"\}$')
        await self.hears(r'42\["auth",')

    async def asks(self, event: str, argument: Any = None, ack_id: int = 0) -> Any:
        """Send a command and read its ack, which has to be the next packet; its `data`."""
        arguments = [event] if argument is None else [event, argument]
        await self.says(f"42{ack_id}{json.dumps(arguments)}")
        answer = await self.hears(rf"43{ack_id}\[")
        return json.loads(answer[answer.index("[") :])[0]["data"]


class Speaker(Talker):
    """A client with a WebSocket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def says(self, *packets: str) -> None:
        for packet in packets:
            await self.ws.send_str(packet)

    async def reads(self) -> str:
        while True:
            message = await self.ws.receive(DEADLINE)
            assert message.type is aiohttp.WSMsgType.TEXT, message
            if message.data != "2":
                packet: str = message.data
                return packet
            await self.ws.send_str("3")

    async def ends(self) -> list[str]:
        """Read until the connection has ended; what came before."""
        came = []
        while (message := await self.ws.receive(DEADLINE)).type is aiohttp.WSMsgType.TEXT:
            came.append(message.data)
        assert message.type in (
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.CLOSING,
        ), message
        return came


class Poller(Talker):
    """A client that polls."""

    def __init__(self, edge: Edge, sid: str) -> None:
        self.edge = edge
        self.sid = sid
        self.query = f"EIO=4&transport=polling&sid={sid}"
        self._packets: list[str] = []

    async def get(self) -> tuple[int, str]:
        return await self.edge.request("GET", self.query)

    async def post(self, payload: str) -> tuple[int, str]:
        return await self.edge.request("POST", self.query, payload.encode())

    async def parked(self) -> asyncio.Task[tuple[int, str]]:
        """A GET that the server holds."""
        poll = asyncio.create_task(self.get())
        session = self.edge.sessions[self.sid]
        await until(lambda: session._poll is not None or poll.done(), "the poll")
        return poll

    async def says(self, *packets: str) -> None:
        assert await self.post("\x1e".join(packets)) == (200, "ok")

    async def reads(self) -> str:
        while not self._packets:
            status, text = await asyncio.wait_for(self.get(), DEADLINE)
            assert status == 200, text
            self._packets = [packet for packet in text.split("\x1e") if packet not in ("2", "6")]
            if "2" in text.split("\x1e"):
                await self.says("3")
        return self._packets.pop(0)

    async def is_gone(self) -> bool:
        return (await self.get())[0] == 400 and (await self.post("3"))[0] == 400


@asynccontextmanager
async def edge(
    application: Echo | None = None, send_buffer: int | None = None, **options: Any
) -> AsyncIterator[Edge]:
    """An edge on a free port; when the test is over, nothing of it may be left.

    `send_buffer` is how much the kernel takes for a client that does not read, in bytes.
    """
    application = application or Echo()
    server = SocketServer(application, SocketOptions(**options))
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listening = socket.socket()
    if send_buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    listening.bind(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Edge(server, application, runner.addresses[0][1], http)
    finally:
        application.door.set()
        application.gate.set()
        await server.close()
        await runner.cleanup()
    assert not server.connections
    assert not application.inside
    comings = [entry[0] for entry in application.log].count("connect")
    assert len(application.goodbyes) == comings, "each connect that passed has one disconnected"


def masked(payload: bytes, opcode: int = 0x1, *, final: bool = True) -> bytes:
    """One frame as a client sends it."""
    mask = b"\x12\x34\x56\x78"
    size = len(payload)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 1 << 16:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes(((0x80 if final else 0) | opcode,)) + length + mask + body


async def frame_of(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next frame that the server sent: its opcode and payload."""
    first, size = await asyncio.wait_for(reader.readexactly(2), DEADLINE)
    assert first & 0xF0 == 0x80, "the server sends whole frames"
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    elif size == 127:
        size = int.from_bytes(await reader.readexactly(8), "big")
    return first & 0x0F, await asyncio.wait_for(reader.readexactly(size), DEADLINE)


async def close_code(reader: asyncio.StreamReader) -> int:
    """The code with which the server closes the WebSocket, whatever it sends before that."""
    while (frame := await frame_of(reader))[0] != 0x8:
        pass
    return int.from_bytes(frame[1][:2], "big")
