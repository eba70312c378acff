"""A server that goes away: its clients are told, get the answers that they await, and are closed."""

import asyncio
import re

import pytest

from gateway.sockets import server as socket_server
from gateway.sockets import session as socket_session
from tests.gateway.sockets.edge import Edge, Poller, Speaker, edge, until


def told(packet: str) -> int:
    """The milliseconds that a client was told of."""
    found = re.fullmatch(r'42\["draining",(\d+)\]', packet)
    assert found is not None, packet
    return int(found[1])


async def test_a_websocket_hears_of_it_and_is_closed() -> None:
    """With 1001 and without a DISCONNECT, so that the official client comes back."""
    async with edge() as server, server.client() as client:
        await server.server.drain()
        (packet,) = await client.ends()
        told(packet)
        assert client.ws.close_code == 1001


async def test_a_parked_poll_is_answered() -> None:
    """First with the news, then with a close packet; whoever asks after that is told that it is over."""
    async with edge() as server, server.client(websocket=False) as poller:
        parked = await poller.parked()
        draining = asyncio.create_task(server.server.drain())
        status, text = await parked
        packets = text.split("\x1e")
        assert status == 200
        told(packets[0])
        if packets[1:] != ["1"]:
            assert await poller.get() == (200, "1")
        await draining
        assert (await poller.get())[0] == 400


@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "polling"])
async def test_commands_in_hand_are_answered_before(websocket: bool) -> None:
    """What has been taken in is carried out and acknowledged; what comes after it is not taken in."""
    async with edge() as server, server.client(websocket=websocket) as client:
        server.application.gate.clear()
        await client.says('420["wait"]', '421["echo",1]')
        await until(lambda: server.application.running)
        [session] = server.sessions.values()
        draining = asyncio.create_task(server.server.drain())
        await until(lambda: session._leaving)
        if websocket:
            await client.says('422["echo",2]')
        server.application.gate.set()
        heard = await all_of(client)
        await draining
        told(heard.pop(0))
        assert heard == ['430[{"data":null}]', '431[{"data":1}]']
        assert server.application.commands == [("wait", None), ("echo", 1)]


async def all_of(client: Speaker | Poller) -> list[str]:
    """What reaches a client until its connection is closed."""
    if isinstance(client, Speaker):
        return await client.ends()
    heard = []
    while (packet := await client.reads()) != "1":
        heard.append(packet)
    return heard


async def test_clients_leave_one_after_the_other_as_they_were_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each at a time of its own, within the window, in whatever order."""
    monkeypatch.setattr(socket_server, "CLOSED_PER_SECOND", 100)
    async with edge() as server:
        readers = [await server.raw_websocket() for _ in range(10)]
        speakers = [await enter(server) for _ in range(10)]
        draining = asyncio.create_task(server.server.drain())
        times = sorted([told((await speaker.ends())[0]) for speaker in speakers])
        await draining
        assert times == sorted(set(times))
        assert times[-1] <= 200 + 1000 * socket_server.HEED_SECONDS
        for _, writer in readers:
            writer.close()
        for speaker in speakers:
            await speaker.ws.close()


async def enter(server: Edge) -> Speaker:
    speaker = Speaker(await server.websocket())
    await speaker.hears(r"0\{")
    await speaker.says("40")
    await speaker.greeted()
    return speaker


async def test_nobody_comes_in_any_more() -> None:
    """A newcomer gets 503 and `Connection: close`: the next try reaches another server."""
    async with edge() as server:
        await server.server.drain()
        async with server.http.get(f"{server.url}/socket.io/?EIO=4&transport=polling") as answer:
            assert answer.status == 503
            assert answer.headers["Connection"] == "close"


async def test_a_command_that_does_not_end_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the deadline its client is closed without the answer."""
    monkeypatch.setattr(socket_server, "COMMAND_DEADLINE", 0.05)
    async with edge() as server, server.client() as client:
        server.application.gate.clear()
        await client.says('420["wait"]')
        await until(lambda: server.application.running)
        await server.server.drain()
        assert [told(packet) for packet in await client.ends()]
        assert server.application.commands == []


async def test_a_poller_that_stays_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not poll any more does not get the news."""
    monkeypatch.setattr(socket_session, "LAST_POLL_SECONDS", 0.05)
    async with edge() as server, server.client(websocket=False):
        await server.server.drain()
        assert not server.sessions
