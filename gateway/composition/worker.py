"""One worker: its rooms, wired together."""

import asyncio
import gc
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import structlog
from aiohttp import web

from gateway.auth.keys import KeySet
from gateway.auth.recognition import Recognition
from gateway.auth.tokens import Claims, SharedKey, Verifier
from gateway.background import Background
from gateway.composition.documents import signs_in, specs
from gateway.composition.opening import DATABASE_CONNECTIONS, database_of
from gateway.consuming.watching import Watch
from gateway.delivery.hub import Hub
from gateway.delivery.message import Message
from gateway.delivery.presence import Presence
from gateway.delivery.relay import Relaying
from gateway.dispatch import Dispatcher
from gateway.gathering import Gathering
from gateway.http.dev import DevSignIn
from gateway.http.documents import Documents
from gateway.http.edge import Edge
from gateway.http.health import Health
from gateway.http.listener import Listener, runner
from gateway.http.rest import TOPIC_EVENTS, Rest
from gateway.http.site import Site
from gateway.jobs import Outcomes, Scheduled, keep_running
from gateway.launcher import Assignment
from gateway.limits import Gate, Seats
from gateway.machines import Machines
from gateway.metrics.lag import LoopLag
from gateway.metrics.store import StoreCounts
from gateway.metrics.worker import WorkerReadings
from gateway.sessions import KnownUser, Sessions
from gateway.settings import SHARED_KEY, Settings
from gateway.sockets.elsewhere import Elsewhere
from gateway.sockets.forwarding import Forwarder, Vouching
from gateway.sockets.handover import Handover
from gateway.sockets.options import SocketOptions
from gateway.sockets.server import SocketServer
from gateway.topics import Topics
from gateway.traces import TracedDispatcher, tracing
from gateway.webhooks.delivering import Deliveries, DeliveryCounts
from gateway.webhooks.guard import Guard
from gateway.webhooks.sending import Sender
from gateway.webhooks.signing import Seal
from handlers import DOMAINS
from handlers.domain import Job
from handlers.gallery import demo as demo_gallery
from pubsub import Attendance, Bus, Limiter
from store import migrations
from store.consumers import Consumers
from store.database import Database, open_database
from store.idempotency import UPKEEP as KEYS_UPKEEP
from store.idempotency import IdempotencyKeys
from store.identity import REVOCATIONS_TOPIC, Claimed, Identity, Revocation, User
from store.jobs import run_if_due
from store.journal import Journal
from store.journal.partitions import UPKEEP as PARTITIONS_UPKEEP
from store.journal.partitions import keep_partitions
from store.nodes import Nodes
from store.refusal import Refusal
from store.replica import Replica
from store.webhooks import UPKEEP as LETTERS_UPKEEP
from store.webhooks import Failed, Holds, Messages, Webhooks

MACHINE_CONNECTIONS = 160
"""To either of them: with many workers each has fewer of them, so that a machine needs no more."""
COLLECT_AFTER = (100_000, 50, 100)
"""Objects, and rounds of each generation, between two runs of the cycle collector."""

_log = structlog.get_logger(__name__)


async def serve(
    settings: Settings, assignment: Assignment, *, on_ready: Callable[[], None]
) -> None:
    """Run one worker until the task is cancelled; everything it opened is closed then.

    Raises where work that it does in the background has failed: the launcher starts another.
    """
    async with _worker(settings, assignment) as unsound:
        _calm_the_collector()
        on_ready()
        _log.info("worker ready", pid=os.getpid())
        await unsound


