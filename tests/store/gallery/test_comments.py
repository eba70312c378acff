"""Comments are written, edited and deleted by those who may, and told in the order of their writing."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from store.database import Database
from store.gallery import Gallery
from store.gallery.comments import Delete, Edit, Settled, Write
from store.gallery.shapes import Comment, SharedComment
from store.ids import new_id
from store.journal import Entry, Journal
from store.refusal import Refusal
from tests.store.audit import assert_sound
from tests.store.people import People, Person
from tests.store.refused import refused

Published = list[Entry]


def told(entries: Published, topic: str) -> list[tuple[str, Any]]:
    return [
        (entry.type, json.loads(entry.data or b"null")) for entry in entries if entry.topic == topic
    ]


def as_shared(comment: Comment) -> object:
    fields = {name: getattr(comment, name) for name in SharedComment.__struct_fields__}
    return msgspec.to_builtins(SharedComment(**fields))


async def test_a_comment_is_answered_counted_and_told(people: People, published: Published) -> None:
    """The answer is the comment as its writer sees it; the event the same without what depends on them."""
    ada, ben = await people.person("Ada"), await people.person("Ben")
    post = await ada.shares()
    published.clear()

    written = await ben.writes(post, "Lovely line work")

    comment = written.comment
    assert written.changed
    assert (comment.post_id, comment.user_id, comment.author) == (post.id, ben.id, ben.summary)
    assert (comment.content, comment.is_edited) == ("Lovely line work", False)
    assert comment.created_at == comment.updated_at
    assert (comment.can_edit, comment.can_delete) == (True, True)
    assert told(published, f"post:{post.id}") == [
        (
            "comment:created",
            {
                "post_id": str(post.id),
                "comment": as_shared(comment),
                "comment_count": 1,
            },
        )
    ]
    entry = published[0]
    assert (entry.seq, entry.key, entry.subject, entry.actor) == (
        1,
        None,
        f"comment:{comment.id}",
        ben.id,
    )


async def test_an_edit_says_that_it_is_one(people: People, published: Published) -> None:
    """The new content stands, marked as edited, and is told with an unchanged count."""
    ada = await people.person("Ada")
    post = await ada.shares()
    comment = await ada.comments(post, "Frist")
    published.clear()

    edited = (await ada.edits(comment, "First")).comment

    assert (edited.content, edited.is_edited, edited.created_at) == (
        "First",
        True,
        comment.created_at,
    )
    assert edited.updated_at > comment.updated_at
    assert told(published, f"post:{post.id}") == [
        (
            "comment:updated",
            {"post_id": str(post.id), "comment": as_shared(edited), "comment_count": 1},
        )
    ]
    (stored,) = (await ada.reads_comments(post)).items
    assert stored == edited


async def test_an_edit_to_the_same_content_changes_nothing(
    people: People, published: Published
) -> None:
    """It is answered with the comment as it is, and the journal gets no entry."""
    ada = await people.person("Ada")
    comment = await ada.comments(await ada.shares(), "As it was")
    published.clear()

    again = await ada.edits(comment, "As it was")

    assert again == Settled(comment, changed=False)
    assert published == []


async def test_a_deleted_comment_is_gone_everywhere(
    database: Database, people: People, published: Published
) -> None:
    """Its row goes, the count goes down, and the journal keeps its place but not what it said."""
    ada, ben = await people.person("Ada"), await people.person("Ben")
    post = await ada.shares()
    comment = await ben.comments(post, "Something regrettable")
    await ben.edits(comment, "Something very regrettable")
    published.clear()

    assert (await ben.deletes(comment)).changed

    topic = f"post:{post.id}"
    assert told(published, topic) == [
        (
            "comment:deleted",
            {"post_id": str(post.id), "comment_id": str(comment.id), "comment_count": 0},
        )
    ]
    replay = await Journal(database).replay(topic, 0)
    assert [(entry.type, entry.data is None) for entry in replay.entries] == [
        ("comment:created", True),
        ("comment:updated", True),
        ("comment:deleted", False),
    ]
    assert (await ada.reads_comments(post)).total == 0
    with refused("COMMUNITY_COMMENT_NOT_FOUND", comment_id=comment.id):
        await ben.deletes(comment)
    with refused("COMMUNITY_COMMENT_NOT_FOUND", comment_id=comment.id):
        await ben.edits(comment, "Back again")
    await assert_sound(database)


async def test_who_may_delete_a_comment(people: People) -> None:
    """Its author, the post's owner and moderators; nobody else."""
    ada, ben, eve = await people.crowd("Ada", "Ben", "Eve")
    mia = await people.person("Mia", moderates=True)
    post = await ada.shares()
    for person in (ben, ada, mia):
        comment = await ben.comments(post)
        with refused("COMMUNITY_COMMENT_NOT_OWNED", comment_id=comment.id):
            await eve.deletes(comment)
        assert (await person.deletes(comment)).changed


