"""A post changes, or goes with all that hangs on it."""

import asyncio
import json
from typing import Any

import pytest

from store.database import Database
from store.gallery.posts import NewPost, PostChange, PostDeletion
from store.gallery.shapes import DeletedPost
from store.ids import new_id
from store.journal import Entry
from store.refusal import Refusal
from store.viewer import Viewer
from tests.store.audit import assert_sound
from tests.store.people import People
from tests.store.refused import refused


async def told(database: Database, topic: str) -> list[tuple[str, Any]]:
    """What the journal holds on a topic: types and data, in order."""
    rows = await database.fetch(
        "select type, data from events where topic = $1 order by seq", topic
    )
    return [(row["type"], row["data"] and json.loads(row["data"])) for row in rows]


async def told_of(database: Database, subject: str) -> list[tuple[str, str, Any]]:
    """What the journal holds about a subject, anywhere: topics, types and data."""
    rows = await database.fetch(
        "select topic, type, data from events where subject = $1 order by created_at", subject
    )
    return [(row["topic"], row["type"], row["data"] and json.loads(row["data"])) for row in rows]


async def test_a_post_says_something_else(people: People, published: list[Entry]) -> None:
    """Title, description and tags; watchers and the gallery are told the whole post."""
    ada = await people.person("Ada")
    post = await ada.shares("Fox", description="Red", tags=("red",))
    published.clear()
    updated = await ada.updates(post, title="Vixen", description=None, tags=("fox", "vixen"))
    assert updated.changed
    assert (updated.post.title, updated.post.description) == ("Vixen", None)
    assert updated.post.tags == ["fox", "vixen"]
    assert updated.post.updated_at > post.updated_at
    there, gallery = published
    assert [(there.topic, there.type), (gallery.topic, gallery.type)] == [
        (post.topic, "post:updated"),
        ("gallery", "post:updated"),
    ]
    for entry in published:
        assert (entry.key, entry.subject, entry.actor) == (None, f"post:{post.id}", ada.id)
        assert json.loads(entry.data or b"")["post"]["title"] == "Vixen"
    assert updated.post.seq == there.seq == 1
    found = await ada.reads(post)
    assert (found.title, found.tags, found.seq) == ("Vixen", ["fox", "vixen"], 1)


async def test_what_is_left_out_stays_as_it_is(people: People, published: list[Entry]) -> None:
    """And a change to what it says already is none: nobody is told."""
    ada = await people.person("Ada")
    post = await ada.shares("Fox", description="Red", tags=("red",))
    published.clear()
    for words in ({}, {"title": "Fox"}, {"tags": ("red",), "description": "Red"}):
        updated = await ada.updates(post, **words)
        assert (updated.changed, updated.post) == (False, post)
    assert published == []
    assert (await ada.updates(post, title="Vixen")).post.description == "Red"


async def test_changes_of_one_batch_come_in_order(people: People, published: list[Entry]) -> None:
    """And are told as what became of the post."""
    ada = await people.person("Ada")
    post = await ada.shares("One")
    published.clear()
    changes = [PostChange(post.id, ada.viewer, title=title) for title in ("Two", "Two", "Three")]
    answers = await people.gallery.posts.update(changes)
    assert [isinstance(each, Refusal) or each.changed for each in answers] == [True, False, True]
    assert [json.loads(entry.data or b"")["post"]["title"] for entry in published] == ["Three"] * 2


async def test_only_its_author_changes_a_post(people: People) -> None:
    """Others who may see it are told so, moderators too; banned authors write nothing."""
    ada, ben, eve = await people.crowd("Ada", "Ben", "Eve")
    moderator = await people.person("Max", moderates=True)
    post, hidden, banned = await ada.shares(), await ada.shares(), await eve.shares()
    for other in (ben, moderator):
        with refused("COMMUNITY_POST_NOT_OWNED", post_id=post.id):
            await other.updates(post, title="Mine")
    await people.hide(hidden)
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=hidden.id):
        await ben.updates(hidden, title="Mine")
    with refused("COMMUNITY_POST_NOT_OWNED"):
        await moderator.updates(hidden, title="Mine")
    await people.ban(eve)
    with refused("COMMUNITY_USER_BANNED"):
        await eve.updates(banned, title="Mine")
    assert (await ada.reads(post)).title == post.title


async def test_a_hidden_post_changes_behind_the_curtain(
    people: People, published: list[Entry]
) -> None:
    """Those who may watch it are told, the gallery is not."""
    ada = await people.person("Ada")
    post = await ada.shares()
    await people.hide(post)
    published.clear()
    await ada.updates(post, title="New")
    assert [(entry.topic, entry.type) for entry in published] == [(post.topic, "post:updated")]


