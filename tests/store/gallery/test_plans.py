"""How PostgreSQL reads a page of a large gallery: by index, and as much at any depth."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from load.feeds.plans import MODES, Plan, blocks, explain, sequential
from store.database import Database, open_database
from store.gallery import Gallery
from store.gallery.feed import Order
from store.gallery.passing import RANKED_MOST, Filters, newest_with_keys, passing
from store.gallery.trending import BEST, Trending
from store.ids import new_id
from store.queries import queries
from store.viewer import Viewer
from tests.servers import FreshDatabase

POSTS, FOLLOWED = 40_000, 1_000

LARGE = Path(__file__).with_name("large.sql").read_text(encoding="utf-8")

DEPTHS = ("first", "deep")
FAR, LAST_ID = datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1)
MIDDLE = datetime(2026, 1, 14, tzinfo=UTC)
NEWEST: Mapping[str, tuple[Any, Any]] = {"first": (FAR, LAST_ID), "deep": (MIDDLE, LAST_ID)}
LIKED: Mapping[str, tuple[Any, Any]] = {"first": (2**31 - 1, LAST_ID), "deep": (100, LAST_ID)}
RANKED: Mapping[str, tuple[Any, Any]] = {"first": (None, 0), "deep": (None, 20_000)}

SOMEBODY = UUID(hashlib.md5(b"user4", usedforsecurity=False).hexdigest())
TYPES = ["overlay", "twitch_badge", "twitch_emote", "twitch_panel"]
PAGES: Mapping[str, tuple[Mapping[str, tuple[Any, Any]], tuple[Any, ...]]] = {
    "recent": (NEWEST, ()),
    "recent_of_type": (NEWEST, ("overlay",)),
    "recent_of_user": (NEWEST, ("$me",)),
    "most_liked": (LIKED, (0, TYPES, [""])),
    "most_liked, of many tags": (LIKED, (0, TYPES, ["common1", "rare77", "some3"])),
    "most_liked, of a tag and type": (LIKED, (0, ["overlay"], ["common1"])),
    "most_liked_of_user": (LIKED, (0, TYPES, [""], SOMEBODY)),
    "trending": (RANKED, (0,)),
    "trending_of_type": (RANKED, (0, "overlay")),
    "trending_listed, of tags": (
        RANKED,
        (0, None, ["tag common1", "tag some3"], [1, 1], 1, ["common1", "some3"], None),
    ),
    "trending_listed, of two tags and a type": (
        RANKED,
        (0, "twitch_panel", ["tag common1", "tag some11"], [1, 2], 3, None, ["common1", "some11"]),
    ),
    "following": (NEWEST, ()),
}
"""Each query, with what tells its cases apart; where it starts, and its arguments beside reader and page."""

KEYED: Mapping[str, Filters] = {
    "of common words": Filters(search="foxes"),
    "of rare words": Filters(asset_type="overlay", search="picture 777"),
    "of a phrase": Filters(search='"picture 777"'),
    "of words that are not wanted": Filters(search="-777"),
    "of a user and common words": Filters(user_id=SOMEBODY, search="foxes"),
    "of a tag and common words": Filters(any_tags=("common1",), search="foxes"),
    "of tags, a type and common words": Filters(
        any_tags=("common1", "common2", "rare77"), asset_type="overlay", search="foxes"
    ),
    "of a user and all of some tags": Filters(all_tags=("common1", "some11"), user_id=SOMEBODY),
}
PASSING: Mapping[str, tuple[Filters, bool]] = {
    "of all": (Filters(), False),
    "of a type": (Filters(asset_type="overlay"), False),
    "of a common tag": (Filters(any_tags=("common1",)), False),
    "of a rare tag": (Filters(any_tags=("rare77",)), False),
    "of many tags": (Filters(any_tags=("common1", "common2", "rare77", "some3")), False),
    "of a tag and type": (Filters(any_tags=("common1",), asset_type="overlay"), False),
    "of a tag that no post of the type has": (
        Filters(any_tags=("some1",), asset_type="overlay"),
        False,
    ),
    "of tags that stand together": (Filters(all_tags=("common1", "some11")), False),
    "of tags that never stand together": (Filters(all_tags=("some1", "some2")), False),
    "of three tags": (Filters(all_tags=("common1", "rare11", "some11")), False),
    "of tags and a type": (
        Filters(all_tags=("common1", "some11"), asset_type="twitch_panel"),
        False,
    ),
    "of a user": (Filters(user_id=SOMEBODY), False),
    "of a user and type": (Filters(user_id=SOMEBODY, asset_type="overlay"), False),
    "of a user and tag": (Filters(user_id=SOMEBODY, any_tags=("common1",)), False),
    "of a user, tag and type": (
        Filters(user_id=SOMEBODY, any_tags=("common1",), asset_type="overlay"),
        False,
    ),
    "of those one follows": (Filters(), True),
    "of a type by those one follows": (Filters(asset_type="overlay"), True),
    "of a tag by those one follows": (Filters(all_tags=("common1",)), True),
    "of tags by those one follows": (Filters(all_tags=("common1", "some11")), True),
}

LIKER, STAR = (
    UUID(hashlib.md5(name, usedforsecurity=False).hexdigest()) for name in (b"user1", b"user2")
)
LIKED_BY_ALL = UUID(hashlib.md5(b"post77", usedforsecurity=False).hexdigest())
LISTS: Mapping[tuple[str, str], tuple[tuple[Any, ...], int]] = {
    ("feed", "featured"): ((LIKER, False), 800),
    ("likes", "liked"): ((LIKER, False), 800),
    ("likes", "likers"): ((LIKED_BY_ALL, LIKER, False), 300),
    ("follows", "followers"): ((STAR,), 300),
    ("follows", "following"): ((LIKER,), 300),
    ("assets", "of_user"): ((STAR,), 100),
}
"""Each with the arguments before the position, and the most blocks that a page may cost."""


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A generated gallery, with a snapshot of what is trending."""
    url = await fresh_database()
    async with open_database(url, connections=2, command_seconds=60) as database:
        row = await database.fetchrow("select pg_get_indexdef('posts_found'::regclass) as found")
        assert row is not None
        await database.execute("drop index posts_found")  # it is built faster at the end
        for statement in LARGE.split("\n\n"):
            await database.execute(statement)
        await database.execute(row["found"])
        await Trending(database).refresh()
        await database.execute("vacuum")
        yield database


