"""Follows are a set: doing it twice is doing it once, and the counters on both sides say how many there are."""

import asyncio
import json
from itertools import permutations

from store.database import Database
from store.gallery import Gallery
from store.gallery.follows import Follow
from store.gallery.shapes import Followed, Stats
from store.ids import new_id
from store.journal import Entry, Journal
from store.refusal import Refusal
from tests.store.audit import assert_sound
from tests.store.people import Notice, People, Person
from tests.store.refused import refused


async def test_a_follow_is_answered_counted_and_told(
    people: People, published: list[Entry]
) -> None:
    """The followed user's own topic gets who it was and how many there are, under that follower's key."""
    ada, ben = await people.crowd("Ada", "Ben")

    assert await ben.follows(ada) == Followed(
        ada.id, following=True, changed=True, follower_count=1
    )

    entry = next(entry for entry in published if entry.type == "user:followed")
    assert (entry.topic, entry.key, entry.actor) == (
        f"user:{ada.id}",
        f"follower:{ben.id}",
        ben.id,
    )
    assert json.loads(entry.data or b"") == {
        "user_id": str(ada.id),
        "actor": {
            "id": str(ben.id),
            "display_name": "Ben",
            "avatar_url": None,
            "subscription_tier": "free",
        },
        "follower_count": 1,
    }
    profile = await ben.profile_of(ada)
    assert (profile.user, profile.is_following) == (ada.summary, True)
    assert profile.stats == Stats(ada.id, 0, 0, follower_count=1, following_count=0)
    own = await ben.profile_of(ben)
    assert own.stats == Stats(ben.id, 0, 0, follower_count=0, following_count=1)


async def test_following_again_changes_nothing(people: People, published: list[Entry]) -> None:
    """A second follow, or an unfollow of somebody not followed, is answered and not told."""
    ada, ben = await people.crowd("Ada", "Ben")
    assert not (await ben.unfollows(ada)).changed
    assert published == []
    await ben.follows(ada)
    published.clear()
    assert await ben.follows(ada) == Followed(
        ada.id, following=True, changed=False, follower_count=1
    )
    assert published == []


async def test_unfollowing_takes_it_back(
    database: Database, people: People, published: list[Entry]
) -> None:
    """The counts go down, the unseen notification goes, and a replay has only the newest of each key."""
    ada, ben = await people.crowd("Ada", "Ben")
    await ben.follows(ada)
    assert await ben.unfollows(ada) == Followed(
        ada.id, following=False, changed=True, follower_count=0
    )
    assert await ada.notifications() == []
    replay = await Journal(database).replay(f"user:{ada.id}", 0)
    assert [entry.type for entry in replay.entries] == [
        "user:unfollowed",
        "notification:updated",
    ]
    assert not (await ben.profile_of(ada)).is_following
    await assert_sound(database)


async def test_whom_one_cannot_follow(people: People) -> None:
    """Neither oneself nor nobody; and a banned user follows and unfollows nobody at all."""
    ada, bob = await people.crowd("Ada", "Bob")
    nobody = Person(people, bob.summary.__class__(new_id(), "Nobody", None, "free"))
    for doing in (ada.follows, ada.unfollows):
        with refused("COMMUNITY_SELF_FOLLOW"):
            await doing(ada)
        with refused("COMMUNITY_USER_NOT_FOUND", user_id=nobody.id):
            await doing(nobody)
    await bob.follows(ada)
    await people.ban(bob)
    for doing in (bob.follows, bob.unfollows):
        for other in (ada, bob, nobody):
            with refused("COMMUNITY_USER_BANNED"):
                await doing(other)
    with refused("COMMUNITY_USER_NOT_FOUND", user_id=nobody.id):
        await ada.profile_of(nobody)


async def test_all_follows_are_one_growing_notification(people: People) -> None:
    """It is about the user who is followed, and names the newest three, newest first."""
    ada, *crowd = await people.crowd("Ada", "Ben", "Cem", "Dan", "Eve")
    for person in crowd:
        await person.follows(ada)
    (notice,) = await ada.notifications()
    assert notice == Notice(
        kind="user_followed",
        subject_type="user",
        subject_id=ada.id,
        subject_title=None,
        actors=[person.id for person in reversed(crowd[1:])],
        count=4,
        seen=False,
    )