async def test_only_its_author_edits_a_comment(people: People) -> None:
    """Not the post's owner, and not moderators."""
    ada, ben = await people.crowd("Ada", "Ben")
    mia = await people.person("Mia", moderates=True)
    comment = await ben.comments(await ada.shares())
    for person in (ada, mia):
        with refused("COMMUNITY_COMMENT_NOT_OWNED", comment_id=comment.id):
            await person.edits(comment, "Put into another's mouth")


async def test_a_comment_can_be_edited_for_15_minutes(people: People) -> None:
    """After that the answer says how long the window was, and the comment says that it is closed."""
    ada = await people.person("Ada")
    post = await ada.shares()
    comment = await ada.comments(post)
    await people.age(comment, 14.9)
    comment = (await ada.edits(comment, "Just in time")).comment
    assert comment.can_edit

    await people.age(comment, 0.2)

    with refused("COMMUNITY_EDIT_WINDOW_EXPIRED", comment_id=comment.id, window_minutes=15):
        await ada.edits(comment, "Too late")
    (seen,) = (await ada.reads_comments(post)).items
    assert (seen.content, seen.can_edit, seen.can_delete) == ("Just in time", False, True)


async def test_what_a_reader_can_do_is_said_with_each_comment(people: People) -> None:
    """`can_edit` and `can_delete` are the reader's; a visitor and a banned user can do neither."""
    ada, ben, eve, bob = await people.crowd("Ada", "Ben", "Eve", "Bob")
    mia = await people.person("Mia", moderates=True)
    post = await ada.shares()
    await ben.comments(post)
    await bob.comments(post)
    await people.ban(bob)
    visitor = await people.person("Nobody")
    visitor.viewer = msgspec.structs.replace(visitor.viewer, id=None)

    async def can(person: Person) -> list[tuple[bool, bool]]:
        page = await person.reads_comments(post)
        return [(comment.can_edit, comment.can_delete) for comment in page.items]

    assert await can(ben) == [(True, True), (False, False)]
    assert await can(ada) == [(False, True), (False, True)]
    assert await can(mia) == [(False, True), (False, True)]
    assert await can(eve) == [(False, False), (False, False)]
    assert await can(bob) == [(False, False), (False, False)]
    assert await can(visitor) == [(False, False), (False, False)]


async def test_a_hidden_post_has_no_comments_for_strangers(people: People) -> None:
    """Unknown and hidden are the same; its owner and moderators go on."""
    ada, ben = await people.crowd("Ada", "Ben")
    mia = await people.person("Mia", moderates=True)
    post = await ada.shares()
    comment = await ben.comments(post)
    await people.hide(post)

    with refused("COMMUNITY_POST_NOT_FOUND", post_id=post.id):
        await ben.comments(post)
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=post.id):
        await ben.reads_comments(post)
    with refused("COMMUNITY_COMMENT_NOT_FOUND", comment_id=comment.id):
        await ben.edits(comment, "Still here?")
    with refused("COMMUNITY_COMMENT_NOT_FOUND", comment_id=comment.id):
        await ben.deletes(comment)
    for person in (ada, mia):
        await person.comments(post)
        assert (await person.reads_comments(post)).total > 1


async def test_a_banned_user_writes_nothing(people: People) -> None:
    """Neither comments nor edits nor deletions, and that comes before what they concern."""
    ada, bob = await people.crowd("Ada", "Bob")
    post = await ada.shares()
    comment = await bob.comments(post)
    await people.ban(bob)
    await people.hide(post)
    for writing in (
        bob.comments(post),
        bob.edits(comment, "Let me"),
        bob.deletes(comment),
    ):
        with refused("COMMUNITY_USER_BANNED"):
            await writing


