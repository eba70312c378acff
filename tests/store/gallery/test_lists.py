"""The lists beside the feed: what is featured and liked, who likes and follows whom, what one made."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from store.cursors import Page
from store.database import Database, open_database
from store.gallery.feed import Order
from store.ids import new_id
from store.viewer import Viewer
from tests.servers import FreshDatabase
from tests.store.people import People
from tests.store.refused import refused

VISITOR = Viewer()

Read = Callable[..., Awaitable[Page[Any]]]
"""A list, with all but the paging said."""


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A database for each test: some lists hold all that there is."""
    async with open_database(await fresh_database(), connections=4) as database:
        yield database


async def featured(people: People, *posts: Any) -> None:
    for post in posts:
        await people.database.fetch(
            "update community_posts set is_featured = true where id = $1", post.id
        )


async def five_of_each(people: People) -> tuple[dict[str, Read], dict[str, list[Any]]]:
    """Every list, and the ids of the five that are on it, newest first."""
    ada, *crowd = await people.crowd("Ada", "Ben", "Cem", "Dan", "Eve", "Fay")
    assets = [await ada.makes() for _ in range(5)]
    posts = [await crowd[0].shares(f"{number}") for number in range(5)]
    await featured(people, *posts)
    for post in reversed(posts):
        await ada.likes(post)
    for person in crowd:
        await person.likes(posts[1])
        await person.follows(ada)
        await ada.follows(person)
    await ada.unlikes(posts[1])
    await ada.likes(posts[1])
    gallery = people.gallery
    fans = [person.id for person in reversed(crowd)]
    lists: dict[str, Read] = {
        "assets": lambda **how: gallery.assets.of_user(ada.id, **how),
        "featured": lambda **how: gallery.feed.featured(VISITOR, **how),
        "liked": lambda **how: gallery.likes.liked(ada.viewer, **how),
        "likers": lambda **how: gallery.likes.likers(posts[1].id, VISITOR, **how),
        "followers": lambda **how: gallery.follows.followers(ada.id, **how),
        "following": lambda **how: gallery.follows.following(ada.id, **how),
    }
    ids = [post.id for post in posts]
    return lists, {
        "assets": [asset.id for asset in reversed(assets)],
        "featured": ids[::-1],
        "liked": [ids[1], ids[0], *ids[2:]],
        "likers": [ada.id, *fans],
        "followers": fans,
        "following": fans,
    }


async def test_each_list_goes_from_the_newest_back(people: People) -> None:
    """By cursor and by number come the same pages, in order, with their total; then it ends."""
    lists, expected = await five_of_each(people)
    for name, read in lists.items():
        total, found = len(expected[name]), []
        page = await read(limit=2)
        assert (page.page, page.limit, page.total, page.has_more) == (1, 2, total, True), name
        while True:
            found += [item.id for item in page.items]
            by_number = await read(page=page.page, limit=2)
            assert [item.id for item in by_number.items] == [item.id for item in page.items], name
            assert by_number.page == page.page
            if page.next_cursor is None:
                break
            page = await read(cursor=page.next_cursor, limit=2)
        assert found == expected[name], name
        assert not page.has_more
        beyond = await read(page=9, limit=2)
        assert (beyond.items, beyond.has_more, beyond.next_cursor) == ([], False, None), name
        assert not (await read(limit=total)).has_more


async def test_a_cursor_is_good_for_its_own_list_alone(people: People) -> None:
    """Not for another list, nor for the same list of somebody else."""
    lists, _ = await five_of_each(people)
    cursors = {name: (await read(limit=1)).next_cursor for name, read in lists.items()}
    for name, read in lists.items():
        for other, cursor in cursors.items():
            if other != name:
                with refused("INVALID_CURSOR"):
                    await read(cursor=cursor)
    ben = await people.person("Ben")
    await ben.likes(await ben.shares())
    gallery = people.gallery
    for read in (
        lambda **how: gallery.assets.of_user(ben.id, **how),
        lambda **how: gallery.likes.liked(ben.viewer, **how),
        lambda **how: gallery.follows.followers(ben.id, **how),
    ):
        for cursor in cursors.values():
            with refused("INVALID_CURSOR"):
                await read(cursor=cursor)


