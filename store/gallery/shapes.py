"""The shapes of the gallery, the same over REST, acks and events: gallery.md, "Shapes"."""

from typing import Literal
from uuid import UUID

import msgspec

from store.fields import Count, Moment
from store.identity import UserSummary

AssetType = Literal[
    "twitch_emote",
    "youtube_thumbnail",
    "twitch_banner",
    "twitch_badge",
    "overlay",
    "twitch_panel",
    "twitch_offline",
]


class Asset(msgspec.Struct, frozen=True):
    """Something a user made, which a post can share once."""

    id: UUID
    user_id: UUID
    asset_type: AssetType
    url: str
    prompt: str | None
    created_at: Moment


class SharedPost(msgspec.Struct, frozen=True):
    """A post as everybody may see it: what events carry."""

    id: UUID
    user_id: UUID
    asset_id: UUID
    title: str
    description: str | None
    prompt_used: str | None
    show_prompt: bool
    tags: list[str]
    asset_type: AssetType
    asset_url: str
    like_count: Count
    comment_count: Count
    view_count: Count
    is_featured: bool
    created_at: Moment
    updated_at: Moment
    author: UserSummary


class Post(SharedPost, frozen=True):
    """A post as one reader sees it. `topic` and `seq` say where in its journal this was read.

    `inspired_by_post_id` is there for those who may see that post, `is_hidden` for its owner and
    moderators only.
    """

    inspired_by_post_id: UUID | None
    is_liked: bool
    topic: str
    seq: Count
    is_hidden: bool | msgspec.UnsetType = msgspec.UNSET


class PostInDetail(Post, frozen=True, kw_only=True):
    """A post on its own page, with the trending score of this moment."""

    trending_score: float


class Engagement(msgspec.Struct, frozen=True):
    """How a post is received, and whether this reader likes it."""

    like_count: Count
    comment_count: Count
    view_count: Count
    is_liked: bool


class Viewed(msgspec.Struct, frozen=True):
    """How often a post has been viewed so far."""

    post_id: UUID
    view_count: Count


class DeletedPost(msgspec.Struct, frozen=True):
    """Names a post that is gone."""

    post_id: UUID


class SharedComment(msgspec.Struct, frozen=True):
    """A comment as everybody may see it: what events carry."""

    id: UUID
    post_id: UUID
    user_id: UUID
    content: str
    is_edited: bool
    created_at: Moment
    updated_at: Moment
    author: UserSummary


class Comment(SharedComment, frozen=True, kw_only=True):
    """A comment as one reader sees it."""

    can_edit: bool
    can_delete: bool


class DeletedComment(msgspec.Struct, frozen=True):
    """Names a comment that is gone."""

    comment_id: UUID


class Liked(msgspec.Struct, frozen=True):
    """What a like or unlike came to: `liked` is the state, `changed` the effect."""

    post_id: UUID
    liked: bool
    changed: bool
    like_count: Count
    seq: Count


class Followed(msgspec.Struct, frozen=True):
    """What a follow or unfollow came to."""

    user_id: UUID
    following: bool
    changed: bool
    follower_count: Count


class Stats(msgspec.Struct, frozen=True):
    """A creator's counters."""

    user_id: UUID
    post_count: Count
    total_likes_received: Count
    follower_count: Count
    following_count: Count


class Ban(msgspec.Struct, frozen=True):
    """Whether a user may write; since when not, and why, if the moderator said."""

    user_id: UUID
    is_banned: bool
    banned_at: Moment | None
    banned_reason: str | None


ReportReason = Literal["spam", "inappropriate", "copyright", "harassment", "other"]
ReportStatus = Literal["pending", "reviewed", "dismissed", "actioned"]
ReviewStatus = Literal["reviewed", "dismissed", "actioned"]


class Report(msgspec.Struct, frozen=True):
    """What somebody finds wrong with a post, and what became of it."""

    id: UUID
    post_id: UUID
    reporter: UserSummary
    reason: ReportReason
    details: str | None
    status: ReportStatus
    reviewed_by: UUID | None
    reviewed_at: Moment | None
    created_at: Moment


class Reported(msgspec.Struct, frozen=True):
    """Names a report that was taken."""

    report_id: UUID


class Profile(msgspec.Struct, frozen=True):
    """A creator as one reader sees them."""

    user: UserSummary
    stats: Stats
    is_following: bool
    joined_at: Moment
