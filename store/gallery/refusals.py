"""How the gallery says no: gallery.md, "Refusals"."""

from uuid import UUID

from store.refusal import Refusal


def post_not_found(post_id: UUID) -> Refusal:
    """There is no such post, or this reader may not know of it."""
    return Refusal("COMMUNITY_POST_NOT_FOUND", "There is no such post.", post_id=post_id)


def post_not_owned(post_id: UUID) -> Refusal:
    """The post is somebody else's."""
    return Refusal("COMMUNITY_POST_NOT_OWNED", "This post is not yours.", post_id=post_id)


def comment_not_found(comment_id: UUID) -> Refusal:
    """There is no such comment, or this reader may not know of it."""
    return Refusal(
        "COMMUNITY_COMMENT_NOT_FOUND", "There is no such comment.", comment_id=comment_id
    )


def comment_not_owned(comment_id: UUID) -> Refusal:
    """The comment is somebody else's."""
    return Refusal(
        "COMMUNITY_COMMENT_NOT_OWNED", "This comment is not yours.", comment_id=comment_id
    )


def edit_window_expired(comment_id: UUID, window_minutes: int) -> Refusal:
    """The comment is too old to be edited."""
    return Refusal(
        "COMMUNITY_EDIT_WINDOW_EXPIRED",
        f"A comment can be edited for {window_minutes} minutes.",
        comment_id=comment_id,
        window_minutes=window_minutes,
    )


def user_not_found(user_id: UUID) -> Refusal:
    """There is no such user."""
    return Refusal("COMMUNITY_USER_NOT_FOUND", "There is no such user.", user_id=user_id)


def user_banned() -> Refusal:
    """The acting user reads and writes nothing."""
    return Refusal("COMMUNITY_USER_BANNED", "You are banned from writing in this gallery.")


def asset_not_owned(asset_id: UUID) -> Refusal:
    """The asset is somebody else's, or not there at all."""
    return Refusal("COMMUNITY_ASSET_NOT_OWNED", "This asset is not yours.", asset_id=asset_id)


def already_shared(asset_id: UUID) -> Refusal:
    """The asset is shared by a post already."""
    return Refusal("COMMUNITY_ALREADY_SHARED", "This asset is shared already.", asset_id=asset_id)


def invalid_tag(tag: str, expected_format: str) -> Refusal:
    """The tag, lower-cased and trimmed, does not have the format."""
    return Refusal(
        "COMMUNITY_INVALID_TAG",
        "A tag has 1 to 30 letters a to z, digits and inner hyphens.",
        tag=tag,
        expected_format=expected_format,
    )


def too_many_tags(count: int, max_count: int) -> Refusal:
    """There are more different tags than there may be."""
    return Refusal(
        "COMMUNITY_TOO_MANY_TAGS",
        f"At most {max_count} tags, please.",
        count=count,
        max_count=max_count,
    )


def already_reported(post_id: UUID) -> Refusal:
    """The user has reported this post before."""
    return Refusal(
        "COMMUNITY_ALREADY_REPORTED", "You have reported this post already.", post_id=post_id
    )


def report_not_found(report_id: UUID) -> Refusal:
    """There is no such report, or not any more: it goes with its post."""
    return Refusal("NOT_FOUND", "There is no such report.", report_id=report_id)


def report_already_reviewed(report_id: UUID) -> Refusal:
    """Another moderator was first."""
    return Refusal(
        "COMMUNITY_REPORT_ALREADY_REVIEWED",
        "This report has been reviewed already.",
        report_id=report_id,
    )


def self_follow() -> Refusal:
    """Nobody follows themselves."""
    return Refusal("COMMUNITY_SELF_FOLLOW", "You cannot follow yourself.")


def id_taken(identifier: UUID) -> Refusal:
    """The client-made id was used before, for something else."""
    return Refusal(
        "IDEMPOTENCY_CONFLICT",
        "This id was used before, by someone else or for something else: make a new one.",
        id=identifier,
    )
