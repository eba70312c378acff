"""The events of the gallery and their payloads: protocol.md, "Events"."""

from uuid import UUID

import msgspec

from store.fields import Count, Moment
from store.gallery.shapes import SharedComment, SharedPost, Viewed
from store.identity import UserSummary
from store.journal import EventType, Kind


class LikeCount(msgspec.Struct, frozen=True):
    """A post's likes as of now. `actors` are the newest three likers, newest first."""

    post_id: UUID
    like_count: Count
    actors: list[UserSummary]


class CommentWritten(msgspec.Struct, frozen=True):
    """A comment as it stands now, and how many its post has."""

    post_id: UUID
    comment: SharedComment
    comment_count: Count


class CommentGone(msgspec.Struct, frozen=True):
    """A comment that is no more, and how many its post has left."""

    post_id: UUID
    comment_id: UUID
    comment_count: Count


class WhoIsHere(msgspec.Struct, frozen=True):
    """How many watch a topic over all nodes, and up to 5 of the users among them, the newest first."""

    topic: str
    viewers: int
    sample: list[UserSummary]


class PostWritten(msgspec.Struct, frozen=True):
    """A post as it stands now."""

    post: SharedPost


class PostGone(msgspec.Struct, frozen=True):
    """A post that may not be seen any more, or is no more."""

    post_id: UUID


class TrendingRefreshed(msgspec.Struct, frozen=True):
    """The trending lists begin anew, with `posts` posts as they stood at that time."""

    posts: Count
    refreshed_at: Moment


class FollowerCount(msgspec.Struct, frozen=True):
    """Who began or ceased to follow `user_id`, and how many do now."""

    user_id: UUID
    actor: UserSummary
    follower_count: Count


POST_LIKED = EventType("post:liked", Kind.STATE, LikeCount)
POST_UNLIKED = EventType("post:unliked", Kind.STATE, LikeCount)
COMMENT_CREATED = EventType("comment:created", Kind.LOG, CommentWritten)
COMMENT_UPDATED = EventType("comment:updated", Kind.LOG, CommentWritten)
COMMENT_DELETED = EventType("comment:deleted", Kind.LOG, CommentGone, removes=True)
POST_VIEWED = EventType("post:viewed", Kind.EPHEMERAL, Viewed)
PRESENCE_CHANGED = EventType("presence:changed", Kind.EPHEMERAL, WhoIsHere)
POST_CREATED = EventType("post:created", Kind.LOG, PostWritten)
POST_UPDATED = EventType("post:updated", Kind.LOG, PostWritten, revises=True)
"""Where its prompt is not shown any more, it is taken out of what was told before."""
POST_FEATURED = EventType("post:featured", Kind.LOG, PostWritten)
"""The post's `is_featured` says whether it is featured from now on, or no longer."""
POST_HIDDEN = EventType("post:hidden", Kind.LOG, PostGone, removes=True)
POST_DELETED = EventType("post:deleted", Kind.LOG, PostGone, removes=True)
TRENDING_REFRESHED = EventType("trending:refreshed", Kind.STATE, TrendingRefreshed)
FEED_POST_CREATED = EventType("feed:post_created", Kind.EPHEMERAL, PostWritten)
"""Somebody whom this user follows has shared a post."""
USER_FOLLOWED = EventType("user:followed", Kind.STATE, FollowerCount)
USER_UNFOLLOWED = EventType("user:unfollowed", Kind.STATE, FollowerCount)


def post_topic(post_id: UUID) -> str:
    """The topic on which everything about one post is told."""
    return f"post:{post_id}"


def user_topic(user_id: UUID) -> str:
    """The topic that only this user watches."""
    return f"user:{user_id}"


GALLERY_TOPIC = "gallery"
