"""The cases of the official Engine.IO 4 test suite.

Its echo server works below Socket.IO, so where it sends `4hello` these tests send a Socket.IO event, and
binary packets, which the gateway refuses by design, end the session. The original:
https://github.com/socketio/engine.io-protocol (test-suite/test-suite.js).
"""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.gateway.sockets.edge import DEADLINE, Edge, Poller, Speaker, edge, until

PING_INTERVAL = 0.3
PING_TIMEOUT = 0.2
MAX_PAYLOAD = 1_000_000

POLLING = "EIO=4&transport=polling"
WEBSOCKET = "EIO=4&transport=websocket"


@pytest.fixture
async def server() -> AsyncIterator[Edge]:
    async with edge(
        ping_interval=PING_INTERVAL, ping_timeout=PING_TIMEOUT, max_payload=MAX_PAYLOAD
    ) as running:
        yield running


def handshake(packet: str, upgrades: list[str]) -> str:
    """Check an OPEN packet; the sid."""
    assert packet[0] == "0"
    value = json.loads(packet[1:])
    assert {name: value[name] for name in value if name != "sid"} == {
        "upgrades": upgrades,
        "pingInterval": 300,
        "pingTimeout": 200,
        "maxPayload": MAX_PAYLOAD,
    }
    assert isinstance(value["sid"], str)
    return str(value["sid"])


async def is_closed(speaker: Speaker) -> None:
    await speaker.ends()


class TestHandshake:
    async def test_polling_opens_a_session(self, server: Edge) -> None:
        """The answer to the first GET is an OPEN packet with everything a client has to know."""
        status, text = await server.request("GET", POLLING)
        assert status == 200
        handshake(text, ["websocket"])

    @pytest.mark.parametrize("query", ["transport=polling", "EIO=abc&transport=polling"])
    async def test_polling_fails_with_an_invalid_version(self, server: Edge, query: str) -> None:
        """A missing or unknown EIO is 400."""
        assert (await server.request("GET", query))[0] == 400

    @pytest.mark.parametrize("query", ["EIO=4", "EIO=4&transport=abc"])
    async def test_polling_fails_with_an_invalid_transport(self, server: Edge, query: str) -> None:
        """A missing or unknown transport is 400."""
        assert (await server.request("GET", query))[0] == 400

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    async def test_polling_fails_with_an_invalid_method(self, server: Edge, method: str) -> None:
        """Only a GET opens a session."""
        assert (await server.request(method, POLLING))[0] == 400

    async def test_websocket_opens_a_session(self, server: Edge) -> None:
        """The first message of a WebSocket is an OPEN packet, which offers no upgrade."""
        async with server.websocket() as ws:
            handshake(await ws.receive_str(timeout=DEADLINE), [])

    @pytest.mark.parametrize(
        "query",
        ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc"],
    )
    async def test_websocket_fails_with_an_invalid_query(self, server: Edge, query: str) -> None:
        """A missing or unknown EIO or transport is no WebSocket, but 400."""
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with server.websocket(query):
                pass
        assert refused.value.status == 400


class TestMessage:
    async def test_polling_carries_one_packet(self, server: Edge) -> None:
        """A POST is answered `ok`, and what it brings about comes with the next GET."""
        async with server.client(websocket=False) as client:
            assert await client.post('42["message","hello"]') == (200, "ok")
            await client.hears(r'42\["message-back","hello"\]$')

    async def test_polling_carries_several_packets(self, server: Edge) -> None:
        """A payload is packets with a record separator between them, both ways."""
        async with server.client(websocket=False) as client:
            tests = [f'42["message","test{i}"]' for i in (1, 2, 3)]
            assert await client.post("\x1e".join(tests)) == (200, "ok")
            status, text = await client.get()
            assert status == 200
            assert text == "\x1e".join(f'42["message-back","test{i}"]' for i in (1, 2, 3))

    async def test_polling_refuses_a_binary_packet(self, server: Edge) -> None:
        """By design: a base64 packet ends the session, and nothing beside it is run."""
        async with server.client(websocket=False) as client:
            assert (await client.post('42["message","hello"]\x1ebAQIDBA=='))[0] == 400
            assert await client.is_gone()
        assert not server.application.commands

    async def test_polling_closes_upon_an_invalid_packet(self, server: Edge) -> None:
        """A POST that is no packet is 400, and so is the next GET."""
        poller = await server.poller()
        assert (await poller.post("abc"))[0] == 400
        assert (await poller.get())[0] == 400

    async def test_polling_closes_upon_duplicate_polls(self, server: Edge) -> None:
        """A second GET beside a parked one ends both: `1` for the first, 400 for the second."""
        poller = await server.poller()
        first = await poller.parked()
        assert (await poller.get())[0] == 400
        assert await first == (200, "1")
        assert (await poller.get())[0] == 400

    async def test_websocket_carries_a_packet(self, server: Edge) -> None:
        """A text message is a packet, both ways."""
        async with server.client() as client:
            await client.says('42["message","hello"]')
            await client.hears(r'42\["message-back","hello"\]$')

    async def test_websocket_refuses_a_binary_packet(self, server: Edge) -> None:
        """By design: a binary message ends the session."""
        async with server.client() as client:
            await client.ws.send_bytes(b"\x01\x02\x03\x04")
            await is_closed(client)
            assert client.ws.close_code == 1003

    async def test_websocket_closes_upon_an_invalid_packet(self, server: Edge) -> None:
        """A text message that is no packet ends the session."""
        async with server.websocket() as ws:
            client = Speaker(ws)
            await client.hears("0")
            await client.says("abc")
            await is_closed(client)


