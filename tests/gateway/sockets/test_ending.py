"""However a connection ends: told once, everything let go, nothing left behind."""

import asyncio
import gc
import logging
import random
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.loop import new_event_loop
from gateway.sockets import server as socket_server
from gateway.sockets import websocket
from gateway.sockets.frame import Frame
from gateway.sockets.inbox import INBOX_BOUND
from tests.gateway.sockets.edge import (
    Echo,
    Edge,
    Speaker,
    close_code,
    edge,
    frame_of,
    masked,
    until,
)


async def come_in(
    server: Edge, **options: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A raw WebSocket client that has come in."""
    reader, writer = await server.raw_websocket(**options)
    writer.write(masked(b"40"))
    for _ in range(3):
        await frame_of(reader)
    return reader, writer


async def test_close_tells_nothing_and_the_client_may_come_back() -> None:
    """`close` ends the transport without a DISCONNECT, so that the official client reconnects."""
    async with edge() as server, server.client() as client:
        [connection] = server.application.inside.values()
        connection.close("a reason of ours")
        connection.send(Frame.event(b'"too late"'))
        assert connection.closed
        assert await client.ends() == []
        await until(lambda: server.application.goodbyes == ["a reason of ours"])


async def test_disconnect_is_the_last_packet() -> None:
    """`disconnect` sends what was sent before it, a DISCONNECT, and nothing more."""
    async with edge() as server, server.client() as client:
        [connection] = server.application.inside.values()
        connection.send(Frame.event(b'"session:closing",{}'))
        connection.disconnect()
        connection.send(Frame.event(b'"too late"'))
        assert connection.closed
        assert await client.ends() == ['42["session:closing",{}]', "41"]
        await until(lambda: server.application.goodbyes == ["server disconnect"])


@pytest.mark.parametrize("how", ["close", "disconnect"])
async def test_a_kick_drops_what_waits_but_not_what_runs(how: str) -> None:
    """The command in hand is finished, its answer dropped; then the goodbye; the rest is not run."""
    async with edge() as server, server.client() as client:
        server.application.gate.clear()
        await client.says('420["wait"]', '421["echo",1]')
        await until(lambda: server.application.running)
        [connection] = server.application.inside.values()
        getattr(connection, how)(*(["kicked"] if how == "close" else []))
        await client.says('422["echo",2]')
        assert await client.ends() == ([] if how == "close" else ["41"])
        assert server.application.goodbyes == []
        server.application.gate.set()
        await until(lambda: server.application.goodbyes)
        assert server.application.commands == [("wait", None)]


async def test_who_leaves_has_been_heard() -> None:
    """Commands that had arrived when their client left are carried out, and then the goodbye."""
    async with edge() as server:
        _, writer = await come_in(server)
        server.application.gate.clear()
        writer.write(masked(b'42["wait"]') + masked(b'42["echo",1]') + masked(b"41"))
        await until(lambda: server.application.running)
        writer.close()
        await until(lambda: not server.sessions)
        server.application.gate.set()
        await until(lambda: server.application.goodbyes)
        assert server.application.commands == [("wait", None), ("echo", 1)]
    assert server.application.goodbyes == ["client namespace disconnect"]


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9bye"])
async def test_a_close_frame_is_answered(payload: bytes) -> None:
    """The closing handshake of RFC 6455: the peer's code comes back, and then the connection ends."""
    async with edge() as server:
        reader, writer = await come_in(server)
        writer.write(masked(payload, 0x8))
        assert await frame_of(reader) == (0x8, payload[:2])
        assert await reader.read() == b""
        writer.close()
        await until(lambda: server.application.goodbyes == ["transport close"])


async def test_a_ping_frame_is_answered() -> None:
    """A WebSocket ping comes back as a pong, between whole frames."""
    async with edge() as server:
        reader, writer = await come_in(server)
        writer.write(masked(b"payload", 0x9) + masked(b"ignored", 0xA) + masked(b'420["echo",1]'))
        assert await frame_of(reader) == (0xA, b"payload")
        assert await frame_of(reader) == (0x1, b'430[{"data":1}]')
        writer.close()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked(b"\x01", 0x2), 1003),
        (masked(b"x" * 20_000), 1009),
        (b"\x81\x02hi" + b"more", 1002),
        (masked(b"x", 0x7), 1002),
    ],
    ids=["binary", "too big", "unmasked", "reserved opcode"],
)
async def test_a_broken_frame(data: bytes, code: int) -> None:
    """A frame that breaks the protocol closes the WebSocket with the code that says how."""
    async with edge() as server:
        reader, writer = await come_in(server)
        writer.write(data + masked(b'42["echo",1]'))
        assert await close_code(reader) == code
        writer.close()
        await until(lambda: server.application.goodbyes == ["malformed packet"])
        assert server.application.commands == []


