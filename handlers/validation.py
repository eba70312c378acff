"""What is wrong with a command whose fields have the right types.

Commands check themselves when they are made (`__post_init__`): before the call counts for any limit.
"""

from typing import Annotated
from uuid import UUID

import msgspec

from store.refusal import Refusal

_VERSION_7 = (
    "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$"
)

ClientId = Annotated[UUID, msgspec.Meta(extra_json_schema={"pattern": _VERSION_7})]
"""An id made by a client, which `check_client_id` looks at."""


def invalid(field: str, why: str) -> Refusal:
    """VALIDATION_ERROR; its details name each field and why: `{"content": "must have …"}`."""
    refusal = Refusal("VALIDATION_ERROR", f"`{field}` {why}.")
    refusal.details[field] = why
    return refusal


def check_client_id(value: UUID, field: str = "id") -> UUID:
    """An id made by a client; raises VALIDATION_ERROR unless it is a UUIDv7 (RFC 9562)."""
    if value.version != 7:
        raise invalid(field, "must be a UUID of version 7")
    return value
