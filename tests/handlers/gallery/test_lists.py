"""How the lists beside the feed are asked for."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from handlers.actor import Actor, Role
from handlers.gallery import assets, feed, follows, likes, posts
from handlers.gallery.likes import PostRef
from handlers.operation import Call
from handlers.paging import PageQuery
from store.cursors import Page
from store.database import Database, open_database
from store.gallery import Gallery
from store.ids import new_id
from tests.servers import FreshDatabase
from tests.store.people import People, Person
from tests.store.refused import refused


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    async with open_database(await fresh_database(), connections=4) as database:
        yield database


def call(database: Database, person: Person | None = None) -> Call[Gallery]:
    actor = Actor(None if person is None else person.id, Role.USER, "127.0.0.1")
    return Call(actor, Gallery(database))


def in_url(query: type[Any], **fields: str) -> Any:
    """As a URL's query says it: all values are text."""
    return msgspec.convert(fields, query, strict=False)


def ids(page: Page[Any]) -> list[Any]:
    return [item.id for item in page.items]


@pytest.mark.parametrize(
    ("query", "fields", "limit"),
    [
        (PageQuery, {}, 20),
        (feed.FeaturedQuery, {}, 10),
        (feed.TrendingQuery, {}, 20),
        (feed.SearchQuery, {"q": "fox"}, 20),
        (feed.UserQuery, {"user_id": str(new_id())}, 20),
        (likes.LikeQuery, {"post_id": str(new_id())}, 50),
        (follows.FollowQuery, {"user_id": str(new_id())}, 50),
    ],
)
def test_how_many_an_answer_has(query: type[Any], fields: dict[str, str], limit: int) -> None:
    """Unless said otherwise; more than 50 cannot be asked for, nor what is too deep."""
    assert in_url(query, **fields).paging == {"cursor": None, "page": 1, "limit": limit}
    asked = in_url(query, **fields, limit="7", page="3")
    assert asked.paging == {"cursor": None, "page": 3, "limit": 7}
    with pytest.raises(msgspec.ValidationError):
        in_url(query, **fields, limit="51")
    with refused("VALIDATION_ERROR"):
        in_url(query, **fields, page="2000", limit="10")


def test_what_can_be_searched_for() -> None:
    """Some words, and not too many; they are what is left after trimming."""
    assert in_url(feed.SearchQuery, q="  red fox ").q == "red fox"
    for q in ("", "   ", "x" * 201, "a\0"):
        with refused("VALIDATION_ERROR"):
            in_url(feed.SearchQuery, q=q)
    with pytest.raises(msgspec.ValidationError):
        in_url(feed.SearchQuery)


async def test_ones_own_are_there_even_when_hidden(database: Database) -> None:
    """Assets whether shared or not, and posts that strangers do not see."""
    people = People(database)
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares("Dusk")
    asset = await ada.makes()
    await people.hide(post)
    page = await assets.mine(call(database, ada), PageQuery())
    assert ids(page) == [asset.id, post.asset_id]
    (mine,) = (await feed.mine(call(database, ada), PageQuery())).items
    assert (mine.id, mine.is_hidden) == (post.id, True)
    assert (await feed.mine(call(database, ben), PageQuery())).items == []


async def test_the_posts_of_a_user(database: Database) -> None:
    """Newest first, the hidden ones left out; a user who has none is not one whom there is not."""
    people = People(database)
    ada, ben = await people.crowd("Ada", "Ben")
    one, two, hidden = [await ada.shares() for _ in range(3)]
    await people.hide(hidden)
    visitor = call(database)
    page = await feed.of_user(visitor, feed.UserQuery(user_id=ada.id))
    assert (ids(page), page.total) == ([two.id, one.id], 2)
    assert (await feed.of_user(visitor, feed.UserQuery(user_id=ben.id))).items == []
    unknown = new_id()
    with refused("COMMUNITY_USER_NOT_FOUND", user_id=unknown):
        await feed.of_user(visitor, feed.UserQuery(user_id=unknown))


async def test_each_handler_reads_its_list(database: Database) -> None:
    """As the actor sees it."""
    people = People(database)
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares("Zebra", asset_type="twitch_panel")
    await ben.likes(post)
    await ben.follows(ada)
    await people.gallery.trending.refresh()
    await database.fetch("update community_posts set is_featured = true where id = $1", post.id)
    visitor, of_ben = call(database), call(database, ben)
    assert ids(await feed.featured(visitor, feed.FeaturedQuery())) == [post.id]
    trending = feed.TrendingQuery(asset_type="twitch_panel")
    assert ids(await feed.trending(visitor, trending)) == [post.id]
    assert (
        ids(await feed.trending(visitor, feed.TrendingQuery(asset_type="overlay", page=50))) == []
    )
    assert ids(await feed.search(visitor, feed.SearchQuery(q="zebras"))) == [post.id]
    assert ids(await feed.following(of_ben, PageQuery())) == [post.id]
    assert ids(await likes.liked(of_ben, PageQuery())) == [post.id]
    assert ids(await likes.likers(visitor, likes.LikeQuery(post_id=post.id))) == [ben.id]
    of_ada = follows.FollowQuery(user_id=ada.id)
    assert ids(await follows.followers(visitor, of_ada)) == [ben.id]
    assert ids(await follows.following(visitor, of_ada)) == []
    engagement = await posts.engagement(of_ben, PostRef(post.id))
    assert (engagement.like_count, engagement.is_liked) == (1, True)
