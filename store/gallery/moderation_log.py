"""The moderation log: what was done by virtue of being a moderator, by whom, when and why."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import msgspec

from store.database import Transaction
from store.ids import new_id
from store.queries import queries

_SQL = queries("gallery/moderation_log")

Action = Literal[
    "featured",
    "unfeatured",
    "hidden",
    "shown",
    "deleted",
    "banned",
    "unbanned",
    "reviewed",
    "dismissed",
    "actioned",
]


class Note(msgspec.Struct, frozen=True):
    """A moderator did this to that; `reason` is in their words."""

    actor_id: UUID
    action: Action
    subject_type: Literal["post", "comment", "user", "report"]
    subject_id: UUID
    reason: str | None = None


async def note(transaction: Transaction, notes: Sequence[Note]) -> None:
    """Write down what this transaction does: it is noted exactly when it is done."""
    if not notes:
        return
    await transaction.execute(
        _SQL["note"],
        [new_id() for _ in notes],
        [each.actor_id for each in notes],
        [each.action for each in notes],
        [each.subject_type for each in notes],
        [each.subject_id for each in notes],
        [each.reason for each in notes],
    )