async def test_nothing_is_told_of_a_prompt_that_is_not_shown(
    people: People, database: Database, published: list[Entry]
) -> None:
    """Not by the change, and not any more by what was told before."""
    ada = await people.person("Ada")
    post = await ada.shares("Fox", prompt="A red fox")
    await ada.updates(post, title="Vixen")
    assert len([entry for entry in published if b"A red fox" in (entry.data or b"")]) == 3
    updated = await ada.updates(post, show_prompt=False)
    assert updated.post.prompt_used == "A red fox"  # to its author
    entries = await told_of(database, f"post:{post.id}")
    assert len(entries) == 5
    assert [data["post"]["prompt_used"] for _, _, data in entries] == [None] * 5
    assert [data["post"]["title"] for _, _, data in entries[:2]] == ["Fox", "Vixen"]
    await ada.updates(post, show_prompt=True)
    assert (await told(database, post.topic))[-1][1]["post"]["prompt_used"] == "A red fox"


async def test_no_event_names_an_inspiration(people: People, published: list[Entry]) -> None:
    """It may be hidden later; whoever may see it finds it by reading the post."""
    ada, ben = await people.crowd("Ada", "Ben")
    origin = await ada.shares()
    published.clear()
    post = await ben.shares(inspired_by=origin)
    await people.hide(origin)
    assert (await ada.reads(post)).inspired_by_post_id == origin.id
    assert (await ben.reads(post)).inspired_by_post_id is None
    await ada.shares(inspired_by=origin)
    await ben.updates(post, title="After")
    told = [json.loads(each.data or b"") for each in published if each.type != "post:hidden"]
    written = [each["post"] for each in told if "post" in each]
    assert len(written) == 4
    assert not any("inspired_by_post_id" in each for each in written)


async def test_a_deleted_post_is_gone_with_all_that_hangs_on_it(
    people: People, database: Database
) -> None:
    """Likes, comments and the author's share of counters; nobody else's counters change."""
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    post, other = await ada.shares("One"), await ada.shares("Other")
    bens = await ben.shares()
    for liker in (ada, ben, cem):
        await liker.likes(post)
    await ben.likes(other)
    await ada.likes(bens)
    await ben.follows(ada)
    await cem.comments(post)
    assert await ada.removes(post) == DeletedPost(post.id)
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=post.id):
        await ada.reads(post)
    stats = (await cem.profile_of(ada)).stats
    assert (stats.post_count, stats.total_likes_received, stats.follower_count) == (1, 1, 1)
    stats = (await cem.profile_of(ben)).stats
    assert (stats.post_count, stats.total_likes_received) == (1, 1)
    for table in ("community_likes", "community_comments"):
        assert not await database.fetch(f"select from {table} where post_id = $1", post.id)
    await assert_sound(database)


async def test_deleting_again_finds_nothing(people: People, published: list[Entry]) -> None:
    """In a batch too."""
    ada = await people.person("Ada")
    post, other = await ada.shares(), await ada.shares()
    await ada.removes(post)
    published.clear()
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=post.id):
        await ada.removes(post)
    answers = await people.gallery.posts.delete([PostDeletion(other.id, ada.viewer)] * 2)
    assert [isinstance(answer, Refusal) for answer in answers] == [False, True]
    assert [entry.type for entry in published] == ["post:deleted"] * 2


async def test_who_deletes_a_post(people: People, database: Database) -> None:
    """Its author and moderators, whose deeds are noted; a banned author does not."""
    ada, ben = await people.crowd("Ada", "Ben")
    moderator = await people.person("Max", moderates=True)
    posts = [await ada.shares() for _ in range(3)]
    with refused("COMMUNITY_POST_NOT_OWNED", post_id=posts[0].id):
        await ben.removes(posts[0])
    await people.hide(posts[0])
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=posts[0].id):
        await ben.removes(posts[0])
    await ada.removes(posts[0])
    await moderator.removes(posts[1])
    await people.ban(ada)
    with refused("COMMUNITY_USER_BANNED"):
        await ada.removes(posts[2])
    noted = await database.fetch(
        "select actor_id, action, subject_type, subject_id from moderation_log "
        "where subject_id = any ($1::uuid[]) and action = 'deleted'",
        [post.id for post in posts],
    )
    assert [tuple(row) for row in noted] == [(moderator.id, "deleted", "post", posts[1].id)]


