"""What is found by its keys: posts by words, with type, author and tags, one span of time after the other."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from store.database import Database, open_database
from store.gallery.passing import NOW, Filters, passing
from store.viewer import Viewer
from tests.servers import FreshDatabase
from tests.store.people import People, Person

UNIT = timedelta(seconds=16_384)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MADE = """
with asset as (
    insert into assets (id, user_id, asset_type, url)
    select md5('asset ' || n)::uuid, (array[$1::uuid, $2::uuid])[1 + n % 2],
           (array['overlay', 'twitch_badge', 'twitch_emote'])[1 + n % 3], '/media/x'
    from generate_series(1, $3::integer) as n
    returning *
)
insert into community_posts (
    id, user_id, asset_id, title, description, tags, asset_type, asset_url, is_hidden, created_at
)
select md5('post ' || n)::uuid, asset.user_id, asset.id, said.title, said.description,
       array(
           select tag from unnest(array['a', 'b', 'c']) with ordinality as tags (tag, place)
           where n >> place::integer & 1 = 1
       ),
       asset.asset_type, '/media/x', n % 7 = 0,
       '2026-11-01'::timestamptz - n / 2 * n / 2 * interval '23 minutes'
from generate_series(1, $3::integer) as n
join asset on asset.id = md5('asset ' || n)::uuid
cross join lateral (
    select 'Picture ' || n || case when n % 2 = 0 then ' of a red fox' else ' of a hen' end as title,
           case when n % 5 = 0 then 'The fox is not red, says O''Brien of x\\y' when n % 11 = 0 then 'http://example.com/a?b=c'
           end as description
) as said
"""
"""Posts that were made at ever greater distances, in pairs of one moment; some words are common, and some rare."""

POSTS = 300

SEARCHES = (
    "fox", "red fox", "fox red", '"red fox"', '"fox red"', "fox -red", 'hen -"red fox"', '-"red fox"', "-fox",
    "hen or 17", "-red or 18", "17 or 18 or 280", "fox hen", "O'Brien", "x\\y", "http://example.com/a?b=c",
    "example.com", "the of", "&|!:*()'", "nowhere", "picture -nowhere", "twitch-offline", "-twitch-offline",
)  # fmt: skip

FILTERS = (
    Filters(),
    Filters(asset_type="twitch_badge"),
    Filters(any_tags=("a", "b")),
    Filters(any_tags=("a",), all_tags=("b", "c"), asset_type="overlay"),
)

PASSES = """
select id
from community_posts
where search @@ websearch_to_tsquery('english', $1)
    and ($2::text is null or asset_type = $2)
    and ($3::text[] is null or tags && $3)
    and ($4::text[] is null or tags @> $4)
    and ($5::uuid is null or user_id = $5)
    and (not is_hidden or user_id = $6 or $7)
order by created_at desc, id desc
"""
"""What is to be found, by reading everything."""


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A database for these tests: what they look for stands nowhere else."""
    async with open_database(await fresh_database(), connections=4) as database:
        yield database


@pytest.fixture(scope="module")
async def authors(database: Database) -> tuple[Person, Person]:
    """Ada and Ben, who made all the posts."""
    ada, ben = await People(database).crowd("Ada", "Ben")
    await database.fetch(MADE, ada.id, ben.id, POSTS)
    return ada, ben


async def found(database: Database, filters: Filters, viewer: Viewer, most: int) -> list[UUID]:
    """What passes, by cursor, so many at a time."""
    how, before = passing(filters), NOW
    ids: list[UUID] = []
    while page := await how.newest(database, viewer, before, most):
        ids += page
        row = await database.fetchrow(
            "select created_at, id from community_posts where id = $1", page[-1]
        )
        assert row is not None
        before = (row["created_at"], row["id"])
    return ids


@pytest.mark.parametrize("search", SEARCHES)
async def test_what_has_words_is_found(
    database: Database, authors: tuple[Person, Person], search: str
) -> None:
    """Just that, newest first, whoever reads, at once and page by page, though years lie between."""
    ada, _ = authors
    for filters, owner, moderates in product(FILTERS, (None, ada), (False, True)):
        user_id = owner.id if owner else None
        kind, some, every = filters.values()[:3]
        asked = Filters(filters.asset_type, filters.any_tags, filters.all_tags, user_id, search)
        viewer = Viewer(ada.id, moderates)
        rows = await database.fetch(PASSES, search, kind, some, every, user_id, ada.id, moderates)
        passes = [row["id"] for row in rows]
        how = passing(asked)
        assert await found(database, asked, viewer, 1_000) == passes, asked
        assert await how.newest(database, viewer, NOW, 5, 3) == passes[3:8], asked
        assert await how.count(database, viewer, 1_000) == len(passes), asked
        if owner is None and kind is None:
            assert await found(database, asked, viewer, 7) == passes, asked


async def test_keys_are_those_of_the_post_as_it_is(people: People, database: Database) -> None:
    """Whoever changes it, from here or from elsewhere."""
    ada = await people.person("Ada")
    post = await ada.shares("A weasel", tags=("wild",))
    weasel, stoat = (
        Filters(user_id=ada.id, search="weasel"),
        Filters(any_tags=("tame",), search="stoat"),
    )
    for change, weasels, stoats in (
        ("like_count = 7", 1, 0),
        ("title = 'A stoat'", 0, 0),
        ("tags = '{tame}'", 0, 1),
        ("is_hidden = true", 0, 0),
        ("is_hidden = false, description = 'no weasel'", 1, 1),
    ):
        await database.fetch(f"update community_posts set {change} where id = $1", post.id)  # noqa: S608 (texts of ours)
        for filters, count in ((weasel, weasels), (stoat, stoats)):
            ids = await passing(filters).newest(database, Viewer(), NOW, 10)
            assert ids == [post.id] * count, change
    await database.fetch("delete from community_posts where id = $1", post.id)
    assert await passing(weasel).newest(database, Viewer(), NOW, 10) == []


@pytest.mark.parametrize("oldest", ["1970-01-02", "2022-12-01", "2026-11-20", "2026-11-27 13:00"])
@pytest.mark.parametrize("newest", ["2026-11-27 13:00", "2026-12-01", "2027-03-01 17:11"])
async def test_spans_lie_one_after_the_other(database: Database, newest: str, oldest: str) -> None:
    """From the newest to the oldest without a gap; none is longer than all before it together, and they are few."""
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (newest, oldest))
    rows = await database.fetch("select search_spans($1, $2) as digits", first, last)
    end = passed = (first - EPOCH) // UNIT + 1
    for (digits,) in rows:
        length = 16 ** (5 - len(digits))
        begin = int(digits, 16) * length
        assert begin + length == end
        assert length <= max(passed - end, 1)
        end = begin
    assert end <= (last - EPOCH) // UNIT
    assert len(rows) < 64 + (first - last) / (256 * UNIT)
