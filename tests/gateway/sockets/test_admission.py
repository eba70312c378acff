"""How many come in at once: the rest is asked to come back, and whoever is in notices nothing."""

import asyncio

import aiohttp
import pytest

from gateway.sockets import engine
from tests.gateway.sockets.edge import edge, until
from tests.gateway.sockets.test_official_clients import Greeter
from tests.screens import NODE_POLLING, NODE_UPGRADED, NODE_WEBSOCKET, NodeClients

HANDSHAKE = "EIO=4&transport=polling"


async def test_who_is_too_many_is_asked_to_come_back() -> None:
    """503 with a `Retry-After` of a few seconds, not the same for all; over WebSocket the same."""
    async with edge(connects_per_second=2) as server:
        pollers = [await server.poller() for _ in range(2)]
        waits = set()
        for _ in range(30):
            url = f"{server.url}/socket.io/?{HANDSHAKE}"
            async with server.http.get(url) as answer:
                if answer.status == 200:  # half a second has gone by
                    continue
                assert answer.status == 503
                waits.add(int(answer.headers["Retry-After"]))
        assert len(waits) > 1
        assert min(waits) >= 1
        assert max(waits) <= engine.RETURN_SECONDS + 1

        async def come_in_by_websocket() -> None:
            while True:
                async with server.websocket():
                    pass

        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await come_in_by_websocket()
        assert refused.value.status == 503
        # Those who are in poll, push and upgrade as before.
        for poller in pollers:
            await poller.says("40")
            await poller.greeted()
            assert await poller.asks("echo", 1) == 1
        async with server.websocket(f"EIO=4&transport=websocket&sid={pollers[0].sid}") as ws:
            await ws.send_str("2probe")
            assert await ws.receive_str() == "3probe"
            await ws.send_str("5")
            await until(lambda: server.sessions[pollers[0].sid].transport == "websocket")
        for sid in list(server.sessions):
            server.sessions[sid].end("the test is over")


async def test_the_official_client_comes_back_until_it_is_let_in(node_clients: NodeClients) -> None:
    """All are cut off at once, and come back one after the other, by themselves."""
    async with edge(Greeter(), connects_per_second=6) as server:
        screens = [node_clients.new() for _ in range(6)]
        for screen, over in zip(
            screens, (NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED) * 2, strict=True
        ):
            await screen.open(server.url, over.transports, {}, comes_back=True)
        for connection in list(server.application.inside.values()):
            connection.close("the machine has died")
        await asyncio.gather(
            *(
                screen.until(lambda screen=screen: screen.connections == 2 or None, "the way back")
                for screen in screens
            )
        )
        assert server.server.turned_away > 0
        for screen in screens:
            await screen.close()
        await until(lambda: not server.sessions and not server.websockets)
