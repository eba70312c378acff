"""Likes are a set for each post, and the counter is its size."""

import asyncio
import json

from store.database import Database
from store.gallery import Gallery
from store.gallery.likes import Like
from store.gallery.shapes import Liked
from store.ids import new_id
from store.journal import Entry, Journal
from store.refusal import Refusal
from tests.store.audit import assert_sound
from tests.store.people import Notice, People
from tests.store.refused import refused


async def test_a_like_is_answered_counted_and_told(people: People, published: list[Entry]) -> None:
    """The answer carries the absolute count and the position in the journal, the event who liked last."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares()
    published.clear()

    assert await ben.likes(post) == Liked(post.id, liked=True, changed=True, like_count=1, seq=1)

    entry = next(entry for entry in published if entry.topic == f"post:{post.id}")
    assert (entry.type, entry.seq, entry.key, entry.actor) == ("post:liked", 1, "likes", ben.id)
    data = json.loads(entry.data or b"")
    assert (data["post_id"], data["like_count"]) == (str(post.id), 1)
    assert [actor["display_name"] for actor in data["actors"]] == ["Ben"]


async def test_liking_again_changes_nothing(people: People, published: list[Entry]) -> None:
    """The state is answered with the position at which it was told; nothing is told again."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares()
    published.clear()
    assert await ben.unlikes(post) == Liked(post.id, False, changed=False, like_count=0, seq=0)
    await ben.likes(post)
    published.clear()
    assert await ben.likes(post) == Liked(post.id, True, changed=False, like_count=1, seq=1)
    assert published == []


async def test_a_like_names_the_newest_three(people: People, published: list[Entry]) -> None:
    """Newest first, and an unlike takes its actor out again."""
    ada, *crowd = await people.crowd("Ada", "Ben", "Cem", "Dan", "Eve")
    post = await ada.shares()
    for person in crowd:
        await person.likes(post)
    await crowd[2].unlikes(post)
    told = [e for e in published if e.topic == f"post:{post.id}"]
    names = [
        [actor["display_name"] for actor in json.loads(entry.data or b"")["actors"]]
        for entry in told[-2:]
    ]
    assert names == [["Eve", "Dan", "Cem"], ["Eve", "Cem", "Ben"]]
    assert told[-1].type == "post:unliked"


async def test_who_may_not_like(people: People) -> None:
    """A banned user; anybody what is hidden, but for its owner and moderators."""
    ada, ben, bob = await people.crowd("Ada", "Ben", "Bob")
    mia = await people.person("Mia", moderates=True)
    post = await ada.shares()
    await bob.likes(post)
    await people.ban(bob)
    for doing in (bob.likes, bob.unlikes):
        with refused("COMMUNITY_USER_BANNED"):
            await doing(post)
    await people.hide(post)
    for doing in (ben.likes, ben.unlikes):
        with refused("COMMUNITY_POST_NOT_FOUND", post_id=post.id):
            await doing(post)
    assert (await ada.likes(post)).changed
    assert (await mia.likes(post)).changed


async def test_likes_on_one_post_are_one_growing_notification(people: People) -> None:
    """After it was seen a new one starts; the author's own like is none; an unlike takes it back."""
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    post = await ada.shares("Dusk")

    def notice(actors: list[object], count: int, *, seen: bool = False) -> Notice:
        return Notice("post_liked", "post", post.id, "Dusk", actors, count, seen)  # type: ignore[arg-type]

    await ben.likes(post)
    await ada.likes(post)
    await cem.likes(post)
    assert await ada.notifications() == [notice([cem.id, ben.id], 2)]
    await cem.unlikes(post)
    assert await ada.notifications() == [notice([ben.id], 1)]
    await people.see(ada)
    await cem.likes(post)
    assert await ada.notifications() == [
        notice([ben.id], 1, seen=True),
        notice([cem.id], 1),
    ]
    await ben.unlikes(post)
    await cem.unlikes(post)
    assert await ada.notifications() == [notice([ben.id], 1, seen=True)]


async def test_a_batch_is_carried_out_in_order(
    database: Database, people: People, published: list[Entry]
) -> None:
    """What is refused harms nothing else; each post gets one entry, and none when all was undone."""
    ada, ben, cem, bob = await people.crowd("Ada", "Ben", "Cem", "Bob")
    post, quiet = await ada.shares(), await ada.shares()
    await people.ban(bob)
    await cem.likes(post)
    published.clear()

    answers = await Gallery(database).likes.settle(
        [
            Like(post.id, ben.viewer, True),
            Like(post.id, bob.viewer, True),
            Like(post.id, ben.viewer, True),
            Like(post.id, cem.viewer, False),
            Like(new_id(), ben.viewer, True),
            Like(quiet.id, ben.viewer, True),
            Like(quiet.id, ben.viewer, False),
        ]
    )

    assert [
        answer.code
        if isinstance(answer, Refusal)
        else (answer.changed, answer.like_count, answer.seq)
        for answer in answers
    ] == [
        (True, 1, 2),
        "COMMUNITY_USER_BANNED",
        (False, 1, 2),
        (True, 1, 2),
        "COMMUNITY_POST_NOT_FOUND",
        (True, 0, 0),
        (True, 0, 0),
    ]
    assert [entry.topic for entry in published if entry.key == "likes"] == [f"post:{post.id}"]
    await assert_sound(database)


async def test_a_storm_of_likes_leaves_everything_in_order(
    database: Database, people: People, published: list[Entry]
) -> None:
    """200 likes and unlikes at once over three posts: counters, journal and notifications agree."""
    ada, *crowd = await people.crowd("Ada", *(f"Person {n}" for n in range(20)))
    posts = [await ada.shares(f"Post {n}") for n in range(3)]
    await asyncio.gather(
        *(
            crowd[n % 20].unlikes(posts[n % 3])
            if n // 20 % 3 == 1
            else crowd[n % 20].likes(posts[n % 3])
            for n in range(200)
        )
    )
    await assert_sound(database)
    notices = {notice.subject_id: notice.count for notice in await ada.notifications()}
    for post in posts:
        replay = await Journal(database).replay(f"post:{post.id}", 0)
        (newest,) = replay.entries
        count = json.loads(newest.data or b"")["like_count"]
        assert newest.seq == replay.head
        assert notices.get(post.id, 0) == count
        again = await ada.unlikes(post)
        assert again.like_count == count
    total = (await ada.profile_of(ada)).stats.total_likes_received
    assert total == sum(notices.values())
