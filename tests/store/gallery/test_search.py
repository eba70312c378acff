"""Search: what is found, in which order, and what walking the pages promises."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from store.cursors import Page
from store.database import Database, open_database
from store.gallery import passing
from store.gallery.feed import Order
from store.gallery.passing import Filters
from store.gallery.search import Search
from store.gallery.shapes import Post
from store.viewer import Viewer
from tests.servers import FreshDatabase
from tests.store.people import People, Person
from tests.store.refused import refused

VISITOR = Viewer()

MANY = """
with asset as (
    insert into assets (id, user_id, asset_type, url)
    select gen_random_uuid(), $1, 'overlay', '/media/x' from generate_series(1, $2)
    returning id
)
insert into community_posts (id, user_id, asset_id, title, asset_type, asset_url, created_at)
select id, $1, id, $3 || ' ' || row_number() over (), 'overlay', '/media/x',
       '2026-01-01'::timestamptz + $4::integer * interval '1 day' + row_number() over () * interval '1 second'
from asset
"""


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A database for each test: a search goes through everything that there is."""
    async with open_database(await fresh_database(), connections=4) as database:
        yield database


@pytest.fixture
def search(people: People) -> Search:
    return people.gallery.search


async def many(people: People, count: int, title: str, day: int = 0) -> Person:
    """So many posts, each with its number after the title, made that day."""
    ada = await people.person("Ada")
    await people.database.fetch(MANY, ada.id, count, title, day)
    return ada


def titles(page: Page[Post]) -> list[str]:
    return [post.title for post in page.items]


async def walked(search: Search, words: str, viewer: Viewer = VISITOR, **how: Any) -> list[str]:
    page = await search.page(words, viewer, **how)
    found = titles(page)
    while page.next_cursor is not None:
        page = await search.page(words, viewer, cursor=page.next_cursor, **how)
        found += titles(page)
    return found


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("fox", {"Red foxes", "A fox and a hen", "Dusk"}),
        ("running", {"Dusk"}),
        ("FOX -hen", {"Red foxes", "Dusk"}),
        ("hen or cat", {"A fox and a hen", "Café with cats"}),
        ('"red fox"', {"Red foxes"}),
        ('"fox red"', set()),
        ("café", {"Café with cats"}),
        ("fox cat", set()),
        ("the of", set()),
        ("&|!:*()'", set()),
    ],
)
async def test_what_is_found(people: People, search: Search, words: str, found: set[str]) -> None:
    """Titles and descriptions, word by word and stemmed, as one searches the web."""
    ada = await people.person("Ada")
    await ada.shares("Red foxes")
    await ada.shares("A fox and a hen")
    await ada.shares("Dusk", description="The fox runs home.")
    await ada.shares("Café with cats")
    page = await search.page(words, VISITOR)
    assert (set(titles(page)), page.total) == (found, len(found))


async def test_the_best_come_first(people: People, search: Search) -> None:
    """A title counts more than a description, and saying it twice more than once; else the newest."""
    ada = await people.person("Ada")
    await ada.shares("Fox, fox", description="and a fox")
    await ada.shares("One fox")
    await ada.shares("Another fox")
    await ada.shares("Dusk", description="With a fox in it")
    best = ["Fox, fox", "Another fox", "One fox", "Dusk"]
    for limit in (1, 3, 4):
        assert await walked(search, "fox", limit=limit) == best
    by_number = await search.page("fox", VISITOR, page=2, limit=3)
    assert (titles(by_number), by_number.page, by_number.has_more) == (["Dusk"], 2, False)
    beyond = await search.page("fox", VISITOR, page=3, limit=3)
    assert (beyond.items, beyond.total, beyond.has_more) == ([], 4, False)


@pytest.mark.parametrize("common", [False, True])
async def test_walking_a_search_shows_what_there_was_at_its_beginning(
    people: People, search: Search, common: bool
) -> None:
    """Each once and nothing newer, whether the words are rare or common."""
    ada = await many(people, 150 if common else 20, "Fox")
    first = await search.page("fox", VISITOR, limit=15)
    for number in range(5):
        await ada.shares(f"Fox, fox, newer {number}")
    found, page = titles(first), first
    while page.next_cursor is not None:
        page = await search.page("fox", VISITOR, limit=15, cursor=page.next_cursor)
        found += titles(page)
        assert page.total == first.total
    assert len(found) == len(set(found)) == first.total == (150 if common else 20)
    assert (await search.page("fox", VISITOR)).total == first.total + 5


async def test_the_newest_thousand_are_ranked(people: People, search: Search) -> None:
    """Older ones are not found any more, however good."""
    ada = await many(people, 1, "Fox, fox, fox, fox")
    await many(people, 1_200, "Fox", day=1)
    found = await walked(search, "fox", limit=50)
    assert len(found) == len(set(found)) == 1_000
    assert (await search.page("fox", VISITOR)).total == 1_000
    assert "Fox, fox, fox, fox 1" not in found
    assert "Fox 200" not in found
    assert "Fox 201" in found
    assert titles(await search.page("fox four or four", ada.viewer)) == []


@pytest.mark.parametrize(("newer", "found"), [(25, 5), (30, 0)])
async def test_a_phrase_is_looked_for_among_the_newest_with_its_words(
    people: People, search: Search, monkeypatch: pytest.MonkeyPatch, newer: int, found: int
) -> None:
    """Three times as many as may be ranked; the list by time alone goes on to its end."""
    monkeypatch.setattr(passing, "RANKED_MOST", 10)
    await many(people, 5, "Soft light")
    await many(people, newer, "Light, and soft", day=1)
    phrase = '"soft light"'
    assert (await search.page(phrase, VISITOR)).total == found
    for order, most in ((Order.MOST_LIKED, found), (Order.RECENT, 5)):
        page = await people.gallery.feed.page(order, VISITOR, Filters(search=phrase))
        assert (len(page.items), page.total) == (most, most)


async def test_common_words_of_old_are_found(people: People, search: Search) -> None:
    """Where the newest posts do not have the words, the index has them."""
    await many(people, 300, "Fox")
    await many(people, 1_000, "Hen", day=1)
    assert len(await walked(search, "fox", limit=50)) == 300


async def test_hidden_posts_are_for_owner_and_moderators(people: People, search: Search) -> None:
    """Strangers do not find them, nor count them, be the words rare or common."""
    ada, ben = await people.crowd("Ada", "Ben")
    moderator = await people.person("Max", moderates=True)
    hidden = await ada.shares("A hidden fox")
    await people.hide(hidden)
    for common in (False, True):
        if common:
            await many(people, 1_000, "Fox and hen")
        for viewer in (ben.viewer, VISITOR):
            assert "A hidden fox" not in await walked(search, "fox", viewer, limit=50)
            assert (await search.page("hidden", viewer)).total == 0
        for viewer in (ada.viewer, moderator.viewer):
            assert "A hidden fox" in await walked(search, "fox", viewer, limit=50)


async def test_a_cursor_is_bound_to_its_words(people: People, search: Search) -> None:
    """Other words are another search."""
    await many(people, 3, "Fox and hen")
    cursor = (await search.page("fox", VISITOR, limit=1)).next_cursor
    with refused("INVALID_CURSOR"):
        await search.page("hen", VISITOR, cursor=cursor)
    with pytest.raises(ValueError, match="at most 50"):
        await search.page("fox", VISITOR, limit=51)
