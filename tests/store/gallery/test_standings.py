"""Standings: rows that place every post by its likes, under each of its tags and under none."""

from collections.abc import AsyncIterator

import pytest

from store.database import Database, Transaction, open_database
from store.gallery.feed import Order
from store.gallery.passing import NO_FILTERS, Filters
from store.viewer import Viewer
from tests.servers import FreshDatabase
from tests.store.audit import assert_sound, differences
from tests.store.people import People

TAGGED = Filters(any_tags=("fox",))

_ODD = """
with due as (
    select distinct id, tag, user_id, asset_type, is_hidden
    from community_posts, unnest(array_prepend('', tags)) as tag
), stood as (
    select post_id, tag, user_id, asset_type, is_hidden from post_standings
)
select (select count(*) from (table due except table stood) as missing)
    + (select count(*) from (table stood except table due) as odd) as odd
"""


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A database for each test: what was told before is known to all."""
    async with open_database(await fresh_database(), connections=8) as database:
        yield database


async def most_liked(people: People, filters: Filters = NO_FILTERS) -> list[str]:
    page = await people.gallery.feed.page(Order.MOST_LIKED, Viewer(), filters)
    return [post.title for post in page.items]


async def test_standings_follow_what_was_told(people: People) -> None:
    """Likes and unlikes move a post under all of its tags and its author, at the next pass and not before."""
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    posts = [await ada.shares(f"{number}", tags=("fox", f"tag{number}")) for number in range(3)]
    standings = people.gallery.standings
    await standings.follow()
    for person in (ben, cem):
        await person.likes(posts[0])
    await ben.likes(posts[1])
    assert await most_liked(people) == ["2", "1", "0"]
    assert await standings.are_behind()
    await standings.follow()
    assert not await standings.are_behind()
    for filters in (NO_FILTERS, TAGGED, Filters(user_id=ada.id), Filters(asset_type="overlay")):
        assert await most_liked(people, filters) == ["0", "1", "2"], filters
    for person in (ben, cem):
        await person.unlikes(posts[0])
    await standings.follow()
    assert await most_liked(people, TAGGED) == ["1", "2", "0"]
    await assert_sound(people.database)


async def test_standings_are_kept_whatever_becomes_of_a_post(
    people: People, database: Database
) -> None:
    """It is made, given other tags, hidden, shown, deleted; likes that were not yet followed are not lost."""
    ada, ben = await people.crowd("Ada", "Ben")
    post, other = await ada.shares("Fox", tags=("fox", "red")), await ben.shares("Hen")
    await ben.likes(post)
    for change in (
        "tags = '{fox,old,old}'",
        "tags = '{}'",
        "is_hidden = true",
        "is_hidden = false, tags = '{a,b,c,d,e}'",
    ):
        await database.fetch(f"update community_posts set {change} where id = $1", post.id)  # noqa: S608
        row = await database.fetchrow(_ODD)
        assert row is not None
        assert row["odd"] == 0, change
    rows = await database.fetch(
        "select distinct likes from post_standings where post_id = $1", post.id
    )
    assert [row["likes"] for row in rows] == [1]
    await database.fetch("delete from community_posts where id = $1", other.id)
    await database.fetch("delete from users where id = $1", ada.id)
    assert await database.fetch("select from post_standings") == []


async def test_what_is_locked_is_left_for_the_next_pass(people: People, database: Database) -> None:
    """Somebody who keeps a transaction open holds up that post only, and nothing of it is forgotten."""
    ada, ben = await people.crowd("Ada", "Ben")
    held, free, last = [await ada.shares(name, tags=("fox",)) for name in ("held", "free", "last")]
    for post in (held, free):
        await ben.likes(post)

    async def hold(transaction: Transaction) -> None:
        await transaction.fetch("select from post_standings where post_id = $1 for update", held.id)
        await people.gallery.standings.follow()
        assert await most_liked(people, TAGGED) == ["free", last.title, "held"]

    await database.transaction(hold)
    assert await people.gallery.standings.are_behind()
    await people.gallery.standings.follow()
    assert await most_liked(people, TAGGED) == ["free", "held", "last"]
    assert not await people.gallery.standings.are_behind()


@pytest.mark.parametrize(
    "lost",
    ["at = '-infinity'", "knows = '999999999:999999999:'"],
    ids=["after a long time", "in another cluster"],
)
async def test_standings_that_know_nothing_look_at_all_posts(
    people: People, database: Database, lost: str
) -> None:
    """Where the journal may have forgotten, and where transactions are counted from anew."""
    ada, ben = await people.crowd("Ada", "Ben")
    first, _ = await ada.shares("first"), await ada.shares("second")
    await people.gallery.standings.follow()
    await ben.likes(first)
    await database.fetch("delete from events")
    await database.fetch(f"update standings_pass set {lost}")  # noqa: S608
    assert await people.gallery.standings.are_behind()
    await people.gallery.standings.follow()
    assert await most_liked(people) == ["first", "second"]
    assert not await people.gallery.standings.are_behind()


async def test_a_post_that_stands_wrongly_is_put_right(people: People, database: Database) -> None:
    """The audit finds likes that differ and rows that are missing, unless they are only on their way."""
    ada, ben = await people.crowd("Ada", "Ben")
    post, other = await ada.shares(tags=("fox",)), await ada.shares(tags=("hen",))
    await ben.likes(post)
    await assert_sound(database)
    await people.gallery.standings.follow()
    await database.fetch(
        "update post_standings set likes = 9 where post_id = $1 and tag = 'fox'", post.id
    )
    await database.fetch("delete from post_standings where post_id = $1 and tag = ''", other.id)
    found = await differences(database, repair=True)
    assert {(each.subject, each.what, each.said, each.are, each.repaired) for each in found} == {
        (f"post {post.id}", "likes in all standings", 10, 2, True),
        (f"post {other.id}", "standings", 1, 2, True),
    }
    await assert_sound(database)
    assert await most_liked(people, TAGGED) == [post.title]
