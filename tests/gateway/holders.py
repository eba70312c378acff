"""Who sits before the screens of delivery's tests."""

from collections.abc import Sequence
from typing import Self
from uuid import UUID

from gateway.sockets.frame import Frame
from handlers.actor import Actor, Role

VISITOR = Actor(None, Role.USER, "127.0.0.1")


def user(n: int) -> Actor:
    """The user of that number."""
    return Actor(UUID(int=n), Role.USER, "127.0.0.1")


class Sitting:
    """What a session is to delivery."""

    def __init__(self, actor: Actor = VISITOR) -> None:
        self.actor = actor
        self.user = None if actor.id is None else {"id": str(actor.id)}
        self.topics: set[str] = set()


class Direct:
    """A watcher whose frames go straight to it."""

    congested: bool

    @property
    def outlet(self) -> Self:
        return self

    def send(self, frame: Frame) -> None:
        raise NotImplementedError

    def offer(self, frame: Frame) -> bool:
        if not self.congested:
            self.send(frame)
        return not self.congested


class Everybody:
    """Rights that nobody lacks."""

    def excluding(self, name: str) -> frozenset[str]:
        return frozenset()

    async def may_watch(self, name: str, actor: Actor) -> bool:
        return True

    async def who_may_watch(self, name: str, actors: Sequence[Actor]) -> list[bool]:
        return [True] * len(actors)
