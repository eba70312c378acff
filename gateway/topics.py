"""The topics that there are, and who may watch them: what the domains declare."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from gateway.gathering import Gathering
from handlers.actor import Actor
from handlers.domain import Domain, Topic, Wish

USER_TOPICS = "user:"
"""How the names of users' own topics begin."""


def user_topic(user_id: UUID) -> str:
    """The topic that a user watches from the moment of connecting."""
    return f"{USER_TOPICS}{user_id}"


class Topics:
    """Every topic of every domain, and who may watch it."""

    def __init__(self, domains: Sequence[Domain[Any]], stores: Mapping[str, Any]) -> None:
        self._families: dict[tuple[str, int], list[_Family]] = defaultdict(list)
        for domain in domains:
            for topic in domain.topics:
                family = _Family(topic, stores[domain.name])
                self._families[family.shape].append(family)

    def excluding(self, name: str) -> frozenset[str]:
        """The events after which it is asked again who may watch the topic of that name."""
        family, _ = self._find(name)
        return frozenset() if family is None else family.excluding

    def presence(self, name: str) -> str | None:
        """The event that tells who watches the topic of that name; None where nobody is told."""
        family, _ = self._find(name)
        return None if family is None or family.presence is None else family.presence.name

    async def may_watch(self, name: str, actor: Actor) -> bool:
        """Whether the actor may watch the topic of that name; False too where there is none."""
        family, values = self._find(name)
        if family is None:
            return False
        return await family.may_watch((actor, values))

    async def who_may_watch(self, name: str, actors: Sequence[Actor]) -> Sequence[bool]:
        """Whether each of the actors may watch the topic of that name, asked at once."""
        family, values = self._find(name)
        if family is None:
            return [False] * len(actors)
        return await family.who_may_watch([(actor, values) for actor in actors])

    def _find(self, name: str) -> tuple["_Family | None", tuple[str, ...]]:
        """The family that a topic belongs to, and what stands for the braces in its name."""
        parts = name.split(":")
        for family in self._families.get((parts[0], len(parts)), ()):
            if (values := family.values(parts)) is not None:
                return family, values
        return None, ()


class _Family:
    """The topics of one pattern."""

    def __init__(self, topic: Topic[Any], store: Any) -> None:
        self.excluding = frozenset(event.name for event in topic.excluding)
        self.presence = topic.presence
        self._pattern = topic.pattern.split(":")
        if self._pattern[0].startswith("{"):
            raise ValueError(f"{topic.pattern}: a topic's name begins with a word")
        self.shape = self._pattern[0], len(self._pattern)
        self._topic = topic
        self._store = store
        self.may_watch = Gathering(self.who_may_watch)
        """The answer to one wish."""

    def values(self, parts: Sequence[str]) -> tuple[str, ...] | None:
        """What stands for the braces in a name of this shape; None where it is no topic of this family."""
        values = []
        for each, part in zip(self._pattern, parts, strict=True):
            if each.startswith("{") and part:
                values.append(part)
            elif each != part:
                return None
        return tuple(values)

    async def who_may_watch(self, wishes: Sequence[Wish]) -> Sequence[bool]:
        """The answers to these wishes."""
        return await self._topic.may_watch(self._store, wishes)
