"""Pages of posts: what is on them, for whom, and what walking them promises."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import msgspec
import pytest

from store.cursors import Page
from store.database import Database, open_database
from store.gallery import Gallery
from store.gallery.feed import Feed, Order
from store.gallery.passing import NO_FILTERS, Filters
from store.gallery.shapes import Post
from store.gallery.standings import Standings
from store.viewer import Viewer
from tests.servers import FreshDatabase
from tests.store.people import People, Person
from tests.store.refused import refused

VISITOR = Viewer()


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A database for each test: a listing holds everything that there is."""
    async with open_database(await fresh_database(), connections=8) as database:
        yield database


@pytest.fixture
def feed(people: People) -> Feed:
    return people.gallery.feed


def titles(page: Page[Post]) -> list[str]:
    return [post.title for post in page.items]


async def walk(
    feed: Feed, order: Order, viewer: Viewer = VISITOR, filters: Filters = NO_FILTERS, **how: Any
) -> AsyncIterator[Page[Post]]:
    """All pages from the first to the last, by cursor."""
    page = await feed.page(order, viewer, filters, **how)
    yield page
    while page.next_cursor is not None:
        page = await feed.page(order, viewer, filters, cursor=page.next_cursor, **how)
        yield page


async def walked(*arguments: Any, **how: Any) -> list[str]:
    return [title async for page in walk(*arguments, **how) for title in titles(page)]


async def gallery_of(people: People, count: int) -> tuple[Person, list[Post]]:
    ada = await people.person("Ada")
    return ada, [await ada.shares(f"{number}") for number in range(count)]


async def like_counts(
    database: Database, posts: Iterable[Post], likes: Callable[[int], int]
) -> None:
    """Posts are liked as often as the function of their place says."""
    for place, post in enumerate(posts):
        await database.fetch(
            "update community_posts set like_count = $2 where id = $1", post.id, likes(place)
        )
    await database.fetch("update standings_pass set at = '-infinity'")
    await Standings(database).follow()


async def test_recent_is_newest_first(people: People, feed: Feed) -> None:
    """With the total, and the cursor that leads to the rest."""
    await gallery_of(people, 5)
    first = await feed.page(Order.RECENT, VISITOR, limit=3)
    assert titles(first) == ["4", "3", "2"]
    assert (first.total, first.page, first.limit, first.has_more) == (5, 1, 3, True)
    rest = await feed.page(Order.RECENT, VISITOR, limit=3, cursor=first.next_cursor)
    assert titles(rest) == ["1", "0"]
    assert (rest.page, rest.has_more, rest.next_cursor) == (2, False, None)


async def test_a_page_that_is_just_full_is_the_last(people: People, feed: Feed) -> None:
    """There is no cursor to an empty page; and no posts is one page."""
    empty = await feed.page(Order.RECENT, VISITOR)
    assert (empty.items, empty.total, empty.has_more, empty.next_cursor) == ([], 0, False, None)
    await gallery_of(people, 3)
    assert not (await feed.page(Order.RECENT, VISITOR, limit=3)).has_more


@pytest.mark.parametrize("order", [Order.RECENT, Order.MOST_LIKED, Order.TRENDING])
async def test_pages_by_number_are_those_by_cursor(
    people: People, feed: Feed, database: Database, order: Order
) -> None:
    """Both ways give the same posts with the same numbers, and can be mixed."""
    _, posts = await gallery_of(people, 10)
    await like_counts(database, posts, lambda place: place % 4)
    async for page in walk(feed, order, limit=3):
        by_number = await feed.page(order, VISITOR, page=page.page, limit=3)
        assert (titles(by_number), by_number.page) == (titles(page), page.page)
    beyond = await feed.page(order, VISITOR, page=5, limit=3)
    assert (beyond.items, beyond.has_more) == ([], False)


