"""Notifications: what happened to what is one's own, aggregated.

Other domains report activity from inside their own transactions, so that a notification is there
exactly when what it tells of is.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

import msgspec

from store.cursors import CursorKey
from store.database import Database, Transaction
from store.identity import UserSummary
from store.ids import new_id
from store.inbox.events import NOTIFICATION_CREATED, NOTIFICATION_UPDATED
from store.inbox.shapes import (
    ACTORS,
    Notification,
    NotificationKind,
    NotificationPage,
    Seen,
    Subject,
)
from store.journal import EventType, NewEntry
from store.listing import NewestFirst, Paging
from store.queries import queries
from store.totals import Totals, count

_SQL = queries("inbox/notifications")

SEEN_AT_ONCE = 500
"""Notifications that one transaction marks as seen."""

_INBOX = NewestFirst("notifications")
_decode_actors = msgspec.json.Decoder(list[UserSummary]).decode


class Notifications:
    """The inbox as its owner reads it."""

    def __init__(self, database: Database, cursor_key: CursorKey) -> None:
        self._database = database
        self._cursor_key = cursor_key
        self._totals = Totals()

    async def page(self, user_id: UUID, **paging: Unpack[Paging]) -> NotificationPage:
        """What the user was notified of, what changed last first; `total` may be up to a minute old.

        One that grows while pages are walked moves to the front. Raises INVALID_CURSOR.
        """
        span = await _INBOX.span(self._cursor_key, [user_id], **paging)
        total = self._totals.ask(  # counted meanwhile
            user_id, lambda: count(self._database.reads, _SQL["count_of_user"], user_id)
        )
        rows = await self._database.reads.fetch(_SQL["page"], user_id, *span.arguments)
        page = span.page(rows, _notification_of, await asyncio.shield(total))
        return NotificationPage(
            **msgspec.structs.asdict(page), unseen_count=rows[0]["unseen_count"]
        )

    async def see(
        self,
        user_id: UUID,
        *,
        ids: Sequence[UUID] | None = None,
        before: datetime | None = None,
    ) -> Seen:
        """The user has seen these notifications, or all that changed last at `before` or earlier.

        Whatever is not the user's, or was seen already, stays as it is.
        """
        seen: list[UUID] = []
        while True:
            some, unseen_count = await self._database.transaction(
                lambda transaction: _see(transaction, user_id, ids, before)
            )
            seen += some
            if len(some) < SEEN_AT_ONCE:
                return Seen(seen, unseen_count)


class Activity(msgspec.Struct, frozen=True):
    """What one transaction did to one subject of one receiver.

    `added` are the times of what is new, `removed` those of what was undone, and `restored` those of
    what had been undone and is there again: it grows a notification that began before, and begins none.
    `latest` are those who stand behind the subject now, newest first, each with the time: who came
    before the notification began is left out of it. The caller holds a lock that serialises activity
    on the subject.
    """

    user_id: UUID
    kind: NotificationKind
    subject: Subject
    latest: Sequence[tuple[UserSummary, datetime]]
    added: Sequence[datetime] = ()
    removed: Sequence[datetime] = ()
    restored: Sequence[datetime] = ()


async def record(transaction: Transaction, activities: Sequence[Activity]) -> list[NewEntry[Any]]:
    """Begin, grow or take back unseen notifications; the entries that the caller is to journal.

    A notification taken back altogether is told as updated, with a count of 0.
    """
    if not activities:
        return []
    moments = [
        (place, at, growth, is_news)
        for place, activity in enumerate(activities, 1)
        for times, growth, is_news in (
            (activity.added, 1, True),
            (activity.removed, -1, False),
            (activity.restored, 1, False),
        )
        for at in times
    ]
    latest = [
        (place, user.id, at)
        for place, activity in enumerate(activities, 1)
        for user, at in activity.latest
    ]
    rows = await transaction.fetch(
        _SQL["record"],
        [new_id() for _ in activities],
        [activity.user_id for activity in activities],
        [activity.kind for activity in activities],
        [activity.subject.type for activity in activities],
        [activity.subject.id for activity in activities],
        [activity.subject.title for activity in activities],
        *([moment[column] for moment in moments] for column in range(4)),
        *([actor[column] for actor in latest] for column in range(3)),
        ACTORS,
    )
    entries = []
    for row in rows:
        activity = activities[row["activity"] - 1]
        people = (user for user, _ in activity.latest)
        entries.append(told(activity.user_id, activity.kind, activity.subject, row, people))
    return entries


def told(
    user_id: UUID,
    kind: NotificationKind,
    subject: Subject,
    row: Mapping[str, Any],
    people: Iterable[UserSummary],
    prefix: str = "",
) -> NewEntry[Notification]:
    """The entry that tells a receiver what became of a notification: a row of `inbox_record`.

    `people` are those that it may name. The row's columns may have a `prefix`.
    """
    known = {user.id: user for user in people}
    return _entry(
        user_id,
        NOTIFICATION_CREATED if row[f"{prefix}begins"] else NOTIFICATION_UPDATED,
        Notification(
            id=row[f"{prefix}id"],
            kind=kind,
            subject=subject,
            actors=[known[actor_id] for actor_id in row[f"{prefix}actor_ids"]],
            count=row[f"{prefix}count"],
            seen=False,
            created_at=row[f"{prefix}created_at"],
            updated_at=row[f"{prefix}updated_at"],
        ),
    )


async def withdraw(transaction: Transaction, subjects: Sequence[Subject]) -> list[NewEntry[Any]]:
    """Take back all notifications about what is no more, seen or not; the entries to journal.

    Each is told as updated, with a count of 0 and nothing of what its subject was.
    """
    gone = {subject.id: Subject(subject.type, subject.id) for subject in subjects}
    rows = await transaction.fetch(
        _SQL["lock_about"], [subject.type for subject in gone.values()], list(gone)
    )
    if not rows:
        return []
    await transaction.fetch(_SQL["take_back"], [row["id"] for row in rows])
    return [
        _entry(
            row["user_id"],
            NOTIFICATION_UPDATED,
            Notification(
                id=row["id"],
                kind=row["kind"],
                subject=gone[row["subject_id"]],
                actors=[],
                count=0,
                seen=row["seen"],
                created_at=row["created_at"],
                updated_at=row["updated_at"],
            ),
        )
        for row in rows
    ]


async def correct(transaction: Transaction, counts: Mapping[UUID, int]) -> list[NewEntry[Any]]:
    """Give unseen notifications these counts, and take back those that count nothing; the entries to journal.

    For who has counted anew what they tell of; the actors stay who they are.
    """
    rows = await transaction.fetch(_SQL["lock"], list(counts))
    corrected = [
        (
            row["user_id"],
            msgspec.structs.replace(_notification_of(row), count=counts[row["id"]]),
        )
        for row in rows
    ]
    await _save(transaction, corrected)
    return [_entry(user_id, NOTIFICATION_UPDATED, notice) for user_id, notice in corrected]


def _entry(
    user_id: UUID, event: EventType[Notification], notification: Notification
) -> NewEntry[Notification]:
    return NewEntry(
        topic=f"user:{user_id}",
        type=event,
        data=notification,
        key=f"notification:{notification.id}",
        subject=f"{notification.subject.type}:{notification.subject.id}",
    )


async def _save(transaction: Transaction, changed: Sequence[tuple[UUID, Notification]]) -> None:
    gone = [notification.id for _, notification in changed if notification.count == 0]
    kept = [(user_id, notification) for user_id, notification in changed if notification.count]
    if gone:
        await transaction.fetch(_SQL["take_back"], gone)
    if kept:
        await transaction.fetch(
            _SQL["save"],
            [notification.id for _, notification in kept],
            [user_id for user_id, _ in kept],
            [notification.kind for _, notification in kept],
            [notification.subject.type for _, notification in kept],
            [notification.subject.id for _, notification in kept],
            [notification.subject.title for _, notification in kept],
            [",".join(str(user.id) for user in notification.actors) for _, notification in kept],
            [notification.count for _, notification in kept],
            [notification.created_at for _, notification in kept],
            [notification.updated_at for _, notification in kept],
        )


async def _see(
    transaction: Transaction,
    user_id: UUID,
    ids: Sequence[UUID] | None,
    before: datetime | None,
) -> tuple[list[UUID], int]:
    locked = await transaction.fetch(_SQL["lock_to_see"], user_id, ids, before, SEEN_AT_ONCE)
    seen = [row["id"] for row in locked]
    rows = await transaction.fetch(_SQL["see"], seen) if seen else []
    unseen_count = await count(transaction, _SQL["count_unseen"], user_id)
    entries = [_entry(user_id, NOTIFICATION_UPDATED, _notification_of(row)) for row in rows]
    await transaction.journal(entries)
    return seen, unseen_count


def _notification_of(row: Mapping[str, Any]) -> Notification:
    return Notification(
        id=row["id"],
        kind=row["kind"],
        subject=Subject(row["subject_type"], row["subject_id"], row["subject_title"]),
        actors=_decode_actors(row["actors"] or b"[]"),
        count=row["count"],
        seen=row["seen"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