def _calm_the_collector() -> None:
    """Keep Python's cycle collector from walking everything again and again.

    What is there once the node stands stays, and what a command makes is freed by counting references:
    collecting as often as by default took a third of a like's CPU time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


@asynccontextmanager
async def _worker(
    settings: Settings, assignment: Assignment
) -> AsyncIterator["asyncio.Future[None]"]:
    """A worker that serves; the future raises where it can't any longer."""
    async with AsyncExitStack() as stack:
        connections = min(DATABASE_CONNECTIONS, MACHINE_CONNECTIONS // assignment.workers)
        database = await stack.enter_async_context(database_of(settings, connections - 1))
        background = Background(stack)
        background.keep("pulse", database.keep_pulse())
        journal = Journal(database)
        installation = await journal.installation()
        prefix = f"vernissage:{installation}:"
        stores = {domain.name: domain.store(database) for domain in DOMAINS}
        written = StoreCounts()
        database.measured_by(written)
        replica = await _replica(stack, background, settings, database, connections - 1)
        if replica is not None:
            replica.measured_by(written)

        topics = Topics(DOMAINS, stores)
        hub = _hub(journal, topics)
        bus = Bus(
            settings.redis_url,
            prefix=prefix,
            on_message=hub.received,
            on_reconnect=hub.check_soon,
        )
        await bus.start()
        stack.push_async_callback(bus.close)
        database.publish_to(hub.committed)
        stack.push_async_callback(hub.close)
        for domain in DOMAINS:
            for relay in domain.relays:
                relaying = Relaying(relay, stores[domain.name], hub)
                hub.listen(relay.topic, relaying.heard)
                stack.push_async_callback(relaying.close)
        await hub.start(bus)

        node = assignment.owner.name
        attendance = Attendance(settings.redis_url, prefix=prefix, node=node)
        stack.push_async_callback(attendance.close)
        presence = Presence(attendance, hub, told_by=topics.presence)
        hub.count(presence)
        stack.push_async_callback(presence.close)

        limiter = Limiter(settings.redis_url, prefix=prefix)
        stack.push_async_callback(limiter.close)
        gate = Gate(limiter, settings.rate_limits)
        seats = Seats(limiter, settings.sockets_per_user)
        stack.push_async_callback(seats.close)
        tracer = await stack.enter_async_context(tracing(settings, node))
        dispatcher = (
            Dispatcher(DOMAINS, stores, gate)
            if tracer is None
            else TracedDispatcher(DOMAINS, stores, gate, tracer=tracer)
        )
        recognition: Recognition[KnownUser] = Recognition(_recognizer(stores["identity"]))
        sessions = Sessions(
            node=node,
            verifier=_verifier(settings),
            recognize=recognition,
            dispatcher=dispatcher,
            hub=hub,
            anonymous=settings.anonymous,
            seats=seats,
        )
        stack.push_async_callback(sessions.close)
        hub.listen(
            REVOCATIONS_TOPIC, _told_of_revocations(sessions), on_gap=sessions.revocations_missed
        )
        edge = Edge(
            origins=settings.cors_origins,
            trusted_proxies=settings.trusted_proxies,
            operations=[*(each.operation.event for each in dispatcher.served), TOPIC_EVENTS],
        )
        public = edge.application()
        listener = Listener(public)
        machines = Machines(Nodes(database), assignment.owner.node, settings.node_url)
        sockets = SocketServer(
            sessions,
            _socket_options(settings),
            assignment.owner,
            await _elsewhere(stack, background, settings, assignment, machines, listener),
        )
        keys = IdempotencyKeys(database)
        health = Health(bus, migrations.schema_watch(database))

        for part in (
            health,
            Rest(edge, dispatcher, sessions, hub, gate, keys),
            sockets,
            Site(settings.data_dir / "media"),
            Documents({f"/{name}.json": body for name, body in specs(settings).items()}),
        ):
            part.attach(public)
        if signs_in(settings):
            DevSignIn(settings, sessions, demo_gallery.PEOPLE).attach(public)
        admin = edge.application()
        health.attach(admin)
        sockets.attach(admin)

        endpoints, standing = Webhooks(database), Consumers(database)
        watch = Watch(standing.list, standing.held_up, endpoints.all)
        if assignment.owner.slot == 0:
            background.keep("watch", watch.keep())

        jobs: Outcomes = Counter()
        lag = LoopLag()
        WorkerReadings(
            slot=assignment.owner.slot,
            hub=hub,
            bus=bus,
            limiter=limiter,
            presence=presence,
            sockets=sockets,
            sessions=sessions,
            edge=edge,
            pool=database,
            replica=replica,
            written=written,
            jobs=jobs,
            lag=lag,
            machines=machines,
            following=watch,
            webhooks=await _tell_endpoints(stack, background, settings, database),
        ).attach(admin)

        background.keep("jobs", keep_running(_jobs(database, keys, stores), jobs))
        background.keep("lag", lag.keep())
        background.keep("seats", seats.keep())
        background.keep("presence", presence.keep())
        await _listen_privately(stack, admin, assignment.owner.http_socket(assignment.folder))
        await listener.open([socket.socket(fileno=each) for each in assignment.listening])
        stack.push_async_callback(sockets.drain)
        stack.push_async_callback(listener.stop_listening)
        stack.callback(health.drain)
        yield background.unsound


async def _replica(
    stack: AsyncExitStack,
    background: Background,
    settings: Settings,
    database: Database,
    connections: int,
) -> Replica | None:
    """What answers from now on whatever is only looked at; None where there is no replica."""
    if not settings.database_replica_url:
        return None
    standby = await stack.enter_async_context(
        open_database(
            settings.database_replica_url,
            connections=connections,
            server="replica",
            pooled=bool(settings.database_direct_url),
        )
    )
    replica = Replica(standby, database)
    background.keep("replica", replica.keep())
    database.read_from(replica)
    return replica


def _hub(journal: Journal, topics: Topics) -> Hub:
    """The hub, which knows of the domains' events and topics what they declare."""
    events = [event for domain in DOMAINS for told in domain.events.values() for event in told]
    declared = [topic.pattern for domain in DOMAINS for topic in domain.topics]
    return Hub(
        journal,
        topics,
        removing=[event.name for event in events if event.removes],
        revising=[event.name for event in events if event.revises],
        always=[REVOCATIONS_TOPIC, *(pattern for pattern in declared if "{" not in pattern)],
    )


def _socket_options(settings: Settings) -> SocketOptions:
    cap, factor = settings.connects_per_second, settings.rate_limits
    return SocketOptions(
        ping_interval=settings.ping_interval,
        ping_timeout=settings.ping_timeout,
        max_payload=settings.max_payload,
        origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
        address_cap=settings.sockets_per_address,
        connects_per_second=None if cap is None or factor is None else cap * factor,
    )


async def _elsewhere(
    stack: AsyncExitStack,
    background: Background,
    settings: Settings,
    assignment: Assignment,
    machines: Machines,
    listener: Listener,
) -> Elsewhere:
    """The way to the sessions of other workers, and theirs to the ones here."""
    owner, folder = assignment.owner, assignment.folder
    vouching = Vouching(settings.cluster_secret or assignment.secret)
    forwarder = Forwarder(vouching, patience=settings.ping_interval + settings.ping_timeout)
    stack.push_async_callback(forwarder.close)
    if settings.node_url:
        await machines.join()
        background.keep("machines", machines.keep())
    stack.push_async_callback(listener.close)
    handover = Handover(owner, folder, listener.adopt)
    handover.open()
    stack.callback(handover.close)
    return Elsewhere(owner, folder, vouching, handover, forwarder, machines.find)


async def _tell_endpoints(
    stack: AsyncExitStack, background: Background, settings: Settings, database: Database
) -> DeliveryCounts:
    """Tell webhooks what happens, where there is a key to their secrets; what is told is counted."""
    if not settings.webhook_key:
        return DeliveryCounts()
    sender = Sender(Guard(settings.webhook_networks))
    stack.push_async_callback(sender.close)
    deliveries = Deliveries(Holds(database), Failed, sender, Seal(settings.webhook_key))
    background.keep("webhooks", deliveries.keep())
    return deliveries.counts


async def _listen_privately(stack: AsyncExitStack, app: web.Application, path: Path) -> None:
    """Serve `app` at a Unix socket, to the launcher and the other workers."""
    private = runner(app)
    stack.push_async_callback(private.cleanup)
    await private.setup()
    await web.UnixSite(private, path).start()
    _close_to_others(path)


def _close_to_others(path: Path) -> None:
    path.chmod(0o600)


def _verifier(settings: Settings) -> Verifier:
    keys: SharedKey | KeySet
    if settings.jwt_algorithm == SHARED_KEY:
        keys = SharedKey(settings.jwt_secret)
    else:
        keys = KeySet(settings.jwt_jwks, settings.jwt_algorithm)
    return Verifier(settings.jwt_algorithm, settings.jwt_issuer, settings.jwt_audience, keys)


def _recognizer(identity: Identity) -> Callable[[Claims], Awaitable[User]]:
    async def recognize(shown: Sequence[Claims]) -> Sequence[User | Refusal]:
        return await identity.users.recognize([_claimed(claims) for claims in shown])

    return Gathering(recognize)


def _claimed(claims: Claims) -> Claimed:
    issued_at = claims.issued_at
    return Claimed(
        id=claims.user_id,
        external_id=claims.subject,
        name=claims.name,
        picture=claims.picture,
        tier=claims.tier,
        token_id=claims.token_id,
        issued_at=None if issued_at is None else datetime.fromtimestamp(issued_at, UTC),
    )


def _told_of_revocations(sessions: Sessions) -> Callable[[Message], None]:
    decode = msgspec.json.Decoder(Revocation).decode

    def heard(message: Message) -> None:
        try:
            sessions.revoked(decode(message.data))
        except msgspec.DecodeError:  # from a node of another release
            _log.exception("a revocation could not be read")
            sessions.revocations_missed()

    return heard


def _jobs(database: Database, keys: IdempotencyKeys, stores: dict[str, Any]) -> list[Scheduled]:
    def scheduled(job: Job[Any], store: Any) -> Scheduled:
        async def work() -> None:
            await job.run(store)

        async def run() -> bool:
            if job.wanted is not None and not await job.wanted(store):
                return False
            return await run_if_due(database, job.name, job.every, work)

        return Scheduled(job.name, job.every, run)

    return [
        scheduled(Job("journal:partitions", PARTITIONS_UPKEEP, keep_partitions), database),
        scheduled(Job("idempotency:keys", KEYS_UPKEEP, IdempotencyKeys.forget), keys),
        scheduled(Job("webhooks:dead", LETTERS_UPKEEP, Messages.forget), Messages(database)),
        *(scheduled(job, stores[domain.name]) for domain in DOMAINS for job in domain.jobs),
    ]
