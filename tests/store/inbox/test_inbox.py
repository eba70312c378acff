"""An inbox as its owner reads it: newest first, and what has been seen."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from store.database import Database
from store.gallery.feed import Order
from store.gallery.passing import Filters
from store.ids import new_id
from store.inbox import Inbox
from store.inbox.notifications import SEEN_AT_ONCE, Notifications
from store.inbox.shapes import NotificationPage, Subject
from store.journal import Entry
from store.viewer import Viewer
from tests.store.audit import assert_sound
from tests.store.people import People, Person
from tests.store.refused import refused


@pytest.fixture
def inbox(database: Database) -> Notifications:
    return Inbox(database).notifications


async def notified(people: People, titles: list[str]) -> tuple[Person, Person]:
    """Ada has posts of these titles, each of them liked by Ben, in that order."""
    ada, ben = await people.crowd("Ada", "Ben")
    for title in titles:
        await ben.likes(await ada.shares(title))
    return ada, ben


def titles(page: NotificationPage) -> list[str | None]:
    return [notification.subject.title for notification in page.items]


async def test_an_inbox_begins_with_what_changed_last(people: People, inbox: Notifications) -> None:
    """Each with its actors, newest first, its subject and its count; and how many are unseen."""
    ada, ben = await notified(people, ["One", "Two"])
    cem = await people.person("Cem")
    await cem.follows(ada)
    two, one = (await people.gallery.feed.page(*_recent(ada))).items
    await cem.likes(one)
    page = await inbox.page(ada.id)
    assert (page.total, page.unseen_count, page.page, page.has_more) == (3, 3, 1, False)
    liked, followed, other = page.items
    assert liked.subject == Subject("post", one.id, "One")
    assert (liked.kind, liked.count, liked.actors) == ("post_liked", 2, [cem.summary, ben.summary])
    assert (liked.seen, liked.created_at < liked.updated_at) == (False, True)
    assert (followed.kind, followed.subject) == ("user_followed", Subject("user", ada.id))
    assert (followed.actors, other.subject.id) == ([cem.summary], two.id)
    nothing = await inbox.page(ben.id)
    assert (nothing.items, nothing.total, nothing.unseen_count) == ([], 0, 0)


def _recent(person: Person) -> tuple[Order, Viewer, Filters]:
    return Order.RECENT, person.viewer, Filters(user_id=person.id)


async def test_an_inbox_is_walked(people: People, inbox: Notifications) -> None:
    """By cursor and by number; each with the same number of unseen ones. A cursor is its owner's."""
    ada, ben = await notified(people, [str(number) for number in range(5)])
    page = await inbox.page(ada.id, limit=2)
    found = titles(page)
    while page.next_cursor is not None:
        page = await inbox.page(ada.id, limit=2, cursor=page.next_cursor)
        by_number = await inbox.page(ada.id, limit=2, page=page.page)
        assert titles(by_number) == titles(page)
        assert (page.total, page.unseen_count) == (5, 5)
        found += titles(page)
    assert found == ["4", "3", "2", "1", "0"]
    assert (await inbox.page(ada.id, limit=2, page=9)).items == []
    cursor = (await inbox.page(ada.id, limit=2)).next_cursor
    with refused("INVALID_CURSOR"):
        await inbox.page(ben.id, cursor=cursor)


async def test_what_is_seen_is_told(
    people: People, inbox: Notifications, published: list[Entry]
) -> None:
    """To the owner's own topic, as the newest state of each; what was seen already is left alone."""
    ada, _ = await notified(people, ["One", "Two", "Three"])
    three, two, one = (await inbox.page(ada.id)).items
    published.clear()

    seen = await inbox.see(ada.id, ids=[three.id, one.id])

    assert (set(seen.ids), seen.unseen_count) == ({one.id, three.id}, 1)
    assert {entry.key for entry in published} == {
        f"notification:{one.id}",
        f"notification:{three.id}",
    }
    for entry in published:
        data = json.loads(entry.data or b"")
        before = one if data["id"] == str(one.id) else three
        assert (entry.topic, entry.type) == (f"user:{ada.id}", "notification:updated")
        assert entry.subject == f"post:{before.subject.id}"
        assert (data["seen"], data["count"], data["subject"]["title"]) == (
            True,
            1,
            before.subject.title,
        )
        assert [actor["display_name"] for actor in data["actors"]] == ["Ben"]
    page = await inbox.page(ada.id)
    assert [notification.seen for notification in page.items] == [True, False, True]
    assert (page.unseen_count, page.items[1]) == (1, two)

    published.clear()
    again = await inbox.see(ada.id, ids=[three.id, one.id])
    assert (again.ids, again.unseen_count, published) == ([], 1, [])


async def test_all_up_to_a_moment_are_seen(people: People, inbox: Notifications) -> None:
    """That moment included: what changed later stays unseen."""
    ada, _ = await notified(people, ["One", "Two", "Three"])
    three, two, one = (await inbox.page(ada.id)).items
    seen = await inbox.see(ada.id, before=two.updated_at)
    assert (set(seen.ids), seen.unseen_count) == ({one.id, two.id}, 1)
    seen = await inbox.see(ada.id, before=datetime.now(UTC) + timedelta(hours=1))
    assert (seen.ids, seen.unseen_count) == ([three.id], 0)


async def test_nobody_sees_for_another(
    people: People, inbox: Notifications, published: list[Entry]
) -> None:
    """Another's notification, or one that there is not, is as if it were seen."""
    ada, ben = await notified(people, ["One"])
    (one,) = (await inbox.page(ada.id)).items
    published.clear()
    seen = await inbox.see(ben.id, ids=[one.id, new_id()])
    assert (seen.ids, seen.unseen_count, published) == ([], 0, [])
    assert (await inbox.page(ada.id)).unseen_count == 1


async def test_what_follows_what_was_seen_is_new(people: People, inbox: Notifications) -> None:
    """A seen notification stays as it is; the next like begins another."""
    ada, ben = await notified(people, ["One"])
    (old,) = (await inbox.page(ada.id)).items
    await inbox.see(ada.id, ids=[old.id])
    cem = await people.person("Cem")
    await cem.likes((await people.gallery.feed.page(*_recent(ada))).items[0])
    fresh, seen = (await inbox.page(ada.id)).items
    assert (fresh.actors, fresh.count, fresh.seen) == ([cem.summary], 1, False)
    assert (seen.id, seen.actors, seen.seen) == (old.id, [ben.summary], True)


async def test_a_large_inbox_is_seen_whole(
    database: Database, people: People, inbox: Notifications
) -> None:
    """However many there are; each transaction takes a part of them."""
    ada, ben = await people.crowd("Ada", "Ben")
    await database.fetch(
        "insert into notifications (id, user_id, kind, subject_type, subject_id, actors, count, "
        "created_at, updated_at) select gen_random_uuid(), $1, 'post_liked', 'post', "
        "gen_random_uuid(), array[$2::uuid], 1, now(), now() from generate_series(1, $3::integer)",
        ada.id,
        ben.id,
        SEEN_AT_ONCE + 20,
    )
    seen = await inbox.see(ada.id, before=datetime.now(UTC) + timedelta(hours=1))
    assert (len(set(seen.ids)), seen.unseen_count) == (SEEN_AT_ONCE + 20, 0)
    await assert_sound(database)
