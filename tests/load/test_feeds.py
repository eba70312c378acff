"""The generated gallery, and what `make bench-feeds` makes of its lists."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from load.feeds.cases import CASES, lists
from load.feeds.generator import generate
from load.feeds.measuring import Result, Series, measure, samples
from load.feeds.plans import explain, sequential
from load.feeds.table import markdown
from load.feeds.watching import Watched
from store.database import Database, open_database
from store.gallery import Gallery
from store.gallery.feed import Order
from store.gallery.passing import NO_FILTERS
from store.viewer import Viewer
from tests.servers import FreshDatabase
from tests.store.audit import assert_sound

SCALE = 0.003

TABLES = (
    "users", "assets", "community_posts", "community_likes", "community_comments", "community_follows",
    "community_reports", "community_user_stats", "notifications", "post_standings", "post_tag_pairs", "post_tags",
    "topics",
)  # fmt: skip

BY_THE_CLOCK = "(('community_user_stats'::regclass, 'created_at'), ('community_user_stats'::regclass, 'updated_at'))"


@pytest.fixture(scope="module")
async def generated(fresh_database: FreshDatabase, superuser_url: str) -> AsyncIterator[Database]:
    """3,000 posts and all that belongs to them."""
    url = await fresh_database()
    await generate(_superuser(superuser_url, url), scale=SCALE)
    async with open_database(url, connections=2) as database:
        yield database


def _superuser(superuser_url: str, url: str) -> str:
    return urlsplit(superuser_url)._replace(path=urlsplit(url).path).geturl()


async def number(database: Database, query: str) -> Any:
    row = await database.fetchrow(query)
    assert row is not None
    return row[0]


async def test_a_generated_gallery_is_sound(generated: Database) -> None:
    """The audit finds nothing: its counters, statistics and notifications are those of its rows."""
    await assert_sound(generated)


async def test_generated_tags_are_those_that_triggers_would_make(generated: Database) -> None:
    """Tag by tag, pair by pair, and every standing."""
    for table, query in (
        ("post_tags", "select unnest(tags), created_at, id, user_id, asset_type, is_hidden"),
        (
            "post_tag_pairs",
            "select tag_pairs(tags), created_at, id, user_id, asset_type, is_hidden",
        ),
        (
            "post_standings",
            "select id, unnest(array_prepend('', tags)), user_id, asset_type, like_count, is_hidden",
        ),
    ):
        made = f"{query} from community_posts"
        for one, other in ((made, f"table {table}"), (f"table {table}", made)):
            assert await number(generated, f"select count(*) from ({one} except {other}) as x") == 0  # noqa: S608


async def test_a_generated_gallery_is_as_large_as_said(generated: Database) -> None:
    """Ten likes a post, and about as many follows as posts; the star stands out, and so does the fan."""
    assert await number(generated, "select count(*) from community_posts") == 3_000
    assert await number(generated, "select count(*) from users") == 600
    assert 20_000 < await number(generated, "select count(*) from community_likes") < 40_000
    assert 2_000 < await number(generated, "select count(*) from community_follows") < 4_000
    star = await number(
        generated, "select follower_count from community_user_stats order by 1 desc limit 1"
    )
    assert star >= 300


async def test_what_was_put_aside_is_there_again(
    generated: Database, fresh_database: FreshDatabase
) -> None:
    """A generated database has every index and every constraint of an empty one."""
    query = (
        "select count(*), string_agg(indexdef, ';' order by indexdef) from pg_indexes"
        " where schemaname = 'public' and tablename not like 'events%'"
    )
    async with open_database(await fresh_database(), connections=1) as empty:
        (theirs,), (ours,) = await empty.fetch(query), await generated.fetch(query)
    assert tuple(ours) == tuple(theirs)


async def test_the_same_seed_gives_the_same_gallery(
    fresh_database: FreshDatabase, superuser_url: str
) -> None:
    """Row for row, in every table; another seed gives another one."""

    async def made(seed: int) -> dict[str, Any]:
        url = await fresh_database()
        await generate(_superuser(superuser_url, url), scale=0.002, seed=seed)
        async with open_database(url, connections=1) as database:
            columns = {
                table: await number(
                    database,
                    "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"  # noqa: S608
                    f" where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped"
                    f" and (attrelid, attname) not in {BY_THE_CLOCK}",
                )
                for table in TABLES
            }
            return {
                table: await number(
                    database,
                    f"select md5(string_agg(md5(row({listed})::text), '' order by md5(row({listed})::text)))"  # noqa: S608
                    f" from {table}",
                )
                for table, listed in columns.items()
            }

    first, again, other = await made(1), await made(1), await made(2)
    assert again == first
    assert [table for table in TABLES if other[table] == first[table]] == []


def test_every_list_is_measured() -> None:
    """A new list has a case, or this fails."""
    assert {case.operation for case in CASES} == lists()


async def test_a_deep_page_is_where_walking_gets_to(generated: Database) -> None:
    """Runs begin at a page by its number, and go on by cursor: it is the page that a walk comes to."""
    feed = Gallery(generated).feed
    for order in (Order.RECENT, Order.MOST_LIKED, Order.TRENDING):
        page = await feed.page(order, Viewer(), NO_FILTERS, limit=50)
        for _ in range(30):
            page = await feed.page(order, Viewer(), NO_FILTERS, cursor=page.next_cursor, limit=50)
        there = await feed.page(order, Viewer(), NO_FILTERS, page=31, limit=50)
        assert there.items == page.items
        assert there.next_cursor == page.next_cursor


@pytest.mark.parametrize(
    "title", ["post:page recent; any tags", "post:page_liked", "comment:page", "report:page status"]
)
async def test_a_case_is_measured(generated: Database, title: str) -> None:
    """Each reader, each page size, first page and deep ones; its totals are no part of that."""
    (case,) = (each for each in CASES if each.title == title)
    result = await measure(Watched(generated), case, await samples(generated), runs=2)
    assert {(depth, size) for _, depth, size in result.series} == {
        (depth, size) for depth in ("first", "deep") for size in (20, 50)
    }
    assert all(series.milliseconds and series.at(0.0) > 0 for series in result.series.values())
    assert result.blocks > 0


async def test_a_table_that_is_read_from_end_to_end_is_named(generated: Database) -> None:
    """If it is read at all."""
    query = "select count(*) from community_posts where title = $1::text"
    for mode in ("force_generic_plan", "force_custom_plan"):
        plan = await explain(generated, query, ("it's",), mode)
        assert sequential(plan) == ["community_posts"]


def test_what_is_not_as_it_should_be_is_said() -> None:
    """Too slow, dearer with depth, or read from end to end; what is quick anyway is not compared."""

    def result(first: float, deep: float, **more: Any) -> Result:
        series = {
            ("user", "first", 20): Series([first]),
            ("user", "deep", 20): Series([deep], 1000, [first]),
            ("user", "first", 50): Series([first]),
            ("user", "deep", 50): Series([deep], 400, [first]),
        }
        return Result(CASES[0], series, **more)

    assert result(3.0, 6.0).failures == []
    assert result(0.1, 0.9).failures == []
    assert result(3.0, 6.5).failures == ["2.2 ×"]
    assert result(9.0, 11.0).failures == ["p99 11.0 ms"]
    larger = {("user", "first", 20): Series([3.0]), ("user", "first", 50): Series([6.5])}
    assert Result(CASES[0], larger).failures == ["2.2 ×"]
    scanned = result(1.0, 1.0, scanned={"gallery/feed.recent": {"users"}})
    assert scanned.failures == ["gallery/feed.recent reads all of users"]
    assert (
        markdown([scanned])
        .splitlines()[-1]
        .endswith("**gallery/feed.recent reads all of users** |")
    )
    assert (
        markdown([result(3.0, 6.0)])
        .splitlines()[-1]
        .endswith("| 1,000 | 6.0 / 6.0 | 2.0 × | 0 |  | met |")
    )