class TestHeartbeat:
    async def test_polling_is_pinged(self, server: Edge) -> None:
        """Each ping that is answered is followed by another."""
        poller = await server.poller()
        for _ in range(3):
            assert await poller.get() == (200, "2")
            assert await poller.post("3") == (200, "ok")

    async def test_polling_closes_upon_a_ping_timeout(self, server: Edge) -> None:
        """A session that does not answer the ping is gone."""
        poller = await server.poller()
        await until(lambda: poller.sid not in server.sessions)
        assert (await poller.get())[0] == 400

    async def test_websocket_is_pinged(self, server: Edge) -> None:
        """Each ping that is answered is followed by another."""
        async with server.websocket() as ws:
            await Speaker(ws).hears("0")
            for _ in range(3):
                assert await ws.receive_str(timeout=DEADLINE) == "2"
                await ws.send_str("3")

    async def test_websocket_closes_upon_a_ping_timeout(self, server: Edge) -> None:
        """A WebSocket that does not answer the ping is closed."""
        async with server.websocket() as ws:
            assert [packet[0] for packet in await Speaker(ws).ends()] == ["0", "2"]


class TestClose:
    async def test_polling_ends_with_a_close_packet(self, server: Edge) -> None:
        """A `1` from the client releases its parked GET with `6`; the next request is 400."""
        poller = await server.poller()
        parked = await poller.parked()
        assert await poller.post("1") == (200, "ok")
        assert await parked == (200, "6")
        assert (await poller.get())[0] == 400

    async def test_websocket_ends_with_a_close_packet(self, server: Edge) -> None:
        """A `1` from the client closes its WebSocket."""
        async with server.websocket() as ws:
            client = Speaker(ws)
            await client.hears("0")
            await client.says("1")
            await is_closed(client)


class TestUpgrade:
    async def probe(self, server: Edge, poller: Poller) -> Speaker:
        """A WebSocket that has probed for the session and been answered."""
        client = Speaker(await server.websocket(f"{WEBSOCKET}&sid={poller.sid}"))
        await client.says("2probe")
        await client.hears("3probe$")
        return client

    async def test_it_goes_from_polling_to_websocket(self, server: Edge) -> None:
        """A GET that comes while the WebSocket probes is answered `6`, and then all goes over it."""
        async with server.client(websocket=False) as poller:
            client = await self.probe(server, poller)
            assert await poller.get() == (200, "6")
            await client.says("5", '42["message","hello"]')
            await client.hears(r'42\["message-back","hello"\]$')
            await client.ws.close()

    async def test_an_upgraded_session_polls_no_more(self, server: Edge) -> None:
        """After the upgrade an HTTP request with the sid is 400, and does the session no harm."""
        async with server.client(websocket=False) as poller:
            client = await self.probe(server, poller)
            await client.says("5")
            assert await client.asks("echo", 1) == 1
            assert (await poller.get())[0] == 400
            assert (await poller.post('42["echo"]'))[0] == 400
            assert await client.asks("echo", 2) == 2
            await client.ws.close()

    async def test_an_upgraded_session_has_one_websocket(self, server: Edge) -> None:
        """A second WebSocket with the sid is refused at once, and does the session no harm."""
        async with server.client(websocket=False) as poller:
            client = await self.probe(server, poller)
            await client.says("5")
            assert await client.asks("echo", 1) == 1
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await server.websocket(f"{WEBSOCKET}&sid={poller.sid}")
            assert await client.asks("echo", 2) == 2
            await client.ws.close()
