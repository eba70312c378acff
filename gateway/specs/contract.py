"""All that a client may ask for and be told, as data: the operation table, and what is the gateway's own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec

from gateway.delivery.hub import Seq
from gateway.dispatch import statuses_of
from gateway.http.dev import SignIn
from gateway.http.health import Readiness
from gateway.http.rest import Since
from gateway.protocol import TOPICS_PER_SOCKET, Credentials, Draining, Ready, Refresh, Watch
from gateway.refusals import STATUSES
from gateway.specs.schemas import prose, reference
from handlers.domain import Domain
from handlers.operation import Access, Limit, Operation

OF_ALL = ("VALIDATION_ERROR", "RATE_LIMITED", "INTERNAL", "OVERLOADED", "UNAVAILABLE")
OF_TOKENS = ("UNAUTHENTICATED", "TOKEN_EXPIRED")
OF_BODIES = ("PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
"""Of REST alone: a socket is closed for what is too large."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """The second argument of every event: its topic, its number there, and when it happened.

    Ephemeral events and those of the session have no `seq`.
    """

    topic: str | None
    seq: Seq | msgspec.UnsetType = msgspec.UNSET
    at: Moment


class TopicWatched(msgspec.Struct, frozen=True):
    """Where a topic stands. If `recovered`, `events` is all that followed `since`, each `[name, data, meta]`."""

    topic: str
    epoch: str
    seq: Seq
    recovered: bool
    events: list[tuple[str, dict[str, Any] | None, Meta]]


class Refused(msgspec.Struct, frozen=True):
    """Why something was not done. `retry_after` is in seconds, where waiting helps."""

    code: str
    message: str
    details: dict[str, Any]
    retry_after: float | msgspec.UnsetType = msgspec.UNSET


class TopicRefused(msgspec.Struct, frozen=True):
    """One of several topics, which cannot be watched."""

    error: Refused


class WatchMany(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Several topics to watch, each from a position or from now on."""

    topics: Annotated[list[Watch], msgspec.Meta(max_length=TOPICS_PER_SOCKET)]


class TopicsWatched(msgspec.Struct, frozen=True):
    """The answers for several topics, in their order."""

    topics: list[
        Annotated[
            Any,
            msgspec.Meta(
                extra_json_schema={"anyOf": [reference(TopicWatched), reference(TopicRefused)]}
            ),
        ]
    ]


class TopicRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a topic."""

    topic: str


class TopicRefs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names several topics."""

    topics: Annotated[list[TopicRef], msgspec.Meta(max_length=TOPICS_PER_SOCKET)]


class Unwatched(msgspec.Struct, frozen=True):
    """A topic that is not watched any more."""

    topic: str


class AllUnwatched(msgspec.Struct, frozen=True):
    """Topics that are not watched any more."""

    topics: list[Unwatched]


class Expiry(msgspec.Struct, frozen=True):
    """When the session's token expires."""

    expires_at: Moment


class Closing(msgspec.Struct, frozen=True):
    """Why the gateway ends the session: a client does not come back by itself."""

    code: str


