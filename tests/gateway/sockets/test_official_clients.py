"""The official client in Node and python-socketio's, over every transport, against the bare edge."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.sockets.application import Connection
from gateway.sockets.frame import Frame
from tests.gateway.sockets.edge import Echo, Edge, edge, until
from tests.screens import (
    TRANSPORTS,
    NodeClients,
    NodeScreen,
    PythonScreen,
    Refused,
    Screen,
    Transport,
)

BURST = 12
"""Commands in one breath: long-polling takes 16 packets a payload, which the client does not know."""


class Greeter(Echo):
    """Greets as the gateway does: with data and meta."""

    def connected(self, connection: Connection) -> None:
        self.log.append(("connected",))
        self.inside[connection.id] = connection
        connection.send(Frame.event(b'"session:ready",{},{"topic":null}'))


ALL = pytest.mark.parametrize("transport", TRANSPORTS, ids=str)


@pytest.fixture
async def server() -> AsyncIterator[Edge]:
    async with edge(Greeter(), ping_interval=0.3, ping_timeout=2) as running:
        yield running


async def open_screen(
    server: Edge, transport: Transport, node_clients: NodeClients, **auth: Any
) -> Screen:
    screen: Screen
    if transport.client == "node":
        screen = node_clients.new()
        assert isinstance(screen, NodeScreen)
        await screen.open(server.url, transport.transports, auth)
    else:
        screen = PythonScreen()
        await screen.open(server.url, transport.transports, auth)
    return screen


@ALL
async def test_commands_and_events(
    server: Edge, transport: Transport, node_clients: NodeClients
) -> None:
    """A client comes in, asks, is answered in order, and gets what is sent to it."""
    screen = await open_screen(server, transport, node_clients, name="ada")
    [connection] = server.application.inside.values()
    assert connection.transport == transport.transports[-1]
    assert bytes(connection.session) == b'{"name":"ada"}'
    assert await screen.asks("echo", {"text": "ü€😀"}) == {"text": "ü€😀"}
    for burst in range(0, 96, BURST):
        answers = await asyncio.gather(
            *[screen.asks("echo", number) for number in range(burst, burst + BURST)]
        )
        assert answers == list(range(burst, burst + BURST))
    assert [argument for _, argument in server.application.commands[1:]] == list(range(96))
    for number in range(20):
        connection.send(Frame.event(b'"news",{"number":%d},{"topic":null}' % number))
    for number in range(20):
        await screen.sees("news", number=number)
    await screen.close()
    await until(lambda: not server.sessions and not server.websockets)


@ALL
async def test_a_refusal(server: Edge, transport: Transport, node_clients: NodeClients) -> None:
    """The client's `connect_error` carries exactly code, message and details."""
    with pytest.raises(Refused) as refused:
        await open_screen(server, transport, node_clients, refuse="TOKEN_EXPIRED")
    assert refused.value.args[0] == {
        "code": "TOKEN_EXPIRED",
        "message": "You may not come in.",
        "details": {"hint": "none"},
    }
    await until(lambda: not server.sessions and not server.websockets)


@ALL
async def test_the_heartbeat(server: Edge, transport: Transport, node_clients: NodeClients) -> None:
    """A client that answers its pings stays, for longer than it would without."""
    screen = await open_screen(server, transport, node_clients)
    [session] = server.sessions.values()
    pings = 0
    ping = session._ping

    def counted() -> None:
        nonlocal pings
        pings += 1
        ping()

    session._ping = counted
    await until(lambda: pings == 3)
    assert await screen.asks("echo", 1) == 1
    await screen.close()
    await until(lambda: not server.sessions and not server.websockets)


@ALL
async def test_a_disconnect(server: Edge, transport: Transport, node_clients: NodeClients) -> None:
    """A DISCONNECT reaches the client as the server's wish, with what was sent before it."""
    screen = await open_screen(server, transport, node_clients)
    [connection] = server.application.inside.values()
    connection.send(Frame.event(b'"session:closing",{"code":"TOKEN_REVOKED"},{"topic":null}'))
    connection.disconnect()
    await screen.sees("session:closing", code="TOKEN_REVOKED")
    assert await screen.is_disconnected() in ("io server disconnect", "server disconnect")
    await until(lambda: not server.sessions and not server.websockets)


@pytest.mark.parametrize("transport", [t for t in TRANSPORTS if t.client == "node"], ids=str)
async def test_the_official_client_comes_back(
    server: Edge, transport: Transport, node_clients: NodeClients
) -> None:
    """After `close` the official client reconnects by itself."""
    screen = node_clients.new()
    await screen.open(server.url, transport.transports, {}, comes_back=True)
    [connection] = server.application.inside.values()
    connection.close("slow_consumer")
    await screen.until(lambda: screen.connections == 2 or None, "the second connection")
    await until(lambda: len(server.application.inside) == 1)
    await screen.close()
    await until(lambda: not server.sessions and not server.websockets)
