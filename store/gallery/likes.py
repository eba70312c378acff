"""Likes: a set of users for each post, a counter that always equals its size, and the lists of both sides."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Unpack
from uuid import UUID

import msgspec

from store.batching import Batcher
from store.cursors import CursorKey, Page
from store.database import Database, Transaction
from store.gallery.events import POST_LIKED, POST_UNLIKED, LikeCount, post_topic
from store.gallery.posts import post_of
from store.gallery.refusals import post_not_found, user_banned, user_not_found
from store.gallery.shapes import Liked, Post
from store.identity import UserSummary, summary_of
from store.ids import new_id
from store.inbox import ACTORS, Notification, Subject, told
from store.journal import NewEntry
from store.listing import NewestFirst, Paging
from store.queries import queries
from store.refusal import Refusal
from store.totals import Totals, count
from store.viewer import Viewer

_SQL = queries("gallery/likes")

LIKERS_SHOWN = 3
"""Users that an event about likes names, the newest first."""

_LIKERS = NewestFirst("likers")
_LIKED = NewestFirst("liked")
_decode_likers = msgspec.json.Decoder(list[UserSummary]).decode


class Like(msgspec.Struct, frozen=True):
    """A user wants a post liked, or not liked."""

    post_id: UUID
    by: Viewer
    liked: bool

    @property
    def user_id(self) -> UUID:
        assert self.by.id is not None
        return self.by.id


class _Post(msgspec.Struct):
    """A post that a batch is about, locked; without its author, `user_id`, there is no such post.

    Of the people in the batch: `before` are those who liked it then and `now` those who do; who is
    `banned` may write nothing, and who is `unknown` is no user.
    """

    id: UUID
    user_id: UUID | None
    title: str
    is_hidden: bool
    like_count: int
    seq: int
    before: frozenset[UUID]
    now: set[UUID]
    banned: frozenset[UUID]
    unknown: frozenset[UUID]
    last: Like | None = None

    @property
    def growth(self) -> int:
        return len(self.now) - len(self.before)

    def apply(self, like: Like) -> bool | Refusal:
        """Settle one like in memory: whether it changed something, or why it may not."""
        if like.user_id in self.unknown:
            return user_not_found(like.user_id)
        if like.user_id in self.banned:
            return user_banned()
        if self.user_id is None or (self.is_hidden and not like.by.may_see_hidden_of(self.user_id)):
            return post_not_found(self.id)
        if (like.user_id in self.now) == like.liked:
            return False
        if like.liked:
            self.now.add(like.user_id)
        else:
            self.now.remove(like.user_id)
        self.last = like
        return True


class Likes:
    """Who likes what."""

    def __init__(self, database: Database, cursor_key: CursorKey) -> None:
        self._database = database
        self._cursor_key = cursor_key
        self._totals = Totals()
        self._batcher = Batcher(
            partial(self.settle, patient=False),
            by=lambda like: like.post_id,
            report=database.batched("likes"),
        )

    async def submit(self, like: Like) -> Liked:
        """Carry out one like or unlike, together with those that arrive meanwhile. Raises Refusal."""
        return await self._batcher(like)

    async def settle(self, likes: Sequence[Like], *, patient: bool = True) -> list[Liked | Refusal]:
        """Carry out likes and unlikes in order, in one transaction; an answer or a refusal for each.

        Who is not `patient` gets Blocked where somebody else holds one of the posts.
        """
        return await self._database.transaction(
            lambda transaction: _settle(transaction, likes), patient=patient
        )

    async def likers(
        self, post_id: UUID, viewer: Viewer, **paging: Unpack[Paging]
    ) -> Page[UserSummary]:
        """Who likes the post, newest first. Raises COMMUNITY_POST_NOT_FOUND and INVALID_CURSOR."""
        span = await _LIKERS.span(self._cursor_key, [post_id], **paging)
        rows = await self._database.reads.fetch(
            _SQL["likers"], post_id, viewer.id, viewer.moderates, *span.arguments
        )
        if not rows:
            raise post_not_found(post_id)
        return span.page(rows, summary_of, rows[0]["total"])

    async def liked(self, viewer: Viewer, **paging: Unpack[Paging]) -> Page[Post]:
        """What the viewer likes, the newest like first; `total` may be up to a minute old.

        Raises INVALID_CURSOR.
        """
        span = await _LIKED.span(self._cursor_key, [viewer.id], **paging)
        total = self._totals.ask(  # counted meanwhile
            viewer,
            lambda: count(self._database.reads, _SQL["count_liked"], viewer.id, viewer.moderates),
        )
        rows = await self._database.reads.fetch(
            _SQL["liked"], viewer.id, viewer.moderates, *span.arguments
        )
        return span.page(rows, post_of, await asyncio.shield(total))


async def _settle(transaction: Transaction, likes: Sequence[Like]) -> list[Liked | Refusal]:
    posts = await _look(transaction, likes)  # from here on others wait: nothing idle follows
    verdicts = [posts[like.post_id].apply(like) for like in likes]
    changed = [post for post in posts.values() if post.now != post.before]
    if changed:
        await _write(transaction, changed)
    answers: list[Liked | Refusal] = []
    for like, verdict in zip(likes, verdicts, strict=True):
        if isinstance(verdict, Refusal):
            answers.append(verdict)
        else:
            post = posts[like.post_id]
            answers.append(Liked(post.id, like.liked, verdict, post.like_count, post.seq))
    return answers


async def _look(transaction: Transaction, likes: Sequence[Like]) -> dict[UUID, _Post]:
    rows = await transaction.fetch(
        _SQL["look"],
        [like.post_id for like in likes],
        [like.user_id for like in likes],
    )
    return {
        row["id"]: _Post(
            id=row["id"],
            user_id=row["user_id"],
            title=row["title"],
            is_hidden=row["is_hidden"],
            like_count=row["like_count"],
            seq=row["seq"],
            before=frozenset(row["likers"]),
            now=set(row["likers"]),
            banned=frozenset(row["banned"]),
            unknown=frozenset(row["unknown"]),
        )
        for row in rows
    }


async def _write(transaction: Transaction, changed: Sequence[_Post]) -> None:
    added = [(post.id, user) for post in changed for user in post.now - post.before]
    removed = [(post.id, user) for post in changed for user in post.before - post.now]
    rows = await transaction.fetch(
        _SQL["write"],
        [new_id() for _ in added],
        [post_id for post_id, _ in added],
        [user_id for _, user_id in added],
        [post_id for post_id, _ in removed],
        [user_id for _, user_id in removed],
        [post.id for post in changed],
        [post.user_id for post in changed],
        [post.title for post in changed],
        [post.growth for post in changed],
        [new_id() for _ in changed],
        LIKERS_SHOWN + 1,  # the author's own like is shown, and notifies nobody
        ACTORS,
    )
    counts: list[NewEntry[Any]] = []
    notices: list[NewEntry[Any]] = []
    for post, row in zip(changed, rows, strict=True):
        likers = _decode_likers(row["likers"])
        post.like_count += post.growth
        counts.append(_count(post, likers[:LIKERS_SHOWN]))
        if row["notice_id"] is not None:
            notices.append(_notice(post, row, likers))
    entries = await transaction.journal([*counts, *notices])
    for post, entry in zip(changed, entries, strict=False):
        post.seq = entry.seq


def _count(post: _Post, likers: list[UserSummary]) -> NewEntry[LikeCount]:
    assert post.last is not None
    return NewEntry(
        topic=post_topic(post.id),
        type=POST_LIKED if post.last.liked else POST_UNLIKED,
        data=LikeCount(post.id, post.like_count, likers),
        key="likes",
        subject=f"post:{post.id}",
        actor=post.last.user_id,
    )


def _notice(
    post: _Post, row: Mapping[str, Any], likers: Sequence[UserSummary]
) -> NewEntry[Notification]:
    assert post.user_id is not None
    return told(
        post.user_id, "post_liked", Subject("post", post.id, post.title), row, likers, "notice_"
    )
