"""Socket.IO clients of other people's making, as the screens that users sit before.

A screen remembers every event that reached it. `sees` waits for one with a deadline; `asks` sends a
command and waits for its ack. The official client runs in Node, driven by `tests/node/driver.mjs`;
python-socketio's runs in the tests' own process.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
import socketio

from tests.drift import DRIFT
from tests.programs import NODE_FOLDER
from tests.waiting import DEADLINE, found

T = TypeVar("T")
Json = dict[str, Any]

LINE_BYTES = 1 << 24


class Refused(Exception):
    """The gateway said no, over whatever transport."""

    def __init__(self, error: Mapping[str, Any], status: int | None = None) -> None:
        super().__init__(dict(error))
        self.code: str = error["code"]
        self.message: str = error["message"]
        self.details: Json = error["details"]
        self.retry_after: float | None = error.get("retry_after")
        self.status = status


class Event(NamedTuple):
    """A server event as a client gets it."""

    name: str
    data: Any
    meta: Json

    @property
    def topic(self) -> str | None:
        topic: str | None = self.meta["topic"]
        return topic

    @property
    def seq(self) -> int | None:
        return self.meta.get("seq")


def collapsed(events: Sequence[Event]) -> list[Event]:
    """What a replay of these entries holds: of each state only the newest."""

    def key(event: Event) -> object:
        if event.name in ("post:liked", "post:unliked"):
            return event.topic
        if event.name in ("user:followed", "user:unfollowed"):
            return event.data["actor"]["id"]
        if event.name in ("notification:created", "notification:updated"):
            return event.data["id"]
        return event.seq

    newest = {key(event): event for event in events}
    return [event for event in events if newest[key(event)] is event]


class Transport(NamedTuple):
    """Which client, and how it connects."""

    client: str
    transports: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.client}-{'-to-'.join(self.transports)}"


NODE_WEBSOCKET = Transport("node", ("websocket",))
NODE_POLLING = Transport("node", ("polling",))
NODE_UPGRADED = Transport("node", ("polling", "websocket"))
PYTHON_WEBSOCKET = Transport("python", ("websocket",))
PYTHON_POLLING = Transport("python", ("polling",))
TRANSPORTS = (NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED, PYTHON_WEBSOCKET, PYTHON_POLLING)


class Screen(ABC):
    """One connected client.

    `at_a_gateway` says that it speaks with the product, which keeps to the documents, and with no stand-in.
    """

    at_a_gateway = False

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.disconnected: str | None = None
        """Why the connection ended, in the client's own words; None while it lasts."""
        self._seen: set[int] = set()
        self._watched: dict[str, Json] = {}
        self._news = asyncio.Event()

    async def emit(self, event: str, *payload: Any) -> Any:
        """Send a command; the ack's argument."""
        answer = await self._emit(event, *payload)
        if self.at_a_gateway:
            DRIFT.acked(event, next(iter(payload), None), answer)
        return answer

    @abstractmethod
    async def _emit(self, event: str, *payload: Any) -> Any:
        """What `emit` does, in the client's own way."""

    @abstractmethod
    async def tells(self, event: str, *payload: Any) -> None:
        """Send a command without asking for an ack."""

    @abstractmethod
    async def close(self) -> None:
        """Leave for good."""

    async def asks(self, event: str, payload: Any = None) -> Any:
        """Send a command; the `data` of its ack. Raises Refused."""
        arguments = () if payload is None else (payload,)
        answer = await asyncio.wait_for(self.emit(event, *arguments), DEADLINE)
        assert len(answer) == 1, answer
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["data"]

    async def watches(self, topic: str, since: Mapping[str, Any] | None = None) -> Any:
        """Watch a topic; what the ack tells."""
        answer = await self.asks(
            "topic:watch", {"topic": topic} if since is None else {"topic": topic, "since": since}
        )
        self._watched[topic] = answer
        return answer

    def remember(self, answer: Json) -> None:
        """Count what was recovered by watching again as arrived, as a page does."""
        self.events += [Event(*event) for event in answer["events"]]
        self._happened()

    def position(self, topic: str) -> Json:
        """Where this screen stands in a topic that it watches: what to come back with."""
        watched = self._watched.get(topic) or self.ready
        return {
            "epoch": watched["epoch"],
            "seq": max([watched["seq"], *self.seqs(topic)]),
        }

    @property
    def ready(self) -> Any:
        """The data of the latest `session:ready`."""
        return next(e.data for e in reversed(self.events) if e.name == "session:ready")

    @property
    def own_topic(self) -> str:
        topic: str = self.ready["topic"]
        return topic

    async def sees(self, name: str, **expected: Any) -> Event:
        """The first event of this name not seen before, whose data hold what is `expected`."""

        def unseen() -> Event | None:
            for place, event in enumerate(self.events):
                if (
                    place not in self._seen
                    and event.name == name
                    and all((event.data or {}).get(field) == expected[field] for field in expected)
                ):
                    self._seen.add(place)
                    return event
            return None

        return await self.until(unseen, f"{name} {expected}")

    async def reaches(self, topic: str, seq: int) -> None:
        """Wait until the entry `seq` of the topic, or a later one, has arrived."""
        await self.until(lambda: self.seqs(topic)[-1:] >= [seq] or None, f"{topic} at {seq}")

    async def is_disconnected(self) -> str:
        """Wait for the end of the connection; the reason."""
        return await self.until(lambda: self.disconnected, "the end of the connection")

    def told(self, topic: str) -> list[Event]:
        """What has arrived of a topic's journal so far, in order."""
        return [event for event in self.events if event.topic == topic and event.seq is not None]

    def seqs(self, topic: str) -> list[int]:
        return [event.seq for event in self.told(topic) if event.seq is not None]

    async def until(self, look: Callable[[], T | None], what: str) -> T:
        """Wait until `look` finds something."""
        return await found(look, self._news, what, lambda: f"{self.events}, {self.disconnected=}")

    def _arrived(self, event: Event) -> None:
        if self.at_a_gateway:
            DRIFT.told(*event)
        self.events.append(event)

    def _happened(self) -> None:
        self._news.set()