@pytest.fixture(scope="module")
async def me(database: Database) -> UUID:
    """Somebody who follows 1,000 creators."""
    row = await database.fetchrow("select md5('user1')::uuid as id")
    assert row is not None
    user_id: UUID = row["id"]
    return user_id


async def plan(
    database: Database, name: str, arguments: tuple[Any, ...], mode: str, file: str = "feed"
) -> Plan:
    """How the query is carried out."""
    return await explain(database, queries(f"gallery/{file}")[name], arguments, mode)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("mode", MODES)
async def test_a_page_is_read_by_index_at_any_depth(
    database: Database, me: UUID, name: str, mode: str
) -> None:
    """Each of its posts costs a few blocks, no matter how deep; following, so does each creator."""
    starts, more = PAGES[name]
    extra = tuple(me if value == "$me" else value for value in more)
    for depth in DEPTHS:
        query = name.partition(",")[0]
        explained = await plan(database, query, (me, False, *starts[depth], 21, *extra), mode)
        assert explained["Plan"]["Actual Rows"] > 0, depth
        assert sequential(explained) == [], depth
        most = FOLLOWED * 6 + 1_500 if name == "following" else 900
        assert blocks(explained) <= most, depth


@pytest.mark.parametrize(("file", "name"), LISTS)
@pytest.mark.parametrize("mode", MODES)
async def test_a_list_is_read_by_index_at_any_depth(
    database: Database, file: str, name: str, mode: str
) -> None:
    """Whoever reads: one who likes half of the gallery, and whom all follow, costs a page no more."""
    before, most = LISTS[file, name]
    for depth, start in NEWEST.items():
        explained = await plan(database, name, (*before, *start, 6, 0), mode, file)
        assert explained["Plan"]["Actual Rows"] == 6, depth
        assert [table for table in sequential(explained) if table != "users"] == [], depth
        assert blocks(explained) <= most, depth


@pytest.mark.parametrize("words", ["fox", "picture 777", "777", "fox -777", "nothing"])
@pytest.mark.parametrize("mode", MODES)
async def test_a_search_is_read_by_index(
    database: Database, me: UUID, words: str, mode: str
) -> None:
    """It reads the posts that it ranks, and little else."""
    newest = newest_with_keys(Filters(search=words), Viewer(me))
    arguments = (*newest, "infinity", LAST_ID, 21, 0)
    explained = await plan(database, "best", arguments, mode, "search")
    assert sequential(explained) == []
    assert blocks(explained) <= 2_000


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("mode", MODES)
async def test_what_passes_is_found_by_index_at_any_depth(
    database: Database, me: UUID, name: str, mode: str
) -> None:
    """As many blocks for the rarest as for the commonest; by those whom one follows, a few for each of them."""
    filters, followed = PASSING[name]
    found = passing(filters, followed=followed)
    for depth, start in NEWEST.items():
        arguments = (me, False, *found.given, *start, 21, 0, *found.more)
        explained = await explain(database, found.query, arguments, mode)
        assert sequential(explained) == [], depth
        assert blocks(explained) <= (FOLLOWED * 8 + 1_500 if followed else 600), depth
    counted = (None, False, *found.given, *NEWEST["first"], 10_000, 0, *found.more)
    if not followed:
        explained = await explain(database, found.count_query, counted, mode)
        assert sequential(explained) == []


@pytest.mark.parametrize("mode", MODES)
async def test_what_was_found_is_read_by_index(database: Database, me: UUID, mode: str) -> None:
    """Each post costs a few blocks."""
    rows = await database.fetch("select id from community_posts order by created_at desc limit 21")
    arguments = (me, False, [row["id"] for row in rows])
    explained = await plan(database, "newest_of", arguments, mode, "passing")
    assert explained["Plan"]["Actual Rows"] >= 20
    assert [table for table in sequential(explained) if table != "users"] == []
    assert blocks(explained) <= 21 * 8 + 600


