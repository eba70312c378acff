"""How a list is asked for: by cursor, or by number of page: protocol.md, "REST"."""

from typing import Annotated

import msgspec

from handlers.validation import invalid
from store.listing import PAGE_MOST, Paging

Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE_MOST)]

DEEPEST = 10_000
"""The most items up to which pages can be asked for by number; what is deeper goes by cursor."""


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`cursor` is the `next_cursor` of the page before; `page` counts from 1, the first when left out.

    Raises VALIDATION_ERROR for a page that is too deep, or that stands beside a cursor.
    """

    cursor: str | None = None
    page: Annotated[int, msgspec.Meta(ge=1, extra_json_schema={"maximum": DEEPEST})] | None = None
    limit: Limit = 20

    def __post_init__(self) -> None:
        if self.page is None:
            return
        if self.cursor is not None:
            raise invalid("page", "must not stand beside a cursor")
        if self.page * self.limit > DEEPEST:
            raise invalid(
                "page", f"times limit must be at most {DEEPEST}: go deeper by next_cursor"
            )

    @property
    def paging(self) -> Paging:
        """For the store."""
        return {"cursor": self.cursor, "page": self.page or 1, "limit": self.limit}
