"""Who is here: what this node knows of it, said to the others and told to those who watch.

A user counts once, on however many screens and nodes; a visitor's every screen counts. The topics for
which this is told are declared by the domains.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from gateway.delivery.audience import Holder
from gateway.delivery.message import Header, Message
from pubsub import Away, Present, Share
from pubsub.attendance import SAMPLE_USERS

TELL_SECONDS = 1.0
"""How long at least between two times that this node says, and is told, who is here."""
RENEW_SECONDS = 20.0
"""How often a share that has not changed is renewed: well before it fades."""
RETRY_SECONDS = 2.0
"""How long until a share is said again that could not be."""

_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger(__name__)


class Attendance(Protocol):
    """Who is at a place, over all nodes."""

    async def tell(self, shares: Sequence[Share]) -> list[Present | None]: ...


class Screens(Protocol):
    """Those who watch."""

    def mention(self, message: Message) -> None:
        """Tell an ephemeral message to those who watch its topic on this node."""
        ...

    def spread(self, message: Message) -> None:
        """Tell it to those on all nodes."""
        ...


class _Crowd:
    """Those of this node who watch one topic, and how that differs from what was said of them."""

    def __init__(self, event: str) -> None:
        self.event = event
        self.screens: Counter[UUID] = Counter()
        self.tells: dict[UUID, bytes] = {}
        self.visitors = 0
        self.came: dict[UUID, bytes] = {}
        self.left: set[UUID] = set()
        self.is_known = False
        """Whether the others know what was here before `came` and `left`."""
        self.told = b""
        self.due_at = 0.0

    def __bool__(self) -> bool:
        return bool(self.tells or self.visitors)

    def join(self, user_id: UUID | None, tell: bytes) -> None:
        if user_id is None:
            self.visitors += 1
            return
        self.screens[user_id] += 1
        if self.screens[user_id] == 1:
            self.tells[user_id] = tell
            self.came[user_id] = tell
            self.left.discard(user_id)

    def leave(self, user_id: UUID | None) -> None:
        if user_id is None:
            self.visitors -= 1
            return
        self.screens[user_id] -= 1
        if not self.screens[user_id]:
            del self.screens[user_id], self.tells[user_id]
            if self.came.pop(user_id, None) is None or not self.is_known:
                self.left.add(user_id)

    def share(self, topic: str) -> Share:
        """What to say of them; it counts as said."""
        came, self.came = self.came, {}
        left, self.left = self.left, set()
        if self.is_known:
            return Share(
                topic,
                self.visitors,
                False,
                {str(u): tell for u, tell in came.items()},
                [*map(str, left)],
            )
        return Share(topic, self.visitors, came={str(u): tell for u, tell in self.tells.items()})

    def alone(self, at: datetime) -> Present:
        """As if there were no other node."""
        newest = tuple(self.tells.values())[: -SAMPLE_USERS - 1 : -1]
        return Present(len(self.tells) + self.visitors, newest, at)


class Presence:
    """Counts those who watch topics, and tells them how many there are in all.

    `told_by` names the event that does so on a topic; None where nobody is told.
    """

    def __init__(
        self,
        attendance: Attendance,
        screens: Screens,
        *,
        told_by: Callable[[str], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._attendance = attendance
        self._screens = screens
        self._told_by = told_by
        self._clock = clock
        self._crowds: dict[str, _Crowd] = {}
        self._changed: set[str] = set()
        self._news = asyncio.Event()
        self._ahead = timedelta()
        """By how much the clock that orders what is told is ahead of ours."""
        self._away = False

    def joined(self, topic: str, holder: Holder) -> None:
        """Somebody watches the topic from now on."""
        if (crowd := self._crowds.get(topic)) is None:
            if (event := self._told_by(topic)) is None:
                return
            crowd = self._crowds[topic] = _Crowd(event)
        user_id = holder.actor.id
        crowd.join(user_id, b"" if user_id is None else _encode(holder.user))
        self._change(topic)

    def left(self, topic: str, holder: Holder) -> None:
        """Somebody who watched it does so no longer."""
        if (crowd := self._crowds.get(topic)) is not None:
            crowd.leave(holder.actor.id)
            self._change(topic)

    async def keep(self) -> None:
        """Say and tell what changes, and renew what does not, for as long as the task lives."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TELL_SECONDS):
                    await self._news.wait()
            try:
                told = await self.tell()
            except Exception:
                _log.exception("who is here could not be told")
                told = True
            if told:
                await asyncio.sleep(TELL_SECONDS)

    @property
    def away(self) -> bool:
        """Whether Redis did not answer when it was asked last."""
        return self._away

    async def close(self) -> None:
        """Say that nobody is here any more, where they may be thought to be."""
        for crowd in self._crowds.values():
            crowd.is_known = False
            crowd.screens.clear()
            crowd.tells.clear()
            crowd.visitors = 0
        self._changed.update(self._crowds)
        await self.tell()

    async def tell(self) -> bool:
        """Say what changed or is to be renewed, and tell what that comes to; whether there was anything."""
        changed, self._changed = self._changed, set()
        self._news.clear()
        now = self._clock()
        due = {topic for topic, crowd in self._crowds.items() if crowd.due_at <= now}
        topics = sorted(changed | due)
        if not topics:
            return False
        try:
            present = await self._ask(topics)
        except Away as error:
            self._left_alone(topics, changed, error)
            return True
        if self._away:
            self._away = False
            _log.info("who is here is told of all nodes again")
        for topic, there in present.items():
            self._tell(topic, there, to_all=topic in changed)
            crowd = self._crowds[topic]
            crowd.is_known, crowd.due_at = True, now + RENEW_SECONDS
            self._forget_if_empty(topic)
        return True

    async def _ask(self, topics: Sequence[str]) -> dict[str, Present]:
        """Who is there in all; whoever forgot what was said before is told it whole."""
        present = await self._say(topics)
        forgotten = [topic for topic in topics if present[topic] is None]
        for topic in forgotten:
            self._crowds[topic].is_known = False
        if forgotten:
            present.update(await self._say(forgotten))
        found = {topic: there for topic, there in present.items() if there is not None}
        for there in found.values():
            self._ahead = there.at - datetime.now(UTC)
        return found

    async def _say(self, topics: Sequence[str]) -> dict[str, Present | None]:
        shares = [self._crowds[topic].share(topic) for topic in topics]
        return dict(zip(topics, await self._attendance.tell(shares), strict=True))

    def _left_alone(self, topics: Sequence[str], changed: set[str], error: Away) -> None:
        """Tell what is known here, and that to those who are here."""
        if not self._away:
            _log.warning("who is here is told of this node alone", error=str(error))
        self._away = True
        at = datetime.now(UTC) + self._ahead
        for topic in topics:
            crowd = self._crowds[topic]
            crowd.is_known, crowd.due_at = False, self._clock() + RETRY_SECONDS
            self._tell(topic, crowd.alone(at), to_all=False, again=topic in changed)
            self._forget_if_empty(topic)

    def _tell(self, topic: str, there: Present, *, to_all: bool, again: bool = False) -> None:
        """Newcomers are told what the others know already; all nodes are told only what is new."""
        data = _encode(
            {
                "topic": topic,
                "viewers": there.viewers,
                "sample": [msgspec.Raw(each) for each in there.sample],
            }
        )
        crowd = self._crowds[topic]
        is_new = data != crowd.told
        crowd.told = data
        header = Header(None, crowd.event, there.at, crowd.event, None)
        message = Message(topic, header, data)
        if is_new and to_all:
            self._screens.spread(message)
        elif is_new or to_all or again:
            self._screens.mention(message)

    def _forget_if_empty(self, topic: str) -> None:
        if not self._crowds[topic] and topic not in self._changed:
            del self._crowds[topic]

    def _change(self, topic: str) -> None:
        self._changed.add(topic)
        self._news.set()