async def test_a_comment_made_again_is_the_same_comment(
    database: Database, people: People, published: Published
) -> None:
    """The same id, user and body: the first answer, nothing changed, nothing told; also after an edit."""
    ada = await people.person("Ada")
    post = await ada.shares()
    identifier = new_id()
    first = await ada.writes(post, "Once", identifier)
    published.clear()

    assert await ada.writes(post, "Once", identifier) == Settled(first.comment, changed=False)

    edited = await ada.edits(first.comment, "Twice")
    again = await ada.writes(post, "Once", identifier)
    assert again == Settled(edited.comment, changed=False)
    assert [entry.type for entry in published] == ["comment:updated"]
    await assert_sound(database)


async def test_an_id_serves_one_comment_only(people: People) -> None:
    """Another body, another post, another user, or a comment deleted since: 409."""
    ada, ben = await people.crowd("Ada", "Ben")
    post, other = await ada.shares(), await ada.shares()
    comment = (await ada.writes(post, "Mine", new_id())).comment
    for writing in (
        ada.writes(post, "Not the same", comment.id),
        ada.writes(other, "Mine", comment.id),
        ben.writes(post, "Mine", comment.id),
    ):
        with refused("IDEMPOTENCY_CONFLICT", id=comment.id):
            await writing
    await ada.edits(comment, "Changed")
    with refused("IDEMPOTENCY_CONFLICT", id=comment.id):
        await ada.writes(post, "Changed", comment.id)
    await ada.deletes(comment)
    with refused("IDEMPOTENCY_CONFLICT", id=comment.id):
        await ada.writes(post, "Mine", comment.id)


