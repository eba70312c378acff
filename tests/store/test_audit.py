"""The audit finds every count that is not what it counts, and nothing else, while others write."""

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle

import pytest

from store.audit import LISTED, audit
from store.database import Database, Transaction, open_database
from store.journal import Entry
from tests.servers import FreshDatabase
from tests.store.audit import CHECKS, assert_sound, differences
from tests.store.people import People, Person
from tests.waiting import DEADLINE

WRITES = 20
"""Of each writer, beside the audits."""


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    """A database of its own for each test: what is spoilt here others may need."""
    async with open_database(await fresh_database(), connections=8) as database:
        yield database


@pytest.mark.parametrize("counter", ["like_count", "comment_count"])
async def test_a_wrong_counter_of_a_post_is_put_right(
    people: People, database: Database, published: list[Entry], counter: str
) -> None:
    """It is found, stays as it is until told to repair, and then those who watch are told the post anew."""
    ada, bob = await people.crowd("Ada", "Bob")
    post = await ada.shares()
    await ada.shares()
    await bob.likes(post)
    await bob.comments(post)
    await database.fetch(f"update community_posts set {counter} = 5 where id = $1", post.id)  # noqa: S608
    for _ in range(2):
        (found,) = await differences(database)
        assert (found.subject, found.what) == (f"post {post.id}", counter)
        assert (found.said, found.are, found.repaired) == (5, 1, False)
    published.clear()
    (mended,) = await differences(database, repair=True)
    assert mended.repaired
    assert {(entry.topic, entry.type) for entry in published} == {
        (post.topic, "post:updated"),
        ("gallery", "post:updated"),
    }
    assert (await bob.reads(post)).like_count == (await bob.reads(post)).comment_count == 1
    await assert_sound(database)


async def test_a_hidden_post_is_put_right_where_it_may_be_known(
    people: People, database: Database, published: list[Entry]
) -> None:
    """The whole gallery is told nothing of it."""
    ada = await people.person("Ada")
    post = await ada.shares()
    await people.hide(post)
    await database.fetch("update community_posts set like_count = 5 where id = $1", post.id)
    published.clear()
    await differences(database, repair=True)
    assert [entry.topic for entry in published] == [post.topic]


@pytest.mark.parametrize(
    "counter", ["post_count", "total_likes_received", "follower_count", "following_count"]
)
async def test_wrong_statistics_are_put_right(
    people: People, database: Database, counter: str
) -> None:
    """Each of them, for who has a row of statistics and for who has lost it."""
    ada, bob = await people.crowd("Ada", "Bob")
    post = await ada.shares()
    await bob.likes(post)
    await bob.follows(ada)
    await ada.follows(bob)
    await database.fetch(
        f"update community_user_stats set {counter} = 7 where user_id = $1",  # noqa: S608
        ada.id,
    )
    (found,) = await differences(database, repair=True)
    assert (found.subject, found.what) == (f"user {ada.id}", counter)
    assert (found.said, found.are, found.repaired) == (7, 1, True)
    await assert_sound(database)
    await database.fetch("delete from community_user_stats where user_id = $1", ada.id)
    assert counter in [found.what for found in await differences(database, repair=True)]
    await assert_sound(database)


async def test_a_wrong_notification_is_put_right(
    people: People, database: Database, published: list[Entry]
) -> None:
    """Of each kind, with an event; one that counts nothing is taken back."""
    ada, bob = await people.crowd("Ada", "Bob")
    post = await ada.shares()
    await bob.likes(post)
    await bob.comments(post)
    await bob.follows(ada)
    await bob.shares(inspired_by=post)
    await database.fetch("update notifications set count = 9")
    found = await differences(database)
    assert [(one.what, one.said, one.are) for one in found] == [("count", 9, 1)] * 4
    published.clear()
    await differences(database, repair=True)
    assert [entry.type for entry in published] == ["notification:updated"] * 4
    assert [notice.count for notice in await ada.notifications()] == [1] * 4

    await database.fetch("update notifications set created_at = created_at + interval '1 hour'")
    await differences(database, repair=True)
    assert await ada.notifications() == []
    await assert_sound(database)


async def test_a_notification_that_was_seen_stays(people: People, database: Database) -> None:
    """It says what was so when it was seen."""
    ada, bob = await people.crowd("Ada", "Bob")
    post = await ada.shares()
    await bob.likes(post)
    await people.see(ada)
    await bob.unlikes(post)
    await assert_sound(database)


async def test_a_head_behind_its_entries_is_raised(people: People, database: Database) -> None:
    """And one that is missing is made."""
    ada, bob = await people.crowd("Ada", "Bob")
    post, other = await ada.shares(), await ada.shares()
    for liked in (post, other):
        await bob.likes(liked)
        await bob.unlikes(liked)
    await database.fetch("update topics set seq = 1 where topic = $1", post.topic)
    await database.fetch("delete from topics where topic = $1", other.topic)
    found = await differences(database, repair=True)
    assert {(one.subject, one.what, one.said, one.are, one.repaired) for one in found} == {
        (f"topic {post.topic}", "head", 1, 2, True),
        (f"topic {other.topic}", "head", 0, 2, True),
    }
    await assert_sound(database)


