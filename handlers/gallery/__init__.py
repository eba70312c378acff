"""The gallery: creators share what they made; others like, comment and follow."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from handlers.domain import Command, Domain, Job, Relay, Topic, Wish
from handlers.gallery.operations import OPERATIONS
from store.gallery import Gallery
from store.gallery.audit import CHECKS
from store.gallery.events import (
    COMMENT_CREATED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    FEED_POST_CREATED,
    POST_CREATED,
    POST_DELETED,
    POST_FEATURED,
    POST_HIDDEN,
    POST_LIKED,
    POST_UNLIKED,
    POST_UPDATED,
    POST_VIEWED,
    PRESENCE_CHANGED,
    TRENDING_REFRESHED,
    USER_FOLLOWED,
    USER_UNFOLLOWED,
    PostWritten,
)
from store.gallery.views import UPKEEP

SETTLE_EVERY = timedelta(seconds=2)
"""So what is written past the gateway is on the screens within 3 seconds."""
STAND_EVERY = timedelta(seconds=2)
"""So `most_liked` follows the likes within 3 seconds."""

__all__ = ["DOMAIN"]

STATUSES: Mapping[str, int] = {
    "COMMUNITY_POST_NOT_FOUND": 404,
    "COMMUNITY_COMMENT_NOT_FOUND": 404,
    "COMMUNITY_USER_NOT_FOUND": 404,
    "COMMUNITY_ASSET_NOT_OWNED": 403,
    "COMMUNITY_POST_NOT_OWNED": 403,
    "COMMUNITY_COMMENT_NOT_OWNED": 403,
    "COMMUNITY_EDIT_WINDOW_EXPIRED": 403,
    "COMMUNITY_USER_BANNED": 403,
    "COMMUNITY_ALREADY_SHARED": 409,
    "COMMUNITY_ALREADY_REPORTED": 409,
    "COMMUNITY_REPORT_ALREADY_REVIEWED": 409,
    "COMMUNITY_SELF_FOLLOW": 422,
    "COMMUNITY_INVALID_TAG": 422,
    "COMMUNITY_TOO_MANY_TAGS": 422,
}


async def _may_see_posts(store: Gallery, wishes: Sequence[Wish]) -> list[bool]:
    ids = [_post_id(name) for _, (name,) in wishes]
    asked = [
        (post_id, actor.viewer)
        for post_id, (actor, _) in zip(ids, wishes, strict=True)
        if post_id is not None
    ]
    pairs = list(dict.fromkeys(asked))  # a room full of visitors is one question
    visible = dict(zip(pairs, await store.posts.may_see(pairs), strict=True))
    return [
        post_id is not None and visible[post_id, actor.viewer]
        for post_id, (actor, _) in zip(ids, wishes, strict=True)
    ]


def _post_id(name: str) -> UUID | None:
    """One spelling a topic: the canonical one, which is what entries are told on."""
    try:
        post_id = UUID(name)
    except ValueError:
        return None
    return post_id if str(post_id) == name else None


async def _everybody(store: Gallery, wishes: Sequence[Wish]) -> list[bool]:
    return [True] * len(wishes)


async def _followers(
    store: Gallery, created: Sequence[PostWritten], connected: Sequence[UUID]
) -> list[set[UUID]]:
    ids = [each.post.id for each in created]
    told = await store.follows.followers_of_authors(ids, connected)
    return [told[post_id] for post_id in ids]


async def _keep_trending_fresh(store: Gallery) -> None:
    await store.trending.keep_fresh()


async def _anything_from_outside(store: Gallery) -> bool:
    return await store.outside.is_waiting()


async def _settle_outside(store: Gallery) -> None:
    await store.outside.settle()


async def _standings_are_behind(store: Gallery) -> bool:
    return await store.standings.are_behind()


async def _keep_standings(store: Gallery) -> None:
    await store.standings.follow()


async def _keep_trending_hot(store: Gallery) -> None:
    await store.trending.keep_hot()


async def _refresh_trending(store: Gallery) -> str:
    await store.trending.refresh()
    return "The trending lists begin anew."


async def _forget_views(store: Gallery) -> None:
    await store.views.forget()


DOMAIN = Domain(
    name="gallery",
    base="/api/v1/community",
    store=Gallery,
    operations=OPERATIONS,
    topics=(
        Topic(
            "post:{id}",
            _may_see_posts,
            excluding=(POST_HIDDEN, POST_DELETED),
            presence=PRESENCE_CHANGED,
        ),
        Topic("gallery", _everybody),
    ),
    events={
        "post:{id}": (
            POST_LIKED,
            POST_UNLIKED,
            POST_VIEWED,
            PRESENCE_CHANGED,
            COMMENT_CREATED,
            COMMENT_UPDATED,
            COMMENT_DELETED,
            POST_UPDATED,
            POST_HIDDEN,
            POST_DELETED,
        ),
        "gallery": (
            POST_CREATED,
            POST_UPDATED,
            POST_FEATURED,
            POST_HIDDEN,
            POST_DELETED,
            TRENDING_REFRESHED,
        ),
        "user:{id}": (USER_FOLLOWED, USER_UNFOLLOWED, FEED_POST_CREATED),
    },
    relays=(Relay("gallery", POST_CREATED, FEED_POST_CREATED, _followers),),
    jobs=(
        Job("gallery:trending", timedelta(minutes=1), _keep_trending_fresh),
        Job("gallery:trending-hot", timedelta(minutes=1), _keep_trending_hot),
        Job("gallery:standings", STAND_EVERY, _keep_standings, wanted=_standings_are_behind),
        Job("gallery:views", UPKEEP, _forget_views),
        Job("gallery:outside", SETTLE_EVERY, _settle_outside, wanted=_anything_from_outside),
    ),
    checks=CHECKS,
    commands=(Command("trending refresh", "Rank all posts anew, now.", _refresh_trending),),
    statuses=STATUSES,
)