async def test_a_peer_that_does_not_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not answer the closing handshake loses its connection at the deadline."""
    monkeypatch.setattr(websocket, "CLOSE_DEADLINE", 0.05)
    async with edge() as server:
        reader, writer = await come_in(server)
        [connection] = server.application.inside.values()
        connection.close("kicked")
        assert await close_code(reader) == 1000
        writer.write(masked(b'42["echo",1]'))
        assert await reader.read() == b""
        await until(lambda: not server.websockets)
        writer.close()
        assert server.application.commands == []


class TestSlowReaders:
    """A client that does not read harms only itself."""

    BIG = Frame.event(b'"news","%b"' % (b"x" * 10_000))

    async def test_past_the_bound_it_is_closed_and_freed(self) -> None:
        """Past the bound the transport is aborted; nothing waits for a garbage collection."""
        async with edge(send_buffer=4096) as server, server.client() as bystander:
            _, writer = await come_in(server, receive_buffer=4096)
            connection = list(server.application.inside.values())[-1]
            session = weakref.ref(connection._session)
            gc.disable()
            try:
                sent = 0
                while not connection.closed:
                    connection.send(self.BIG)
                    sent += 1
                    assert sent < 10_000
                await until(lambda: server.application.goodbyes == ["slow_consumer"])
                assert list(server.server.connections) == list(server.application.inside)
                del connection
                await until(lambda: session() is None, "freeing the session")
            finally:
                gc.enable()
            assert server.websockets == 1
            assert await bystander.asks("echo", 1) == 1
            writer.close()

    async def test_below_the_bound_it_has_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever does not catch up within the deadline is closed too."""
        monkeypatch.setattr(websocket, "STALL_DEADLINE", 0.1)
        async with edge(send_buffer=4096) as server:
            _, writer = await come_in(server, receive_buffer=4096)
            writer.transport.pause_reading()
            [connection] = server.application.inside.values()
            socket = connection._session._websocket
            while not socket.congested:
                connection.send(self.BIG)
            assert not connection.closed
            await until(lambda: server.application.goodbyes == ["slow_consumer"])
            writer.close()

    async def test_who_catches_up_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client that was slow for a while gets everything, whole and in order, and stays."""
        async with edge(send_buffer=4096) as server:
            reader, writer = await come_in(server, receive_buffer=4096)
            writer.transport.pause_reading()
            [connection] = server.application.inside.values()
            socket = connection._session._websocket
            sent = 0
            while not socket.congested:
                send = connection.outlet.offer if sent % 2 else connection.send
                send(Frame.event(b'%d,"%b"' % (sent, b"x" * 10_000)))
                sent += 1
            assert not connection.outlet.offer(Frame.event(b"%d" % sent))
            writer.transport.resume_reading()
            for number in range(sent):
                opcode, payload = await frame_of(reader)
                assert opcode == 0x1
                assert payload.startswith(b"42[%d," % number)
            await until(lambda: not socket.congested)
            writer.write(masked(b'420["echo",1]'))
            assert await frame_of(reader) == (0x1, b'430[{"data":1}]')
            writer.close()

    async def test_last_words_have_a_deadline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A DISCONNECT to a client that does not read is given up, and the connection with it."""
        monkeypatch.setattr(websocket, "CLOSE_DEADLINE", 0.1)
        async with edge(send_buffer=4096) as server:
            _, writer = await come_in(server, receive_buffer=4096)
            writer.transport.pause_reading()
            [connection] = server.application.inside.values()
            while not connection._session._websocket.congested:
                connection.send(self.BIG)
            connection.disconnect()
            await until(lambda: not server.websockets)
            writer.close()


def test_what_is_offered_stays_behind_what_was_sent() -> None:
    """On the loop that serves, too, which may put off what its transports write to the end of the pass."""

    async def exchange() -> None:
        async with edge() as server:
            reader, writer = await come_in(server)
            [connection] = server.application.inside.values()
            for number in range(0, 20, 2):
                connection.send(Frame.event(b"%d" % number))
                assert connection.outlet.offer(Frame.event(b"%d" % (number + 1)))
            for number in range(20):
                assert await frame_of(reader) == (0x1, b"42[%d]" % number)
            writer.close()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(exchange())


async def test_a_flood_of_commands_is_read_no_faster_than_it_is_handled() -> None:
    """Past the bound of the inbox nothing more is read; in the end all is carried out, in order."""
    async with edge() as server:
        reader, writer = await come_in(server)
        server.application.gate.clear()
        writer.write(masked(b'42["wait"]'))
        [session] = server.sessions.values()
        for number in range(5000):
            writer.write(masked(b'42["echo",%d]' % number))
        await until(lambda: session._websocket._paused)
        assert len(session.upper._items) <= INBOX_BOUND
        server.application.gate.set()
        await until(lambda: len(server.application.commands) == 5001)
        assert server.application.commands[1:] == [("echo", number) for number in range(5000)]
        writer.write(masked(b'420["echo",1]'))
        assert await frame_of(reader) == (0x1, b'430[{"data":1}]')
        writer.close()