async def test_a_batch_is_carried_out_in_order(
    database: Database, people: People, published: list[Entry]
) -> None:
    """What is refused harms nothing else, and what is undone within the batch is not told."""
    ada, ben, cem, bob = await people.crowd("Ada", "Ben", "Cem", "Bob")
    await people.ban(bob)
    await cem.follows(ada)
    published.clear()

    answers = await Gallery(database).follows.settle(
        [
            Follow(ada.id, ben.viewer, True),
            Follow(ada.id, bob.viewer, True),
            Follow(ada.id, ada.viewer, True),
            Follow(ada.id, ben.viewer, True),
            Follow(ben.id, ada.viewer, True),
            Follow(ben.id, ada.viewer, False),
            Follow(ada.id, cem.viewer, False),
            Follow(new_id(), ada.viewer, True),
        ]
    )

    assert [
        answer.code if isinstance(answer, Refusal) else (answer.changed, answer.follower_count)
        for answer in answers
    ] == [
        (True, 1),
        "COMMUNITY_USER_BANNED",
        "COMMUNITY_SELF_FOLLOW",
        (False, 1),
        (True, 0),
        (True, 0),
        (True, 1),
        "COMMUNITY_USER_NOT_FOUND",
    ]
    follows = [entry for entry in published if entry.type.startswith("user:")]
    assert [(entry.type, entry.actor) for entry in follows] == [
        ("user:followed", ben.id),
        ("user:unfollowed", cem.id),
    ]
    assert await ben.notifications() == []
    await assert_sound(database)


async def test_everybody_follows_everybody_at_once(
    database: Database, people: People, published: list[Entry]
) -> None:
    """Crossing follows wait for each other and never fail; all counters equal the rows."""
    crowd = await people.crowd(*(f"Person {n}" for n in range(15)))
    pairs = list(permutations(crowd, 2))

    answers = await asyncio.gather(*(one.follows(other) for one, other in pairs))
    assert all(answer.changed for answer in answers)
    await assert_sound(database)

    await asyncio.gather(*(one.unfollows(other) for one, other in pairs if one.id < other.id))
    await assert_sound(database)
    for person in crowd:
        left = sum(other.id > person.id for other in crowd)
        assert (await person.profile_of(person)).stats.follower_count == left
        assert sum(notice.count for notice in await person.notifications()) == left
        last = max(
            (e for e in published if e.topic == f"user:{person.id}" and "follower_" in str(e.data)),
            key=lambda entry: entry.seq,
        )
        assert json.loads(last.data or b"")["follower_count"] == left


async def test_follow_and_unfollow_at_once_settle_on_one_of_them(
    database: Database, people: People, published: list[Entry]
) -> None:
    """200 contradictory commands on one creator: what the last entry tells is what the rows say."""
    ada, *crowd = await people.crowd("Ada", *(f"Person {n}" for n in range(10)))
    await asyncio.gather(
        *(
            crowd[n % 10].follows(ada) if n // 10 % 2 else crowd[n % 10].unfollows(ada)
            for n in range(200)
        )
    )
    await assert_sound(database)
    for person in crowd:
        told = [entry for entry in published if entry.key == f"follower:{person.id}"]
        stands = (await person.profile_of(ada)).is_following
        newest = max(told, key=lambda entry: entry.seq)
        assert newest.type == ("user:followed" if stands else "user:unfollowed")
    followers = (await ada.profile_of(ada)).stats.follower_count
    assert sum(notice.count for notice in await ada.notifications()) == followers


async def test_who_of_some_follows_the_authors_of_posts(people: People) -> None:
    """Post by post; nobody is to be told of one that is hidden or gone."""
    ada, ben, cid, dan = await people.crowd("Ada", "Ben", "Cid", "Dan")
    await ben.follows(ada)
    await cid.follows(ada)
    await ben.follows(dan)
    posts = [await author.shares() for author in (ada, dan, ada, ada)]
    await people.hide(posts[2])
    await ada.removes(posts[3])
    ids = [post.id for post in posts]
    told = await people.gallery.follows.followers_of_authors(ids, [ada.id, ben.id, dan.id])
    assert told == {ids[0]: {ben.id}, ids[1]: {ben.id}, ids[2]: set(), ids[3]: set()}
