"""Passing on what is told to all to single users of this node, as the domains declare it."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog

from gateway.delivery.message import Header, Message
from gateway.topics import USER_TOPICS, user_topic
from handlers.domain import Relay
from handlers.operation import Refusal

WAITING_MESSAGES = 1_000
"""The most messages that wait to be passed on; of more, the oldest are passed on to nobody."""

_log = structlog.get_logger(__name__)


class Screens(Protocol):
    """Who watches what on this node."""

    def watched(self, prefix: str) -> Sequence[str]:
        """The topics with that beginning that somebody watches."""
        ...

    def mention(self, message: Message) -> None:
        """Tell an ephemeral message to those who watch its topic."""
        ...


class Relaying:
    """One relay at work: while one question is with the store, the next gathers."""

    def __init__(self, relay: Relay[Any, Any], store: Any, screens: Screens) -> None:
        self._relay = relay
        self._store = store
        self._screens = screens
        self._decode = msgspec.json.Decoder(relay.event.data | None).decode
        self._waiting: list[tuple[Message, Any]] = []
        self._task: asyncio.Task[None] | None = None

    def heard(self, message: Message) -> None:
        """An entry was delivered here."""
        if message.header.name != self._relay.event.name:
            return
        try:
            data = self._decode(message.data)
        except msgspec.DecodeError as error:  # from a node of another release
            _log.warning("not passed on", told_by=self._relay.tells.name, error=str(error))
            return
        if data is None:  # what it told of is gone
            return
        self._waiting.append((message, data))
        del self._waiting[:-WAITING_MESSAGES]
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Pass on nothing any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                await self._pass_on(waiting)
        finally:
            self._task = None

    async def _pass_on(self, waiting: Sequence[tuple[Message, Any]]) -> None:
        own = self._screens.watched(USER_TOPICS)
        connected = [UUID(topic.removeprefix(USER_TOPICS)) for topic in own]
        if not connected:
            return
        try:
            chosen = await self._relay.who(self._store, [data for _, data in waiting], connected)
        except Refusal as refusal:
            _log.warning("not passed on", told_by=self._relay.tells.name, code=refusal.code)
            return
        except Exception:
            _log.exception("not passed on", told_by=self._relay.tells.name)
            return
        for (message, _), users in zip(waiting, chosen, strict=True):
            header = Header(None, self._relay.tells.name, message.header.at, None, None)
            for user_id in users:
                self._screens.mention(Message(user_topic(user_id), header, message.data))
