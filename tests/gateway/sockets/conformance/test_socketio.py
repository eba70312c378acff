"""The cases of the official Socket.IO 5 test suite.

Where the original sends three arguments these tests send one, and what it has for binary packets and
for acks that the server asks for ends the connection here, by design. The original:
https://github.com/socketio/socket.io-protocol (test-suite/test-suite.js).
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.sockets import client as socketio_client
from tests.gateway.sockets.edge import Edge, Speaker, edge


@pytest.fixture
async def server() -> AsyncIterator[Edge]:
    async with edge(
        ping_interval=0.3, ping_timeout=0.2, namespaces=frozenset({"/", "/custom"})
    ) as running:
        yield running


@asynccontextmanager
async def stranger(server: Edge) -> AsyncIterator[Speaker]:
    """A WebSocket that has not asked to come in yet."""
    async with server.websocket() as ws:
        client = Speaker(ws)
        await client.hears("0")
        yield client


class TestConnect:
    @pytest.mark.parametrize("auth", ["", '{"token":"123"}'])
    async def test_the_main_namespace(self, server: Edge, auth: str) -> None:
        """CONNECT is answered with a sid, and only then come events; the auth reaches the server."""
        async with stranger(server) as client:
            await client.says(f"40{auth}")
            answer = await client.hears("40")
            assert list(json.loads(answer[2:])) == ["sid"]
            assert await client.reads() == f'42["auth",{auth or "{}"}]'

    @pytest.mark.parametrize("auth", ["", '{"token":"abc"}'])
    async def test_a_custom_namespace(self, server: Edge, auth: str) -> None:
        """What belongs to a namespace names it."""
        async with stranger(server) as client:
            await client.says(f"40/custom,{auth}")
            answer = await client.hears("40/custom,")
            assert list(json.loads(answer[10:])) == ["sid"]
            assert await client.reads() == f'42/custom,["auth",{auth or "{}"}]'

    async def test_an_unknown_namespace(self, server: Edge) -> None:
        """A namespace that nobody serves is refused by name."""
        async with stranger(server) as client:
            await client.says("40/random")
            assert await client.reads() == '44/random,{"message":"Invalid namespace"}'

    async def test_an_invalid_handshake(self, server: Edge) -> None:
        """A message that is no packet ends the connection."""
        async with stranger(server) as client:
            await client.says("4abc")
            await client.ends()

    async def test_no_handshake(self, server: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who does not ask to come in is not kept."""
        monkeypatch.setattr(socketio_client, "CONNECT_DEADLINE", 0.05)
        async with stranger(server) as client:
            assert not await client.ends()


class TestDisconnect:
    async def test_from_the_main_namespace(self, server: Edge) -> None:
        """A DISCONNECT leaves the transport open: the next packet is a ping."""
        async with server.client() as client:
            await client.says("41")
            assert await client.ws.receive_str(timeout=1) == "2"

    async def test_from_a_custom_namespace(self, server: Edge) -> None:
        """Leaving one namespace leaves the client in the other."""
        async with server.client() as client:
            await client.says("40/custom")
            await client.hears("40/custom,")
            await client.hears(r'42/custom,\["auth",')
            await client.says("41/custom", '42["message","message to main namespace"]')
            assert await client.reads() == '42["message-back","message to main namespace"]'


class TestMessage:
    async def test_a_packet(self, server: Edge) -> None:
        """An event reaches the server with its argument."""
        async with server.client() as client:
            await client.says('42["message",{"3":[true]}]')
            assert await client.reads() == '42["message-back",{"3":[true]}]'

    async def test_a_packet_with_an_ack(self, server: Edge) -> None:
        """An event with an id is answered with that id."""
        async with server.client() as client:
            await client.says('42456["message-with-ack",{"3":[false]}]')
            assert await client.reads() == '43456[{"data":{"3":[false]}}]'

    @pytest.mark.parametrize(
        "packet",
        [
            '42["message",1,"2",{"3":[true]}]',
            '452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
            '452-789["message-with-ack",{"_placeholder":true,"num":0}]',
            '431[1,"2"]',
        ],
        ids=["arguments", "binary event", "binary event with an ack", "ack"],
    )
    async def test_what_is_refused_by_design(self, server: Edge, packet: str) -> None:
        """More than one argument, attachments and acks nobody asked for end the connection."""
        async with server.client() as client:
            await client.says(packet)
            await client.ends()

    @pytest.mark.parametrize(
        "packet", ["4abc", "42{}", '42abc["message-with-ack",1,"2"]', "42[]", "40[]"]
    )
    async def test_an_invalid_format(self, server: Edge, packet: str) -> None:
        """An unknown packet type, an invalid payload and an invalid ack id end the connection."""
        async with server.client() as client:
            await client.says(packet)
            await client.ends()
