"""How listings are asked for, over REST and sockets alike."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from handlers.actor import Actor, Role
from handlers.gallery import feed
from handlers.gallery.feed import FeedQuery, PostQuery
from handlers.operation import Call
from store.database import Database, open_database
from store.gallery import Gallery
from store.gallery.passing import Filters
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


def in_packet(query: type[Any], **fields: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(fields), type=query)


@pytest.mark.parametrize("query", [PostQuery, FeedQuery])
def test_tags_are_a_list_or_have_commas_between(query: type[Any]) -> None:
    """Either way they come to the same filter, in whatever order, as often as they are said."""
    filters = in_packet(query, tags=["red", "Fox"]).filters()
    assert filters in (Filters(any_tags=("fox", "red")), Filters(all_tags=("fox", "red")))
    assert in_packet(query, tags="fox,red").filters() == filters
    assert in_url(query, tags=" fox, RED,fox,").filters() == filters


@pytest.mark.parametrize("query", [PostQuery, FeedQuery])
@pytest.mark.parametrize("tags", ["", " , ", None, []])
def test_no_tags_are_no_filter(query: type[Any], tags: Any) -> None:
    """Nothing said lets everything through."""
    assert in_packet(query, tags=tags).filters() == Filters()


def test_a_post_has_any_of_the_tags_in_a_list_and_all_of_them_in_a_feed() -> None:
    """As gallery.md has it."""
    assert in_url(PostQuery, tags="fox").filters() == Filters(any_tags=("fox",))
    assert in_url(FeedQuery, tags="fox").filters() == Filters(all_tags=("fox",))


@pytest.mark.parametrize("query", [PostQuery, FeedQuery])
def test_tags_that_no_post_can_have_are_refused(query: type[Any]) -> None:
    """And too many of them; already when the query is decoded."""
    with refused("COMMUNITY_INVALID_TAG"):
        in_url(query, tags="fox,#red")
    with refused("COMMUNITY_TOO_MANY_TAGS", count=21, max_count=20):
        in_url(query, tags=",".join(f"t{number}" for number in range(21)))


def test_everything_can_be_asked_for_in_a_url() -> None:
    """Numbers and ids are read from text."""
    user = new_id()
    query = in_url(
        PostQuery,
        sort="most_liked",
        asset_type="overlay",
        user_id=str(user),
        search=" red  fox ",
        limit="50",
        page="3",
    )
    assert (query.sort, query.limit, query.page) == ("most_liked", 50, 3)
    assert query.filters() == Filters("overlay", None, None, user, "red  fox")
    assert in_url(FeedQuery, feed_type="following", limit="5").limit == 5


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (PostQuery, {"sort": "following"}),
        (PostQuery, {"asset_type": "painting"}),
        (PostQuery, {"limit": "51"}),
        (PostQuery, {"user_id": "ada"}),
        (PostQuery, {"feed_type": "recent"}),
        (FeedQuery, {"feed_type": "most_liked"}),
        (FeedQuery, {"limit": "0"}),
        (FeedQuery, {"page": "1"}),
    ],
)
def test_what_has_the_wrong_shape(query: type[Any], fields: dict[str, str]) -> None:
    """Orders that there are not, limits beyond 50, and what is not asked for here."""
    with pytest.raises(msgspec.ValidationError):
        in_url(query, **fields)


def test_what_is_refused() -> None:
    """Words that are too many or no text; pages that are too deep."""
    with refused("VALIDATION_ERROR", search="must have 0 to 200 characters, has 201"):
        in_url(PostQuery, search="x" * 201)
    with refused("VALIDATION_ERROR", search="must not contain NUL"):
        in_url(PostQuery, search="a\0")
    with refused("VALIDATION_ERROR"):
        in_url(PostQuery, page="501", limit="20")


async def test_the_following_feed_takes_a_user(database: Database) -> None:
    """A visitor follows nobody."""
    with refused("UNAUTHENTICATED"):
        await feed.page_of_feed(call(database), in_url(FeedQuery, feed_type="following"))
    ada, ben = await People(database).crowd("Ada", "Ben")
    await ada.follows(ben)
    post = await ben.shares("Dusk")
    page = await feed.page_of_feed(call(database, ada), in_url(FeedQuery, feed_type="following"))
    assert page == feed.FeedPage([post_as_stranger(post)], 1, False, None)


def post_as_stranger(post: Any) -> Any:
    return msgspec.structs.replace(post, is_hidden=msgspec.UNSET)


async def test_a_feed_and_a_list_of_posts_show_the_same(database: Database) -> None:
    """Each with its own names, and the cursor of one leads on in the other where the filters are the same."""
    people = People(database)
    ada = await people.person("Ada")
    for number in range(3):
        await ada.shares(f"{number}")
    first = await feed.page_of_feed(call(database), in_url(FeedQuery, limit="2"))
    assert first.has_more
    listed = await feed.page_of_posts(call(database), in_url(PostQuery, limit="2"))
    assert (listed.items, listed.total) == (first.posts, first.total_count)
    rest = await feed.page_of_posts(
        call(database), in_url(PostQuery, limit="2", cursor=first.next_cursor or "")
    )
    assert rest.page == 2
    assert not {post.id for post in first.posts} & {post.id for post in rest.items}


@pytest.mark.parametrize(
    "text",
    [
        *("&", "a & | !", "'", "\\", '"', "a:*", "()", "<->", "%_", "\u200d"),
        *("-" * 200, "- " * 99 + "a", "-!" * 99 + "a", '"quux"' + "-" * 99 + "b"),
    ],
)
async def test_any_words_can_be_searched_for(database: Database, text: str) -> None:
    """What is no word finds nothing, and is no error."""
    page = await feed.page_of_posts(call(database), in_packet(PostQuery, search=text))
    assert page.total >= len(page.items) == 0
