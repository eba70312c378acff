"""What a client gets for a packet that it may not send: the end, and nobody else notices."""

from collections.abc import AsyncIterator

import pytest

from gateway.sockets.packets import MAX_PACKETS
from tests.gateway.sockets.edge import Edge, Talker, close_code, edge, masked, until
from tests.gateway.sockets.test_packets import MALFORMED

MAX_PAYLOAD = 16 * 1024

BYTES = {name: packet for name, packet in MALFORMED.items() if len(packet) < MAX_PAYLOAD}


@pytest.fixture
async def server() -> AsyncIterator[Edge]:
    async with edge(max_payload=MAX_PAYLOAD) as running:
        yield running


async def is_well(server: Edge, bystander: Talker) -> None:
    """The bystander is served as before, and of the other client nothing is left and nothing was run."""
    assert not server.application.commands
    await until(lambda: len(server.sessions) == 1 and len(server.server.connections) == 1)
    assert server.application.goodbyes == ["malformed packet"]
    assert await bystander.asks("echo", "still here") == "still here"


@pytest.mark.parametrize("packet", BYTES.values(), ids=BYTES.keys())
async def test_over_a_websocket(server: Edge, packet: bytes) -> None:
    """Every kind of malformed packet closes the WebSocket, with what came behind it unread."""
    async with server.client() as bystander:
        reader, writer = await server.raw_websocket()
        writer.write(masked(b"40"))
        await until(lambda: len(server.server.connections) == 2)
        writer.write(masked(packet) + masked(b'42["echo",1]'))
        assert await close_code(reader) == 1002
        writer.close()
        await is_well(server, bystander)


@pytest.mark.parametrize("packet", BYTES.values(), ids=BYTES.keys())
@pytest.mark.parametrize("place", ["alone", "between"])
async def test_over_long_polling(server: Edge, packet: bytes, place: str) -> None:
    """A payload with a malformed packet is 400 as a whole: the packets beside it are not run either."""
    async with server.client(websocket=False) as bystander:
        async with server.client(websocket=False) as poller:
            if place == "between":
                packet = b'42["echo",1]\x1e' + packet + b'\x1e42["echo",2]'
            status, _ = await server.request("POST", poller.query, packet)
            assert status == 400
            assert await poller.is_gone()
        await is_well(server, bystander)


@pytest.mark.parametrize("packet", ['42["echo",1]', "41", '420["echo"]', '42/other,["echo"]'])
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "polling"])
async def test_before_connect(server: Edge, packet: str, websocket: bool) -> None:
    """Whoever has not come in has nothing to say."""
    if websocket:
        async with server.websocket() as ws:
            await ws.receive()
            await ws.send_str(packet)
            assert (await ws.receive()).type.name == "CLOSE"
            assert ws.close_code == 1002
    else:
        poller = await server.poller()
        assert (await poller.post(packet))[0] == 400
        assert await poller.is_gone()
    assert server.application.log == []
    await until(lambda: not server.sessions)


async def test_a_second_connect(server: Edge) -> None:
    """Coming in twice ends the connection, also while the first is being decided."""
    async with server.client() as client:
        await client.says("40")
        await client.ends()
    server.application.door.clear()
    async with server.websocket() as ws:
        await ws.send_str("40")
        await until(lambda: server.application.connecting == 2)
        await ws.send_str("40")
        await ws.receive()
        assert (await ws.receive()).type.name == "CLOSE"
        server.application.door.set()
    await until(lambda: len(server.application.goodbyes) == 2)


async def test_events_after_leaving(server: Edge) -> None:
    """An event behind a DISCONNECT ends the connection; coming in again is all right."""
    async with server.client() as client:
        await client.says("41", "40")
        await client.greeted()
        await client.says("41", '42["echo",1]')
        await client.ends()
    assert not server.application.commands


@pytest.mark.parametrize("size", [MAX_PAYLOAD, MAX_PAYLOAD + 1])
async def test_the_largest_message(server: Edge, size: int) -> None:
    """A message may be as large as the handshake says, and not one byte larger."""
    packet = '42["message","' + "x" * (size - 16) + '"]'
    assert len(packet) == size
    async with server.client() as client, server.client(websocket=False) as poller:
        if size == MAX_PAYLOAD:
            await client.says(packet)
            await poller.says(packet)
            answer = packet.replace("message", "message-back", 1)
            assert await client.reads() == await poller.reads() == answer
        else:
            await client.says(packet)
            await client.ends()
            assert client.ws.close_code == 1009
            assert (await poller.post(packet))[0] == 400
            assert await poller.is_gone()
            assert not server.application.commands


async def test_too_many_packets(server: Edge) -> None:
    """Sixteen packets are a payload; of seventeen none is run."""
    async with server.client(websocket=False) as poller:
        await poller.says(*['42["echo",1]'] * MAX_PACKETS)
        await until(lambda: len(server.application.commands) == MAX_PACKETS)
        assert (await poller.post("\x1e".join(['42["echo",2]'] * (MAX_PACKETS + 1))))[0] == 400
        assert await poller.is_gone()
    assert ("echo", 2) not in server.application.commands


async def test_a_compressed_body(server: Edge) -> None:
    """A body in a content encoding is refused: what it would unfold to has no bound."""
    async with server.client(websocket=False) as poller:
        headers = {"Content-Encoding": "gzip"}
        status, _ = await server.request("POST", poller.query, b"\x1f\x8b", **headers)
        assert status == 400
        assert await poller.is_gone()


async def test_a_command_that_fails_is_answered(server: Edge) -> None:
    """Should the application raise, its client gets INTERNAL and stays."""
    async with server.client() as client:
        await client.says('427["crash"]')
        answer = await client.hears(r"437\[")
        assert '"code":"INTERNAL"' in answer
        assert "fault" not in answer
        assert await client.asks("echo", 1) == 1
