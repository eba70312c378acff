"""Moderation: what is featured, what is hidden, and who may write nothing.

A hidden post is there for its owner and for moderators only. The counters of its author count it like
any other: they always equal the rows. What a reader is told leaves out what they may not see; so hiding
has no counter to settle, and none can go wrong.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from store.database import Database, Transaction
from store.gallery.creators import find_creators, refusal_to_write
from store.gallery.events import (
    GALLERY_TOPIC,
    POST_FEATURED,
    POST_HIDDEN,
    PostWritten,
    post_topic,
    user_topic,
)
from store.gallery.moderation_log import Note, note
from store.gallery.posts import (
    changed_entries,
    gone_entries,
    inspiration_notices,
    lock_posts,
    seen,
    shared,
)
from store.gallery.refusals import post_not_found, user_not_found
from store.gallery.shapes import Ban, Post
from store.journal import NewEntry
from store.queries import queries
from store.viewer import Viewer

_SQL = queries("gallery/moderation")


class PostModerated(msgspec.Struct, frozen=True):
    """The post as the moderator sees it now, and whether they changed anything."""

    post: Post
    changed: bool


class UserModerated(msgspec.Struct, frozen=True):
    """How the user stands now, and whether the moderator changed anything."""

    ban: Ban
    changed: bool


class Moderation:
    """What moderators do. Each deed that changes something is noted in the moderation log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def feature(self, post_id: UUID, by: Viewer, *, featured: bool) -> PostModerated:
        """Feature a post, or do so no longer; raises COMMUNITY_POST_NOT_FOUND."""

        async def work(transaction: Transaction) -> PostModerated:
            await check_may_write(transaction, by)
            return await _feature(transaction, post_id, by, featured)

        return await self._database.transaction(work)

    async def hide(
        self, post_id: UUID, by: Viewer, *, hidden: bool, reason: str | None = None
    ) -> PostModerated:
        """Hide a post, or show it again; raises COMMUNITY_POST_NOT_FOUND."""

        async def work(transaction: Transaction) -> PostModerated:
            await check_may_write(transaction, by)
            posts = await lock_with_inspiring(transaction, post_id)
            if post_id not in posts:
                raise post_not_found(post_id)
            changed = await set_hidden(transaction, posts, post_id, by, hidden, reason)
            (post,) = await seen(transaction, [(post_id, by)])
            return PostModerated(post, changed)

        return await self._database.transaction(work)

    async def ban(
        self, user_id: UUID, by: Viewer, *, banned: bool, reason: str | None = None
    ) -> UserModerated:
        """Ban a user from writing, or let them write again; raises COMMUNITY_USER_NOT_FOUND."""

        async def work(transaction: Transaction) -> UserModerated:
            await check_may_write(transaction, by)
            return await _ban(transaction, user_id, by, banned, reason)

        return await self._database.transaction(work)


async def check_may_write(transaction: Transaction, by: Viewer) -> UUID:
    """The id of whoever acts. Raises Refusal where they may write nothing: moderators too may be banned."""
    assert by.id is not None
    if refusal := refusal_to_write(await find_creators(transaction, [by.id]), by.id):
        raise refusal
    return by.id


async def lock_with_inspiring(
    transaction: Transaction, post_id: UUID
) -> Mapping[UUID, Mapping[str, Any]]:
    """A post and the one that inspired it, as far as they are there: what `set_hidden` wants locked."""
    rows = await transaction.fetch(_SQL["with_inspiring"], post_id)
    return await lock_posts(transaction, (row["id"] for row in rows if row["id"] is not None))


async def set_hidden(
    transaction: Transaction,
    posts: Mapping[UUID, Mapping[str, Any]],
    post_id: UUID,
    by: Viewer,
    hidden: bool,
    reason: str | None,
) -> bool:
    """Hide one of the locked posts, or show it again, as the last step; whether that changed anything.

    What was told of it stays where only those read it who may see it: on its own topic and its author's.
    Elsewhere it is blanked for good; whoever sees the post again is told it anew, as a whole.
    """
    post = posts[post_id]
    if post["is_hidden"] == hidden:
        return False
    assert by.id is not None
    await transaction.execute(_SQL["hide"], post_id, hidden)
    gone, back = ([post], []) if hidden else ([], [post])
    notices = await inspiration_notices(transaction, posts, gone=gone, back=back)
    await note(transaction, [Note(by.id, "hidden" if hidden else "shown", "post", post_id, reason)])
    told: list[NewEntry[Any]]
    if hidden:
        topic = post_topic(post_id)
        await transaction.blank([topic], keeping=[topic, user_topic(post["user_id"])])
        told = [*gone_entries(POST_HIDDEN, post_id, by.id, in_gallery=True)]
    else:
        news = await shared(transaction, [post_id])
        told = [*changed_entries(news[post_id], by.id, in_gallery=True)]
    await transaction.journal([*told, *notices])
    return True


async def _feature(
    transaction: Transaction, post_id: UUID, by: Viewer, featured: bool
) -> PostModerated:
    posts = await lock_posts(transaction, [post_id])
    if post_id not in posts:
        raise post_not_found(post_id)
    changed = posts[post_id]["is_featured"] != featured
    if changed:
        assert by.id is not None
        await transaction.execute(_SQL["feature"], post_id, featured)
        await note(
            transaction, [Note(by.id, "featured" if featured else "unfeatured", "post", post_id)]
        )
        news = (await shared(transaction, [post_id]))[post_id]
        told = changed_entries(news, by.id, in_gallery=False)
        if not posts[post_id]["is_hidden"]:
            told.append(
                NewEntry(
                    topic=GALLERY_TOPIC,
                    type=POST_FEATURED,
                    data=PostWritten(news),
                    subject=post_topic(post_id),
                    actor=by.id,
                )
            )
        await transaction.journal(told)
    (post,) = await seen(transaction, [(post_id, by)])
    return PostModerated(post, changed)


async def _ban(
    transaction: Transaction, user_id: UUID, by: Viewer, banned: bool, reason: str | None
) -> UserModerated:
    if user_id not in await find_creators(transaction, [user_id]):
        raise user_not_found(user_id)
    await transaction.execute(_SQL["make_stats"], user_id)
    changed = await transaction.fetchrow(_SQL["ban"], user_id, banned, reason) is not None
    if changed:
        assert by.id is not None
        await note(
            transaction, [Note(by.id, "banned" if banned else "unbanned", "user", user_id, reason)]
        )
    row = await transaction.fetchrow(_SQL["banned"], user_id)
    assert row is not None
    return UserModerated(Ban(**row), changed)