class TopicQuery(Since, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A topic, and from where on."""

    topic: str


class Alive(msgspec.Struct, frozen=True):
    """`status` is `alive`."""

    status: str


class DemoUser(msgspec.Struct, frozen=True):
    """Somebody one can sign in as."""

    name: str
    display_name: str
    avatar_url: str


class DemoUsers(msgspec.Struct, frozen=True):
    """Those whom the demo gallery knows."""

    users: list[DemoUser]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A request over REST. `answers` are by status; `refusals` are codes with theirs."""

    name: str
    method: str
    path: str
    command: Any
    answers: Mapping[int, Any]
    refusals: Mapping[str, int]
    text: str
    tag: str
    access: Access = Access.PUBLIC
    limit: Limit | None = None
    event: str | None = None
    """The Socket.IO command that does the same."""

    @property
    def is_tagged(self) -> bool:
        """Whether its answers have tags, by which a client asks whether they still hold."""
        return self.event is not None and self.method == "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command over Socket.IO. `command` and `answer` may be several structs: any one of them."""

    event: str
    command: Any
    answer: Any
    refusals: Sequence[str]
    text: str
    access: Access = Access.MEMBER
    limit: Limit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event. `topic` is the pattern of its topic, None for what is told of the session itself."""

    topic: str | None
    name: str
    kind: str
    data: Any

    @property
    def kept(self) -> bool:
        """Whether it stands in the journal: then its subject may be gone when it is told again."""
        return self.kind != "ephemeral"


class Contract:
    """What a gateway with these domains offers. `person` is how it tells of a user.

    With `dev` there is the sign-in for development too.
    """

    def __init__(self, domains: Sequence[Domain[Any]], *, person: Any, dev: bool) -> None:
        self._domains = domains
        self.credentials = Credentials
        self.ready = _with(Ready, user=person | None, expires_at=Moment | None)
        self.signed_in = msgspec.defstruct(
            "SignedIn",
            [("token", str), ("expires_at", Moment), ("user", person)],
            namespace={"__doc__": "A token, when it expires, and whose it is."},
            frozen=True,
        )
        self.routes = [*self._table(), *_own_routes(), *(self._dev_routes() if dev else ())]
        self.commands = [*self._commands(), *_own_commands()]
        self.events = [*self._events(), *self._own_events()]

    @property
    def topics(self) -> list[str]:
        """The patterns of all topics."""
        return [topic.pattern for domain in self._domains for topic in domain.topics]

    def _table(self) -> Iterator[Route]:
        for domain in self._domains:
            statuses = statuses_of(self._domains, domain)
            for operation in domain.operations:
                codes = [*_codes(operation), *_codes_of_rest(operation)]
                made = {201: operation.answer} if operation.creates else {}
                yield Route(
                    name=operation.event.replace(":", "_"),
                    method=operation.method,
                    path=domain.base + operation.path,
                    command=operation.command,
                    answers={**made, 200: operation.answer},
                    refusals={code: statuses[code] for code in dict.fromkeys(codes)},
                    text=prose(operation.handle.__doc__),
                    tag=operation.event.partition(":")[0],
                    access=operation.access,
                    limit=operation.limit,
                    event=operation.event,
                )

    def _commands(self) -> Iterator[Command]:
        for domain in self._domains:
            for operation in domain.operations:
                yield Command(
                    event=operation.event,
                    command=operation.command,
                    answer=operation.answer,
                    refusals=_codes(operation),
                    text=prose(operation.handle.__doc__),
                    access=operation.access,
                    limit=operation.limit,
                )

    def _events(self) -> Iterator[Told]:
        for domain in self._domains:
            for topic, told in domain.events.items():
                for event in told:
                    yield Told(topic=topic, name=event.name, kind=event.kind.value, data=event.data)

    def _own_events(self) -> Iterator[Told]:
        own = {
            "session:ready": self.ready,
            "auth:expiring": Expiry,
            "session:closing": Closing,
            "server:draining": Draining,
        }
        for name, data in own.items():
            yield Told(topic=None, name=name, kind="ephemeral", data=data)

    def _dev_routes(self) -> Iterator[Route]:
        path = "/api/v1/session/dev"
        yield Route(
            name="session_list_dev",
            method="GET",
            path=path,
            command=Nothing,
            answers={200: DemoUsers},
            refusals=_statuses("INTERNAL"),
            text="The people of the demo gallery. In development only.",
            tag="session",
        )
        yield Route(
            name="session_sign_in_dev",
            method="POST",
            path=path,
            command=SignIn,
            answers={200: self.signed_in},
            refusals=_statuses(
                "UNAUTHENTICATED", "VALIDATION_ERROR", *OF_BODIES, "INTERNAL", "UNAVAILABLE"
            ),
            text="A token for anybody: a name, or a user's id. In development only.",
            tag="session",
        )


def _own_routes() -> Iterator[Route]:
    yield Route(
        name="topic_read",
        method="GET",
        path="/api/v1/topics/{topic}/events",
        command=TopicQuery,
        answers={200: TopicWatched},
        refusals=_statuses("NOT_FOUND", *OF_TOKENS, *OF_ALL),
        text="What watching the topic from this position would answer. `epoch` and `seq` go together.",
        tag="topic",
    )
    yield Route(
        name="health_alive",
        method="GET",
        path="/healthz",
        command=Nothing,
        answers={200: Alive},
        refusals={},
        text="Whether the process lives.",
        tag="health",
    )
    yield Route(
        name="health_ready",
        method="GET",
        path="/readyz",
        command=Nothing,
        answers={200: Readiness, 503: Readiness},
        refusals={},
        text="Whether the node should get traffic.",
        tag="health",
    )


def _own_commands() -> Iterator[Command]:
    yield Command(
        event="topic:watch",
        command=(Watch, WatchMany),
        answer=(TopicWatched, TopicsWatched),
        refusals=("NOT_FOUND", "TOO_MANY_TOPICS", *OF_ALL),
        text="Watch a topic, or several, from now on, or from where one was.",
        access=Access.PUBLIC,
    )
    yield Command(
        event="topic:unwatch",
        command=(TopicRef, TopicRefs),
        answer=(Unwatched, AllUnwatched),
        refusals=("TOO_MANY_TOPICS", *OF_ALL),
        text="Watch a topic, or several, no longer.",
        access=Access.PUBLIC,
    )
    yield Command(
        event="auth:refresh",
        command=Refresh,
        answer=Expiry,
        refusals=(*OF_TOKENS, "FORBIDDEN", *OF_ALL),
        text="Go on with a newer token of the same user.",
    )


def _codes(operation: Operation[Any, Any, Any]) -> list[str]:
    """By which an operation may be refused, whichever way it was asked for."""
    fields = operation.command.__struct_fields__
    codes = [*operation.refuses, *OF_ALL]
    if operation.access is not Access.PUBLIC:
        codes.append("UNAUTHENTICATED")
    if operation.access in (Access.MODERATOR, Access.ADMIN):
        codes.append("FORBIDDEN")
    if "cursor" in fields:
        codes.append("INVALID_CURSOR")
    if operation.creates and "id" in fields:
        codes.append("IDEMPOTENCY_CONFLICT")
    return list(dict.fromkeys(codes))


def _codes_of_rest(operation: Operation[Any, Any, Any]) -> tuple[str, ...]:
    return OF_TOKENS if operation.method in ("GET", "DELETE") else (*OF_TOKENS, *OF_BODIES)


def _statuses(*codes: str) -> dict[str, int]:
    return {code: STATUSES[code] for code in codes}


def _with(struct: Any, **types: Any) -> Any:
    """A struct as it is, but for the types of some fields, which it cannot say itself."""
    fields = [
        (field.encode_name, types.get(field.name, field.type))
        for field in msgspec.structs.fields(struct)
    ]
    doc = {"__doc__": struct.__doc__}
    return msgspec.defstruct(struct.__name__, fields, namespace=doc, frozen=True)
