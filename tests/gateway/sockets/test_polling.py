"""Long-polling: bodies in pieces, parked polls, bounded queues."""

import asyncio
from contextlib import suppress
from itertools import chain

import pytest

from gateway.sockets import engine, session
from gateway.sockets.frame import Frame
from gateway.sockets.inbox import INBOX_BOUND
from tests.gateway.sockets.edge import DEADLINE, Edge, Poller, edge, until


async def post_in_pieces(server: Edge, poller: Poller, *pieces: bytes, chunked: bool) -> bytes:
    """A POST whose body comes in a TCP segment for each piece; the status line."""
    reader, writer = await server.raw()
    size = sum(map(len, pieces))
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    writer.write(
        b"POST /socket.io/?%b HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % (poller.query.encode(), length)
    )
    for piece in pieces:
        await writer.drain()
        await asyncio.sleep(0.01)  # so that each piece is a segment of its own
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        writer.write(b"0\r\n\r\n")
    status = await asyncio.wait_for(reader.readline(), DEADLINE)
    writer.close()
    return status


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
async def test_a_body_is_read_whole(chunked: bool) -> None:
    """However TCP cuts a body, every packet in it arrives."""
    body = "\x1e".join(f'42["echo","{"ü" * 1000}{n}"]' for n in range(4)).encode()
    pieces = [body[place : place + 1500] for place in range(0, len(body), 1500)]
    async with edge() as server, server.client(websocket=False) as poller:
        assert b" 200 " in await post_in_pieces(server, poller, *pieces, chunked=chunked)
        await until(lambda: len(server.application.commands) == 4)
        assert [argument[-1] for _, argument in server.application.commands] == list("0123")


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
async def test_a_body_that_is_too_large(chunked: bool) -> None:
    """A body past the largest payload ends the session, whether it says so beforehand or not."""
    async with edge(max_payload=1000) as server, server.client(websocket=False) as poller:
        pieces = [b'42["echo","' + b"x" * 600, b"x" * 600 + b'"]']
        assert b" 400 " in await post_in_pieces(server, poller, *pieces, chunked=chunked)
        assert await poller.is_gone()
        assert server.application.commands == []


async def test_a_body_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is not there in time ends the session."""
    monkeypatch.setattr(session, "BODY_DEADLINE", 0.1)
    async with edge() as server, server.client(websocket=False) as poller:
        reader, writer = await server.raw()
        writer.write(
            f"POST /socket.io/?{poller.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n42".encode()
        )
        assert b" 400 " in await asyncio.wait_for(reader.readline(), DEADLINE)
        writer.close()
        await until(lambda: server.application.goodbyes == ["slow body"])
        assert await poller.is_gone()


async def test_a_body_that_breaks_off() -> None:
    """A client that vanishes in the middle of a POST has run nothing of it, and its session is over."""
    async with edge() as server, server.client(websocket=False) as poller:
        _, writer = await server.raw()
        writer.write(
            f"POST /socket.io/?{poller.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n"
            '42["echo",1]\x1e42'.encode()
        )
        await writer.drain()
        await until(lambda: server.sessions[poller.sid]._pushing)
        writer.transport.abort()
        await until(lambda: server.application.goodbyes == ["transport error"])
        assert server.application.commands == []


async def test_overlapping_posts() -> None:
    """A second POST beside one whose body is still coming ends the session, as in the official server."""
    async with edge() as server, server.client(websocket=False) as poller:
        reader, writer = await server.raw()
        writer.write(
            f"POST /socket.io/?{poller.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n42[".encode()
        )
        await until(lambda: server.sessions[poller.sid]._pushing)
        assert (await poller.post('42["echo",1]'))[0] == 400
        writer.write(b'"echo",2]')
        await reader.readline()
        writer.close()
        assert await poller.is_gone()
        assert server.application.commands == []


async def test_a_post_whose_session_ends_meanwhile() -> None:
    """A body that is complete only after the session has ended is answered, and not run."""
    async with edge() as server, server.client(websocket=False) as poller:
        reader, writer = await server.raw()
        writer.write(
            f"POST /socket.io/?{poller.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n42[".encode()
        )
        await until(lambda: server.sessions[poller.sid]._pushing)
        [connection] = server.application.inside.values()
        connection.close("kicked")
        writer.write(b'"echo",1]')
        assert b" 200 " in await asyncio.wait_for(reader.readline(), DEADLINE)
        writer.close()
        await until(lambda: server.application.goodbyes == ["kicked"])
        assert server.application.commands == []


@pytest.mark.parametrize("how", ["close", "disconnect", "client", "overflow", "shutdown"])
async def test_a_parked_poll_is_released_when_its_session_ends(how: str) -> None:
    """However a session ends, its poll is answered at once."""
    async with edge() as server, server.client(websocket=False) as poller:
        parked = await poller.parked()
        [connection] = server.application.inside.values()
        expected = {
            "close": "1",
            "disconnect": "41",
            "client": "6",
            "overflow": "1",
            "shutdown": "1",
        }[how]
        if how == "close":
            connection.close("a reason of ours")
        elif how == "disconnect":
            connection.disconnect()
        elif how == "client":
            await poller.says("1")
        elif how == "overflow":
            for _ in range(session.OUTBOX_PACKETS + 1):
                connection.send(Frame.event(b'"news"'))
        else:
            await server.server.close()
        assert await asyncio.wait_for(parked, DEADLINE) == (200, expected)
        if how == "disconnect":
            await poller.says("1")
        assert await poller.is_gone()
        assert connection.closed


async def test_a_poll_whose_client_hangs_up() -> None:
    """When the TCP connection of a parked poll breaks, the session ends: what was sent could be lost."""
    async with edge() as server, server.client(websocket=False) as poller:
        _, writer = await server.raw()
        writer.write(f"GET /socket.io/?{poller.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await until(lambda: server.sessions[poller.sid]._poll)
        writer.transport.abort()
        await until(lambda: server.application.goodbyes == ["transport close"])
        assert await poller.is_gone()


async def test_the_last_words_wait_for_the_next_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DISCONNECT reaches a client that was not polling, with all that had been sent before it."""
    async with edge() as server, server.client(websocket=False) as poller:
        [connection] = server.application.inside.values()
        connection.send(Frame.event(b'"session:closing",{}'))
        connection.disconnect()
        connection.send(Frame.event(b'"too late"'))
        assert connection.closed
        assert (await poller.post('42["echo"]'))[0] == 400
        assert await poller.get() == (200, '42["session:closing",{}]\x1e41')
        parked = await poller.parked()
        await poller.says("1")
        assert await parked == (200, "6")
        assert await poller.is_gone()


