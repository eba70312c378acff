"""Creators: users as the gallery shows them."""

from uuid import UUID

import msgspec

from handlers.operation import Call
from store.gallery import Gallery
from store.gallery.shapes import Profile


class UserRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a user."""

    user_id: UUID


async def get(call: Call[Gallery], command: UserRef) -> Profile:
    """A user's profile, as the actor sees it."""
    return await call.store.creators.profile(command.user_id, call.actor.viewer)
