"""Who stands behind what happened outside, and what the people it happened to get to know of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from store.database import Transaction
from store.gallery.outside.marks import Fate
from store.identity import UserSummary, summary_of
from store.inbox import Activity, NotificationKind, Subject

LastPeople = Mapping[UUID, Sequence[tuple[UserSummary, datetime]]]
"""By what they did it to, newest first, each with the time."""


def fresh(fates: Iterable[Fate]) -> list[UUID]:
    """The rows that are to be stamped with the moment at which they are settled."""
    return [fate.row_id for fate in fates if fate.net > 0 and fate.is_fresh]


async def last_people(
    transaction: Transaction, query: str, parents: Iterable[UUID | None], most: int
) -> LastPeople:
    """What a query such as `likers` answers about each parent: among the `most` newest."""
    found: dict[UUID, list[tuple[UserSummary, datetime]]] = defaultdict(list)
    wanted = list({parent for parent in parents if parent is not None})
    for row in await transaction.fetch(query, wanted, most):
        found[row["parent_id"]].append((summary_of(row), row["at"]))
    return found


def activities(
    kind: NotificationKind,
    fates: Iterable[Fate],
    stamps: Iterable[Mapping[str, Any]],
    subjects: Mapping[UUID, tuple[UUID, Subject]],
    latest: LastPeople,
) -> list[Activity]:
    """What receivers get to know, by subject; `subjects` say who receives it. Nobody hears of themselves.

    What was stamped is news. What was not keeps its time, which may lie anywhere: it is counted where a
    notification covers that time, and begins none.
    """
    stamped = {row["id"]: row["created_at"] for row in stamps}
    times: dict[UUID, tuple[list[datetime], list[datetime], list[datetime]]]
    times = defaultdict(lambda: ([], [], []))
    for fate in fates:
        if fate.parent_id is None or fate.user_id == subjects[fate.parent_id][0]:
            continue
        added, removed, restored = times[fate.parent_id]
        if fate.net < 0:
            removed.append(fate.made_at)
        elif fate.row_id in stamped:
            added.append(stamped[fate.row_id])
        else:
            restored.append(fate.made_at)
    return [
        Activity(
            user_id=receiver,
            kind=kind,
            subject=subject,
            latest=[(user, at) for user, at in latest.get(parent, ()) if user.id != receiver],
            added=added,
            removed=removed,
            restored=restored,
        )
        for parent, (added, removed, restored) in times.items()
        for receiver, subject in (subjects[parent],)
    ]