class PythonScreen(Screen):
    """python-socketio's client."""

    def __init__(self) -> None:
        super().__init__()
        self._refusal: Any = None
        self._client = socketio.AsyncClient(reconnection=False)
        self._client.on("*", self._event)
        self._client.on("disconnect", self._disconnected)
        self._client.on("connect_error", self._refused)

    async def open(self, url: str, transports: Sequence[str], auth: Json | None) -> None:
        try:
            await self._client.connect(url, auth=auth, transports=list(transports))
        except socketio.exceptions.ConnectionError:
            if self._refusal is None:
                raise
            raise Refused(self._refusal["data"]) from None
        await self.until(lambda: self.events or None, "session:ready")

    def _event(self, name: str, data: Any, meta: Json) -> None:
        self._arrived(Event(name, data, meta))
        self._happened()

    def _disconnected(self, reason: str) -> None:
        self.disconnected = reason
        self._happened()

    def _refused(self, error: Any) -> None:
        self._refusal = error

    async def _emit(self, event: str, *payload: Any) -> Any:
        return await self._client.call(event, *payload, timeout=DEADLINE)

    async def tells(self, event: str, *payload: Any) -> None:
        await self._client.emit(event, *payload)

    async def close(self) -> None:
        await self._client.disconnect()


class NodeClients:
    """The Node process in which the official clients run."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._screens: dict[str, NodeScreen] = {}
        self._names = count(1)
        self._reading = asyncio.create_task(self._read())

    def new(self) -> "NodeScreen":
        name = str(next(self._names))
        screen = self._screens[name] = NodeScreen(self, name)
        return screen

    def send(self, command: Json) -> None:
        assert self._process.stdin is not None
        assert self._process.returncode is None, "the driver has ended; its stderr says why"
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            self._screens[told["client"]].told_by_driver(told)

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert await self._process.wait() == 0
        await self._reading


class NodeScreen(Screen):
    """The official client, in Node."""

    def __init__(self, clients: NodeClients, name: str) -> None:
        super().__init__()
        self.connections = 0
        """How often it has connected so far."""
        self.transport = ""
        self._clients = clients
        self._name = name
        self._ids = count(1)
        self._acks: dict[int, asyncio.Future[Any]] = {}
        self._refusal: Json | None = None
        self._closed = False

    async def open(
        self,
        url: str,
        transports: Sequence[str],
        auth: Json | None,
        *,
        comes_back: bool = False,
    ) -> None:
        options = {
            "transports": transports,
            "reconnection": comes_back,
            "reconnectionDelay": 20,
            "reconnectionDelayMax": 100,
        }
        self._send("open", url=url, auth=auth or {}, options=options)
        await self.until(lambda: self._refusal or self.events or None, "an answer")
        if self._refusal is not None:
            assert self._refusal["data"] is not None, self._refusal
            assert not self._refusal["comes_back"]
            raise Refused(self._refusal["data"])
        await self.until(lambda: self.transport == transports[-1] or None, "the upgrade")

    def shows_next_time(self, auth: Json) -> None:
        """What to authenticate with when it comes back by itself."""
        self._send("auth", auth=auth)

    def told_by_driver(self, told: Json) -> None:
        if "event" in told:
            name, data, meta = told["event"]
            self._arrived(Event(name, data, meta))
        elif "id" in told:
            self._acks.pop(told["id"]).set_result(told["answer"])
        elif told["state"] == "connected":
            self.connections += 1
            self.disconnected, self._refusal = None, None
            self.transport = told["transport"]
        elif told["state"] == "upgraded":
            self.transport = told["transport"]
        elif told["state"] == "disconnected":
            self.disconnected = told["reason"]
        elif told["state"] == "refused":
            self._refusal = told
        self._happened()

    async def _emit(self, event: str, *payload: Any) -> Any:
        identifier = next(self._ids)
        answer = self._acks[identifier] = asyncio.get_running_loop().create_future()
        self._send("emit", id=identifier, event=event, payload=payload)
        return await answer

    async def tells(self, event: str, *payload: Any) -> None:
        self._send("emit", event=event, payload=payload)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._send("close")

    async def cut(self) -> None:
        """Lose the transport; where it `comes_back`, it does so by itself."""
        self._send("cut")
        await self.is_disconnected()

    def _send(self, do: str, **what: Any) -> None:
        self._clients.send({"client": self._name, "do": do, **what})


@asynccontextmanager
async def node_driver(
    node: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[NodeClients]:
    """Official clients, all in one Node process."""
    process = await asyncio.create_subprocess_exec(
        *(node, "driver.mjs"),
        cwd=NODE_FOLDER,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    clients = NodeClients(process)
    yield clients
    await clients.end()


@pytest.fixture(scope="session")
async def node_clients(node: Path) -> AsyncIterator[NodeClients]:
    """Those that most tests share."""
    async with node_driver(node) as clients:
        yield clients
