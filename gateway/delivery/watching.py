"""One followed topic with all who watch it, and where its sequence stops until rights are known."""

import asyncio
from collections.abc import Iterator, Sequence

from gateway.delivery.audience import Audience, Watcher
from gateway.delivery.counts import DeliveryCounts
from gateway.delivery.feed import Feed
from gateway.delivery.message import Message
from handlers.actor import Actor

WITHHELD_MESSAGES = 10_000
"""The most messages that wait until it is known who may hear them; past it all watchers start over."""


class Recovery:
    """A watcher's way from its position to the live feed: from its making on, nothing passes it by.

    `missed` is what came before, None as long as that is not all known; `passed` what has been delivered
    since. It is `broken` once the feed had to start over, and `excluded` once its actor may not watch.
    """

    def __init__(self, watching: "Watching", actor: Actor) -> None:
        self.watching = watching
        self.actor = actor
        self.missed: list[Message] | None = None
        self.passed: list[Message] = []
        self.broken = False
        self.excluded = False


Party = Watcher | Recovery
"""Who watches, or is about to."""


class Watching:
    """A feed with those who watch it.

    After an entry of a type in `excluding` the topic is *held*: what follows is told to nobody until
    `release`. `removing` are the types after which nothing more is told of their subject.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        excluding: frozenset[str],
        removing: frozenset[str],
        counts: DeliveryCounts,
    ) -> None:
        self.feed = feed
        # Whoever is left after an entry that excludes others may know of its subject.
        self.audience = Audience(removing - excluding, counts)
        self.recoveries: set[Recovery] = set()
        self.excluding = excluding
        self.ready: asyncio.Task[None] | None = None
        self.filling: asyncio.Task[None] | None = None
        self.gap_timer: asyncio.TimerHandle | None = None
        self.lingering: asyncio.TimerHandle | None = None
        self.held_at: int | None = None
        """The entry at which the topic is held; None while it is not."""
        self._withheld: list[Message] = []
        self._mentions: list[Message] = []

    @property
    def told(self) -> int:
        """The last entry that watchers are told of, as of now."""
        return self.feed.seq if self.held_at is None else self.held_at

    @property
    def parties(self) -> Iterator[Party]:
        """All who watch, and all who are about to."""
        yield from self.audience
        yield from self.recoveries

    def deliver(self, due: Sequence[Message]) -> bool:
        """Tell the entries that are due, in order; True where the topic is held from now on."""
        for recovery in self.recoveries:
            recovery.passed.extend(due)
        if self.held_at is not None:
            self._withheld.extend(due)
            self._check_bound()
            return False
        return self._tell(due)

    def mention(self, message: Message) -> None:
        """Tell an ephemeral message."""
        if self.held_at is not None:
            self._mentions.append(message)
            self._check_bound()
        else:
            self.audience.mention(message)

    def release(self) -> bool:
        """Tell what was withheld to all who are left; True where the topic is held again."""
        self.held_at = None
        withheld, self._withheld = self._withheld, []
        if self._tell(withheld):
            return True
        mentions, self._mentions = self._mentions, []
        for message in mentions:
            self.audience.mention(message)
        return False

    def close_all(self, reason: str) -> None:
        """Let everybody start over: who watches is closed, who is about to is not recovered."""
        self.audience.close_all(reason)
        for recovery in self.recoveries:
            recovery.broken = True
        self.held_at = None
        self._withheld.clear()
        self._mentions.clear()

    def _tell(self, due: Sequence[Message]) -> bool:
        if self.excluding:
            for place, message in enumerate(due, 1):
                if message.header.name in self.excluding:
                    self.audience.tell(due[:place])
                    self.held_at = message.seq
                    self._withheld = [*due[place:]]
                    return True
        self.audience.tell(due)
        return False

    def _check_bound(self) -> None:
        if len(self._withheld) + len(self._mentions) > WITHHELD_MESSAGES:
            self.close_all("slow_rights")


def party_actor(party: Party) -> Actor:
    """Whose rights decide for a party, as of now."""
    return party.actor if isinstance(party, Recovery) else party.session.actor
