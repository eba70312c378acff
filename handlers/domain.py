"""What a domain declares of itself, and all that the gateway knows of it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from handlers.actor import Actor
from handlers.operation import Operation
from store.audit import Check
from store.database import Database
from store.journal import EventType

S = TypeVar("S")
D = TypeVar("D")


Wish = tuple[Actor, tuple[str, ...]]
"""Who wants to watch a topic of some family, and which: the values of its braces, in order."""


@dataclass(frozen=True, slots=True)
class Topic(Generic[S]):
    """A family of topics, such as `post:{id}`, and who may watch one.

    `may_watch` gets the store and any number of wishes, and answers each: False for whatever that
    actor may not know to exist. It is asked again after each event in `excluding`: whoever may not
    watch any more hears that event, and nothing after it. Those who watch are told by `presence`, if
    there is such an event, how many they are: `{topic, viewers, sample}`, of users' summaries. Any domain
    may tell events there: `Domain.events`.
    """

    pattern: str
    may_watch: Callable[[S, Sequence[Wish]], Awaitable[Sequence[bool]]]
    excluding: tuple[EventType[Any], ...] = ()
    presence: EventType[Any] | None = None


@dataclass(frozen=True, slots=True)
class Job(Generic[S]):
    """Work that one node of all does `every` so often, under an advisory lock of that name.

    `wanted` says, at little cost, whether there is any; without it there always is.
    """

    name: str
    every: timedelta
    run: Callable[[S], Awaitable[None]]
    wanted: Callable[[S], Awaitable[bool]] | None = None


@dataclass(frozen=True, slots=True)
class Command(Generic[S]):
    """What an operator may have done by `vernissage <name>`; `run` answers the line to print."""

    name: str
    help: str
    run: Callable[[S], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Relay(Generic[S, D]):
    """Passes on what is told by `event` on `topic` to single users, as `tells`, on their own topics.

    `who` gets the store, the data of any number of such events, and the users who are connected to this
    node; it answers for each event which of them to tell. `topic` has no braces.
    """

    topic: str
    event: EventType[D]
    tells: EventType[D]
    who: Callable[[S, Sequence[D], Sequence[UUID]], Awaitable[Sequence[Collection[UUID]]]]


@dataclass(frozen=True, slots=True)
class Domain(Generic[S]):
    """`base` is the REST path below which its routes lie; `statuses` maps refusal codes to HTTP.

    `events` are what this domain tells, by the pattern of the topic, its own or another domain's;
    `checks` are what `vernissage audit` looks at.
    """

    name: str
    base: str
    store: Callable[[Database], S]
    operations: tuple[Operation[S, Any, Any], ...] = ()
    topics: tuple[Topic[S], ...] = ()
    events: Mapping[str, tuple[EventType[Any], ...]] = field(default_factory=dict)
    relays: tuple[Relay[S, Any], ...] = ()
    jobs: tuple[Job[S], ...] = ()
    commands: tuple[Command[S], ...] = ()
    checks: tuple[Check, ...] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
