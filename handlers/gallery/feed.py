"""Listings of posts: the feed, and posts by order and filter."""

import re
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from handlers.gallery.posts import Tag, clean_tags
from handlers.operation import Call
from handlers.paging import Limit, PageQuery
from handlers.text import clean_text, written
from store.cursors import Page
from store.gallery import Gallery
from store.gallery.feed import Order
from store.gallery.passing import Filters
from store.gallery.shapes import AssetType, Post
from store.refusal import Refusal

SEARCH_MOST = 200
"""Characters that are searched for."""
FILTER_TAGS_MOST = 20
"""Tags of one filter."""

Tags = (
    str
    | Annotated[list[Tag], msgspec.Meta(extra_json_schema={"maxItems": FILTER_TAGS_MOST})]
    | None
)
"""Tags to look for: with commas between, as in a query string, or as a list."""

_MINUS_SIGNS = re.compile(r"(?<!\w)-(?:\W*-)+")
"""One after the other, without a word that they could exclude; PostgreSQL fails at more than 32."""

Search = Annotated[str, written(most=SEARCH_MOST)]


class PostQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Posts in some order. A post has any of `tags`; `search` is over title and description, stemmed."""

    sort: Literal["trending", "recent", "most_liked"] = "recent"
    asset_type: AssetType | None = None
    tags: Tags = None
    user_id: UUID | None = None
    search: Search | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.filters()

    def filters(self) -> Filters:
        """What is asked for. Raises VALIDATION_ERROR and what `clean_tags` raises."""
        return Filters(
            asset_type=self.asset_type,
            any_tags=_tags(self.tags),
            user_id=self.user_id,
            search=_words(self.search or "", "search", least=0) or None,
        )


class FeedQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A feed. A post has all of `tags`; `following` is for those who are signed in."""

    feed_type: Literal["trending", "recent", "following"] = "recent"
    asset_type: AssetType | None = None
    tags: Tags = None
    cursor: str | None = None
    limit: Limit = 20

    def __post_init__(self) -> None:
        self.filters()

    def filters(self) -> Filters:
        """What is asked for. Raises what `clean_tags` raises."""
        return Filters(asset_type=self.asset_type, all_tags=_tags(self.tags))


class FeaturedQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What moderators have put forward."""

    limit: Limit = 10


class TrendingQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trending, of one type or of all."""

    asset_type: AssetType | None = None


class SearchQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Posts by words in title and description, in the language of a web search."""

    q: Annotated[str, written(least=1, most=SEARCH_MOST)]

    def __post_init__(self) -> None:
        super().__post_init__()
        msgspec.structs.force_setattr(self, "q", _words(self.q, "q", least=1))


class UserQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The posts of a user."""

    user_id: UUID


class FeedPage(msgspec.Struct, frozen=True):
    """One page of a feed. `total_count` may be up to a minute old."""

    posts: list[Post]
    total_count: int
    has_more: bool
    next_cursor: str | None


async def page_of_posts(call: Call[Gallery], query: PostQuery) -> Page[Post]:
    """Posts in some order, under some filters."""
    return await call.store.feed.page(
        Order(query.sort), call.actor.viewer, query.filters(), **query.paging
    )


async def page_of_feed(call: Call[Gallery], query: FeedQuery) -> FeedPage:
    """What there is to see, as a feed."""
    order = Order(query.feed_type)
    if order is Order.FOLLOWING and call.actor.id is None:
        raise Refusal("UNAUTHENTICATED", "Sign in to see the posts of those whom you follow.")
    page = await call.store.feed.page(
        order,
        call.actor.viewer,
        query.filters(),
        cursor=query.cursor,
        limit=query.limit,
    )
    return FeedPage(page.items, page.total, page.has_more, page.next_cursor)


async def featured(call: Call[Gallery], query: FeaturedQuery) -> Page[Post]:
    """The featured posts, newest first."""
    return await call.store.feed.featured(call.actor.viewer, **query.paging)


async def trending(call: Call[Gallery], query: TrendingQuery) -> Page[Post]:
    """The posts of the newest snapshot, best first."""
    return await call.store.feed.page(
        Order.TRENDING,
        call.actor.viewer,
        Filters(asset_type=query.asset_type),
        **query.paging,
    )


async def search(call: Call[Gallery], query: SearchQuery) -> Page[Post]:
    """The posts with these words, the best of the newest first."""
    return await call.store.search.page(query.q, call.actor.viewer, **query.paging)


async def mine(call: Call[Gallery], query: PageQuery) -> Page[Post]:
    """The actor's own posts, newest first, the hidden ones too."""
    return await call.store.feed.page(
        Order.RECENT, call.actor.viewer, Filters(user_id=call.actor.user_id), **query.paging
    )


async def following(call: Call[Gallery], query: PageQuery) -> Page[Post]:
    """The newest posts by those whom the actor follows."""
    return await call.store.feed.page(Order.FOLLOWING, call.actor.viewer, **query.paging)


async def of_user(call: Call[Gallery], query: UserQuery) -> Page[Post]:
    """A user's posts, newest first."""
    page = await call.store.feed.page(
        Order.RECENT, call.actor.viewer, Filters(user_id=query.user_id), **query.paging
    )
    if not page.items:
        await call.store.creators.profile(query.user_id, call.actor.viewer)  # is there such a user?
    return page


def _words(text: str, field: str, *, least: int) -> str:
    """What is searched for; of several minus signs in a row one. Raises VALIDATION_ERROR."""
    return _MINUS_SIGNS.sub("-", clean_text(text, field, least=least, most=SEARCH_MOST))


def _tags(tags: Tags) -> tuple[str, ...] | None:
    """The tags in the one order that cursors and totals are kept under; None where there are none."""
    named = tags.split(",") if isinstance(tags, str) else tags or ()
    clean = clean_tags((tag for tag in named if tag.strip()), most=FILTER_TAGS_MOST)
    return tuple(sorted(clean)) or None
