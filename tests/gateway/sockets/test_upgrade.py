"""From long-polling to WebSocket: nothing lost, nothing twice, nothing out of order."""

import asyncio
import re

import aiohttp
import pytest

from gateway.sockets import session
from gateway.sockets.frame import Frame
from tests.gateway.sockets.edge import (
    Echo,
    Edge,
    Poller,
    Speaker,
    close_code,
    edge,
    masked,
    until,
)
from tests.waiting import DEADLINE


async def probing(server: Edge, poller: Poller) -> Speaker:
    """A WebSocket for the session, not yet probed."""
    return Speaker(await server.websocket(f"EIO=4&transport=websocket&sid={poller.sid}"))


async def upgraded(server: Edge, poller: Poller) -> Speaker:
    client = await probing(server, poller)
    await client.says("2probe")
    await client.hears("3probe$")
    await client.says("5")
    await until(lambda: server.sessions[poller.sid].upgraded)
    return client


async def test_a_probe_releases_the_parked_poll() -> None:
    """The client cannot go on before its poll has been answered."""
    async with edge() as server, server.client(websocket=False) as poller:
        parked = await poller.parked()
        client = await probing(server, poller)
        assert not parked.done()
        await client.says("2probe")
        assert await parked == (200, "6")
        await client.ws.close()


async def test_what_waits_goes_over_the_websocket() -> None:
    """Events sent between the probe and the upgrade come first, in their order, and once."""
    async with edge() as server, server.client(websocket=False) as poller:
        [connection] = server.application.inside.values()
        client = await probing(server, poller)
        await client.says("2probe")
        await client.hears("3probe$")
        for number in range(5):
            connection.send(Frame.event(b"%d" % number))
        assert connection.transport == "polling"
        await client.says("5")
        await until(lambda: connection.transport == "websocket")
        connection.send(Frame.event(b"5"))
        assert [await client.reads() for _ in range(6)] == [f"42[{n}]" for n in range(6)]
        await client.ws.close()


async def test_events_during_the_probe_may_come_by_poll() -> None:
    """As long as the upgrade is not complete a poll gets what waits, and then it is not sent again."""
    async with edge() as server, server.client(websocket=False) as poller:
        [connection] = server.application.inside.values()
        client = await probing(server, poller)
        await client.says("2probe")
        await client.hears("3probe$")
        connection.send(Frame.event(b'"first"'))
        assert await poller.get() == (200, '42["first"]')
        await client.says("5")
        await until(lambda: connection.transport == "websocket")
        connection.send(Frame.event(b'"second"'))
        assert await client.reads() == '42["second"]'
        await client.ws.close()


@pytest.mark.parametrize(
    "say",
    [["hello"], ["5"], ["2probe", "40"], ["2probe", "2probe"], ["2"], ["hello", "2probe", "5"]],
)
async def test_a_probe_that_says_something_else(say: list[str]) -> None:
    """A WebSocket that does not probe as it should is closed; the session goes on by polling."""
    async with edge() as server, server.client(websocket=False) as poller:
        client = await probing(server, poller)
        await client.says(*say)
        assert [packet for packet in await client.ends() if packet != "3probe"] == []
        assert await poller.asks("echo", 1) == 1
        again = await upgraded(server, poller)
        assert await again.asks("echo", 2) == 2
        await again.ws.close()


@pytest.mark.parametrize("probed", [False, True])
async def test_a_probe_that_breaks_off(probed: bool) -> None:
    """A WebSocket that vanishes before the upgrade leaves the session as it was."""
    async with edge() as server, server.client(websocket=False) as poller:
        reader, writer = await server.raw_websocket(f"EIO=4&transport=websocket&sid={poller.sid}")
        if probed:
            writer.write(masked(b"2probe"))
            await reader.readexactly(2 + len("3probe"))
        writer.transport.abort()
        await until(lambda: not server.websockets)
        assert await poller.asks("echo", 1) == 1


