"""The clients: what each does until it is in, and with what it receives from then on."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from load import http, wire
from load.swarm.channel import Channel, Loop
from load.swarm.plan import Guest, Kind

WATCH_ACK = 0
"""The ack id of the one command that a client sends by itself."""


class Host(Loop, Protocol):
    """The swarm, as its clients see it."""

    last_data: bytes
    last_reading: wire.Reading

    def now(self) -> float: ...

    def entered(self, client: "Client") -> None:
        """The client is in, and watches what it was to watch."""
        ...

    def left(self, client: "Client", why: str) -> None:
        """The client's connection ended, or it could not come in."""
        ...

    def saw(self, client: "Client", runs: list[wire.Run], sample: bytes | None) -> None: ...

    def saw_unnumbered(self) -> None: ...

    def caught_up(self, recovered: bool, events: int) -> None:
        """A client that came back was told what it had missed of a topic, or that this cannot be."""
        ...

    def pinged(self) -> None: ...

    def answered(self, client: "Client", command: int, code: str | None, answer: bytes) -> None: ...


class Client:
    """One client, however it talks. Commands are told apart by number, from 1."""

    __slots__ = ("awaited", "began", "epochs", "frames", "guest", "host", "inside", "seqs", "turn")

    def __init__(self, host: Host, guest: Guest) -> None:
        self.host = host
        self.guest = guest
        self.inside = False
        self.began = host.now()
        self.seqs: dict[bytes, int] = {}
        self.epochs: dict[str, str] = {}
        self.frames: list[bytes] = []
        self.awaited: dict[int, float] = {}
        self.turn = 0

    @property
    def closed(self) -> bool:
        raise NotImplementedError

    def prepared(self, command: bytes) -> bytes:
        """A command as it goes out."""
        return command

    def ask(self, command: int) -> None:
        """Send command number `command` of `frames`."""
        raise NotImplementedError

    def leave(self) -> None:
        """Say goodbye."""
        raise NotImplementedError

    def cut(self) -> None:
        """Reset the connection, as a network that fails does."""
        raise NotImplementedError

    @property
    def returning(self) -> Guest:
        """The same client, coming back with what it has."""
        since = {topic: (epoch, self.seqs[topic.encode()]) for topic, epoch in self.epochs.items()}
        return replace(self.guest, since=since)

    def enter(self) -> None:
        self.inside = True
        self.host.entered(self)


class SocketClient(Client):
    """Whoever speaks Socket.IO: what all transports have in common."""

    __slots__ = ("_carry", "channel")

    channel: Channel

    @property
    def closed(self) -> bool:
        return self.channel.closed

    def packet(self, packet: bytes) -> None:
        """Send one packet."""
        raise NotImplementedError

    def digest(self, reading: wire.Reading) -> None:
        """Take in what arrived."""
        if reading.runs:
            self.host.saw(self, reading.runs, reading.sample)
        if reading.same_for_all:
            return
        for ack in reading.acks:
            if ack.id == WATCH_ACK:
                self._watched(ack)
            else:
                self.host.answered(self, ack.id, ack.code, ack.packet)
        for packet in reading.others:
            self._other(packet)
        if reading.closed:
            self.stop("closed by a frame")

    def stop(self, why: str) -> None:
        """End it, and say why."""
        if not self.closed:
            self.channel.close()
            self.ended(why)

    def ended(self, why: str) -> None:
        """The connection is over."""
        self.host.left(self, why)

    def _other(self, packet: bytes) -> None:
        if packet == b"2":
            self.host.pinged()
            self.packet(b"3")
        elif packet.startswith(b"42"):
            if not self.inside and packet.startswith(b'42["session:ready"'):
                self._ready(packet)
            else:
                self.host.saw_unnumbered()
        elif packet.startswith(b"0"):
            self.opened(packet)
        elif packet.startswith(b"44"):
            self.stop("refused: " + packet[2:120].decode(errors="replace"))
        elif packet.startswith(b"41"):
            self.stop("disconnected by the server")

    def opened(self, packet: bytes) -> None:
        """The Engine.IO handshake is done."""
        self.packet(wire.connect(self.guest.token))

    def _ready(self, packet: bytes) -> None:
        topics = self.guest.topics
        if not topics:
            self.enter()
            return
        wanted = [self._wish(topic) for topic in topics]
        payload = wanted[0] if len(wanted) == 1 else {"topics": wanted}
        self.packet(wire.command(WATCH_ACK, "topic:watch", payload))

    def _wish(self, topic: str) -> dict[str, object]:
        had = self.guest.since.get(topic)
        if had is None:
            return {"topic": topic}
        return {"topic": topic, "since": {"epoch": had[0], "seq": had[1]}}

    def _watched(self, ack: wire.Ack) -> None:
        if ack.code is not None:
            self.stop(f"watching refused: {ack.code}")
            return
        (answer,) = json.loads(ack.packet[ack.packet.index(b"[") :])
        for watched in answer["data"].get("topics", [answer["data"]]):
            if "error" in watched:
                self.stop(f"watching refused: {watched['error']['code']}")
                return
            if watched["seq"] is not None:  # peers do not number their topics
                topic = watched["topic"]
                self.seqs[topic.encode()] = watched["seq"]
                self.epochs[topic] = watched["epoch"]
                if topic in self.guest.since:
                    self.host.caught_up(watched["recovered"], len(watched["events"]))
        self.enter()


