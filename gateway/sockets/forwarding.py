"""Forwarding a request over HTTP to the worker that owns its session, here or on another machine."""

import asyncio
import hmac
from contextlib import suppress
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from gateway.sockets.handover import LARGEST_HEAD, OwnerGone, head_of
from gateway.sockets.taking import Taken, Watch, take

MARKER = "X-Vernissage-Forwarded"
"""The client's address, and the proof that a worker of ours says so. Nobody else's is believed."""

CONNECT_SECONDS = 3.0
"""Within which the owner has to be reached, or it counts as gone."""

IDLE_SECONDS = 2.0
"""For which a connection to an owner is kept for the next request."""

PIECE = 64 * 1024
"""Bytes of a WebSocket that are passed on at a time."""

_HOP_BY_HOP = frozenset(
    name.lower()
    for name in (
        *(hdrs.CONNECTION, hdrs.KEEP_ALIVE, hdrs.PROXY_AUTHENTICATE, hdrs.PROXY_AUTHORIZATION),
        *(hdrs.TE, hdrs.TRAILER, hdrs.TRANSFER_ENCODING, hdrs.UPGRADE, hdrs.CONTENT_LENGTH),
    )
)
_MADE_UP = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)


class Vouching:
    """Who a forwarded request comes from: said by one worker, believed by another, by a shared secret."""

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()

    def mark(self, request: web.BaseRequest) -> str:
        """The marker for forwarding this request, which came from its own peer."""
        peer = request.remote or ""
        return f"{peer} {self._proof(request, peer)}"

    def believed(self, request: web.Request) -> tuple[web.Request, bool]:
        """The request as its client sent it, without any marker, and whether a worker forwarded it."""
        markers = request.headers.getall(MARKER, None)
        if markers is None:
            return request, False
        peer, _, proof = markers[0].partition(" ")
        headers = CIMultiDict(request.headers)
        headers.popall(MARKER)
        genuine = (
            len(markers) == 1
            and _is_address(peer)
            and hmac.compare_digest(proof.encode(), self._proof(request, peer).encode())
        )
        if not genuine:
            return request.clone(headers=headers), False
        return request.clone(headers=headers, remote=peer), True

    def _proof(self, request: web.BaseRequest, peer: str) -> str:
        said = f"{request.method}\n{request.rel_url}\n{peer}"
        return hmac.new(self._key, said.encode(), sha256).hexdigest()


def _is_address(text: str) -> bool:
    with suppress(ValueError):
        ip_address(text)
        return True
    return False


class Forwarder:
    """The way to owners: a path is that of a worker's private socket, an URL that of another machine.

    `patience` is how long the answer to a poll may take, in seconds.
    """

    def __init__(self, vouching: Vouching, *, patience: float) -> None:
        self._vouching = vouching
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=patience
        )
        self._clients: dict[Path | str, aiohttp.ClientSession] = {}

    async def forward(self, request: web.Request, to: Path | str) -> web.StreamResponse:
        """The owner's answer. Raises OwnerGone."""
        if "websocket" in request.headers.get(hdrs.UPGRADE, "").lower():
            return await self._tunnel(request, to)
        asking = asyncio.create_task(self._ask(request, to))
        transport = request.transport
        if transport is None:
            asking.cancel()
            raise OwnerGone
        protocol = transport.get_protocol()

        def left() -> None:
            asking.cancel()

        # A client that leaves must be gone for the owner, too: it would count what it answers as delivered.
        transport.set_protocol(Watch(protocol, left))
        try:
            return await asking
        except asyncio.CancelledError:
            if request.transport is not None:
                raise
            return Taken()
        finally:
            if not transport.is_closing():
                transport.set_protocol(protocol)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()

    async def _ask(self, request: web.Request, to: Path | str) -> web.Response:
        headers = CIMultiDict(
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in _HOP_BY_HOP
        )
        headers[MARKER] = self._vouching.mark(request)
        origin = "http://worker" if isinstance(to, Path) else to
        try:
            async with self._client(to).request(
                request.method,
                URL(f"{origin}{request.rel_url}", encoded=True),
                headers=headers,
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            await self._forget(to)
            raise OwnerGone from error
        kept = [(n, v) for n, v in answer.headers.items() if n.lower() not in _HOP_BY_HOP]
        return web.Response(status=answer.status, headers=CIMultiDict(kept), body=body)

    async def _tunnel(self, request: web.Request, to: Path | str) -> web.StreamResponse:
        """Pass on a WebSocket: both ends see the same bytes."""
        head = head_of(request).removesuffix(b"\r\n")
        head += f"{MARKER}: {self._vouching.mark(request)}\r\n\r\n".encode()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await _connect(to)
                writer.write(head)
                answer = await reader.readuntil(b"\r\n\r\n")
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            raise OwnerGone from error
        if not answer.startswith(b"HTTP/1.1 101 "):
            writer.transport.abort()
            raise web.HTTPBadRequest(text="the session's owner did not take the WebSocket")
        try:
            transport, early = take(request)
        except web.HTTPBadRequest:
            writer.transport.abort()
            raise
        client = asyncio.StreamReader(limit=PIECE)
        protocol = asyncio.StreamReaderProtocol(client)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if early:
            client.feed_data(early)
        if not transport.is_reading():
            transport.resume_reading()
        to_client = asyncio.StreamWriter(transport, protocol, client, asyncio.get_running_loop())
        to_client.write(answer)
        await _pass_both_ways((client, to_client), (reader, writer))
        return Taken()

    def _client(self, to: Path | str) -> aiohttp.ClientSession:
        client = self._clients.get(to)
        if client is None:
            connector = (
                aiohttp.UnixConnector(str(to), limit=0, keepalive_timeout=IDLE_SECONDS)
                if isinstance(to, Path)
                else aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
            )
            client = self._clients[to] = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                auto_decompress=False,
                skip_auto_headers=_MADE_UP,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return client

    async def _forget(self, to: Path | str) -> None:
        if (client := self._clients.pop(to, None)) is not None:
            await client.close()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connect(to: Path | str) -> Stream:
    if isinstance(to, Path):
        return await asyncio.open_unix_connection(str(to), limit=LARGEST_HEAD)
    url = urlsplit(to)
    secure = url.scheme == "https"
    port = url.port or (443 if secure else 80)
    return await asyncio.open_connection(url.hostname, port, ssl=secure or None, limit=LARGEST_HEAD)


async def _pass_both_ways(one: Stream, other: Stream) -> None:
    """Until either end is gone; then both are."""
    passing = [
        asyncio.create_task(_pass(source, sink))
        for source, sink in ((one[0], other[1]), (other[0], one[1]))
    ]
    try:
        await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
        for _, writer in (one, other):
            writer.close()


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await source.read(PIECE):
            sink.write(piece)
            await sink.drain()
