"""A worker's readings: what its parts have counted, taken together when the launcher asks."""

import asyncio
import resource
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aiohttp import web
from aiohttp.web_request import Request

from gateway.metrics import catalogue as m
from gateway.metrics.counts import DoneByName
from gateway.metrics.lag import LoopLag
from gateway.metrics.readings import Reading, encode, reading, spread
from gateway.metrics.store import StoreCounts

if TYPE_CHECKING:
    from gateway.consuming.watching import Watch
    from gateway.delivery.hub import Hub
    from gateway.http.edge import Edge
    from gateway.machines import Machines
    from gateway.sessions import Sessions
    from gateway.sockets.server import SocketServer
    from gateway.webhooks.delivering import DeliveryCounts
    from pubsub import Bus

READINGS_PATH = "/readings"
"""On a worker's private socket."""


class Redis(Protocol):
    """Whoever asks Redis, and goes on without it."""

    @property
    def away(self) -> bool: ...


class Pool(Protocol):
    """Connections to the database."""

    @property
    def busy(self) -> int: ...
    @property
    def idle(self) -> int: ...
    @property
    def pool_size(self) -> int: ...


class Replica(Protocol):
    """A standby of the database."""

    @property
    def fit(self) -> bool: ...


class WorkerReadings:
    """Answers at READINGS_PATH."""

    def __init__(
        self,
        *,
        slot: int,
        hub: "Hub",
        bus: "Bus",
        limiter: Redis,
        presence: Redis,
        sockets: "SocketServer",
        sessions: "Sessions",
        edge: "Edge",
        pool: Pool,
        replica: Replica | None,
        written: StoreCounts,
        jobs: Mapping[tuple[str, str], int],
        lag: LoopLag,
        machines: "Machines",
        following: "Watch",
        webhooks: "DeliveryCounts",
    ) -> None:
        self._worker = str(slot)
        self._hub = hub
        self._bus = bus
        self._redis = {"limits": limiter, "presence": presence}
        self._sockets = sockets
        self._sessions = sessions
        self._edge = edge
        self._pool = pool
        self._replica = replica
        self._written = written
        self._jobs = jobs
        self._lag = lag
        self._machines = machines
        self._following = following
        self._webhooks = webhooks

    def attach(self, app: web.Application) -> None:
        """Add the route."""
        app.router.add_get(READINGS_PATH, self._answer)

    async def _answer(self, request: Request) -> web.Response:
        return web.Response(body=encode([*self.now()]), content_type="application/json")

    def now(self) -> Iterator[Reading]:
        """Everything that this worker has to tell."""
        yield from self._clients()
        yield from self._delivery()
        yield from self._storing()
        yield from self._line()
        yield from self._journal()
        for (job, outcome), count in self._jobs.items():
            yield reading(m.JOBS, count, job, outcome)
        yield reading(m.MACHINES, self._machines.known)
        yield spread(m.LOOP_LAG_SECONDS, self._lag.seconds)
        yield reading(m.WORKER_CPU_SECONDS, time.process_time(), self._worker)
        yield reading(m.WORKER_RESIDENT_BYTES, _resident_bytes(), self._worker)
        yield reading(m.WORKER_TASKS, len(asyncio.all_tasks()), self._worker)

    def _clients(self) -> Iterator[Reading]:
        connected = self._sockets.by_transport
        for transport, count in connected.items():
            yield reading(m.CONNECTIONS, count, transport)
        yield reading(m.WORKER_CONNECTIONS, sum(connected.values()), self._worker)
        for reason, count in self._sockets.ended.items():
            yield reading(m.CONNECTIONS_ENDED, count, reason)
        yield reading(m.TURNED_AWAY, self._sockets.turned_away)
        joins = self._sessions.joins
        for outcome, count in joins.outcomes.items():
            yield reading(m.JOINS, count, outcome)
        yield spread(m.JOIN_SECONDS, joins)
        yield from _done(self._sessions.commands, m.COMMANDS, m.COMMAND_SECONDS)
        yield from _done(self._edge.requests, m.REQUESTS, m.REQUEST_SECONDS)

    def _delivery(self) -> Iterator[Reading]:
        counts = self._hub.counts
        yield reading(m.EVENTS, counts.committed, "here")
        yield reading(m.EVENTS, counts.received, "bus")
        yield reading(m.DELIVERIES, counts.deliveries)
        yield reading(m.FLUSHES, counts.flushes)
        yield spread(m.DELIVERY_SECONDS, counts.seconds)
        yield reading(m.TOPICS, self._hub.followed)
        yield reading(m.HEADS_BEHIND, counts.heads_behind)
        yield reading(m.ENTRIES_BEHIND, counts.entries_behind)
        yield reading(m.GAPS_FILLED, counts.gaps_filled)
        yield reading(m.TOPICS_STARTED_OVER, counts.started_over)
        for source, count in counts.replays.items():
            yield reading(m.REPLAYS, count, source)

    def _storing(self) -> Iterator[Reading]:
        written, pool = self._written, self._pool
        for name, batches in written.batches.items():
            yield spread(m.BATCH_COMMANDS, batches.commands, name)
            yield spread(m.BATCH_WAIT_SECONDS, batches.waited, name)
            yield spread(m.BATCH_SECONDS, batches.took, name)
        yield spread(m.POOL_WAIT_SECONDS, written.pool)
        yield reading(m.POOL_CONNECTIONS, pool.busy, "busy")
        yield reading(m.POOL_CONNECTIONS, pool.idle, "idle")
        yield reading(m.POOL_CONNECTIONS, pool.pool_size, "most")
        yield reading(m.DATABASE_FAILURES, written.failures)
        yield reading(m.REPLICA_FIT, self._replica is None or self._replica.fit)
        for server in ("replica", "primary"):
            yield reading(m.READS, written.reads[server], server)
        yield spread(m.REPLICA_WAIT_SECONDS, written.catching_up)

    def _journal(self) -> Iterator[Reading]:
        for each in self._following.consumers:
            yield reading(m.CONSUMER_ENTRIES_BEHIND, each.behind, each.name)
            yield reading(m.CONSUMER_SECONDS_BEHIND, each.seconds_behind, each.name)
            yield reading(m.CONSUMER_STOPPED, each.stopped, each.name)
        if self._following.held_up is not None:
            yield reading(m.CONSUMERS_HELD_UP_SECONDS, self._following.held_up)
            endpoints = self._following.endpoints
            for state in ("active", "failing", "disabled"):
                count = sum(each.state == state for each in endpoints)
                yield reading(m.WEBHOOK_ENDPOINTS, count, state)
            yield reading(m.WEBHOOK_MESSAGES, sum(each.waiting for each in endpoints), "waiting")
            yield reading(m.WEBHOOK_MESSAGES, sum(each.dead for each in endpoints), "dead")
        for outcome, count in self._webhooks.outcomes.items():
            yield reading(m.WEBHOOK_DELIVERIES, count, outcome)
        yield spread(m.WEBHOOK_SECONDS, self._webhooks.seconds)

    def _line(self) -> Iterator[Reading]:
        counts = self._bus.counts
        yield reading(m.REDIS_UP, self._bus.connected, "bus")
        for use, redis in self._redis.items():
            yield reading(m.REDIS_UP, not redis.away, use)
        yield reading(m.BUS_PUBLISHED, counts.published)
        yield reading(m.BUS_DROPPED, counts.dropped)
        yield reading(m.BUS_WAITING, self._bus.waiting)
        yield reading(m.BUS_LOST, counts.broken, "broken")
        yield reading(m.BUS_LOST, counts.deaf, "deaf")
        yield reading(m.BUS_RECONNECTS, counts.reconnects)


def _done(counted: DoneByName, count: m.Metric, seconds: m.Metric) -> Iterator[Reading]:
    """What was done at all, by name."""
    for name, done in counted:
        if done.outcomes:
            for outcome, times in done.outcomes.items():
                yield reading(count, times, name, outcome)
            yield spread(seconds, done, name)


_STATM = Path("/proc/self/statm")


def _resident_bytes() -> int:
    """The memory that this process holds; where nobody says, the most that it ever held."""
    try:
        return int(_STATM.read_bytes().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
