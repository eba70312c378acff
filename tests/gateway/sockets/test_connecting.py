"""Coming in: nothing is handled or delivered before the application has said yes."""

import asyncio
import json

import pytest

from gateway.sockets import client as socketio_client
from gateway.sockets.frame import Frame
from tests.gateway.sockets.edge import DEADLINE, Echo, Speaker, edge, masked, until

BOTH = pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "polling"])


@BOTH
@pytest.mark.parametrize(
    ("auth", "error"),
    [
        (
            '{"refuse":"TOKEN_EXPIRED"}',
            {
                "message": "You may not come in.",
                "data": {
                    "code": "TOKEN_EXPIRED",
                    "message": "You may not come in.",
                    "details": {"hint": "none"},
                },
            },
        ),
        (
            '{"crash":true}',
            {
                "message": "Something went wrong on our side.",
                "data": {
                    "code": "INTERNAL",
                    "message": "Something went wrong on our side.",
                    "details": {},
                },
            },
        ),
    ],
)
async def test_a_refusal_says_why_and_ends_the_connection(
    websocket: bool, auth: str, error: object
) -> None:
    """Whatever `connect` raises refuses with CONNECT_ERROR; the client's other packets are not run."""
    async with edge() as server:
        if websocket:
            async with server.websocket() as ws:
                client = Speaker(ws)
                await client.hears("0")
                await client.says(f"40{auth}", '42["echo",1]', '420["echo",2]')
                [answer] = await client.ends()
        else:
            poller = await server.poller()
            await poller.says(f"40{auth}", '42["echo",1]', '420["echo",2]')
            await until(lambda: server.sessions[poller.sid].closing)
            assert (await poller.post('42["echo",3]'))[0] == 400
            status, answer = await poller.get()
            assert status == 200
            await poller.says("1")
            assert await poller.is_gone()
        assert answer.startswith("44")
        assert json.loads(answer[2:]) == error
        assert not server.application.log
        await until(lambda: not server.sessions and not server.websockets)


@BOTH
async def test_nothing_happens_while_connect_decides(websocket: bool) -> None:
    """During a slow check nothing is run and nothing delivered; then everything, in its order."""
    application = Echo()
    application.door.clear()
    async with edge(application, ping_interval=0.05, ping_timeout=5) as server:
        if websocket:
            _, writer = await server.raw_websocket()
            writer.write(masked(b"40"))
            for number in range(5):
                writer.write(masked(b'42%d["echo",%d]' % (number, number)))
        else:
            poller = await server.poller()
            await poller.says("40")
            await poller.says('420["echo",0]')
        await until(lambda: application.connecting == 1)
        assert not server.server.connections
        assert application.log == []
        application.door.set()
        await until(lambda: len(application.commands) == (5 if websocket else 1))
        assert [entry[0] for entry in application.log[:3]] == ["connect", "connected", "command"]
        if websocket:
            writer.close()


async def test_parallel_posts_run_nothing_before_the_check_has_passed() -> None:
    """Several POSTs at once during a slow check that later refuses: not one command is run."""
    application = Echo()
    application.door.clear()
    async with edge(application) as server:
        poller = await server.poller()
        await poller.says('40{"refuse":"FORBIDDEN"}')
        answers = await asyncio.gather(*[poller.post(f'42["echo",{n}]') for n in range(20)])
        assert {status for status, _ in answers} <= {200, 400}
        application.door.set()
        await until(lambda: not server.sessions or server.sessions[poller.sid].closing)
        await until(lambda: not server.sessions or server.sessions[poller.sid].closing)
        assert application.commands == []


async def test_a_refusal_in_one_namespace() -> None:
    """A client that is refused in one namespace stays in the other; what it asked of the first is not run."""
    async with edge(namespaces=frozenset({"/", "/custom"})) as server, server.client() as client:
        server.application.door.clear()
        await client.says('40/custom,{"refuse":"FORBIDDEN"}', '42/custom,["echo",1]')
        await until(lambda: server.application.connecting == 2)
        [session] = server.sessions.values()
        await until(lambda: len(session.upper._items) == 1)
        server.application.door.set()
        await client.hears(r'44/custom,\{"message":')
        assert await client.asks("echo", 2) == 2
        assert server.application.commands == [("echo", 2)]


async def test_nothing_is_delivered_before_the_check_has_passed() -> None:
    """What the application sends to a connection that is not in yet is dropped."""

    class Hasty(Echo):
        async def connect(self, connection, auth):  # type: ignore[no-untyped-def]
            connection.send(Frame.event(b'"too early"'))
            await super().connect(connection, auth)

    async with edge(Hasty()) as server, server.client() as client:
        assert await client.asks("echo", 1) == 1


@BOTH
async def test_who_leaves_while_connect_decides(websocket: bool) -> None:
    """A check that passes for a client that is gone is followed by `disconnected`, not by `connected`."""
    application = Echo()
    application.door.clear()
    async with edge(application) as server:
        if websocket:
            _, writer = await server.raw_websocket()
            writer.write(masked(b"40"))
            await until(lambda: application.connecting == 1)
            writer.transport.abort()
        else:
            poller = await server.poller()
            await poller.says("40")
            await poller.says("1")
        await until(lambda: not server.sessions)
        assert application.log == []
        application.door.set()
        await until(lambda: application.goodbyes)
        assert [entry[0] for entry in application.log] == ["connect", "disconnected"]


@BOTH
async def test_who_does_not_ask_to_come_in(
    websocket: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that sends no CONNECT within the deadline is closed, whatever else it asks for."""
    monkeypatch.setattr(socketio_client, "CONNECT_DEADLINE", 0.1)
    async with edge() as server:
        if websocket:
            async with server.websocket() as ws:
                client = Speaker(ws)
                await client.hears("0")
                await client.says("40/nobody")
                assert await client.ends() == ['44/nobody,{"message":"Invalid namespace"}']
        else:
            poller = await server.poller()
            assert await asyncio.wait_for(poller.get(), DEADLINE) == (200, "1")
            assert await poller.is_gone()
        assert not server.sessions


async def test_who_has_left_every_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a DISCONNECT the deadline for a CONNECT runs again."""
    monkeypatch.setattr(socketio_client, "CONNECT_DEADLINE", 0.1)
    async with edge() as server, server.client() as client:
        await client.says("41")
        assert await client.ends() == []
        assert server.application.goodbyes == ["client namespace disconnect"]


async def test_a_cap_per_address() -> None:
    """One connection more than the cap is 429; when one has gone there is room again."""
    async with edge(address_cap=2) as server:
        async with server.client(), server.client(websocket=False) as poller:
            assert (await server.request("GET", "EIO=4&transport=polling"))[0] == 429
            await poller.says("1")
            async with server.client():
                pass
        await until(lambda: not server.sessions)
        assert not server.server._engine._per_address
