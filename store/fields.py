"""Types of fields that many shapes have, with their limits."""

from datetime import datetime
from typing import Annotated

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time; in JSON text of RFC 3339."""
Count = Annotated[int, msgspec.Meta(ge=0)]
