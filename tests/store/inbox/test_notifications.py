"""A notification grows while it is unseen, names who stands behind it now, and is taken back with what it tells."""

import json

import msgspec

from store.database import Database
from store.journal import Entry
from tests.store.people import Notice, People
from tests.store.refused import refused


def told(entries: list[Entry]) -> list[tuple[str, int, int]]:
    """Type, count and number of actors of each notification that was told."""
    found = []
    for entry in entries:
        if entry.type.startswith("notification:"):
            data = json.loads(entry.data or b"")
            found.append((entry.type, data["count"], len(data["actors"])))
    return found


async def test_a_notification_is_told_to_its_receiver_alone(
    people: People, published: list[Entry]
) -> None:
    """On the receiver's own topic, under the notification's key, with the post's title."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares("Dusk")
    published.clear()
    comment = await ben.comments(post)

    (entry,) = [entry for entry in published if entry.type == "notification:created"]

    data = json.loads(entry.data or b"")
    assert (entry.topic, entry.key) == (f"user:{ada.id}", f"notification:{data['id']}")
    assert entry.subject == f"post:{post.id}"
    assert data["kind"] == "post_commented"
    assert data["subject"] == {"type": "post", "id": str(post.id), "title": "Dusk"}
    assert [actor["id"] for actor in data["actors"]] == [str(ben.id)]
    assert (data["count"], data["seen"]) == (1, False)
    assert data["created_at"] == data["updated_at"]
    assert data["created_at"] == msgspec.to_builtins(comment.created_at)


async def test_comments_on_one_post_are_one_growing_notification(
    people: People, published: list[Entry]
) -> None:
    """Everybody is named once, however often they comment; the author's own count for nothing."""
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    post = await ada.shares()
    await ben.comments(post)
    await cem.comments(post)
    await ada.comments(post)
    await ben.comments(post)
    (notice,) = await ada.notifications()
    assert (notice.kind, notice.subject_id, notice.count) == ("post_commented", post.id, 3)
    assert notice.actors == [ben.id, cem.id]
    assert told(published) == [
        ("notification:created", 1, 1),
        ("notification:updated", 2, 2),
        ("notification:updated", 3, 2),
    ]


async def test_a_new_one_starts_after_it_was_seen(people: People, published: list[Entry]) -> None:
    """It names and counts only what happened since; what was seen stays as it was."""
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    post = await ada.shares()
    early = await ben.comments(post)
    await people.see(ada)
    published.clear()

    await cem.comments(post)

    seen, fresh = await ada.notifications()
    assert (seen.seen, seen.count, seen.actors) == (True, 1, [ben.id])
    assert (fresh.seen, fresh.count, fresh.actors) == (False, 1, [cem.id])
    await ben.deletes(early)
    assert await ada.notifications() == [seen, fresh]
    assert told(published) == [("notification:created", 1, 1)]


async def test_what_is_deleted_is_taken_back(people: People, published: list[Entry]) -> None:
    """Whoever deletes it; with the last of it the notification itself, told with a count of nothing."""
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    post = await ada.shares()
    first, second = await ben.comments(post), await cem.comments(post)
    published.clear()
    await ada.deletes(second)
    (notice,) = await ada.notifications()
    assert (notice.count, notice.actors) == (1, [ben.id])
    await ben.deletes(first)
    assert await ada.notifications() == []
    assert told(published) == [("notification:updated", 1, 1), ("notification:updated", 0, 0)]


async def test_an_edit_is_no_news(people: People, published: list[Entry]) -> None:
    """Editing a comment tells its post's author nothing new."""
    ada, ben = await people.crowd("Ada", "Ben")
    comment = await ben.comments(await ada.shares())
    published.clear()
    await ben.edits(comment, "Better said")
    assert told(published) == []


async def test_each_kind_and_each_post_has_its_own(database: Database, people: People) -> None:
    """Likes, comments and follows do not run together, nor do two posts."""
    ada, ben = await people.crowd("Ada", "Ben")
    one, two = await ada.shares("One"), await ada.shares("Two")
    await ben.likes(one)
    await ben.likes(two)
    await ben.comments(one)
    await ben.follows(ada)
    assert [
        (notice.kind, notice.subject_type, notice.subject_title, notice.count)
        for notice in await ada.notifications()
    ] == [
        ("post_liked", "post", "One", 1),
        ("post_liked", "post", "Two", 1),
        ("post_commented", "post", "One", 1),
        ("user_followed", "user", None, 1),
    ]


async def test_what_is_refused_notifies_nobody(people: People, published: list[Entry]) -> None:
    """A banned user's attempts reach nobody's inbox."""
    ada, bob = await people.crowd("Ada", "Bob")
    post = await ada.shares()
    await people.ban(bob)
    for attempt in (bob.likes(post), bob.comments(post), bob.follows(ada)):
        with refused("COMMUNITY_USER_BANNED"):
            await attempt
    assert await ada.notifications() == []
    assert told(published) == []


async def test_the_stored_and_the_told_notification_are_the_same(
    people: People, published: list[Entry]
) -> None:
    """What the last entry says is what stands in the inbox."""
    ada, *crowd = await people.crowd("Ada", "Ben", "Cem", "Dan", "Eve", "Fay")
    post = await ada.shares("Dusk")
    for person in crowd:
        await person.likes(post)
    await crowd[3].unlikes(post)
    (notice,) = await ada.notifications()
    data = json.loads(published[-1].data or b"")
    assert notice == Notice(
        kind=data["kind"],
        subject_type=data["subject"]["type"],
        subject_id=post.id,
        subject_title=data["subject"]["title"],
        actors=[crowd[4].id, crowd[2].id, crowd[1].id],
        count=data["count"],
        seen=data["seen"],
    )
    assert [actor["id"] for actor in data["actors"]] == [str(user_id) for user_id in notice.actors]
