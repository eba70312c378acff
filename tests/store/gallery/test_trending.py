"""Trending is a snapshot: taken in turns, in the order of the score, and kept for those who walk it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.database import Database, open_database
from store.gallery import Gallery
from store.gallery.feed import Order
from store.gallery.passing import NO_FILTERS, Filters
from store.gallery.shapes import Post
from store.gallery.trending import BEST, HOT_WAIT, wait_after
from store.gallery.views import View
from store.journal import Entry
from store.viewer import Viewer
from tests.servers import FreshDatabase
from tests.store.people import People
from tests.store.refused import refused

VISITOR = Viewer()


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A database for each test: a snapshot holds everything that there is."""
    async with open_database(await fresh_database(), connections=8) as database:
        yield database


async def trending(
    gallery: Gallery, filters: Filters = NO_FILTERS, **how: Any
) -> tuple[list[str], str | None]:
    page = await gallery.feed.page(Order.TRENDING, VISITOR, filters, **how)
    return [post.title for post in page.items], page.next_cursor


async def snapshots(database: Database) -> int:
    return len(await database.fetch("select id from trending_snapshots"))


async def are_old(database: Database, age: timedelta) -> None:
    """All snapshots were taken so much earlier."""
    await database.fetch(
        "update trending_snapshots set created_at = created_at - $1::interval", age
    )


async def stands(
    database: Database, post: Post, hours: float, likes: int, comments: int, views: int, star: bool
) -> None:
    await database.fetch(
        "update community_posts set created_at = now() - $2 * interval '1 hour', like_count = $3, "
        "comment_count = $4, view_count = $5, is_featured = $6 where id = $1",
        *(post.id, hours, likes, comments, views, star),
    )


async def test_a_snapshot_is_in_the_order_of_the_score(people: People, database: Database) -> None:
    """As Python's arithmetic has it: likes, comments, views, age and the featured bonus all count."""
    ada = await people.person("Ada")
    stood = [
        (hours, likes, comments, views, star)
        for hours in (0.0, 1.5, 48.0)
        for likes, comments, views in ((0, 0, 0), (4, 0, 10), (1, 3, 0), (40, 9, 1000))
        for star in (False, True)
    ]
    scores = {}
    for number, (hours, likes, comments, views, star) in enumerate(stood):
        post = await ada.shares(f"{number}")
        await stands(database, post, hours, likes, comments, views, star)
        score = (likes + 2 * comments + 0.1 * views) / (hours + 2) ** 1.5 * (1.5 if star else 1)
        scores[f"{number}"] = score
    found, _ = await trending(people.gallery, limit=50)
    assert set(found) == set(scores)
    expected = [scores[title] for title in found]
    assert expected == sorted(expected, reverse=True)
    rows = await database.fetch(
        "select post.title, entry.score from trending_entries as entry "
        "join community_posts as post on post.id = entry.post_id"
    )
    for row in rows:
        assert row["score"] == pytest.approx(scores[row["title"]], rel=1e-3)


async def test_a_new_gallery_trends_at_once(people: People, database: Database) -> None:
    """Without posts there is nothing to take; the first one is there when somebody looks."""
    assert await trending(people.gallery) == ([], None)
    assert await snapshots(database) == 0
    ada = await people.person("Ada")
    await ada.shares("first")
    assert await trending(people.gallery) == (["first"], None)
    assert await snapshots(database) == 1


async def test_those_who_look_first_share_one_pass(people: People, database: Database) -> None:
    """However many nodes find no snapshot at the same moment."""
    ada = await people.person("Ada")
    await ada.shares("first")
    nodes = [Gallery(database) for _ in range(6)]
    assert await asyncio.gather(*map(trending, nodes)) == [(["first"], None)] * 6
    assert await snapshots(database) == 1


async def test_a_pass_is_due_when_the_snapshot_is_old(people: People, database: Database) -> None:
    """A small gallery's after a minute: until then new posts wait, and the clock does nothing."""
    gallery = people.gallery
    ada = await people.person("Ada")
    await ada.shares("first")
    await gallery.trending.keep_fresh()
    await ada.shares("second")
    await are_old(database, timedelta(seconds=50))
    await gallery.trending.keep_fresh()
    assert (await trending(gallery))[0] == ["first"]
    await are_old(database, timedelta(seconds=10))
    await gallery.trending.keep_fresh()
    assert sorted((await trending(gallery))[0]) == ["first", "second"]
    assert await snapshots(database) == 2


@given(st.integers(1, BEST))
def test_a_snapshot_is_good_for_a_minute_to_an_hour(size: int) -> None:
    """The larger, the longer, so that passes write a bounded number of entries in any time."""
    wait = wait_after(size)
    assert timedelta(minutes=1) <= wait <= timedelta(hours=1)
    assert size / wait.total_seconds() <= 1_000 / 60 + 1e-6
    assert wait_after(size) <= wait_after(size + 1)