class WebSocketClient(SocketClient):
    """Over a WebSocket from the start; or with frames alone, where the server speaks no HTTP."""

    __slots__ = ("_receive",)

    def __init__(self, host: Host, guest: Guest) -> None:
        super().__init__(host, guest)
        self._carry = b""
        self._receive: Callable[[bytes], None] = self._handshake
        self.channel = Channel(host, guest.address, self)
        if guest.kind is Kind.RAW:
            self._receive = self._frames
            self.enter()
        else:
            self.channel.send(wire.upgrade_request(f"{guest.address.host}:{guest.address.port}"))

    def prepared(self, command: bytes) -> bytes:
        return wire.text(command)

    def ask(self, command: int) -> None:
        self.channel.send(self.frames[command - 1])

    def packet(self, packet: bytes) -> None:
        self.channel.send(wire.text(packet))

    def leave(self) -> None:
        self.channel.send(wire.CLOSE_FRAME)
        self.channel.close()

    def cut(self) -> None:
        self.channel.close(reset=True)

    def received(self, data: bytes) -> None:
        try:
            self._receive(data)
        except wire.WireError as error:
            self.stop(f"wire: {error}")

    def _handshake(self, data: bytes) -> None:
        self._carry += data
        head, separator, rest = self._carry.partition(b"\r\n\r\n")
        if not separator:
            return
        if not head.startswith(b"HTTP/1.1 101"):
            self.stop("refused: " + head.partition(b"\r\n")[0][:60].decode(errors="replace"))
            return
        self._carry = b""
        self._receive = self._frames
        if rest:
            self._frames(rest)

    def _frames(self, data: bytes) -> None:
        host = self.host
        if not self._carry and data == host.last_data:
            # What all watchers get alike is read once: the bytes are the same.
            self.digest(host.last_reading)
            return
        if self._carry:
            data = self._carry + data
        reading = wire.read(data)
        self._carry = data[reading.used :]
        if reading.same_for_all and not self._carry:
            host.last_data, host.last_reading = data, reading
        self.digest(reading)


class PollingClient(SocketClient):
    """Over HTTP long-polling: one connection waits for packets, the other brings them."""

    __slots__ = ("_asked", "_outbox", "_path", "_posting", "_pull", "_push", "_push_answers")

    def __init__(self, host: Host, guest: Guest) -> None:
        super().__init__(host, guest)
        self._path = http.POLLING_PATH
        self._outbox: list[bytes] = []
        self._posting = False
        self._pull = http.Responses()
        self._push_answers = http.Responses()
        self.channel = Channel(host, guest.address, self)
        self._push = Channel(host, guest.address, _Push(self))
        self._get()

    def ask(self, command: int) -> None:
        self.packet(self.frames[command - 1])

    def packet(self, packet: bytes) -> None:
        self._outbox.append(packet)
        if not self._posting:
            self._post()

    def leave(self) -> None:
        self._push.close()
        self.channel.close()

    def cut(self) -> None:
        self._push.close(reset=True)
        self.channel.close(reset=True)

    def ended(self, why: str) -> None:
        self._push.close()
        super().ended(why)

    def opened(self, packet: bytes) -> None:
        self._path = f"{http.POLLING_PATH}&sid={json.loads(packet[1:])['sid']}"
        super().opened(packet)

    def received(self, data: bytes) -> None:
        for status, body in self._pull.feed(data):
            if status != 200:
                self.stop(f"a poll was answered {status}")
                return
            try:
                self.digest(wire.read_payload(body))
            except wire.WireError as error:
                self.stop(f"wire: {error}")
            if not self.closed:
                self._get()

    def posted(self, data: bytes) -> None:
        for status, _ in self._push_answers.feed(data):
            self._posting = False
            if status != 200:
                self.stop(f"a post was answered {status}")
            elif self._outbox:
                self._post()

    def _get(self) -> None:
        self.channel.send(http.request("GET", self._path, self.guest.address))

    def _post(self) -> None:
        self._posting = True
        body, self._outbox = b"\x1e".join(self._outbox[:16]), self._outbox[16:]
        self._push.send(http.request("POST", self._path, self.guest.address, body))


class _Push:
    """The connection of a polling client that brings packets."""

    __slots__ = ("_client",)

    def __init__(self, client: PollingClient) -> None:
        self._client = client

    def received(self, data: bytes) -> None:
        self._client.posted(data)

    def ended(self, why: str) -> None:
        self._client.stop(why)


class HttpClient(Client):
    """Requests over one connection, each answered before the next."""

    __slots__ = ("_asked", "_responses", "channel")

    def __init__(self, host: Host, guest: Guest) -> None:
        super().__init__(host, guest)
        self._asked: deque[int] = deque()
        self._responses = http.Responses()
        self.channel = Channel(host, guest.address, self)
        self.enter()

    @property
    def closed(self) -> bool:
        return self.channel.closed

    def ask(self, command: int) -> None:
        self._asked.append(command)
        self.channel.send(self.frames[command - 1])

    def received(self, data: bytes) -> None:
        for status, body in self._responses.feed(data):
            code = None if status < 400 else str(status)
            self.host.answered(self, self._asked.popleft(), code, body)

    def ended(self, why: str) -> None:
        self.host.left(self, why)

    def leave(self) -> None:
        self.channel.close()

    def cut(self) -> None:
        self.channel.close(reset=True)


CLIENTS: dict[Kind, Callable[[Any, Guest], Client]] = {
    Kind.WEBSOCKET: WebSocketClient,
    Kind.RAW: WebSocketClient,
    Kind.POLLING: PollingClient,
    Kind.HTTP: HttpClient,
}
