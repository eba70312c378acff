"""Who is acting: a signed-in user or a visitor, as the gateway found them out."""

from enum import StrEnum
from uuid import UUID

import msgspec

from store.viewer import Viewer


class Role(StrEnum):
    """The role that the token claims; anything unknown counts as `USER`."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"


class Actor(msgspec.Struct, frozen=True):
    """`id` is None for a visitor; `address` is the client's IP address.

    `token_id` is the `jti` of the token that they came with, None where it has none.
    """

    id: UUID | None
    role: Role
    address: str
    token_id: str | None = None

    @property
    def moderates(self) -> bool:
        return self.role is not Role.USER

    @property
    def user_id(self) -> UUID:
        """The signed-in user's id; only for operations that a visitor may not call."""
        if self.id is None:
            raise LookupError("a visitor has no user id")
        return self.id

    @property
    def viewer(self) -> Viewer:
        return Viewer(self.id, self.moderates)