async def test_what_cannot_be_mended_is_told(people: People, database: Database) -> None:
    """A head past its entries, a hole, an entry told twice, and one told before the one it follows."""
    ada, bob = await people.crowd("Ada", "Bob")
    past, hole, twice, early = [await ada.shares() for _ in range(4)]
    for post in (past, hole, twice, early):
        await bob.likes(post)
        await bob.unlikes(post)
        await bob.likes(post)
    await database.fetch("update topics set seq = 8 where topic = $1", past.topic)
    await database.fetch("delete from events where topic = $1 and seq = 2", hole.topic)
    await database.fetch(
        "insert into events (topic, seq, type, created_at) "
        "select topic, seq, type, created_at + interval '1 microsecond' from events "
        "where topic = $1 and seq = 3",
        twice.topic,
    )
    await database.fetch(
        "update events set created_at = created_at - interval '1 minute' "
        "where topic = $1 and seq = 3",
        early.topic,
    )
    expected = {
        (f"topic {past.topic}", "head", 8, 3),
        (f"topic {hole.topic}", "entries", 3, 2),
        (f"topic {twice.topic}", "entries told twice", 0, 1),
        (f"topic {early.topic}", "entries told too early", 0, 1),
    }
    for repair in (False, True):
        found = await differences(database, repair=repair)
        assert {(one.subject, one.what, one.said, one.are) for one in found} == expected
        assert not any(one.repaired for one in found)


async def test_a_journal_whose_beginning_was_dropped_is_sound(
    people: People, database: Database
) -> None:
    """The retention takes the oldest entries, of a quiet topic all."""
    ada, bob = await people.crowd("Ada", "Bob")
    post, quiet = await ada.shares(), await ada.shares()
    for _ in range(2):
        await bob.likes(post)
        await bob.unlikes(post)
    await bob.likes(quiet)
    await people.gallery.standings.follow()
    await database.fetch("delete from events where topic = $1 and seq < 3", post.topic)
    await database.fetch("delete from events where topic = $1", quiet.topic)
    await assert_sound(database)


async def test_nothing_is_found_while_others_write(people: People, database: Database) -> None:
    """Audits, with and without repairing, beside likes, comments and follows that come all the time."""
    ada, *fans = await people.crowd("Ada", *(f"Fan {number}" for number in range(5)))
    posts = [await ada.shares() for _ in range(3)]

    async def write(fan: Person) -> None:
        for turn in range(WRITES):
            post = posts[turn % 3]
            await (fan.unlikes(post) if turn % 2 else fan.likes(post))
            if turn % 5 == 0:
                await fan.deletes(await fan.comments(post))
                await (fan.unfollows(ada) if turn % 2 else fan.follows(ada))

    writing = asyncio.gather(*(write(fan) for fan in fans))
    repairs = cycle((False, True))
    while not writing.done():
        assert await differences(database, repair=next(repairs)) == []
    await writing
    await assert_sound(database)


async def test_many_differences_are_counted_and_the_first_listed(
    people: People, database: Database
) -> None:
    """However many there are, and in more batches than one, memory holds."""
    ada = await people.person("Ada")
    await database.fetch(
        "with made as ("
        "  insert into assets (id, user_id, asset_type, url)"
        "  select gen_random_uuid(), $1, 'overlay', '/media/a.svg' from generate_series(1, 1200)"
        "  returning id, user_id, asset_type, url"
        ") insert into community_posts (id, user_id, asset_id, title, asset_type, asset_url, like_count)"
        "  select id, user_id, id, 'A picture', asset_type, url, 3 from made",
        ada.id,
    )
    (posts,) = [one for one in await audit(database, CHECKS) if one.check == "counters of posts"]
    assert (posts.compared, posts.different, posts.repaired) == (1200, 1200, 0)
    assert len(posts.differences) == LISTED
    assert not posts.clean
    (posts,) = [
        one
        for one in await audit(database, CHECKS, repair=True)
        if one.check == "counters of posts"
    ]
    assert (posts.different, posts.repaired, posts.clean) == (1200, 1200, True)
    await assert_sound(database)


async def test_an_open_transaction_is_neither_seen_nor_waited_for(
    people: People, database: Database
) -> None:
    """What is not committed is not there; and an audit that repairs nothing takes no lock."""
    ada = await people.person("Ada")
    post = await ada.shares()

    async def half_done(transaction: Transaction) -> None:
        count = "update community_posts set like_count = $2 where id = $1"
        await transaction.fetch(count, post.id, 1)
        async with asyncio.timeout(DEADLINE):
            await assert_sound(database)
        await transaction.fetch(count, post.id, 0)

    await database.transaction(half_done)
