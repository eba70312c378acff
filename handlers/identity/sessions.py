"""Sessions: whose they are, and ending tokens before their time."""

from typing import Annotated
from uuid import UUID

import msgspec

from handlers.actor import Role
from handlers.operation import Call, Refusal
from handlers.validation import invalid
from store.identity import Identity, Revoked, UserSummary


class Myself(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever asks."""


class Bearer(msgspec.Struct, frozen=True):
    """Who shows a token, and the topic that is their own; both null for a visitor."""

    user: UserSummary | None
    topic: str | None


class Revoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which tokens are to be good no longer: the one named `jti`, or `everywhere` all issued until now.

    With neither it is the token that this is asked with. `user_id` is somebody else's, which takes an admin.
    """

    user_id: UUID | None = None
    jti: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    everywhere: bool = False

    def __post_init__(self) -> None:
        if self.everywhere and self.jti is not None:
            raise invalid("jti", "must not stand beside `everywhere`")


async def get(call: Call[Identity], command: Myself) -> Bearer:
    """Who one is here: what `session:ready` says over sockets."""
    if call.actor.id is None:
        return Bearer(None, None)
    return Bearer(await call.store.users.summary(call.actor.id), f"user:{call.actor.id}")


async def revoke(call: Call[Identity], command: Revoke) -> Revoked:
    """End tokens before their time, and with them the sessions that live on them, on all nodes."""
    actor = call.actor
    user_id = command.user_id or actor.user_id
    if user_id != actor.user_id and actor.role is not Role.ADMIN:
        raise Refusal("FORBIDDEN", "Only admins end sessions of others.", role=Role.ADMIN.value)
    revocations = call.store.revocations
    if command.everywhere:
        valid_after = await revocations.revoke_all(user_id, by=actor.user_id)
        return Revoked(user_id, None, valid_after)
    token_id = command.jti
    if token_id is None and user_id == actor.user_id:
        token_id = actor.token_id
    if token_id is None:
        why = "is required, or `everywhere`"
        if user_id == actor.user_id:
            why += ": the token that you show has no `jti`"
        raise invalid("jti", why)
    call.changed = await revocations.revoke(user_id, token_id, by=actor.user_id)
    return Revoked(user_id, token_id, None)