async def test_most_liked_goes_by_likes(people: People, feed: Feed, database: Database) -> None:
    """Posts with equal likes come newest first, also across pages."""
    _, posts = await gallery_of(people, 6)
    await like_counts(database, posts, lambda place: place // 3)
    assert await walked(feed, Order.MOST_LIKED, limit=2) == ["5", "4", "3", "2", "1", "0"]


async def test_a_page_is_as_its_reader_sees_it(people: People, feed: Feed) -> None:
    """Each post is just what reading it alone gives, for owner, others, moderators and visitors."""
    ada, ben = await people.crowd("Ada", "Ben")
    moderator = await people.person("Max", moderates=True)
    post = await ada.shares(prompt="Secret", show_prompt=False, tags=("fox",))
    await ben.likes(post)
    for viewer in (ada.viewer, ben.viewer, moderator.viewer, VISITOR):
        alone = await people.gallery.posts.get(post.id, viewer)
        for order in (Order.RECENT, Order.MOST_LIKED, Order.TRENDING):
            for filters in (NO_FILTERS, Filters(asset_type="overlay"), Filters(any_tags=("fox",))):
                (listed,) = (await feed.page(order, viewer, filters)).items
                assert type(listed) is Post
                assert msgspec.structs.asdict(listed) == {
                    field: getattr(alone, field) for field in Post.__struct_fields__
                }


async def test_filters_let_through_what_passes_all_of_them(people: People, feed: Feed) -> None:
    """Any of some tags, all of some tags, type, author, words: alone and together, in every order."""
    ada, ben = await people.crowd("Ada", "Ben")
    await ada.shares("red fox", tags=("fox", "red"), description="running home")
    await ada.shares("blue fox", tags=("fox", "blue"), asset_type="twitch_badge")
    await ben.shares("red hen", tags=("hen", "red"), description="a fox ran after it")
    await ben.shares("plain")
    for filters, passing in (
        (NO_FILTERS, {"red fox", "blue fox", "red hen", "plain"}),
        (Filters(asset_type="twitch_badge"), {"blue fox"}),
        (Filters(any_tags=("blue", "hen")), {"blue fox", "red hen"}),
        (Filters(all_tags=("red", "fox")), {"red fox"}),
        (Filters(all_tags=("blue", "hen")), set()),
        (Filters(user_id=ada.id), {"red fox", "blue fox"}),
        (Filters(search="foxes"), {"red fox", "blue fox", "red hen"}),
        (Filters(search="run"), {"red fox"}),
        (Filters(search="fox -blue"), {"red fox", "red hen"}),
        (Filters(search="the of"), set()),
        (Filters(user_id=ada.id, any_tags=("red", "hen")), {"red fox"}),
        (Filters(user_id=ben.id, asset_type="overlay", search="fox"), {"red hen"}),
        (Filters(asset_type="overlay", any_tags=("fox",), search="home"), {"red fox"}),
        (Filters(any_tags=("red",), all_tags=("hen",)), {"red hen"}),
    ):
        for order in (Order.RECENT, Order.MOST_LIKED, Order.TRENDING):
            page = await feed.page(order, VISITOR, filters)
            assert set(titles(page)) == passing, (order, filters)
            assert page.total == len(passing), (order, filters)
            assert await walked(feed, order, VISITOR, filters, limit=1) == titles(page)
    await ada.follows(ben)
    for filters, passing in (
        (NO_FILTERS, {"red hen", "plain"}),
        (Filters(all_tags=("red",)), {"red hen"}),
        (Filters(asset_type="twitch_badge"), set()),
    ):
        page = await feed.page(Order.FOLLOWING, ada.viewer, filters)
        assert (set(titles(page)), page.total) == (passing, len(passing))


async def test_a_filter_whose_posts_are_far_down_finds_them(
    people: People, feed: Feed, database: Database
) -> None:
    """Past what is walked of the order, those that pass are gathered; pages go on from there."""
    ada = await people.person("Ada")
    for number in range(5):
        await ada.shares(f"{number}", tags=("rare",))
    await database.fetch(
        """
        with asset as (
            insert into assets (id, user_id, asset_type, url)
            select gen_random_uuid(), $1, 'overlay', '/media/x' from generate_series(1, 3200)
            returning id
        )
        insert into community_posts (
            id, user_id, asset_id, title, asset_type, asset_url, tags, like_count, created_at
        )
        select gen_random_uuid(), $1, id, 'common', 'overlay', '/media/x', '{common}', 1,
               clock_timestamp()
        from asset
        """,
        ada.id,
    )
    rare = Filters(any_tags=("rare",))
    for order in (Order.RECENT, Order.MOST_LIKED):
        assert await walked(feed, order, VISITOR, rare, limit=2) == ["4", "3", "2", "1", "0"]
        assert titles(await feed.page(order, VISITOR, rare, page=2, limit=2)) == ["2", "1"]
    both = Filters(any_tags=("rare", "common"))
    pages = [page async for page in walk(feed, Order.RECENT, VISITOR, both, limit=50)]
    assert len({post.id for page in pages for post in page.items}) == pages[0].total == 3205


async def test_hidden_posts_are_for_owner_and_moderators(people: People, feed: Feed) -> None:
    """In every order and under every filter; totals leave them out for strangers."""
    ada, ben = await people.crowd("Ada", "Ben")
    moderator = await people.person("Max", moderates=True)
    await ben.follows(ada)
    await ada.shares("seen", tags=("fox",))
    hidden = await ada.shares("hidden", tags=("fox",))
    await people.gallery.trending.refresh()  # a snapshot with both in it
    await people.hide(hidden)
    for filters in (
        NO_FILTERS,
        Filters(asset_type="overlay"),
        Filters(any_tags=("fox",)),
        Filters(all_tags=("fox",)),
        Filters(user_id=ada.id),
        Filters(search="hidden or seen"),
    ):
        for order in (Order.RECENT, Order.MOST_LIKED, Order.TRENDING):
            for viewer in (ben.viewer, VISITOR):
                page = await feed.page(order, viewer, filters)
                assert (titles(page), page.total) == (["seen"], 1), (order, filters)
            for viewer in (ada.viewer, moderator.viewer):
                page = await feed.page(order, viewer, filters)
                assert sorted(titles(page)) == ["hidden", "seen"], (order, filters)
                assert {post.is_hidden for post in page.items} == {True, False}
            total = (await feed.page(order, moderator.viewer, filters)).total
            assert total == 2, (order, filters)
    own = await feed.page(Order.RECENT, ada.viewer, Filters(user_id=ada.id))
    assert own.total == 2
    followed = await feed.page(Order.FOLLOWING, ben.viewer)
    assert (titles(followed), followed.total) == (["seen"], 1)


async def test_walking_recent_neither_skips_nor_repeats(people: People, feed: Feed) -> None:
    """While posts are added and liked, every post that was there at the beginning comes exactly once."""
    ada, posts = await gallery_of(people, 12)
    seen: list[str] = []
    async for page in walk(feed, Order.RECENT, limit=3):
        seen += titles(page)
        await ada.shares("later")
        for post in posts[:: len(seen)]:
            await (await people.person("Ben")).likes(post)
    assert seen == [str(number) for number in reversed(range(12))]


async def test_walking_most_liked_keeps_what_is_not_liked_meanwhile(
    people: People, feed: Feed, database: Database
) -> None:
    """A post whose likes do not change comes exactly once, whatever happens to others."""
    ada, posts = await gallery_of(people, 12)
    await like_counts(database, posts, lambda place: place)
    seen: list[str] = []
    async for page in walk(feed, Order.MOST_LIKED, limit=3):
        seen += titles(page)
        await like_counts(database, posts[:4], lambda place: len(seen) + place)  # noqa: B023
        await ada.shares("later")
    assert [title for title in seen if title in map(str, range(4, 12))] == [
        str(number) for number in reversed(range(4, 12))
    ]


async def test_following_is_the_newest_of_those_one_follows(people: People, feed: Feed) -> None:
    """Merged by time, whoever posted; walking it neither skips nor repeats while they go on posting."""
    ada, ben, cem, dan = await people.crowd("Ada", "Ben", "Cem", "Dan")
    assert titles(await feed.page(Order.FOLLOWING, dan.viewer)) == []
    for creator in (ben, cem):
        await ada.follows(creator)
    for number in range(5):
        await ben.shares(f"b{number}")
        await cem.shares(f"c{number}")
        await dan.shares("of a stranger")
    for _ in range(3):
        await cem.shares("c5")
    expected = ["c5"] * 3 + [f"{who}{number}" for number in (4, 3, 2, 1, 0) for who in "cb"]
    seen: list[str] = []
    async for page in walk(feed, Order.FOLLOWING, ada.viewer, limit=2):
        assert page.total == len(expected)
        seen += titles(page)
        await ben.shares("later")
    assert seen == expected


async def test_a_cursor_is_of_one_listing(people: People, feed: Feed) -> None:
    """Another order, other filters, and the following feed of somebody else refuse it; so do forged ones."""
    ada, ben = await people.crowd("Ada", "Ben")
    await ben.follows(ada)
    for number in range(3):
        await ada.shares(f"{number}", tags=("fox",))
    recent = (await feed.page(Order.RECENT, VISITOR, limit=1)).next_cursor
    foxes = (
        await feed.page(Order.RECENT, VISITOR, Filters(any_tags=("fox",)), limit=1)
    ).next_cursor
    following = (await feed.page(Order.FOLLOWING, ben.viewer, limit=1)).next_cursor
    assert recent is not None
    assert foxes is not None
    assert following is not None
    for order, viewer, filters, cursor in (
        (Order.MOST_LIKED, VISITOR, NO_FILTERS, recent),
        (Order.TRENDING, VISITOR, NO_FILTERS, recent),
        (Order.FOLLOWING, ben.viewer, NO_FILTERS, recent),
        (Order.RECENT, VISITOR, Filters(asset_type="overlay"), recent),
        (Order.RECENT, VISITOR, Filters(all_tags=("fox",)), foxes),
        (Order.RECENT, VISITOR, Filters(any_tags=("fox", "hen")), foxes),
        (Order.FOLLOWING, ada.viewer, NO_FILTERS, following),
        (Order.RECENT, VISITOR, NO_FILTERS, recent[:-1]),
        (Order.RECENT, VISITOR, NO_FILTERS, "A" + recent[1:]),
        (Order.RECENT, VISITOR, NO_FILTERS, ""),
    ):
        with refused("INVALID_CURSOR"):
            await feed.page(order, viewer, filters, cursor=cursor)


async def test_a_total_is_up_to_a_minute_old_but_never_less_than_what_is_seen(
    people: People, feed: Feed
) -> None:
    """What was counted stands for a minute; a page that shows more says so."""
    ada, _ = await gallery_of(people, 1)
    assert (await feed.page(Order.RECENT, VISITOR)).total == 1
    assert (await feed.page(Order.MOST_LIKED, VISITOR)).total == 1
    for number in range(4):
        await ada.shares(f"{number}")
    assert (await feed.page(Order.RECENT, VISITOR, page=2, limit=2)).total == 4 + 1
    assert (await feed.page(Order.RECENT, VISITOR, page=9, limit=2)).total == 1
    assert (await feed.page(Order.RECENT, VISITOR, limit=1)).total == 1 + 1
    assert (await Gallery(people.database).feed.page(Order.RECENT, VISITOR, limit=1)).total == 5


async def test_a_page_is_one_query_or_two(
    people: People, feed: Feed, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the key and the total known, whatever is on the page; two where an index finds what passes."""
    ada, _ = await gallery_of(people, 5)
    await ada.follows(await people.person("Ben"))
    asked: list[str] = []
    fetch = Database.fetch

    async def count(self: Database, query: str, *arguments: Any) -> list[Any]:
        asked.append(query)
        return await fetch(self, query, *arguments)

    for order in Order:
        for filters in (NO_FILTERS, Filters(asset_type="overlay"), Filters(search="1")):
            await feed.page(order, ada.viewer, filters)
            with monkeypatch.context() as patched:
                patched.setattr(Database, "fetch", count)
                patched.setattr(Database, "fetchrow", None)
                await feed.page(order, ada.viewer, filters)
            found_first = filters.search is not None and order in (Order.RECENT, Order.FOLLOWING)
            found_first |= order is Order.FOLLOWING and filters.asset_type is not None
            assert len(asked) == 1 + found_first, (order, filters)
            asked.clear()
