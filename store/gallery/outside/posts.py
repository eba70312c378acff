"""Posts from outside, and the posts on which other things from outside hang."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from store.database import Transaction
from store.gallery.events import (
    GALLERY_TOPIC,
    POST_CREATED,
    POST_DELETED,
    PostWritten,
    post_topic,
)
from store.gallery.moderation_log import Note, note
from store.gallery.outside.growth import Growth
from store.gallery.outside.marks import Fate
from store.gallery.outside.people import fresh
from store.gallery.posts import changed_entries, gone_entries, inspiration_notices, shared
from store.inbox import Subject, withdraw
from store.journal import NewEntry
from store.queries import queries

_SQL = queries("gallery/outside")

LockedPosts = Mapping[UUID | None, Mapping[str, Any]]
"""The posts that a transaction has locked, as far as they are there."""


def subjects_of(posts: LockedPosts) -> dict[UUID, tuple[UUID, Subject]]:
    """Who hears of what happens to each post, and how it is named."""
    return {
        post["id"]: (post["user_id"], Subject("post", post["id"], post["title"]))
        for post in posts.values()
    }


class Posts:
    """What became of posts."""

    def __init__(self, fates: Iterable[Fate], posts: LockedPosts) -> None:
        self._posts = posts
        self._fates = list(fates)
        self._made = [fate for fate in self._fates if fate.net > 0 and fate.row_id in posts]
        self._changed = [
            fate for fate in self._fates if fate.changed and not fate.net and fate.row_id in posts
        ]
        self._gone = [fate for fate in self._fates if fate.was is not None]
        self._stamped: dict[UUID, Any] = {}

    @property
    def gone(self) -> list[str]:
        """The topics on which, and subjects of which, nothing may be told any more."""
        return [post_topic(fate.row_id) for fate in self._gone]

    async def look(self, transaction: Transaction, growth: Growth) -> None:
        """Stamp what is new, and say what is to be counted."""
        for fate in self._fates:
            growth.shared[fate.user_id] += fate.net
            if fate.was is not None:
                growth.received[fate.user_id] -= fate.was["like_count"]
        rows = await transaction.fetch(_SQL["stamp_posts"], fresh(self._made))
        self._stamped = {row["id"]: row["created_at"] for row in rows}

    async def notices(self, transaction: Transaction) -> list[NewEntry[Any]]:
        """What those get to know whom a post tells of, or told of."""
        inspiring = {post["id"]: post for post in self._posts.values()}
        notices = await inspiration_notices(
            transaction,
            inspiring,
            made=[self._row(fate) for fate in self._made if fate.row_id in self._stamped],
            gone=[
                self._row(fate)
                for fate in self._gone
                if fate.net < 0 and fate.was is not None and not fate.was["is_hidden"]
            ],
            back=[self._row(fate) for fate in self._made if fate.row_id not in self._stamped],
        )
        notices += await withdraw(transaction, [Subject("post", f.row_id) for f in self._gone])
        await note(
            transaction,
            [
                Note(fate.actor_id, "deleted", "post", fate.row_id)
                for fate in self._gone
                if fate.actor_id != fate.user_id
            ],
        )
        return notices

    def _row(self, fate: Fate) -> Mapping[str, Any]:
        """The post as `inspiration_notices` wants it."""
        return {
            "user_id": fate.user_id,
            "inspired_by_post_id": fate.parent_id,
            "created_at": self._stamped.get(fate.row_id, fate.made_at),
        }

    async def entries(self, transaction: Transaction) -> list[NewEntry[Any]]:
        """What became of each: new and visible, changed, or gone."""
        changed = [fate.row_id for fate in self._changed]
        await transaction.execute(_SQL["withhold_prompts"], changed)
        news = await shared(transaction, [*(fate.row_id for fate in self._made), *changed])
        entries: list[NewEntry[Any]] = [
            NewEntry(
                topic=GALLERY_TOPIC,
                type=POST_CREATED,
                data=PostWritten(news[fate.row_id]),
                subject=post_topic(fate.row_id),
                actor=fate.actor_id,
            )
            for fate in self._made
            if not self._posts[fate.row_id]["is_hidden"]
        ]
        for fate in self._changed:
            entries += changed_entries(
                news[fate.row_id],
                fate.actor_id,
                in_gallery=not self._posts[fate.row_id]["is_hidden"],
            )
        for fate in self._gone:
            assert fate.was is not None
            entries += gone_entries(
                POST_DELETED,
                fate.row_id,
                fate.actor_id,
                in_gallery=fate.net < 0 and not fate.was["is_hidden"],
            )
        return entries
