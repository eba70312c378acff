"""Search: posts by words in title and description, the best of the newest first."""

import math
from datetime import datetime
from typing import Unpack
from uuid import UUID

import msgspec

from store.cursors import CursorKey, Listing, Page
from store.database import Database
from store.gallery.passing import Filters, newest_with_keys
from store.gallery.posts import post_of
from store.gallery.shapes import Post
from store.listing import PAGE_MOST, Paging
from store.queries import queries
from store.viewer import Viewer

_SQL = queries("gallery/search")


class _Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended, in a search among what was not newer than `newest`; and the next page's number."""

    newest: datetime | None
    rank: float
    id: UUID
    page: int


_BEGINNING = _Position(None, math.inf, UUID(int=2**128 - 1), 1)
_LISTING = Listing("posts:search", _Position)


class Search:
    """Finds posts by what they say."""

    def __init__(self, database: Database, cursor_key: CursorKey) -> None:
        self._database = database
        self._cursor_key = cursor_key

    async def page(self, words: str, viewer: Viewer, **paging: Unpack[Paging]) -> Page[Post]:
        """The posts with these words, in the language of a web search: the newest 1,000, best first.

        Whoever walks by cursor walks what there was at the first page. Raises INVALID_CURSOR.
        """
        cursor, page, limit = paging.get("cursor"), paging.get("page", 1), paging.get("limit", 20)
        if limit > PAGE_MOST:
            raise ValueError(f"a page has at most {PAGE_MOST} posts")
        key = await self._cursor_key.get()
        start, passed = _BEGINNING, (page - 1) * limit
        if cursor is not None:
            start = _LISTING.position(key, cursor, [words])
            page, passed = start.page, 0
        rows = await self._database.reads.fetch(
            _SQL["best"],
            *newest_with_keys(Filters(search=words), viewer, until=start.newest),
            *(start.rank, start.id, limit + 1, passed),
        )
        total, newest = rows[0]["total"], rows[0]["newest"]
        rows = [row for row in rows if row["id"] is not None]
        has_more = len(rows) > limit
        rows = rows[:limit]
        after = None
        if has_more:
            position = _Position(newest, rows[-1]["rank"], rows[-1]["id"], page + 1)
            after = _LISTING.cursor(key, position, [words])
        return Page(
            items=[post_of(row) for row in rows],
            total=total,
            page=page,
            limit=limit,
            has_more=has_more,
            next_cursor=after,
        )
