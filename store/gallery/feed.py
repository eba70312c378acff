"""Pages of posts: by order and filters, each page in one query, or in two.

What a cursor promises while others write: walking `recent`, `following` and `trending` shows every post
that was there at the beginning exactly once (a trending cursor walks one snapshot). Walking `most_liked`
does so for posts whose likes do not change meanwhile; a post has its place by its standing (`Standings`), a
moment behind its likes. Whatever is hidden or deleted drops out.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar, Unpack, get_args
from uuid import UUID

import msgspec

from store.cursors import CursorKey, Filter, Listing, Page, invalid_cursor
from store.database import Database
from store.gallery.passing import NO_FILTERS, NOW, Filters, newest_with_keys, passing
from store.gallery.posts import post_of
from store.gallery.shapes import AssetType, Post
from store.gallery.trending import Trending
from store.listing import PAGE_MOST, NewestFirst, Paging
from store.queries import queries
from store.totals import Totals, count
from store.viewer import Viewer

_SQL = queries("gallery/feed")
_PASSING = queries("gallery/passing")

_LAST_ID = UUID(int=2**128 - 1)


class Order(Enum):
    """The orders in which posts are listed. `FOLLOWING` is the newest by those whom the reader follows."""

    RECENT = "recent"
    MOST_LIKED = "most_liked"
    TRENDING = "trending"
    FOLLOWING = "following"


class _Newest(msgspec.Struct, frozen=True, array_like=True):
    """Positions say what the last post of a page was, and the number of the page that follows."""

    created_at: datetime
    id: UUID
    page: int

    @classmethod
    def after(cls, row: Mapping[str, Any], page: int) -> "_Newest":
        return cls(row["created_at"], row["id"], page)


class _MostLiked(msgspec.Struct, frozen=True, array_like=True):
    standing: int
    id: UUID
    page: int

    @classmethod
    def after(cls, row: Mapping[str, Any], page: int) -> "_MostLiked":
        return cls(row["standing"], row["id"], page)


class _Ranked(msgspec.Struct, frozen=True, array_like=True):
    """`snapshot_id` is None at the beginning: whichever is the newest then."""

    snapshot_id: UUID | None
    rank: int
    page: int

    @classmethod
    def after(cls, row: Mapping[str, Any], page: int) -> "_Ranked":
        return cls(row["snapshot_id"], row["rank"], page)


P = TypeVar("P", _Newest, _MostLiked, _Ranked)


@dataclass(frozen=True)
class _Way(Generic[P]):
    """How one order is walked.

    What no index gives in this very order under some filters is found newest first, and `passing` puts it
    into this order.
    """

    listing: Listing[P]
    beginning: P
    passing: str


COUNTED_MOST = 10_000
"""The most posts that pass filters and are counted."""

_NOW = _Newest(*NOW, 1)

_WAYS: Mapping[Order, _Way[Any]] = {
    Order.RECENT: _Way(Listing("posts:recent", _Newest), _NOW, _PASSING["newest_of"]),
    Order.MOST_LIKED: _Way(
        Listing("posts:most_liked", _MostLiked),
        _MostLiked(2**31 - 1, _LAST_ID, 1),
        _PASSING["most_liked_of_keys"],
    ),
    Order.TRENDING: _Way(
        Listing("posts:trending", _Ranked), _Ranked(None, 0, 1), _PASSING["trending_of_keys"]
    ),
    Order.FOLLOWING: _Way(Listing("posts:following", _Newest), _NOW, _PASSING["newest_of"]),
}

_BY_TIME = {Order.RECENT, Order.FOLLOWING}
_PLAIN: Mapping[tuple[Order, str | None], str] = {
    (Order.RECENT, None): _SQL["recent"],
    (Order.RECENT, "asset_type"): _SQL["recent_of_type"],
    (Order.RECENT, "user_id"): _SQL["recent_of_user"],
    (Order.FOLLOWING, None): _SQL["following"],
    (Order.TRENDING, None): _SQL["trending"],
    (Order.TRENDING, "asset_type"): _SQL["trending_of_type"],
}
"""The queries for what one index gives whole pages of, by the one filter or none."""

_TYPES = list(get_args(AssetType))
_ANY_TAG = ("",)
"""Under which every post stands."""
_FEATURED = NewestFirst("featured")


class Feed:
    """All listings of posts."""

    def __init__(self, database: Database, cursor_key: CursorKey, trending: Trending) -> None:
        self._database = database
        self._cursor_key = cursor_key
        self._trending = trending
        self._totals = Totals()

    async def page(
        self,
        order: Order,
        viewer: Viewer,
        filters: Filters = NO_FILTERS,
        *,
        cursor: str | None = None,
        page: int = 1,
        limit: int = 20,
    ) -> Page[Post]:
        """One page: what follows `cursor`, or where there is none the page of that number.

        `total` may be up to a minute old, though never less than what the page shows; it leaves out
        what is hidden unless the reader moderates or asks for their own posts. Raises
        INVALID_CURSOR, also for a trending snapshot no longer kept.
        """
        if limit > PAGE_MOST:
            raise ValueError(f"a page has at most {PAGE_MOST} posts")
        way = _WAYS[order]
        if order is Order.TRENDING:
            await self._trending.begin()
        key = await self._cursor_key.get()
        scope = _scope(order, viewer, filters)
        start = way.beginning
        if cursor is not None:
            start = way.listing.position(key, cursor, scope)
            page = start.page
        passed = 0 if cursor is not None else (page - 1) * limit
        total = self._total(order, viewer, filters)  # counted meanwhile, if at all
        rows = await self._rows(way, order, viewer, filters, start, limit + 1, passed)
        if not rows and cursor is not None and order is Order.TRENDING:
            await self._check_snapshot(start)
        shown = passed + len(rows) if rows else 0
        has_more = len(rows) > limit
        rows = rows[:limit]
        return Page(
            items=[post_of(row) for row in rows],
            total=max(await asyncio.shield(total), shown),
            page=page,
            limit=limit,
            has_more=has_more,
            next_cursor=(
                way.listing.cursor(key, start.after(rows[-1], page + 1), scope)
                if has_more
                else None
            ),
        )

    async def featured(self, viewer: Viewer, **paging: Unpack[Paging]) -> Page[Post]:
        """The featured posts, newest first; `total` may be up to a minute old. Raises INVALID_CURSOR."""
        span = await _FEATURED.span(self._cursor_key, [], **paging)
        total = self._totals.ask(
            ("featured", viewer.moderates),
            lambda: count(self._database.reads, _SQL["count_featured"], viewer.moderates),
        )
        rows = await self._database.reads.fetch(
            _SQL["featured"], viewer.id, viewer.moderates, *span.arguments
        )
        return span.page(rows, post_of, await asyncio.shield(total))

    async def _rows(
        self,
        way: _Way[P],
        order: Order,
        viewer: Viewer,
        filters: Filters,
        start: P,
        count: int,
        passed: int,
    ) -> list[Any]:
        first, second = msgspec.structs.astuple(start)[:2]
        reader = (viewer.id, viewer.moderates)
        ordered = _ordered(order, filters, passed)
        if ordered is not None:
            query, extra = ordered
            return await self._database.reads.fetch(query, *reader, first, second, count, *extra)
        if order in _BY_TIME:
            found = passing(filters, followed=order is Order.FOLLOWING)
            ids = await found.newest(self._database.reads, viewer, (first, second), count, passed)
            return await self._database.reads.fetch(way.passing, *reader, ids)
        newest = newest_with_keys(filters, viewer)
        return await self._database.reads.fetch(way.passing, *newest, first, second, count, passed)

    def _total(self, order: Order, viewer: Viewer, filters: Filters) -> "asyncio.Future[int]":
        own = order is Order.FOLLOWING or filters.user_id == viewer.id
        reader = Viewer(viewer.id if own else None, viewer.moderates)
        if order is Order.MOST_LIKED and _ordered(order, filters) is not None:
            order = Order.RECENT  # the same posts
        return self._totals.ask(
            (order, reader, filters), lambda: self._count(order, reader, filters)
        )

    async def _count(self, order: Order, reader: Viewer, filters: Filters) -> int:
        if order is Order.TRENDING and set(filters.given()) <= {"asset_type"}:
            query, given = _SQL["count_trending"], (reader.id, reader.moderates, filters.asset_type)
            return await count(self._database.reads, query, *given)
        if filters == NO_FILTERS:
            if order is Order.FOLLOWING:
                query = _SQL["count_followed"]
                return await count(self._database.reads, query, reader.id, reader.moderates)
            return await count(self._database.reads, _SQL["count_all"], reader.moderates)
        ordered = _ordered(order, filters)
        if order is Order.TRENDING and ordered is not None:
            query, extra = _SQL["count_trending_listed"], ordered[1]
            start = (reader.id, reader.moderates, None, 0, COUNTED_MOST)
            return await count(self._database.reads, query, *start, *extra)
        if order in _BY_TIME:
            found = passing(filters, followed=order is Order.FOLLOWING)
            return await found.count(self._database.reads, reader, COUNTED_MOST)
        newest = newest_with_keys(filters, reader)
        if order is Order.TRENDING:
            newest = (*newest, None)
            return await count(self._database.reads, _PASSING["count_trending_of_keys"], *newest)
        return await count(self._database.reads, _PASSING["count_newest_of_keys"], *newest)

    async def _check_snapshot(self, start: _Ranked) -> None:
        if start.snapshot_id is None or not await self._trending.is_kept(start.snapshot_id):
            raise invalid_cursor()


def _ordered(order: Order, filters: Filters, passed: int = 0) -> tuple[str, list[Any]] | None:
    """The query that has what passes in this very order, and what it wants to know beside reader and page."""
    filters = filters.simplified()
    if order is Order.MOST_LIKED and filters.search is None and filters.all_tags is None:
        types = _TYPES if filters.asset_type is None else [filters.asset_type]
        wanted = [passed, types, filters.any_tags or _ANY_TAG]
        if filters.user_id is None:
            return _SQL["most_liked"], wanted
        return _SQL["most_liked_of_user"], [*wanted, filters.user_id]
    given: dict[str, Filter] = filters.given()
    plain = _PLAIN.get((order, next(iter(given), None))) if len(given) <= 1 else None
    if order in _BY_TIME:
        return None if plain is None or passed else (plain, list(given.values()))
    if order is Order.TRENDING:
        if plain is not None:
            return plain, [passed, *given.values()]
        if filters.search is None:
            return _SQL["trending_listed"], [passed, *_listed(filters)]
    return None


def _listed(filters: Filters) -> list[Any]:
    """What `listed` wants to know: the asset type; the lists, and a bit for each that a post must have one of; tags."""
    clauses = [[f"tag {tag}" for tag in filters.any_tags or ()]]
    clauses += [[f"tag {tag}"] for tag in filters.all_tags or ()]
    clauses += [[f"user {filters.user_id}"]] if filters.user_id is not None else []
    lists = [(key, 1 << place) for place, keys in enumerate(filter(None, clauses)) for key in keys]
    return [
        filters.asset_type,
        [key for key, _ in lists],
        [bit for _, bit in lists],
        sum({bit for _, bit in lists}),
        filters.any_tags,
        filters.all_tags,
    ]


def _scope(order: Order, viewer: Viewer, filters: Filters) -> tuple[Filter, ...]:
    """What a cursor is bound to beside its order; whom one follows is one's own listing."""
    return (*filters.values(), viewer.id if order is Order.FOLLOWING else None)
