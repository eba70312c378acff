"""Likes: a state that is set, so that a retry is harmless."""

from uuid import UUID

import msgspec

from handlers.operation import Call
from handlers.paging import Limit, PageQuery
from store.cursors import Page
from store.gallery import Gallery
from store.gallery.likes import Like
from store.gallery.shapes import Liked, Post
from store.identity import UserSummary


class PostRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a post."""

    post_id: UUID


class LikeQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who likes a post."""

    post_id: UUID
    limit: Limit = 50


async def like(call: Call[Gallery], command: PostRef) -> Liked:
    """The actor likes the post from now on."""
    return await _settle(call, command, liked=True)


async def unlike(call: Call[Gallery], command: PostRef) -> Liked:
    """The actor does not like the post any more."""
    return await _settle(call, command, liked=False)


async def likers(call: Call[Gallery], query: LikeQuery) -> Page[UserSummary]:
    """Who likes the post, newest first."""
    return await call.store.likes.likers(query.post_id, call.actor.viewer, **query.paging)


async def liked(call: Call[Gallery], query: PageQuery) -> Page[Post]:
    """What the actor likes, newest like first."""
    return await call.store.likes.liked(call.actor.viewer, **query.paging)


async def _settle(call: Call[Gallery], command: PostRef, *, liked: bool) -> Liked:
    answer = await call.store.likes.submit(Like(command.post_id, call.actor.viewer, liked))
    call.changed = answer.changed
    return answer
