"""What nodes tell each other of tokens. Nobody may watch that topic."""

from datetime import datetime
from uuid import UUID

import msgspec

from store.journal import EventType, Kind

REVOCATIONS_TOPIC = "revocations"


class Revocation(msgspec.Struct, frozen=True):
    """A user's token of the name `token_id` is good no longer, or all that were issued before `valid_after`."""

    user_id: UUID
    token_id: str | None
    valid_after: datetime | None


SESSION_REVOKED = EventType("session:revoked", Kind.LOG, Revocation)
