"""Light clients: Socket.IO over a bare WebSocket, many to a process, each of which writes down what it hears.

    ada = Client("Ada", [node.url, other.url], topics=["post:0190…"])
    ada.comes()
    await ada.inside.wait()
    await ada.asks("post:like", {"post_id": …})
    ada.cut(away=2.5)           # it comes back by itself, and names what it has

They do what the official client does and a page on top of it: come back after every end, show a token,
watch again from where they were. tests/journeys has the official ones; these are for the volume.
"""

import asyncio
import json
import random
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from load import wire
from tests.faults.history import Heard, History, Operation, Stretch
from tests.people import mint

ENTER_SECONDS = 20.0
"""From a connect until the client is in, or tries again."""
ANSWER_SECONDS = 10.0
"""Within which a command has to be answered; past it nobody knows what became of it."""
RETURN_SECONDS = (0.05, 0.5)
"""After the end of a connection, for as long the client waits before it comes back."""
PATIENCE_SECONDS = 5.0
"""For as long at the most, where it could not come in several times: each time twice as long."""

RESET_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing resets the connection."""
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_CACHED = 512

Witness = Callable[["Client", str, Any, Mapping[str, Any]], None]


class Refused(Exception):
    """The gateway refused a command."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error["code"], error["message"])
        self.code: str = error["code"]