async def test_a_probe_that_hesitates(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade that is not completed in time is given up; the session goes on by polling."""
    monkeypatch.setattr(session, "UPGRADE_DEADLINE", 0.05)
    async with edge() as server, server.client(websocket=False) as poller:
        client = await probing(server, poller)
        await client.says("2probe")
        assert await client.ends() == ["3probe"]
        assert await poller.asks("echo", 1) == 1


async def test_a_failed_probe_does_not_disturb_the_next() -> None:
    """A WebSocket that failed to probe may go away while another one is upgrading."""
    async with edge() as server, server.client(websocket=False) as poller:
        query = f"EIO=4&transport=websocket&sid={poller.sid}"
        reader, writer = await server.raw_websocket(query)
        writer.write(masked(b"nonsense"))
        assert await close_code(reader) == 1001
        second = await probing(server, poller)
        await second.says("2probe")
        await second.hears("3probe$")
        writer.transport.abort()
        await until(lambda: server.websockets == 1)
        assert await poller.get() == (200, "6")
        await second.says("5")
        assert await second.asks("echo", 1) == 1
        await second.ws.close()


async def test_two_probes_at_once() -> None:
    """Only one WebSocket may probe; the other is refused, and the first can complete."""
    async with edge() as server, server.client(websocket=False) as poller:
        first = await probing(server, poller)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await probing(server, poller)
        assert refused.value.status == 400
        await first.says("2probe", "5")
        await first.hears("3probe$")
        assert await first.asks("echo", 1) == 1
        await first.ws.close()


async def test_a_session_that_ends_takes_its_probe_along() -> None:
    """Closing a session closes the WebSocket that probes for it."""
    async with edge() as server, server.client(websocket=False) as poller:
        client = await probing(server, poller)
        await client.says("2probe")
        await client.hears("3probe$")
        await poller.says("1")
        assert await client.ends() == []
        await until(lambda: not server.websockets)
    assert server.application.goodbyes == ["client disconnect"]


async def test_a_client_that_is_cut_right_after_the_upgrade() -> None:
    """An upgrade and a break in the same breath end the session once."""
    async with edge() as server, server.client(websocket=False) as poller:
        _, writer = await server.raw_websocket(f"EIO=4&transport=websocket&sid={poller.sid}")
        writer.write(masked(b"2probe") + masked(b"5") + masked(b'42["echo",1]'))
        await writer.drain()
        writer.close()
        await until(lambda: server.application.goodbyes)
    assert server.application.goodbyes == ["transport close"]
    assert server.application.commands == [("echo", 1)]


async def test_commands_keep_their_order_across_the_upgrade() -> None:
    """A hundred commands, the first by POST and the rest over the WebSocket, while a slow one runs."""
    application = Echo()
    async with edge(application) as server, server.client(websocket=False) as poller:
        application.gate.clear()
        await poller.says('42["wait"]', *[f'42["echo",{n}]' for n in range(10)])
        client = await probing(server, poller)
        await client.says("2probe")
        await client.hears("3probe$")
        await poller.says(*[f'42["echo",{n}]' for n in range(10, 20)])
        await client.says("5", *[f'42{n}["echo",{n}]' for n in range(20, 100)])
        application.gate.set()
        acks = [await client.hears(r"43") for _ in range(80)]
        assert [int(re.match(r"43(\d+)", ack)[1]) for ack in acks] == list(range(20, 100))
        assert application.commands[1:] == [("echo", n) for n in range(100)]
        await client.ws.close()


async def test_the_heartbeat_goes_on_over_the_websocket() -> None:
    """A session that began by polling is pinged over its WebSocket, and ends if it does not answer."""
    async with edge(ping_interval=0.1, ping_timeout=1.0) as server:
        async with server.client(websocket=False) as poller:
            client = await upgraded(server, poller)
            assert await client.ws.receive_str(timeout=DEADLINE) == "2"
            await client.ws.send_str("3")
            assert await client.ws.receive_str(timeout=DEADLINE) == "2"
            await asyncio.wait_for(client.ends(), DEADLINE)
        await until(lambda: server.application.goodbyes == ["ping timeout"])