async def test_closing_the_server_ends_everything() -> None:
    """`close` ends every connection, lets commands in hand finish, and leaves no task behind."""
    before = asyncio.all_tasks()
    application = Echo()
    async with edge(application) as server:
        async with server.client() as client, server.client(websocket=False) as poller:
            await server.poller()
            parked = await poller.parked()
            application.gate.clear()
            await client.says('42["wait"]', '42["echo",1]')
            await until(lambda: application.running)
            closing = asyncio.create_task(server.server.close())
            assert await client.ends() == []
            assert client.ws.close_code == 1001
            assert await parked == (200, "1")
            assert (await server.request("GET", "EIO=4&transport=polling"))[0] == 503
            assert not closing.done()
            application.gate.set()
            await closing
        assert application.goodbyes == ["server shutdown"] * 2
        assert application.commands == [("wait", None)]
        assert not server.sessions
        assert not server.websockets
    await until(lambda: asyncio.all_tasks() <= before)


async def test_closing_the_server_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that does not end is cancelled at the deadline, and its goodbye still said."""
    monkeypatch.setattr(socket_server, "COMMAND_DEADLINE", 0.05)
    async with edge() as server, server.client() as client:
        server.application.gate.clear()
        await client.says('42["wait"]')
        await until(lambda: server.application.running)
        await server.server.close()
        assert server.application.goodbyes == ["server shutdown"]
        assert server.application.commands == []


async def test_two_hundred_comings_and_goings_leave_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Connections cut at every stage leave no session, task or descriptor, and no complaint."""
    chance = random.Random(7)  # noqa: S311

    async def come_and_go(server: Edge, number: int) -> None:
        stage = number % 7
        if stage == 0:
            _, writer = await server.raw()
            writer.write(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost:")
        elif stage == 1:
            _, writer = await server.raw_websocket()
        elif stage == 2:
            _, writer = await server.raw_websocket()
            writer.write(masked(b"40"))
        elif stage == 3:
            _, writer = await come_in(server)
            writer.write(masked(b'42["echo",1]') * chance.randrange(5))
        elif stage == 4:
            poller = await server.poller()
            await poller.says("40")
            await poller.greeted()
            _, writer = await server.raw()
            writer.write(f"GET /socket.io/?{poller.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await until(lambda: server.sessions[poller.sid]._poll)
        else:
            poller = await server.poller()
            await poller.says("40")
            query = f"EIO=4&transport=websocket&sid={poller.sid}"
            _, writer = await server.raw_websocket(query)
            writer.write(masked(b"2probe"))
            if stage == 6:
                writer.write(masked(b"5"))
            else:
                await poller.says("1")
        await writer.drain()
        writer.transport.abort()

    async with edge(ping_interval=0.5, ping_timeout=0.5) as server:
        tasks = len(asyncio.all_tasks())
        for _ in range(10):
            await asyncio.gather(*[come_and_go(server, number) for number in range(21)])
        await until(lambda: not server.sessions, "the end of the sessions")
        await until(lambda: not server.websockets, "the end of the WebSockets")
        await server.http.close()
        await until(lambda: len(asyncio.all_tasks()) <= tasks, "the end of the tasks")
        assert not server.server.connections
        assert not server.server._tasks
        assert not server.server._engine._per_address
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.binary(max_size=60),
                st.sampled_from([b'42["echo",1]', b"41", b"40", b"3", b"1", b'420["message",{}]']),
            ),
            st.sampled_from([0x1, 0x1, 0x1, 0x0, 0x2, 0x8, 0x9, 0xA, 0x3]),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_whatever_a_client_sends_harms_nobody(
    frames: list[tuple[bytes, int, bool]], come_in_first: bool
) -> None:
    """Any frames, cut off at any point: the others are served, and nothing is left behind."""

    async def send_them() -> None:
        async with edge(ping_interval=5) as server, server.client() as bystander:
            _, writer = await server.raw_websocket()
            if come_in_first:
                writer.write(masked(b"40"))
            for payload, opcode, final in frames:
                writer.write(masked(payload, opcode, final=final))
            await writer.drain()
            assert await bystander.asks("echo", "still here") == "still here"
            writer.transport.abort()
            await until(lambda: len(server.sessions) == server.websockets == 1)

    with asyncio.Runner() as runner:
        runner.run(send_them())


async def test_a_client_that_reconnects_is_another_connection() -> None:
    """Every connection has an id of its own, and `connections` holds those that are in."""
    async with edge() as server:
        async with server.client():
            [first] = server.server.connections
        await until(lambda: not server.server.connections)
        async with server.client() as again:
            [second] = server.server.connections
            assert isinstance(again, Speaker)
        assert first != second