async def test_retries_at_the_same_time_make_one_comment(
    database: Database, people: People, published: Published
) -> None:
    """One of them makes it, the others get its answer; of two posts at once, one gets it."""
    ada, ben = await people.crowd("Ada", "Ben")
    post, other = await ada.shares(), await ben.shares()
    published.clear()
    for _ in range(10):
        identifier = new_id()
        answers = await asyncio.gather(*(ada.writes(post, "Hello", identifier) for _ in range(8)))
        assert sorted(answer.changed for answer in answers) == [False] * 7 + [True]
        assert len({answer.comment.id for answer in answers}) == 1
    for _ in range(10):
        identifier = new_id()
        outcomes = await asyncio.gather(
            ada.writes(post, "Hello", identifier),
            ben.writes(other, "Hello", identifier),
            return_exceptions=True,
        )
        (lost,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert isinstance(lost, Refusal)
        assert lost.code == "IDEMPOTENCY_CONFLICT"
    assert [entry.type for entry in published].count("comment:created") == 20
    await assert_sound(database)


async def test_a_batch_is_carried_out_in_order(
    database: Database, people: People, published: Published
) -> None:
    """What is refused harms nothing else; each comment is told once, as what became of it."""
    ada, ben, bob = await people.crowd("Ada", "Ben", "Bob")
    post, second = await ada.shares("One"), await ada.shares("Two")
    old, older = await ben.comments(post, "Old"), await ben.comments(post, "Older")
    await people.ban(bob)
    kept, fleeting, doubled = new_id(), new_id(), new_id()
    published.clear()

    outcomes = await Gallery(database).comments.settle(
        [
            Write(ben.viewer, post.id, "Kept", kept),
            Write(bob.viewer, post.id, "Never"),
            Edit(ben.viewer, kept, "Kept and edited"),
            Write(ben.viewer, post.id, "Fleeting", fleeting),
            Delete(ada.viewer, fleeting),
            Delete(ada.viewer, fleeting),
            Write(ben.viewer, post.id, "Fleeting", fleeting),
            Edit(ben.viewer, old.id, "Old, edited"),
            Delete(ben.viewer, old.id),
            Edit(ben.viewer, old.id, "Old, edited again"),
            Edit(ben.viewer, older.id, "Older, edited"),
            Write(ada.viewer, second.id, "Double", doubled),
            Write(ada.viewer, second.id, "Double", doubled),
            Write(ada.viewer, new_id(), "Nowhere"),
        ]
    )

    assert [
        outcome.code if isinstance(outcome, Refusal) else outcome.changed for outcome in outcomes
    ] == [
        True,
        "COMMUNITY_USER_BANNED",
        True,
        True,
        True,
        "COMMUNITY_COMMENT_NOT_FOUND",
        "IDEMPOTENCY_CONFLICT",
        True,
        True,
        "COMMUNITY_COMMENT_NOT_FOUND",
        True,
        True,
        False,
        "COMMUNITY_POST_NOT_FOUND",
    ]
    assert [(kind, data["comment_count"]) for kind, data in told(published, f"post:{post.id}")] == [
        ("comment:created", 3),
        ("comment:deleted", 2),
        ("comment:updated", 2),
    ]
    assert [kind for kind, _ in told(published, f"post:{second.id}")] == ["comment:created"]
    page = await ada.reads_comments(post)
    assert {comment.content for comment in page.items} == {"Kept and edited", "Older, edited"}
    await assert_sound(database)


async def test_comments_are_read_oldest_first_by_cursor_or_by_page(people: People) -> None:
    """Both ways give every comment once; the cursor is not disturbed by what is deleted meanwhile."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares()
    comments = [await ben.comments(post, f"Number {n}") for n in range(7)]

    by_page = [await ada.reads_comments(post, page=page, limit=3) for page in (1, 2, 3, 4)]

    assert [[c.content for c in page.items] for page in by_page] == [
        ["Number 0", "Number 1", "Number 2"],
        ["Number 3", "Number 4", "Number 5"],
        ["Number 6"],
        [],
    ]
    assert [(page.total, page.page, page.limit, page.has_more) for page in by_page] == [
        (7, 1, 3, True),
        (7, 2, 3, True),
        (7, 3, 3, False),
        (7, 4, 3, False),
    ]
    assert [page.next_cursor is None for page in by_page] == [False, False, True, True]

    await ben.deletes(comments[1])
    second = await ada.reads_comments(post, cursor=by_page[0].next_cursor, limit=3)
    assert [c.content for c in second.items] == ["Number 3", "Number 4", "Number 5"]
    assert (second.page, second.total) == (2, 6)
    third = await ada.reads_comments(post, cursor=second.next_cursor, limit=3)
    assert [c.content for c in third.items] == ["Number 6"]
    assert (third.page, third.has_more, third.next_cursor) == (3, False, None)


async def test_a_cursor_is_good_for_its_own_post_only(people: People) -> None:
    """One of another post, or a forged one, is refused and never a wrong page."""
    ada = await people.person("Ada")
    post, other = await ada.shares(), await ada.shares()
    for _ in range(2):
        await ada.comments(post)
    cursor = (await ada.reads_comments(post, limit=1)).next_cursor
    assert cursor is not None
    for forged in (cursor, cursor[:-2] + "AA", "", "nonsense"):
        with refused("INVALID_CURSOR"):
            await ada.reads_comments(other, cursor=forged)


async def test_a_storm_of_comments_leaves_everything_in_order(
    database: Database, people: People, published: Published
) -> None:
    """Counters equal rows, the journal is dense, and each entry tells the count of its moment."""
    ada, *crowd = await people.crowd("Ada", *(f"Person {n}" for n in range(10)))
    posts = [await ada.shares(f"Post {n}") for n in range(3)]
    published.clear()

    async def talk(person: Person, post: int) -> None:
        comment = await person.comments(posts[post])
        match post:
            case 0:
                await person.edits(comment, "Better")
            case 1:
                await person.deletes(comment)

    await asyncio.gather(*(talk(crowd[n % 10], n % 3) for n in range(120)))

    await assert_sound(database)
    for post, left in zip(posts, (40, 0, 40), strict=True):
        entries = [entry for entry in published if entry.topic == f"post:{post.id}"]
        entries.sort(key=lambda entry: entry.seq)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        count = 0
        for entry in entries:
            count += {"comment:created": 1, "comment:updated": 0, "comment:deleted": -1}[entry.type]
            assert json.loads(entry.data or b"")["comment_count"] == count
        assert count == left
        page = await ada.reads_comments(post, limit=50)
        created = [
            json.loads(entry.data or b"")["comment"]["id"]
            for entry in entries
            if entry.type == "comment:created"
        ]
        if left:
            assert [str(comment.id) for comment in page.items] == created
    notices = {notice.subject_id: notice for notice in await ada.notifications()}
    assert {post.id: notices[post.id].count for post in (posts[0], posts[2])} == {
        posts[0].id: 40,
        posts[2].id: 40,
    }
    assert posts[1].id not in notices


@pytest.mark.parametrize("age", [timedelta(), timedelta(minutes=15)])
async def test_deleting_has_no_window(people: People, age: timedelta) -> None:
    """A comment of any age can be deleted."""
    ada = await people.person("Ada")
    comment = await ada.comments(await ada.shares())
    await people.age(comment, age / timedelta(minutes=1))
    assert (await ada.deletes(comment)).changed
