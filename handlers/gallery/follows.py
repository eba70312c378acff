"""Follows: a state that is set, so that a retry is harmless."""

from uuid import UUID

from handlers.gallery.creators import UserRef
from handlers.operation import Call
from handlers.paging import Limit, PageQuery
from store.cursors import Page
from store.gallery import Gallery
from store.gallery.follows import Follow
from store.gallery.shapes import Followed
from store.identity import UserSummary


class FollowQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those who follow a user, or whom a user follows."""

    user_id: UUID
    limit: Limit = 50


async def follow(call: Call[Gallery], command: UserRef) -> Followed:
    """The actor follows the user from now on."""
    return await _settle(call, command, following=True)


async def unfollow(call: Call[Gallery], command: UserRef) -> Followed:
    """The actor does not follow the user any more."""
    return await _settle(call, command, following=False)


async def followers(call: Call[Gallery], query: FollowQuery) -> Page[UserSummary]:
    """Who follows the user, newest first."""
    return await call.store.follows.followers(query.user_id, **query.paging)


async def following(call: Call[Gallery], query: FollowQuery) -> Page[UserSummary]:
    """Whom the user follows, newest first."""
    return await call.store.follows.following(query.user_id, **query.paging)


async def _settle(call: Call[Gallery], command: UserRef, *, following: bool) -> Followed:
    answer = await call.store.follows.submit(Follow(command.user_id, call.actor.viewer, following))
    call.changed = answer.changed
    return answer
