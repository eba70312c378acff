"""Domains served over HTTP as the composition root does it, with a clock that stands at 0."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import jwt
import msgspec
from aiohttp import web

from gateway.auth.recognition import Recognition
from gateway.auth.tokens import Claims, SharedKey, Verifier
from gateway.delivery.hub import Hub
from gateway.dispatch import Dispatcher
from gateway.http.edge import Edge
from gateway.http.rest import Rest
from gateway.http.runner import Runner
from gateway.limits import Gate, Seats
from gateway.sessions import Sessions
from gateway.topics import Topics
from handlers.domain import Domain
from pubsub import Bus
from store.database import Database
from store.idempotency import IdempotencyKeys
from store.journal import Journal
from tests.gateway.counting import Counting
from tests.gateway.wire import Wire

SECRET = "0123456789abcdef-0123456789abcdef"  # noqa: S105
ORIGIN = "https://gallery.example.org"


def token(sub: str, **claims: Any) -> str:
    """A token that is good at 0, for a while."""
    return jwt.encode({"iss": "me", "aud": "you", "sub": sub, "exp": 1_000, **claims}, SECRET)


ADA, BEN, MODERATOR = token("ada"), token("ben"), token("mo", role="moderator")


class Stranger(msgspec.Struct):
    """A user who has just come into being."""

    summary: str = "somebody"
    role: str = "user"


async def _recognize(claims: Claims) -> Stranger:
    return Stranger()


@asynccontextmanager
async def served(
    domains: Sequence[Domain[Any]],
    stores: Mapping[str, Any],
    database: Database,
    redis_url: str,
    gate: Gate,
) -> AsyncIterator[Wire]:
    """These domains on a port; `gate` is who counts requests."""
    async with AsyncExitStack() as stack:
        hub = Hub(Journal(database), Topics(domains, stores), removing=[], always=[])
        bus = Bus(
            redis_url, prefix=f"{uuid4()}:", on_message=hub.received, on_reconnect=hub.check_soon
        )
        await bus.start()
        stack.push_async_callback(bus.close)
        await hub.start(bus)
        stack.push_async_callback(hub.close)
        database.publish_to(hub.committed)
        dispatcher = Dispatcher(domains, stores, gate)
        sessions = Sessions(
            node="n1",
            verifier=Verifier("HS256", "me", "you", SharedKey(SECRET), clock=lambda: 0.0),
            recognize=Recognition(_recognize),
            dispatcher=dispatcher,
            hub=hub,
            anonymous=True,
            seats=Seats(Counting(), None),
        )
        edge = Edge(origins=[ORIGIN], trusted_proxies=[])
        app = edge.application()
        Rest(edge, dispatcher, sessions, hub, gate, IdempotencyKeys(database)).attach(app)
        runner = Runner(app, access_log=None, lingering_time=0.1, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Wire(runner.addresses[0][1])
