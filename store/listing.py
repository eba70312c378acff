"""Lists that go from the newest back, a page at a time: by cursor, or by number of page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar, Unpack
from uuid import UUID

import msgspec

from store.cursors import CursorKey, Filter, Listing, Page

T = TypeVar("T")

PAGE_MOST = 50
"""The most items on a page: the queries read one row more of an index, and no further."""

_FAR = datetime(9999, 1, 1, tzinfo=UTC)
_LAST_ID = UUID(int=2**128 - 1)


class Paging(TypedDict, total=False):
    """Which page: what follows `cursor`, or where there is none the page of that number."""

    cursor: str | None
    page: int
    limit: int


class _Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended, and the number of the page that follows."""

    at: datetime
    id: UUID
    page: int


_BEGINNING = _Position(_FAR, _LAST_ID, 1)


class NewestFirst:
    """A list in the order of a time and an id, both falling.

    Its query takes `Span.arguments`, and names what places each of its rows `listed_at` and `listed_id`.
    A row in which these are null stands for none.
    """

    def __init__(self, name: str) -> None:
        self._listing = Listing(name, _Position)

    async def span(
        self, cursor_key: CursorKey, scope: Sequence[Filter], **paging: Unpack[Paging]
    ) -> "Span":
        """The page that is asked for. `scope` is what its cursors are bound to. Raises INVALID_CURSOR."""
        key = await cursor_key.get()
        cursor, page, limit = paging.get("cursor"), paging.get("page", 1), paging.get("limit", 20)
        if limit > PAGE_MOST:
            raise ValueError(f"a page has at most {PAGE_MOST} items")
        if cursor is None:
            return Span(self._listing, key, scope, _BEGINNING, page, (page - 1) * limit, limit)
        start = self._listing.position(key, cursor, scope)
        return Span(self._listing, key, scope, start, start.page, 0, limit)


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a list that one page shows: what follows `start`, without the first `passed`."""

    listing: Listing[_Position]
    key: bytes
    scope: Sequence[Filter]
    start: _Position
    number: int
    passed: int
    limit: int

    @property
    def arguments(self) -> tuple[datetime, UUID, int, int]:
        """For the query: after which time and id, how many rows at most, and how many to pass over."""
        return self.start.at, self.start.id, self.limit + 1, self.passed

    def page(
        self, rows: Sequence[Mapping[str, Any]], item: Callable[[Any], T], total: int
    ) -> Page[T]:
        """The page that the query's rows make. It is never told to have more items than there are in all."""
        rows = [row for row in rows if row["listed_id"] is not None]
        shown = self.passed + len(rows) if rows else 0
        has_more = len(rows) > self.limit
        rows = rows[: self.limit]
        after = None
        if has_more:
            last = _Position(rows[-1]["listed_at"], rows[-1]["listed_id"], self.number + 1)
            after = self.listing.cursor(self.key, last, self.scope)
        return Page(
            items=[item(row) for row in rows],
            total=max(total, shown),
            page=self.number,
            limit=self.limit,
            has_more=has_more,
            next_cursor=after,
        )