class NotNow(ConnectionError):
    """The gateway takes nobody in just now; it asks to come back after some seconds, or says nothing of that."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.seconds = seconds


class Unanswered(Exception):
    """No answer came, or the connection ended before."""


_decode = msgspec.json.decode
_parsed: dict[bytes, Any] = {}


def _event(packet: bytes) -> Any:
    """Name, data and meta of an event; what all watchers get alike is decoded once."""
    found = _parsed.get(packet)
    if found is None:
        if len(_parsed) >= _CACHED:
            _parsed.clear()
        found = _decode(packet[2:])
        _parsed[packet] = found
    return found


class Frames:
    """Takes the bytes of a WebSocket apart, after the answer to its upgrade."""

    def __init__(self) -> None:
        self._carry = b""
        self._upgraded = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The packets that are whole now; then raises ConnectionError at a close frame or a refused upgrade."""
        data = self._carry + data
        if not self._upgraded:
            head, separator, rest = data.partition(b"\r\n\r\n")
            if not separator:
                self._carry = data
                return
            if not head.startswith(b"HTTP/1.1 101"):
                asked = _RETRY_AFTER.search(head)
                raise NotNow(head.partition(b"\r\n")[0].decode(), float(asked[1]) if asked else 0.0)
            self._upgraded, data = True, rest
        at = 0
        while (found := self._frame(data, at)) is not None:
            packet, at = found
            yield packet
        self._carry = data[at:]

    def _frame(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        if len(data) - at < 2:
            return None
        size, start = data[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(data) - start < width:
                return None
            size = int.from_bytes(data[start : start + width], "big")
            start += width
        if len(data) < start + size:
            return None
        if data[at] != 0x81:
            raise ConnectionError(f"closed by frame {data[at]:#x}")
        return data[start : start + size], start + size


class _Line(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._frames = Frames()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.ended.done():
            return
        try:
            for packet in self._frames.feed(data):
                self._client.take(self, packet)
        except NotNow as refusal:
            self._client.comes_later(refusal.seconds)
            self.end(str(refusal))
        except ConnectionError as error:
            self.end(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(repr(exc))

    def end(self, why: str) -> None:
        """Reset the connection; nothing that comes after counts."""
        if not self.ended.done():
            self.ended.set_result(why)
        if self.transport is not None:
            with suppress(OSError):
                own: socket.socket | None = self.transport.get_extra_info("socket")
                if own is not None and own.fileno() >= 0:
                    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
            self.transport.abort()

    def say(self, packet: bytes) -> None:
        assert self.transport is not None
        self.transport.write(wire.text(packet))


class Client:
    """One user with one screen, who stays until told to leave.

    `screens` has what it heard of each topic that it watches, its own among them. `doors` are the addresses
    that it goes to, one after the other, or always the first where it is `faithful`.
    """

    def __init__(
        self,
        name: str,
        doors: Sequence[str],
        topics: Sequence[str] = (),
        *,
        user: str | None = None,
        faithful: bool = False,
        role: str | None = None,
        ttl: float = 3600.0,
        receive_bytes: int | None = None,
    ) -> None:
        self.name = name
        self.id = user or str(uuid4())
        self.token = mint(self.id, name=name, role=role, ttl=ttl)
        self.doors = list(doors)
        self.topics = list(topics)
        self.faithful = faithful
        self.receive_bytes = receive_bytes
        self.own_topic = f"user:{self.id}"
        self.screens: dict[str, list[Stretch]] = {}
        self.epochs: dict[str, str] = {}
        self.inside = asyncio.Event()
        self.visits = 0
        self.ends: list[str] = []
        self.refusals: list[str] = []
        self.told_to_go: list[str] = []
        self.witness: Witness | None = None
        self._turn = random.randrange(len(self.doors))  # noqa: S311
        self._away_until = 0.0
        self._line: _Line | None = None
        self._staying: asyncio.Task[None] | None = None
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._numbers = 1
        self._failures = 0
        self._leaving: asyncio.Task[None] | None = None
        self._entered: asyncio.Future[None] | None = None

    def comes(self) -> None:
        """Begin to stay: connect, and come back after every end."""
        self._staying = asyncio.create_task(self._stay())

    async def leaves(self) -> None:
        """Go, and do not come back."""
        if self._staying is not None:
            self._staying.cancel()
            await asyncio.gather(self._staying, return_exceptions=True)
        if self._line is not None:
            self._line.end("left")
            await asyncio.sleep(0)

    def cut(self, away: float = 0.0) -> None:
        """The connection is reset, and the client stays away for so many seconds."""
        self._away_until = time.monotonic() + away
        if self._line is not None:
            self._line.end("cut")

    def comes_later(self, seconds: float) -> None:
        """Stay away for so many seconds, and some more, so that not all come at the same time."""
        self._away_until = time.monotonic() + seconds * random.uniform(1.0, 1.5)  # noqa: S311

    def stops_reading(self) -> None:
        """Take in nothing any more, and answer nothing."""
        assert self._line is not None
        assert self._line.transport is not None
        self._line.transport.pause_reading()

    def reads_on(self) -> None:
        """Take in what has come meanwhile, and what comes."""
        if self._line is not None and self._line.transport is not None:
            self._line.transport.resume_reading()

    def sends(self, event: str, payload: Any) -> "asyncio.Future[Any]":
        """Send a command now; what comes of it. Raises Unanswered where there is no connection."""
        line = self._line
        if line is None or line.ended.done() or not self.inside.is_set():
            raise Unanswered("not connected")
        self._numbers += 1
        answer = self._pending[self._numbers] = asyncio.get_running_loop().create_future()
        line.say(wire.command(self._numbers, event, payload))
        return answer

    async def asks(self, event: str, payload: Any, seconds: float = ANSWER_SECONDS) -> Any:
        """The data of a command's ack. Raises Refused and Unanswered."""
        answer = self.sends(event, payload)
        try:
            async with asyncio.timeout(seconds):
                said = await answer
        except TimeoutError:
            raise Unanswered(f"nothing within {seconds} s") from None
        if "error" in said:
            raise Refused(said["error"])
        return said["data"]

    async def does(
        self, history: History, what: str, subject: str, payload: Mapping[str, Any]
    ) -> Operation:
        """Send a command and write it down, however it ends."""
        operation = history.invoke(self.id, what, subject)
        try:
            history.ok(operation, await self.asks(what, payload))
        except Refused as refusal:
            history.refused(operation, refusal.code)
        except Unanswered:
            pass  # so it stays: nobody knows
        return operation

    def position(self, topic: str) -> int | None:
        """Where it stands; None before it has watched."""
        screen = self.screens.get(topic)
        return screen[-1].position if screen else None

    def heard(self, topic: str) -> list[Heard]:
        """All that it has heard of a topic."""
        return [heard for stretch in self.screens.get(topic, ()) for heard in stretch.heard]

    async def _stay(self) -> None:
        while True:
            self.ends.append(await self._visit())
            self.inside.clear()
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(Unanswered("the connection ended"))
                    answer.exception()  # whoever has given up waiting is not to be warned
            self._pending.clear()
            low, high = RETURN_SECONDS
            high = min(high * 2**self._failures, PATIENCE_SECONDS)
            self._failures += 1
            pause = random.uniform(low, high)  # noqa: S311
            await asyncio.sleep(max(pause, self._away_until - time.monotonic()))

    async def _visit(self) -> str:
        """Connect and stay until the connection ends; why it did."""
        parts = urlsplit(self.doors[self._turn % len(self.doors)])
        if not self.faithful:
            self._turn += 1
        loop = asyncio.get_running_loop()
        self._entered = loop.create_future()
        line = self._line = _Line(self)
        try:
            async with asyncio.timeout(ENTER_SECONDS):
                own = socket.socket()
                own.setblocking(False)
                if self.receive_bytes is not None:
                    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_bytes)
                try:
                    await loop.sock_connect(own, (parts.hostname, parts.port))
                except BaseException:
                    own.close()
                    raise
                await loop.create_connection(lambda: line, sock=own)
                assert line.transport is not None
                line.transport.write(wire.upgrade_request(f"{parts.hostname}:{parts.port}"))
                await asyncio.wait({self._entered, line.ended}, return_when=asyncio.FIRST_COMPLETED)
            return await line.ended
        except TimeoutError:
            return "not in within time"
        except OSError as error:
            return repr(error)
        finally:
            line.end("left")

    def take(self, line: _Line, packet: bytes) -> None:
        """Take in one packet."""
        if packet.startswith(b"42"):
            name, data, meta = _event(packet)
            self._take_event(line, name, data, meta)
        elif packet.startswith(b"43"):
            number, _, body = packet[2:].partition(b"[")
            self._take_ack(int(number), _decode(b"[" + body)[0])
        elif packet == b"2":
            line.say(b"3")
        elif packet.startswith(b"0"):
            auth = {"token": self.token}
            if (since := self._since(self.own_topic)) is not None:
                auth["since"] = since
            line.say(b"40" + json.dumps(auth).encode())
        elif packet.startswith(b"44"):
            self.refusals.append(_decode(packet[2:])["data"]["code"])
            line.end("refused")
        elif packet.startswith(b"41"):
            line.end("disconnected by the server")

    def _take_event(self, line: _Line, name: str, data: Any, meta: Mapping[str, Any]) -> None:
        topic, seq = meta.get("topic"), meta.get("seq")
        if self.witness is not None:
            self.witness(self, name, data, meta)
        if seq is not None:
            self._hear(topic, seq, name, data)
        elif name == "session:ready":
            self._begin(self.own_topic, data)
            if self.topics:
                wanted = [self._wish(topic) for topic in self.topics]
                line.say(wire.command(0, "topic:watch", {"topics": wanted}))
            else:
                self._enter()
        elif name == "session:closing":
            self.told_to_go.append(data["code"])
        elif name == "server:draining":
            self._leaving = asyncio.create_task(self._move(line))

    async def _move(self, line: _Line) -> None:
        """The server goes away: ask nothing more of it, and come back once it has answered."""
        self.inside.clear()
        await asyncio.wait([*self._pending.values()] or [line.ended], timeout=0.5)
        if not any(not answer.done() for answer in self._pending.values()):
            line.end("moved")

    def _take_ack(self, number: int, said: Any) -> None:
        if number:
            answer = self._pending.pop(number, None)
            if answer is not None and not answer.done():
                answer.set_result(said)
            return
        if "error" in said:
            raise ConnectionError(f"watching was refused: {said['error']['code']}")
        for watched in said["data"]["topics"]:
            if "error" in watched:
                raise ConnectionError(f"watching was refused: {watched['error']['code']}")
            self._begin(watched["topic"], watched)
            for name, data, meta in watched["events"]:
                if self.witness is not None:
                    self.witness(self, name, data, meta)
                self._hear(watched["topic"], meta["seq"], name, data)
        self._enter()

    def _enter(self) -> None:
        self.visits += 1
        self._failures = 0
        self.inside.set()
        if self._entered is not None and not self._entered.done():
            self._entered.set_result(None)

    def _wish(self, topic: str) -> dict[str, Any]:
        since = self._since(topic)
        return {"topic": topic} if since is None else {"topic": topic, "since": since}

    def _since(self, topic: str) -> dict[str, Any] | None:
        position = self.position(topic)
        return None if position is None else {"epoch": self.epochs[topic], "seq": position}

    def _begin(self, topic: str, answer: Mapping[str, Any]) -> None:
        """From here on it hears a topic: what follows what it has, or, not recovered, the head."""
        self.epochs[topic] = answer["epoch"]
        screen = self.screens.setdefault(topic, [])
        if not answer["recovered"]:
            screen.append(Stretch(answer["seq"], screen[-1].position if screen else None))

    def _hear(self, topic: str, seq: int, name: str, data: Any) -> None:
        if (screen := self.screens.get(topic)) is not None:
            count = data.get("like_count") if data else None
            screen[-1].heard.append(Heard(seq, name, time.time(), count))
