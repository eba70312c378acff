"""Moderation: what moderators do to posts and users, each deed noted with its reason."""

from typing import Annotated
from uuid import UUID

import msgspec

from handlers.operation import Call
from handlers.text import clean_text, written
from handlers.validation import invalid
from store.gallery import Gallery
from store.gallery.shapes import Ban, Post

REASON_MOST = 500
"""Characters of a moderator's reason."""

Reason = Annotated[str, written(most=REASON_MOST)]


class FeaturePost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a post is to be featured."""

    post_id: UUID
    featured: bool


class HidePost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a post is to be hidden, and why. A reason of nothing is none."""

    post_id: UUID
    hidden: bool
    reason: Reason | None = None

    def __post_init__(self) -> None:
        _clean_reason(self)


class BanUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a user is to be banned from writing, and why. A reason of nothing is none."""

    user_id: UUID
    banned: bool
    reason: Reason | None = None

    def __post_init__(self) -> None:
        _clean_reason(self)


async def feature(call: Call[Gallery], command: FeaturePost) -> Post:
    """The post is featured from now on, or no longer."""
    answer = await call.store.moderation.feature(
        command.post_id, call.actor.viewer, featured=command.featured
    )
    call.changed = answer.changed
    return answer.post


async def hide(call: Call[Gallery], command: HidePost) -> Post:
    """The post is there for its author and moderators only from now on, or for everybody again."""
    answer = await call.store.moderation.hide(
        command.post_id, call.actor.viewer, hidden=command.hidden, reason=command.reason
    )
    call.changed = answer.changed
    return answer.post


async def ban(call: Call[Gallery], command: BanUser) -> Ban:
    """The user writes nothing from now on, or may again. Nobody does that to themselves."""
    if command.user_id == call.actor.id:
        raise invalid("user_id", "must be somebody else's")
    answer = await call.store.moderation.ban(
        command.user_id, call.actor.viewer, banned=command.banned, reason=command.reason
    )
    call.changed = answer.changed
    return answer.ban


def _clean_reason(command: HidePost | BanUser) -> None:
    reason = clean_text(command.reason or "", "reason", least=0, most=REASON_MOST)
    msgspec.structs.force_setattr(command, "reason", reason or None)
