"""Comments from outside."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from store.database import Transaction
from store.gallery.events import (
    COMMENT_CREATED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    CommentGone,
    CommentWritten,
    post_topic,
)
from store.gallery.outside.growth import Growth
from store.gallery.outside.marks import Fate
from store.gallery.outside.people import activities, fresh, last_people
from store.gallery.outside.posts import LockedPosts, subjects_of
from store.gallery.shapes import SharedComment
from store.identity import summary_of
from store.inbox import Activity
from store.journal import NewEntry
from store.queries import queries

_SQL = queries("gallery/outside")

_NEWEST = 100
"""Among so many of a post's newest comments are the people looked for whom a notification names."""


class Comments:
    """What became of comments on locked posts."""

    def __init__(self, fates: Iterable[Fate], posts: LockedPosts) -> None:
        self._fates = [
            fate for fate in fates if (fate.net or fate.changed) and fate.parent_id in posts
        ]
        self._posts = posts
        self._there: dict[UUID, SharedComment] = {}

    @property
    def gone(self) -> list[str]:
        """The subjects of which nothing may be told any more."""
        return [_subject(fate.row_id) for fate in self._fates if fate.net < 0]

    async def look(self, transaction: Transaction, growth: Growth) -> list[Activity]:
        """Stamp what is new; what is to be counted, and what the posts' authors get to know of."""
        counted = [fate for fate in self._fates if fate.net]
        for fate in self._fates:
            assert fate.parent_id is not None
            growth.comments[fate.parent_id] += fate.net
        stamps = await transaction.fetch(_SQL["stamp_comments"], fresh(counted))
        rows = await transaction.fetch(_SQL["comments"], [fate.row_id for fate in self._fates])
        self._there = {
            row["id"]: SharedComment(
                id=row["id"],
                post_id=row["post_id"],
                user_id=row["user_id"],
                content=row["content"],
                is_edited=row["is_edited"],
                created_at=row["created_at"],
                updated_at=row["updated_at"],
                author=summary_of(row, "author_"),
            )
            for row in rows
        }
        latest = await last_people(
            transaction, _SQL["commenters"], (fate.parent_id for fate in counted), _NEWEST
        )
        return activities("post_commented", counted, stamps, subjects_of(self._posts), latest)

    def entries(self, growth: Growth) -> list[NewEntry[Any]]:
        """What became of each; of one that is gone already nothing but that, where it had been told."""
        return [entry for fate in self._fates if (entry := self._entry(fate, growth)) is not None]

    def _entry(self, fate: Fate, growth: Growth) -> NewEntry[Any] | None:
        post_id, comment = fate.parent_id, self._there.get(fate.row_id)
        assert post_id is not None
        count = growth.comment_counts[post_id]
        if fate.net < 0:
            return NewEntry(
                topic=post_topic(post_id),
                type=COMMENT_DELETED,
                data=CommentGone(post_id, fate.row_id, count),
                subject=_subject(fate.row_id),
                actor=fate.actor_id,
            )
        if comment is None:
            return None
        return NewEntry(
            topic=post_topic(post_id),
            type=COMMENT_CREATED if fate.net > 0 else COMMENT_UPDATED,
            data=CommentWritten(post_id, comment, count),
            subject=_subject(fate.row_id),
            actor=fate.actor_id,
        )


def _subject(comment_id: UUID) -> str:
    return f"comment:{comment_id}"
