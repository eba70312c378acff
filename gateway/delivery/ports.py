"""What the hub needs of others: the journal, the bus, who may watch, and who counts those who do."""

from collections.abc import Sequence
from typing import Protocol

from gateway.delivery.audience import Holder
from gateway.delivery.heads import Heads
from gateway.delivery.message import Entry
from handlers.actor import Actor


class Replay(Protocol):
    @property
    def epoch(self) -> str: ...
    @property
    def head(self) -> int: ...
    @property
    def whole(self) -> bool: ...
    @property
    def entries(self) -> Sequence[Entry]: ...


class Journal(Protocol):
    """What the hub reads of the journal."""

    async def heads(self, topics: Sequence[str]) -> Heads: ...

    async def replay(self, topic: str, after: int) -> Replay: ...


class Bus(Protocol):
    """How entries reach other nodes."""

    @property
    def in_doubt(self) -> bool:
        """Whether messages may be missing just now."""
        ...

    def publish(self, topic: str, message: bytes) -> None: ...

    async def subscribe(self, topic: str) -> bool: ...

    async def unsubscribe(self, topic: str) -> None: ...


class Rights(Protocol):
    """Who may watch what."""

    def excluding(self, name: str) -> frozenset[str]:
        """The events after which that is asked again, on the topic of that name."""
        ...

    async def may_watch(self, name: str, actor: Actor) -> bool: ...

    async def who_may_watch(self, name: str, actors: Sequence[Actor]) -> Sequence[bool]: ...


class Crowds(Protocol):
    """Who counts those who watch."""

    def joined(self, topic: str, holder: Holder) -> None: ...

    def left(self, topic: str, holder: Holder) -> None: ...
