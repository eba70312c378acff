"""What is measured: every list that the domains declare, under every filter that it takes."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from handlers import DOMAINS
from handlers.operation import Operation
from store.cursors import Page
from store.gallery import Gallery
from store.gallery.feed import Order
from store.gallery.passing import Filters
from store.inbox import Inbox
from store.listing import Paging
from store.viewer import Viewer

LIST_MS = 10.0
SEARCH_MS = 50.0
MOST_SUBJECTS = 400

AnyPage = Page[Any]


@dataclass(frozen=True, slots=True)
class Stores:
    """What is asked for pages."""

    gallery: Gallery
    inbox: Inbox


@dataclass(frozen=True, slots=True)
class Samples:
    """Who reads, and what of: the first of each are the hardest."""

    viewers: Sequence[Viewer]
    moderators: Sequence[Viewer]
    creators: Sequence[UUID]
    posts: Sequence[UUID]
    tags: Sequence[str]
    words: Sequence[str]


Ask = Callable[[Stores, Viewer, Any, Paging], Awaitable[AnyPage]]


@dataclass(frozen=True, slots=True)
class Case:
    """One list under one combination of order and filters.

    `subjects` are what it is asked of, one after the other; `most_ms` is what a page may take.
    """

    operation: str
    name: str
    ask: Ask
    subjects: Callable[[Samples], Sequence[Any]]
    readers: str = "viewers"
    visitors: bool = True
    most_ms: float = LIST_MS

    @property
    def title(self) -> str:
        return f"{self.operation} {self.name}".strip()


def lists() -> set[str]:
    """The operations that answer a page of something."""
    return {
        operation.event
        for domain in DOMAINS
        for operation in domain.operations
        if _pages(operation)
    }


def _pages(operation: Operation[Any, Any, Any]) -> bool:
    return {"cursor", "limit"} <= set(operation.command.__struct_fields__)


def _nothing(samples: Samples) -> Sequence[Any]:
    return (None,)


def _feed(order: Order, filters: Callable[[Any], Filters]) -> Ask:
    async def ask(stores: Stores, viewer: Viewer, subject: Any, paging: Paging) -> AnyPage:
        return await stores.gallery.feed.page(order, viewer, filters(subject), **paging)

    return ask


def _any_tags(samples: Samples) -> Sequence[Any]:
    tags = samples.tags
    return [(tag,) for tag in tags] + [tuple(tags[i : i + 3]) for i in range(len(tags) - 3)]


def _all_tags(samples: Samples) -> Sequence[Any]:
    tags = samples.tags
    return [(one, other) for i, one in enumerate(tags) for other in tags[i + 1 : i + 8]]


TYPES = (
    "twitch_offline", "twitch_emote", "youtube_thumbnail", "overlay", "twitch_banner", "twitch_badge",
    "twitch_panel",
)  # fmt: skip


def _types(samples: Samples) -> Sequence[Any]:
    return TYPES


def _creators(samples: Samples) -> Sequence[Any]:
    return samples.creators


def _words(samples: Samples) -> Sequence[Any]:
    return samples.words


def _crossed(
    one: Callable[[Samples], Sequence[Any]], other: Callable[[Samples], Sequence[Any]]
) -> Callable[[Samples], Sequence[Any]]:
    def both(samples: Samples) -> Sequence[Any]:
        firsts, seconds = one(samples), other(samples)
        return [
            (firsts[i % len(firsts)], seconds[(i // len(firsts) + 7 * i) % len(seconds)])
            for i in range(min(len(firsts) * len(seconds), MOST_SUBJECTS))
        ]

    return both


Subjects = Callable[[Samples], Sequence[Any]]
FILTERS: Mapping[str, tuple[Subjects, Callable[[Any], Filters], float]] = {
    "": (_nothing, lambda _: Filters(), LIST_MS),
    "type": (_types, lambda each: Filters(asset_type=each), LIST_MS),
    "user": (_creators, lambda each: Filters(user_id=each), LIST_MS),
    "any tags": (_any_tags, lambda each: Filters(any_tags=each), LIST_MS),
    "words": (_words, lambda each: Filters(search=each), SEARCH_MS),
    "type, any tags": (
        _crossed(_any_tags, _types),
        lambda each: Filters(any_tags=each[0], asset_type=each[1]),
        LIST_MS,
    ),
    "user, type": (
        _crossed(_creators, _types),
        lambda each: Filters(user_id=each[0], asset_type=each[1]),
        LIST_MS,
    ),
    "user, any tags": (
        _crossed(_creators, _any_tags),
        lambda each: Filters(user_id=each[0], any_tags=each[1]),
        LIST_MS,
    ),
    "user, type, any tags": (
        _crossed(_crossed(_creators, _types), _any_tags),
        lambda each: Filters(user_id=each[0][0], asset_type=each[0][1], any_tags=each[1]),
        LIST_MS,
    ),
    "type, words": (
        _crossed(_words, _types),
        lambda each: Filters(search=each[0], asset_type=each[1]),
        SEARCH_MS,
    ),
    "any tags, words": (
        _crossed(_words, _any_tags),
        lambda each: Filters(search=each[0], any_tags=each[1]),
        SEARCH_MS,
    ),
    "user, words": (
        _crossed(_creators, _words),
        lambda each: Filters(user_id=each[0], search=each[1]),
        SEARCH_MS,
    ),
    "type, any tags, words": (
        _crossed(_crossed(_words, _types), _any_tags),
        lambda each: Filters(search=each[0][0], asset_type=each[0][1], any_tags=each[1]),
        SEARCH_MS,
    ),
    "user, type, words": (
        _crossed(_crossed(_creators, _types), _words),
        lambda each: Filters(user_id=each[0][0], asset_type=each[0][1], search=each[1]),
        SEARCH_MS,
    ),
    "user, any tags, words": (
        _crossed(_crossed(_creators, _any_tags), _words),
        lambda each: Filters(user_id=each[0][0], any_tags=each[0][1], search=each[1]),
        SEARCH_MS,
    ),
    "user, type, any tags, words": (
        _crossed(_crossed(_crossed(_creators, _types), _any_tags), _words),
        lambda each: Filters(
            user_id=each[0][0][0], asset_type=each[0][0][1], any_tags=each[0][1], search=each[1]
        ),
        SEARCH_MS,
    ),
}
"""What `post:page` leaves out, in every combination."""

FEED_FILTERS: Mapping[str, tuple[Subjects, Callable[[Any], Filters], float]] = {
    "": (_nothing, lambda _: Filters(), LIST_MS),
    "type": (_types, lambda each: Filters(asset_type=each), LIST_MS),
    "one tag": (lambda samples: samples.tags, lambda each: Filters(all_tags=(each,)), LIST_MS),
    "all tags": (_all_tags, lambda each: Filters(all_tags=each), LIST_MS),
    "type, all tags": (
        _crossed(_all_tags, _types),
        lambda each: Filters(all_tags=each[0], asset_type=each[1]),
        LIST_MS,
    ),
}


def _cases() -> Iterator[Case]:
    for order in (Order.RECENT, Order.MOST_LIKED, Order.TRENDING):
        for name, (subjects, filters, most) in FILTERS.items():
            said = f"{order.value}" + (f"; {name}" if name else "")
            yield Case("post:page", said, _feed(order, filters), subjects, most_ms=most)
    for order in (Order.RECENT, Order.TRENDING, Order.FOLLOWING):
        for name, (subjects, filters, most) in FEED_FILTERS.items():
            said = f"{order.value}" + (f"; {name}" if name else "")
            yield Case(
                "feed:page",
                said,
                _feed(order, filters),
                subjects,
                visitors=order is not Order.FOLLOWING,
                most_ms=most,
            )
    yield Case("post:page_featured", "", _featured, _nothing)
    yield Case("post:page_trending", "", _feed(Order.TRENDING, lambda _: Filters()), _nothing)
    yield Case(
        "post:page_trending",
        "type",
        _feed(Order.TRENDING, lambda each: Filters(asset_type=each)),
        _types,
    )
    yield Case("post:search", "", _search, _words, most_ms=SEARCH_MS)
    yield Case("post:page_mine", "", _mine, _nothing, readers="creators", visitors=False)
    yield Case("post:page_liked", "", _liked, _nothing, visitors=False)
    yield Case(
        "post:page_following",
        "",
        _feed(Order.FOLLOWING, lambda _: Filters()),
        _nothing,
        visitors=False,
    )
    yield Case(
        "post:page_of_user", "", _feed(Order.RECENT, lambda each: Filters(user_id=each)), _creators
    )
    yield Case("asset:page", "", _assets, _nothing, readers="creators", visitors=False)
    yield Case("user:page_likers", "", _likers, lambda samples: samples.posts)
    yield Case("comment:page", "", _comments, lambda samples: samples.posts)
    yield Case("user:page_followers", "", _followers, _creators)
    yield Case(
        "user:page_following", "", _following, lambda samples: [each.id for each in samples.viewers]
    )
    yield Case(
        "notification:page", "", _notifications, _nothing, readers="creators", visitors=False
    )
    yield Case("report:page", "", _reports, _nothing, readers="moderators", visitors=False)
    yield Case(
        "report:page",
        "status",
        _reports,
        lambda _: ("pending", "reviewed", "dismissed", "actioned"),
        readers="moderators",
        visitors=False,
    )


async def _featured(stores: Stores, viewer: Viewer, _: Any, paging: Paging) -> AnyPage:
    return await stores.gallery.feed.featured(viewer, **paging)


async def _search(stores: Stores, viewer: Viewer, words: str, paging: Paging) -> AnyPage:
    return await stores.gallery.search.page(words, viewer, **paging)


async def _mine(stores: Stores, viewer: Viewer, _: Any, paging: Paging) -> AnyPage:
    return await stores.gallery.feed.page(
        Order.RECENT, viewer, Filters(user_id=viewer.id), **paging
    )


async def _liked(stores: Stores, viewer: Viewer, _: Any, paging: Paging) -> AnyPage:
    return await stores.gallery.likes.liked(viewer, **paging)


async def _assets(stores: Stores, viewer: Viewer, _: Any, paging: Paging) -> AnyPage:
    assert viewer.id is not None
    return await stores.gallery.assets.of_user(viewer.id, **paging)


async def _likers(stores: Stores, viewer: Viewer, post_id: UUID, paging: Paging) -> AnyPage:
    return await stores.gallery.likes.likers(post_id, viewer, **paging)


async def _comments(stores: Stores, viewer: Viewer, post_id: UUID, paging: Paging) -> AnyPage:
    return await stores.gallery.comments.page(post_id, viewer, **paging)


async def _followers(stores: Stores, _: Viewer, user_id: UUID, paging: Paging) -> AnyPage:
    return await stores.gallery.follows.followers(user_id, **paging)


async def _following(stores: Stores, _: Viewer, user_id: UUID, paging: Paging) -> AnyPage:
    return await stores.gallery.follows.following(user_id, **paging)


async def _notifications(stores: Stores, viewer: Viewer, _: Any, paging: Paging) -> AnyPage:
    assert viewer.id is not None
    return await stores.inbox.notifications.page(viewer.id, **paging)


async def _reports(stores: Stores, _: Viewer, status: Any, paging: Paging) -> AnyPage:
    return await stores.gallery.reports.page(status, **paging)


CASES = tuple(_cases())