@pytest.mark.parametrize("polls", [False, True])
async def test_the_last_words_do_not_wait_for_ever(
    polls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that does not come for its last words, or does not leave after them, is forgotten."""
    monkeypatch.setattr(session, "FAREWELL_DEADLINE", 0.05)
    async with edge() as server, server.client(websocket=False) as poller:
        [connection] = server.application.inside.values()
        connection.disconnect()
        if polls:
            assert await poller.get() == (200, "41")
            assert await poller.get() == (200, "1")
        await until(lambda: not server.sessions)
        assert await poller.is_gone()


async def test_a_client_that_hangs_up_after_the_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the goodbye of a client that has broken off."""
    monkeypatch.setattr(session, "FAREWELL_DEADLINE", 60)
    async with edge() as server, server.client(websocket=False) as poller:
        [connection] = server.application.inside.values()
        connection.disconnect()
        assert await poller.get() == (200, "41")
        _, writer = await server.raw()
        writer.write(f"GET /socket.io/?{poller.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await until(lambda: server.sessions[poller.sid]._poll)
        writer.transport.abort()
        await until(lambda: not server.sessions)


async def test_what_waits_for_a_poll_can_be_dropped() -> None:
    """Then the last words are all that the next poll answers."""
    async with edge() as server, server.client(websocket=False) as poller:
        [connection] = server.application.inside.values()
        connection.send(Frame.event(b'"before"'))
        connection.purge()
        connection.send(Frame.event(b'"session:closing",{}'))
        connection.disconnect()
        status, text = await poller.get()
        assert (status, text.split("\x1e")) == (200, ['42["session:closing",{}]', "41"])


async def test_a_client_that_leaves_has_been_heard() -> None:
    """Commands in front of a close packet are carried out, then the goodbye is said."""
    async with edge() as server, server.client(websocket=False) as poller:
        server.application.gate.clear()
        await poller.says('42["wait"]', '42["echo",1]', "1", '42["echo",2]')
        assert await poller.is_gone()
        server.application.gate.set()
        await until(lambda: server.application.goodbyes == ["client disconnect"])
        assert server.application.commands == [("wait", None), ("echo", 1)]


@pytest.mark.parametrize("bound", ["packets", "bytes"])
async def test_a_client_that_does_not_poll(bound: str) -> None:
    """Past the bound of its queue a polling client is closed as a slow consumer."""
    async with edge() as server, server.client(websocket=False) as poller:
        [connection] = server.application.inside.values()
        body, count = {
            "packets": (b'"news"', session.OUTBOX_PACKETS),
            "bytes": (b'"news","%b"' % (b"x" * 60_000), session.OUTBOX_BYTES // 60_020),
        }[bound]
        for _ in range(count):
            connection.send(Frame.event(body))
        assert not connection.closed
        connection.send(Frame.event(body))
        assert connection.closed
        await until(lambda: server.application.goodbyes == ["slow_consumer"])
        assert await poller.is_gone()


async def test_an_answer_holds_no_more_packets_than_a_client_reads() -> None:
    """What waits is handed out sixteen packets at a time, in order."""
    async with edge() as server, server.client(websocket=False) as poller:
        [connection] = server.application.inside.values()
        for number in range(40):
            connection.send(Frame.event(b"%d" % number))
        answers = [(await poller.get())[1].split("\x1e") for _ in range(3)]
        assert [len(answer) for answer in answers] == [16, 16, 8]
        assert list(chain(*answers)) == [f"42[{number}]" for number in range(40)]


async def test_an_answer_that_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not take the answer to its poll loses connection and session."""
    monkeypatch.setattr(engine, "ANSWER_DEADLINE", 0.1)
    async with edge(send_buffer=4096) as server, server.client(websocket=False) as poller:
        [connection] = server.application.inside.values()
        for _ in range(10):
            connection.send(Frame.event(b'"%b"' % (b"x" * 50_000)))
        reader, writer = await server.raw()
        writer.transport.pause_reading()
        writer.write(f"GET /socket.io/?{poller.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await until(lambda: server.application.goodbyes == ["transport error"])
        writer.transport.resume_reading()
        with suppress(ConnectionResetError):
            assert len(await asyncio.wait_for(reader.read(), DEADLINE)) < 500_000
        writer.close()


async def test_a_full_inbox_holds_up_the_posts() -> None:
    """While too much waits to be done, a POST is answered only when there is room again."""
    async with edge() as server, server.client(websocket=False) as poller:
        server.application.gate.clear()
        await poller.says('42["wait"]')
        sent = 0
        while sent < INBOX_BOUND - 16:
            await poller.says(*[f'42["echo",{sent + n}]' for n in range(16)])
            sent += 16
        last = asyncio.create_task(poller.says(*[f'42["echo",{sent + n}]' for n in range(16)]))
        await until(lambda: server.sessions[poller.sid]._room)
        assert not last.done()
        server.application.gate.set()
        await asyncio.wait_for(last, DEADLINE)
        await until(lambda: len(server.application.commands) == 1 + sent + 16)
        assert server.application.commands[1:] == [("echo", n) for n in range(sent + 16)]


async def test_the_order_of_a_hundred_commands() -> None:
    """Commands over long-polling are carried out in the order in which they were sent."""
    async with edge() as server, server.client(websocket=False) as poller:
        for batch in range(10):
            await poller.says(*[f'42["echo",{batch * 10 + n}]' for n in range(10)])
        await until(lambda: len(server.application.commands) == 100)
        assert server.application.commands == [("echo", n) for n in range(100)]


async def test_jsonp_is_refused() -> None:
    """No JSONP: any page could read it."""
    async with edge() as server:
        assert (await server.request("GET", "EIO=4&transport=polling&j=0"))[0] == 400
        poller = await server.poller()
        assert (await server.request("GET", poller.query + "&j=0"))[0] == 400


async def test_there_are_no_cookies_and_no_compression() -> None:
    """A session is known by its sid alone, and no answer is compressed."""
    async with edge() as server:
        url = f"{server.url}/socket.io/?EIO=4&transport=polling"
        async with server.http.get(url, headers={"Accept-Encoding": "gzip"}) as response:
            assert "Set-Cookie" not in response.headers
            assert "Content-Encoding" not in response.headers


async def test_sids_cannot_be_guessed() -> None:
    """A sid has 20 url-safe characters, each different from the last."""
    async with edge() as server:
        sids = [(await server.poller()).sid for _ in range(20)]
        assert len(set(sids)) == 20
        assert all(
            len(sid) == 20 and sid.replace("-", "").replace("_", "").isalnum() for sid in sids
        )