async def test_the_journal_forgets_a_deleted_post(
    people: People, database: Database, published: list[Entry]
) -> None:
    """All that was told of it and of its comments, on every topic, but for its end."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares("Secret")
    await ben.likes(post)
    await ben.comments(post, "Secret too")
    await ada.updates(post, title="A secret")
    await ada.removes(post)
    blanked = await told(database, post.topic)
    assert [data for _, data in blanked[:-1]] == [None] * 3
    assert blanked[-1] == ("post:deleted", {"post_id": str(post.id)})
    about = await told_of(database, f"post:{post.id}")
    ends = [(topic, type_) for topic, type_, data in about if data is not None]
    assert set(ends) == {
        (post.topic, "post:deleted"),
        ("gallery", "post:deleted"),
        (f"user:{ada.id}", "notification:updated"),
    }
    stored = await database.fetch("select data from events where data::text like '%ecret%'")
    assert [row["data"] for row in stored] == []


async def test_notifications_of_a_deleted_post_are_taken_back(
    people: People, published: list[Entry]
) -> None:
    """Seen or not; their receiver is told of none left, and not of what they were about."""
    ada, ben = await people.crowd("Ada", "Ben")
    post, other = await ada.shares("Secret"), await ada.shares()
    await ben.likes(post)
    await people.see(ada)
    await ben.comments(post)
    await ben.likes(other)
    published.clear()
    await ada.removes(post)
    assert [notice.subject_id for notice in await ada.notifications()] == [other.id]
    notices = [json.loads(e.data or b"") for e in published if e.topic == f"user:{ada.id}"]
    assert sorted((notice["kind"], notice["count"], notice["seen"]) for notice in notices) == [
        ("post_commented", 0, False),
        ("post_liked", 0, True),
    ]
    for notice in notices:
        assert notice["subject"] == {"type": "post", "id": str(post.id)}
        assert notice["actors"] == []


async def test_a_deleted_post_inspired_nobody_and_was_inspired_by_nobody(
    people: People, database: Database
) -> None:
    """Its author's posts after it stay; the author of the one before it hears of it no more."""
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    origin = await ada.shares()
    first, second = await ben.shares(inspired_by=origin), await cem.shares(inspired_by=origin)
    after = await cem.shares(inspired_by=first)
    await ben.removes(first)
    (notice,) = await ada.notifications()
    assert (notice.kind, notice.count, notice.actors) == ("post_inspired", 1, [cem.id])
    assert (await cem.reads(after)).inspired_by_post_id is None
    assert await ben.notifications() == []
    await ada.removes(origin)
    assert await ada.notifications() == []
    assert (await cem.reads(second)).inspired_by_post_id is None
    await assert_sound(database)


async def test_nobody_hears_of_the_end_of_a_hidden_post(
    people: People, published: list[Entry]
) -> None:
    """But those who watch it still."""
    ada = await people.person("Ada")
    post = await ada.shares()
    await people.hide(post)
    published.clear()
    await ada.removes(post)
    assert [(entry.topic, entry.type) for entry in published] == [(post.topic, "post:deleted")]


async def test_an_asset_can_be_shared_anew(people: People) -> None:
    """Once its post is gone."""
    ada = await people.person("Ada")
    post = await ada.shares()
    await ada.removes(post)
    again = NewPost(new_id(), ada.viewer, post.asset_id, "Again", None, (), True, None)
    assert (await ada.posts(again)).changed


@pytest.mark.parametrize("turn", range(3))
async def test_a_post_is_deleted_while_everybody_writes(
    people: People, database: Database, turn: int
) -> None:
    """Counters equal the rows, nobody fails otherwise than by 404, and post:deleted is the last entry."""
    ada = await people.person("Ada")
    crowd = await people.crowd(*(f"Person {number}" for number in range(12)))
    post = await ada.shares()
    kept = await ada.shares(inspired_by=post)
    after = [await person.shares(inspired_by=post) for person in crowd[:3]]
    answers = await asyncio.gather(
        *(person.likes(target) for person in crowd for target in (post, kept, *after)),
        *(person.comments(post) for person in crowd),
        *(person.unlikes(post) for person in crowd),
        *(person.shares(inspired_by=post) for person in crowd[:4]),
        ada.removes(post),
        ada.updates(kept, title="Kept"),
        crowd[0].removes(after[0]),
        return_exceptions=True,
    )
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    assert {error.code for error in errors if isinstance(error, Refusal)} <= {
        "COMMUNITY_POST_NOT_FOUND"
    }
    assert [error for error in errors if not isinstance(error, Refusal)] == []
    assert (await told(database, post.topic))[-1][0] == "post:deleted"
    await assert_sound(database)


async def test_whoever_is_not_there_any_more_deletes_nothing(people: People) -> None:
    """A user may be deleted while their token is still good."""
    post = await (await people.person("Ada")).shares()
    (answer,) = await people.gallery.posts.delete([PostDeletion(post.id, Viewer(new_id()))])
    assert isinstance(answer, Refusal)
    assert answer.code == "COMMUNITY_USER_NOT_FOUND"
