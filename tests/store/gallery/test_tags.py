"""What is listed by tag: rows that triggers keep, and what is found by them."""

from collections.abc import Iterable
from itertools import combinations
from uuid import UUID

import pytest

from store.database import Database
from store.gallery.passing import NOW, Filters, passing
from store.viewer import Viewer
from tests.store.people import People

_KEPT = """
select kept.count, made.count as made, (
    select count(*) from (table post_tags except select unnest(tags), created_at, id, user_id, asset_type, is_hidden
    from community_posts) as odd
) + (
    select count(*) from (table post_tag_pairs except select tag_pairs(tags), created_at, id, user_id, asset_type,
    is_hidden from community_posts) as odd
) as odd
from (
    select (select count(*) from post_tags) + (select count(*) from post_tag_pairs) as count
) as kept
cross join (
    select coalesce(sum(cardinality(tags) * (cardinality(tags) + 1) / 2), 0) as count from community_posts
) as made
"""


async def kept(database: Database) -> int:
    """How many rows there are for tags and pairs of them, which are just those of the posts."""
    row = await database.fetchrow(_KEPT)
    assert row is not None
    assert (row["count"], row["odd"]) == (row["made"], 0)
    return int(row["count"])


async def test_tags_are_kept_whatever_becomes_of_a_post(people: People, database: Database) -> None:
    """It is made, given other tags, hidden, shown, deleted; and when its author goes."""
    before = await kept(database)
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares("Fox", tags=("fox", "red", "small"))
    other = await ben.shares("Hen", tags=("hen",))
    assert await kept(database) == before + 6 + 1
    for change, rows in (
        ("tags = '{fox,old}'", 3),
        ("tags = '{}'", 0),
        ("tags = '{a,b,c,d,e}'", 15),
        ("is_hidden = true", 15),
        ("is_hidden = false", 15),
        ("like_count = 7", 15),
    ):
        query = f"update community_posts set {change} where id = $1"  # noqa: S608 (texts of ours)
        await database.fetch(query, post.id)
        assert await kept(database) == before + rows + 1, change
    await database.fetch("delete from community_posts where id = $1", other.id)
    assert await kept(database) == before + 15
    await database.fetch("delete from users where id = $1", ada.id)
    assert await kept(database) == before


async def found(database: Database, filters: Filters, viewer: Viewer) -> list[UUID]:
    """What passes, newest first, a few at a time as well as at once."""
    how = passing(filters)
    whole = await how.newest(database, viewer, NOW, 1_000)
    pieces: list[UUID] = []
    for passed in range(0, len(whole) + 1, 3):
        pieces += await how.newest(database, viewer, NOW, 3, passed)
    assert pieces == whole
    assert await how.count(database, viewer, 1_000) == len(whole)
    assert await how.count(database, viewer, 2) == min(len(whole), 2)
    return whole


def wanted() -> Iterable[Filters]:
    """All combinations of type, author and tags that are read by an index."""
    tags = ("a", "b", "c", "d")
    some = [None, *(each for size in (1, 2, 3) for each in combinations(tags, size))]
    for kind in (None, "overlay", "twitch_badge"):
        for chosen in some:
            yield Filters(any_tags=chosen, asset_type=kind)
            yield Filters(all_tags=chosen, asset_type=kind)


@pytest.mark.parametrize("moderates", [False, True])
async def test_what_passes_is_found(people: People, database: Database, moderates: bool) -> None:
    """Just what passes, newest first, without what is hidden from the reader."""
    ada, ben = await people.crowd("Ada", "Ben")
    posts = []
    for number in range(24):
        tags = tuple(tag for place, tag in enumerate("abcd") if (number * 7 + 3) >> place & 1)
        posts.append(
            await (ada, ben)[number % 2].shares(
                f"{number}", tags=tags, asset_type=("overlay", "twitch_badge")[number % 3 == 0]
            )
        )
    hidden = {post.id for post in posts[::5]}
    await database.fetch(
        "update community_posts set is_hidden = true where id = any ($1)", list(hidden)
    )
    for owner in (None, ada, ben):
        viewer = Viewer(ada.id, moderates)
        for asked in wanted():
            filters = Filters(
                asked.asset_type, asked.any_tags, asked.all_tags, owner.id if owner else None
            )
            passes = [
                post.id
                for post in reversed(posts)
                if (post.id not in hidden or moderates or post.user_id == ada.id)
                and filters.asset_type in (None, post.asset_type)
                and filters.user_id in (None, post.user_id)
                and (filters.any_tags is None or set(filters.any_tags) & set(post.tags))
                and (filters.all_tags is None or set(filters.all_tags) <= set(post.tags))
            ]
            mine = {post.id for post in posts}
            there = [each for each in await found(database, filters, viewer) if each in mine]
            assert there == passes, filters