@pytest.mark.parametrize(
    ("name", "starts"), [("most_liked_of_keys", LIKED), ("trending_of_keys", RANKED)]
)
@pytest.mark.parametrize("mode", MODES)
async def test_what_has_words_is_put_into_order_by_index(
    database: Database, me: UUID, name: str, starts: Mapping[str, tuple[Any, Any]], mode: str
) -> None:
    """Of the newest thousand each costs a few blocks."""
    for filters in (Filters(search="foxes"), Filters(search="777", asset_type="twitch_badge")):
        newest = newest_with_keys(filters, Viewer(me))
        arguments = (*newest, *starts["first"], 21, 0)
        explained = await plan(database, name, arguments, mode, "passing")
        assert explained["Plan"]["Actual Rows"] >= 20
        assert [table for table in sequential(explained) if table != "users"] == []
        assert blocks(explained) <= RANKED_MOST * 5 + 600


@pytest.mark.parametrize("name", KEYED)
@pytest.mark.parametrize("mode", MODES)
async def test_what_has_words_is_found_by_its_keys(
    database: Database, me: UUID, name: str, mode: str
) -> None:
    """A page costs some hundred blocks at any depth, a thousand posts to be put into another order some blocks each."""
    found = passing(KEYED[name])
    for start in NEWEST.values():
        for most, allowed in ((21, 800), (RANKED_MOST, 3_000)):
            arguments = (me, False, *found.given, *start, most, 0, *found.more)
            explained = await explain(database, found.query, arguments, mode)
            assert sequential(explained) == []
            assert blocks(explained) <= allowed
            rows = await database.fetch(found.count_query, *arguments)
            assert rows[0]["total"] == explained["Plan"]["Actual Rows"] <= most


async def test_a_post_is_read_by_index(database: Database, me: UUID) -> None:
    """A look-up in each table, whoever reads."""
    row = await database.fetchrow("select md5('post77')::uuid as id")
    assert row is not None
    await database.execute(f"prepare one as {queries('gallery/posts')['get']}")
    rows = await database.fetch(
        f"explain (analyze, buffers, format json) execute one ('{me}', false, '{row['id']}')"
    )
    await database.execute("deallocate one")
    explained = json.loads(rows[0][0])[0]
    assert explained["Plan"]["Actual Rows"] == 1
    assert (sequential(explained), blocks(explained) <= 30) == ([], True)


@pytest.mark.parametrize("known", [0, FOLLOWED], ids=["merged", "walked"])
async def test_a_thousand_creators_are_merged_in_order(
    database: Database, me: UUID, known: int
) -> None:
    """Walking the following feed gives all that they posted and nobody hid, newest first, each once.

    Who is known to follow many looks among the newest of all posts first, and mostly finds a page there.
    """
    await database.fetch(
        "insert into community_user_stats (user_id, following_count) values ($1, $2) "
        "on conflict (user_id) do update set following_count = $2",
        *(me, known),
    )
    start = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=39_000), LAST_ID)
    of_type, tagged = (
        passing(filters, followed=True)
        for filters in (Filters(asset_type="overlay"), Filters(all_tags=("common1",)))
    )
    for query, arguments in (
        (queries("gallery/feed")["following"], (*start, 21)),
        (of_type.query, (*of_type.given, *start, 21, 0, *of_type.more)),
        (tagged.query, (*tagged.given, *start, 21, 0, *tagged.more)),
    ):
        for mode in MODES:
            explained = await explain(database, query, (me, False, *arguments), mode)
            assert sequential(explained) == []
            assert (blocks(explained) < 600) == (known > 0), query
    rows = await database.fetch(
        "select post.id from community_posts as post join community_follows as follow "
        "on follow.following_id = post.user_id and follow.follower_id = $1 "
        "where not post.is_hidden order by post.created_at desc, post.id desc",
        me,
    )
    feed, viewer = Gallery(database).feed, Viewer(me)
    page = await feed.page(Order.FOLLOWING, viewer, limit=50)
    assert page.total == len(rows) > 19_000
    found = [post.id for post in page.items]
    while page.next_cursor is not None and len(found) < 2_500:
        page = await feed.page(Order.FOLLOWING, viewer, cursor=page.next_cursor, limit=50)
        found += [post.id for post in page.items]
    assert found == [row["id"] for row in rows[: len(found)]]


async def test_a_snapshot_holds_the_best_and_no_more(
    database: Database,
) -> None:
    """Of a gallery that is larger than it."""
    rows = await database.fetch(
        "select size, (select count(*) from trending_entries) as entries from trending_snapshots"
    )
    assert [tuple(row) for row in rows] == [(POSTS * 99 // 100,) * 2]
    assert POSTS < BEST
    await database.transaction(
        lambda transaction: transaction.fetch(
            queries("gallery/trending")["take"], new_id(), 100, True
        )
    )
    row = await database.fetchrow(
        "select size from trending_snapshots order by created_at desc limit 1"
    )
    assert row is not None
    assert row["size"] == 100
