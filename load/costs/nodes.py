"""What a node spends on its connections while nothing happens, and on an event for few watchers or many."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from gateway.delivery.message import Header, Message
from load.bench.deployments import Ground, Places, vernissage
from load.costs.bus import Line, packed
from load.costs.cost import Cost
from load.deployment import Deployment
from load.fleet import Fleet, fleet
from load.scenarios.running import SETTLE_SECONDS, admit, settle
from store.database import open_database
from store.journal import Journal

PACES = {1: 500, 10: 500, 100: 200, 1_000: 40}
"""Events a second by watchers: enough to keep the node busy, and few enough that each goes out by itself."""
EVENT_SECONDS = 4.0
ROOMS = 20
BURSTS = 50
"""A second."""
MESSAGE_BYTES = 480
KNOCKS = 1_500
CLIENTS = 2_000
PING_SECONDS = 5
HOLD_SECONDS = 20.0

Say = Callable[[str], None]


def costs(ground: Ground, places: Places, say: Say) -> list[Cost]:
    """Of a node with one worker, pinned to a core."""
    ground.servers.pin(places.others)
    return [
        *_events(ground, places, say),
        *_idle(ground, places, say),
        _turned_away(ground, places),
    ]


def _events(ground: Ground, places: Places, say: Say) -> list[Cost]:
    with (
        vernissage(ground, cores=[places.server]) as deployment,
        fleet(1, places.clients) as crowd,
    ):
        events = _Events(ground, deployment, crowd, say, _quiet(deployment.cpu))
        lone = [(float(count), events.cost(1, count, pace)) for count, pace in PACES.items()]
        together = [(float(count), events.cost(ROOMS, count, BURSTS)) for count in (1, 10)]
        replaced = events.cost(ROOMS, 1, BURSTS, key="count")
    how = (
        f"{min(PACES.values())} to {max(PACES.values())} messages a second published by Redis to the room of"
        f" {', '.join(f'{each:,}' for each in PACES)} watchers; less what the worker spends without any"
    )
    said = f"{BURSTS} times a second one to each of {ROOMS} rooms"
    shown = f"{said}, of which each watcher is told of the newest once a second"
    return [
        Cost.fitted("node: an event from the bus", "µs", how, "watcher", lone),
        Cost.fitted(
            "node: an event from the bus, in bursts",
            "µs",
            f"{said} of 1 and of 10 watchers",
            "watcher",
            together,
        ),
        Cost("node: an event from the bus that another replaces", "µs", shown, replaced),
    ]


@dataclass(frozen=True, slots=True)
class _Events:
    """Rooms on a node, and messages for them. `quiet` is the share of a core that it needs without."""

    ground: Ground
    deployment: Deployment
    crowd: Fleet
    say: Say
    quiet: float

    def cost(self, rooms: int, watchers: int, pace: float, key: str | None = None) -> float:
        """µs for one message of so many, each to a room of `watchers`; all rooms get one, `pace` times a second."""
        topics = [f"post:{post}" for post in self.deployment.share(rooms)]
        for topic in topics:
            name = f"watcher-{topic[-6:]}"
            admit(self.crowd, self.deployment.guests(watchers, name, topics=[topic]))
        settle()
        before = self.deployment.cpu(1)
        took, sent = asyncio.run(_publish(self.ground, topics, pace, key))
        settle()
        after = self.deployment.cpu(1)
        assert before is not None
        assert after is not None
        spent = (after - before - self.quiet * (took + SETTLE_SECONDS)) / sent * 1e6
        self.say(
            f"{rooms} × {watchers:,} watchers, {sent / took:,.0f} events a second: {spent:,.0f} µs each"
        )
        return spent


async def _publish(
    ground: Ground, topics: Sequence[str], pace: float, key: str | None
) -> tuple[float, int]:
    """Publish messages that every watcher is told of, to all topics in one write; how long, and how many."""
    async with open_database(ground.database_url, connections=1) as database:
        installation = await Journal(database).installation()
    data = msgspec.json.encode({"text": "x" * MESSAGE_BYTES})
    line = await Line.open(ground.redis_url)
    began, sent = time.perf_counter(), 0
    while (now := time.perf_counter()) < began + EVENT_SECONDS:
        await asyncio.sleep(max(began + sent / len(topics) / pace - now, 0))
        header = Header(None, "post:noticed", datetime.now(UTC), key, None)
        commands = [
            packed(
                b"PUBLISH",
                f"vernissage:{installation}:{topic}".encode(),
                Message(topic, header, data).encode(),
            )
            for topic in topics
        ]
        await line.ask(b"".join(commands), len(topics))
        assert line.tail.endswith(b":1\r\n"), line.tail
        sent += len(topics)
    line.transport.close()
    return time.perf_counter() - began, sent


def _quiet(cpu: Callable[[int], float | None], seconds: float = 4.0) -> float:
    """The share of a core that the first node needs while nobody is there."""
    time.sleep(1.0)
    before = cpu(1)
    time.sleep(seconds)
    after = cpu(1)
    assert before is not None
    assert after is not None
    return (after - before) / seconds


def _idle(ground: Ground, places: Places, say: Say) -> list[Cost]:
    """Pings come oftener than they are set to, so that there are enough of them to count."""
    with (
        vernissage(
            ground,
            cores=[places.server],
            ping_interval=str(PING_SECONDS),
            connects_per_second="off",
        ) as deployment,
        fleet(1, places.clients) as crowd,
    ):
        nobody = _quiet(deployment.cpu)
        spent, pings = _hold(
            crowd, deployment.cpu, lambda: admit(crowd, deployment.guests(CLIENTS, "guest"))
        )
    say(f"idle: {nobody * 100:.2f} % of a core alone; {pings:,} pings in {spent:.2f} s of CPU time")
    how = f"{CLIENTS:,} connections, pinged every {PING_SECONDS} s for {HOLD_SECONDS:g} s; less what nobody costs"
    return [
        Cost("node: a worker without clients", "µs per second", "nobody there", nobody * 1e6),
        Cost(
            "node: a ping and its answer", "µs", how, (spent - nobody * HOLD_SECONDS) / pings * 1e6
        ),
    ]


def _hold(
    crowd: Fleet, cpu: Callable[[int], float | None], come: Callable[[], object]
) -> tuple[float, int]:
    """CPU seconds, and pings answered."""
    come()
    settle()
    time.sleep(PING_SECONDS)
    crowd.begin()
    before = cpu(1)
    time.sleep(HOLD_SECONDS)
    after = cpu(1)
    assert before is not None
    assert after is not None
    return after - before, crowd.tally().pings


def _turned_away(ground: Ground, places: Places) -> Cost:
    with vernissage(
        ground, cores=[places.server], connects_per_second="1", rate_limits="1"
    ) as deployment:
        (url,) = deployment.urls
        _knock(url.host, url.port)
        before, turned_away = deployment.cpu(1), 0
        for _ in range(KNOCKS):
            turned_away += _knock(url.host, url.port)
        after = deployment.cpu(1)
    assert before is not None
    assert after is not None
    how = (
        f"{KNOCKS:,} handshakes, each by a connection of its own, all but one a second answered 503"
    )
    return Cost("node: one who is turned away", "µs", how, (after - before) / turned_away * 1e6)


def _knock(host: str, port: int) -> bool:
    """Whether a client that wants in is told to come back."""
    with socket.create_connection((host, port)) as line:
        line.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        return b" 503 " in line.recv(4096).partition(b"\r\n")[0]