async def test_between_whole_passes_what_is_hot_is_ranked(
    people: People, database: Database
) -> None:
    """Whatever was liked, commented on, viewed, featured or shared since; the rest keeps its place."""
    ada, ben = await people.crowd("Ada", "Ben")
    trending_ = people.gallery.trending
    names = ["still", "liked", "discussed", "viewed", "featured", "hidden", "gone"]
    posts = {name: await ada.shares(name) for name in names}
    for post in posts.values():
        await stands(database, post, 100, 1, 0, 0, False)
    await stands(database, posts["still"], 1, 50, 0, 0, False)
    await trending_.refresh()
    await trending(people.gallery)  # from here on only the clock takes snapshots
    await trending_.keep_hot()
    assert await snapshots(database) == 1
    # These happen where no pass looks: not in the journal, and not in the newest snapshot.
    await database.fetch("delete from trending_entries where post_id <> $1", posts["still"].id)
    await are_old(database, HOT_WAIT)
    await ben.likes(posts["liked"])
    await ben.comments(posts["discussed"])
    await people.gallery.views.settle([View(posts["viewed"].id, ben.viewer, "")])
    moderator = (await people.person("Mo", moderates=True)).viewer
    await people.gallery.moderation.feature(posts["featured"].id, moderator, featured=True)
    for name in ("hidden", "gone"):
        await ben.likes(posts[name])
    await people.hide(posts["hidden"])
    await ada.removes(posts["gone"])
    await ben.shares("new")
    await trending_.keep_hot()
    assert await snapshots(database) == 2
    titles, _ = await trending(people.gallery)
    assert titles[0] == "still"
    assert sorted(titles) == ["discussed", "featured", "liked", "new", "still", "viewed"]
    await trending_.keep_hot()
    assert await snapshots(database) == 2


async def test_a_hot_pass_does_not_put_off_a_whole_one(people: People, database: Database) -> None:
    """It is due by the age of the last whole one; and there is no hot one without it."""
    ada = await people.person("Ada")
    await ada.shares()
    trending_ = people.gallery.trending
    await trending_.keep_hot()
    assert await snapshots(database) == 0
    await trending_.refresh()
    await are_old(database, HOT_WAIT)
    await trending_.keep_hot()
    await trending_.keep_fresh()
    rows = await database.fetch("select is_whole from trending_snapshots order by created_at")
    assert [row["is_whole"] for row in rows] == [True, False, True]


@pytest.mark.parametrize(
    "filters",
    [NO_FILTERS, Filters(asset_type="overlay"), Filters(any_tags=("fox",))],
    ids=["all", "of a type", "tagged"],
)
async def test_walking_trending_walks_one_snapshot(
    people: People, database: Database, filters: Filters
) -> None:
    """Whatever is liked, shared and taken anew meanwhile, each post comes exactly once, in its old order."""
    ada = await people.person("Ada")
    posts = [await ada.shares(f"{number}", tags=("fox",)) for number in range(12)]
    for place, post in enumerate(posts):
        await stands(database, post, 1, place * 10, 0, 0, star=False)
    found, cursor = await trending(people.gallery, filters, limit=3)
    while cursor is not None:
        await stands(database, posts[0], 0, len(found) * 1000, 0, 0, star=True)
        await ada.shares("later", tags=("fox",))
        await people.gallery.trending.refresh()
        more, cursor = await trending(people.gallery, filters, limit=3, cursor=cursor)
        found += more
    assert found == [str(number) for number in reversed(range(12))]
    assert (await trending(people.gallery, filters, limit=1))[0] == ["0"]


async def test_what_is_hidden_or_deleted_drops_out(people: People, database: Database) -> None:
    """Of a snapshot that is being walked; all others still come."""
    ada = await people.person("Ada")
    posts = [await ada.shares(f"{number}") for number in range(6)]
    for place, post in enumerate(posts):
        await stands(database, post, 1, place, 0, 0, star=False)
    found, cursor = await trending(people.gallery, limit=2)
    await people.hide(posts[1])
    await database.fetch("delete from community_posts where id = $1", posts[2].id)
    more, cursor = await trending(people.gallery, limit=4, cursor=cursor)
    assert (found + more, cursor) == (["5", "4", "3", "0"], None)


async def test_a_snapshot_is_kept_for_a_day(people: People, database: Database) -> None:
    """Then its cursors are stale, and say so; the newest is kept however old it is."""
    ada = await people.person("Ada")
    for number in range(3):
        await ada.shares(f"{number}")
    _, cursor = await trending(people.gallery, limit=2)
    await are_old(database, timedelta(hours=23))
    await people.gallery.trending.refresh()
    assert len((await trending(people.gallery, limit=2, cursor=cursor))[0]) == 1
    await are_old(database, timedelta(hours=2))
    await people.gallery.trending.refresh()
    with refused("INVALID_CURSOR"):
        await trending(people.gallery, limit=2, cursor=cursor)
    assert await snapshots(database) == 2
    left = await database.fetch("select distinct snapshot_id from trending_entries")
    assert len(left) == 2
    await are_old(database, timedelta(days=3))
    assert len((await trending(people.gallery))[0]) == 3


async def test_the_end_of_a_walk_is_no_stale_cursor(people: People, database: Database) -> None:
    """Where all that was left has been hidden, the page is empty."""
    ada = await people.person("Ada")
    posts = [await ada.shares(f"{number}") for number in range(2)]
    found, cursor = await trending(people.gallery, limit=1)
    await people.hide(posts[1 - int(found[0])])
    assert await trending(people.gallery, limit=1, cursor=cursor) == ([], None)


async def test_a_pass_is_told_to_the_gallery(people: People, published: list[Entry]) -> None:
    """As a state: who comes late needs the newest only."""
    ada = await people.person("Ada")
    await ada.shares()
    before = datetime.now(UTC)
    await people.gallery.trending.refresh()
    entry = published[-1]
    assert (entry.topic, entry.type, entry.key) == ("gallery", "trending:refreshed", "trending")
    told = json.loads(entry.data or b"")
    assert told["posts"] == 1
    assert datetime.fromisoformat(told["refreshed_at"]) >= before - timedelta(seconds=1)