async def test_walking_a_list_shows_what_was_there_once(people: People) -> None:
    """Whoever comes meanwhile is newer than the walk, whoever goes drops out."""
    ada, *crowd = await people.crowd("Ada", "Ben", "Cem", "Dan", "Eve")
    for person in crowd[:4]:
        await person.follows(ada)
    follows = people.gallery.follows
    first = await follows.followers(ada.id, limit=2)
    newcomer = await people.person("Fay")
    await newcomer.follows(ada)
    await crowd[1].unfollows(ada)
    rest = await follows.followers(ada.id, limit=2, cursor=first.next_cursor)
    assert [user.id for user in first.items] == [crowd[3].id, crowd[2].id]
    assert [user.id for user in rest.items] == [crowd[0].id]


async def test_a_list_of_nothing_is_one_empty_page(people: People) -> None:
    """Of somebody who is there and did nothing; the total is 0."""
    ada = await people.person("Ada")
    gallery = people.gallery
    post = await ada.shares()
    for page in (
        await gallery.feed.featured(VISITOR),
        await gallery.likes.liked(ada.viewer),
        await gallery.likes.likers(post.id, VISITOR),
        await gallery.follows.followers(ada.id),
        await gallery.follows.following(ada.id),
        await gallery.assets.of_user((await people.person("Ben")).id),
    ):
        assert (page.items, page.total, page.page, page.has_more) == ([], 0, 1, False)


async def test_lists_of_what_is_not_there_are_refused(people: People) -> None:
    """Unknown posts and users have no likers and followers, and no engagement."""
    unknown = new_id()
    gallery = people.gallery
    for read in (gallery.follows.followers, gallery.follows.following):
        with refused("COMMUNITY_USER_NOT_FOUND", user_id=unknown):
            await read(unknown)
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=unknown):
        await gallery.likes.likers(unknown, VISITOR)
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=unknown):
        await gallery.posts.engagement(unknown, VISITOR)


async def test_a_listed_post_is_as_its_reader_sees_it(people: People) -> None:
    """In each list just what the feed shows of it."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares("Dusk", prompt="Secret", show_prompt=False)
    await featured(people, post)
    await ben.likes(post)
    await ada.likes(post)
    gallery = people.gallery
    for person in (ada, ben):
        (in_feed,) = (await gallery.feed.page(Order.RECENT, person.viewer)).items
        assert in_feed.is_liked
        assert (await gallery.feed.featured(person.viewer)).items == [in_feed]
        assert (await gallery.likes.liked(person.viewer)).items == [in_feed]
    (liker, _) = (await gallery.likes.likers(post.id, VISITOR)).items
    assert liker == ada.summary


async def test_engagement_is_what_the_post_says(people: People) -> None:
    """Its counts as of now, and whether the reader likes it."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares()
    await ben.likes(post)
    await ben.comments(post)
    of_ben = await people.gallery.posts.engagement(post.id, ben.viewer)
    assert (of_ben.like_count, of_ben.comment_count, of_ben.view_count) == (1, 1, 0)
    assert of_ben.is_liked
    assert not (await people.gallery.posts.engagement(post.id, VISITOR)).is_liked


async def test_hidden_posts_are_for_owner_and_moderators(people: People) -> None:
    """Strangers find them in no list and no total, and not who likes them; who liked one neither."""
    ada, ben = await people.crowd("Ada", "Ben")
    max_ = await people.person("Max", moderates=True)
    gallery = people.gallery
    seen, hidden = await ada.shares("seen"), await ada.shares("hidden")
    await featured(people, seen, hidden)
    for post in (seen, hidden):
        for person in (ada, ben, max_):
            await person.likes(post)
    await people.hide(hidden)
    for viewer, posts in ((ben.viewer, [seen]), (VISITOR, [seen])):
        page = await gallery.feed.featured(viewer)
        assert ([post.id for post in page.items], page.total) == ([post.id for post in posts], 1)
        for read in (gallery.likes.likers, gallery.posts.engagement):
            with refused("COMMUNITY_POST_NOT_FOUND"):
                await read(hidden.id, viewer)
    liked = await gallery.likes.liked(ben.viewer)
    assert ([post.id for post in liked.items], liked.total) == ([seen.id], 1)
    for person in (ada, max_):
        assert [post.id for post in (await gallery.feed.featured(person.viewer)).items] == [
            hidden.id,
            seen.id,
        ]
        assert (await gallery.likes.liked(person.viewer)).total == 2
        assert (await gallery.likes.likers(hidden.id, person.viewer)).total == 3
        assert (await gallery.posts.engagement(hidden.id, person.viewer)).like_count == 3


async def test_a_list_has_at_most_fifty_a_page(people: People) -> None:
    """More than the queries read is an error of the caller."""
    with pytest.raises(ValueError, match="at most 50"):
        await people.gallery.feed.featured(VISITOR, limit=51)
