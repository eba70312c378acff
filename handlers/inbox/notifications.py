"""Notifications: what the actor was notified of, and has seen of it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from handlers.operation import Call
from handlers.paging import PageQuery
from handlers.validation import invalid
from store.inbox import Inbox
from store.inbox.shapes import NotificationPage, Seen

IDS_MOST = 100
"""Notifications that one command may name."""


class See(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either some notifications, or all that changed last at `before` or earlier.

    Raises VALIDATION_ERROR where both are given, or neither.
    """

    ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=IDS_MOST)] | None = None
    before: Annotated[datetime, msgspec.Meta(tz=True)] | None = None

    def __post_init__(self) -> None:
        if self.ids is None and self.before is None:
            raise invalid("ids", "is required, or `before`")
        if self.ids is not None and self.before is not None:
            raise invalid("before", "must not stand beside `ids`")


async def page(call: Call[Inbox], query: PageQuery) -> NotificationPage:
    """What the actor was notified of, what changed last first."""
    return await call.store.notifications.page(call.actor.user_id, **query.paging)


async def see(call: Call[Inbox], command: See) -> Seen:
    """The actor has seen these notifications; their other screens are told."""
    seen = await call.store.notifications.see(
        call.actor.user_id, ids=command.ids, before=command.before
    )
    call.changed = bool(seen.ids)
    return seen
