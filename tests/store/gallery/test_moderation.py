"""Moderators feature, hide and ban; what is hidden is there for its owner and for them only."""

import asyncio
import json
from typing import Any

import pytest

from store.database import Database
from store.gallery.feed import Order
from store.gallery.passing import Filters
from store.gallery.shapes import Post
from store.ids import new_id
from store.journal import Entry
from store.refusal import Refusal
from store.viewer import Viewer
from tests.store.audit import assert_sound
from tests.store.people import People, Person
from tests.store.refused import refused


def types(entries: list[Entry]) -> list[tuple[str, str]]:
    return [(entry.topic, entry.type) for entry in entries]


async def stored(database: Database, subject: str) -> dict[tuple[str, str], Any]:
    """What the journal holds about a subject, by topic and type."""
    rows = await database.fetch("select topic, type, data from events where subject = $1", subject)
    return {(row["topic"], row["type"]): row["data"] and json.loads(row["data"]) for row in rows}


async def notes(database: Database, subject: Any) -> list[tuple[Any, ...]]:
    """What the moderation log says of a post, user or report."""
    rows = await database.fetch(
        "select actor_id, action, subject_type, reason from moderation_log "
        "where subject_id = $1 order by created_at",
        subject,
    )
    return [tuple(row) for row in rows]


async def featured(people: People, moderator: Person, post: Post, yes: bool = True) -> Any:
    return await people.gallery.moderation.feature(post.id, moderator.viewer, featured=yes)


async def test_a_post_is_featured_and_no_longer(
    people: People, database: Database, published: list[Entry]
) -> None:
    """The gallery is told the whole post, and so are its watchers; once."""
    ada = await people.person("Ada")
    max_ = await people.person("Max", moderates=True)
    post = await ada.shares()
    for yes, action in ((True, "featured"), (False, "unfeatured")):
        published.clear()
        answer = await featured(people, max_, post, yes)
        assert (answer.changed, answer.post.is_featured) == (True, yes)
        assert types(published) == [(post.topic, "post:updated"), ("gallery", "post:featured")]
        told = [json.loads(entry.data or b"")["post"]["is_featured"] for entry in published]
        assert told == [yes, yes]
        published.clear()
        assert not (await featured(people, max_, post, yes)).changed
        assert published == []
        assert (await notes(database, post.id))[-1] == (max_.id, action, "post", None)
    assert len(await notes(database, post.id)) == 2


async def test_the_gallery_does_not_hear_that_a_hidden_post_is_featured(
    people: People, published: list[Entry]
) -> None:
    """Only once it is shown again."""
    ada = await people.person("Ada")
    max_ = await people.person("Max", moderates=True)
    post = await ada.shares()
    await people.hide(post)
    published.clear()
    await featured(people, max_, post)
    assert types(published) == [(post.topic, "post:updated")]
    await people.hide(post, hidden=False)
    assert json.loads(published[-1].data or b"")["post"]["is_featured"] is True


async def test_a_post_is_hidden_and_shown_again(
    people: People, database: Database, published: list[Entry]
) -> None:
    """Its id is all that is told of a hidden one; shown again it is told whole. Each once, and noted."""
    ada = await people.person("Ada")
    max_ = await people.person("Max", moderates=True)
    post = await ada.shares("Fox")
    hide = people.gallery.moderation.hide
    published.clear()
    answer = await hide(post.id, max_.viewer, hidden=True, reason="Not a fox.")
    assert (answer.changed, answer.post.is_hidden) == (True, True)
    assert types(published) == [(post.topic, "post:hidden"), ("gallery", "post:hidden")]
    for entry in published:
        assert json.loads(entry.data or b"") == {"post_id": str(post.id)}
        assert (entry.subject, entry.actor, entry.key) == (f"post:{post.id}", max_.id, None)
    published.clear()
    assert not (await hide(post.id, max_.viewer, hidden=True, reason="Again.")).changed
    assert published == []
    answer = await hide(post.id, max_.viewer, hidden=False)
    assert (answer.changed, answer.post.is_hidden) == (True, False)
    assert types(published) == [(post.topic, "post:updated"), ("gallery", "post:updated")]
    assert json.loads(published[0].data or b"")["post"]["title"] == "Fox"
    assert await notes(database, post.id) == [
        (max_.id, "hidden", "post", "Not a fox."),
        (max_.id, "shown", "post", None),
    ]


async def test_what_was_told_of_a_hidden_post_stays_where_it_may_be_read(
    people: People, database: Database
) -> None:
    """On its own topic and its author's; in the gallery it is blanked for good."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares("Fox")
    await ben.likes(post)
    await ben.comments(post)
    await people.hide(post)
    there = await stored(database, f"post:{post.id}")
    assert there["gallery", "post:created"] is None
    assert there["gallery", "post:hidden"] == {"post_id": str(post.id)}
    assert there[post.topic, "post:liked"]["like_count"] == 1
    assert there[f"user:{ada.id}", "notification:created"]["subject"]["title"] == "Fox"
    await people.hide(post, hidden=False)
    again = await stored(database, f"post:{post.id}")
    assert again["gallery", "post:created"] is None
    assert again["gallery", "post:updated"]["post"]["title"] == "Fox"


async def test_a_hidden_post_is_nowhere_for_strangers(people: People) -> None:
    """Not by id, in lists, in search, in counts, by its comments, nor as an inspiration."""
    ada, ben = await people.crowd("Ada", "Ben")
    max_ = await people.person("Max", moderates=True)
    await ben.follows(ada)
    shown, hidden = await ada.shares("Quokka one"), await ada.shares("Quokka two")
    after = await ben.shares(inspired_by=hidden)
    for post in (shown, hidden):
        await ben.likes(post)
    await people.hide(hidden)
    await people.gallery.trending.refresh()
    of_ada, quokkas = Filters(user_id=ada.id), Filters(search="quokka")
    for viewer, both in ((ben.viewer, False), (Viewer(), False), (max_.viewer, True)):
        ids = {shown.id, hidden.id} if both else {shown.id}
        for filters in (of_ada, quokkas):
            for order in (Order.RECENT, Order.MOST_LIKED):
                page = await people.gallery.feed.page(order, viewer, filters)
                assert ({post.id for post in page.items}, page.total) == (ids, len(ids))
        profile = await people.gallery.creators.profile(ada.id, viewer)
        stats = profile.stats
        assert (stats.post_count, stats.total_likes_received) == (len(ids), len(ids))
        origin = (await people.gallery.posts.get(after.id, viewer)).inspired_by_post_id
        assert origin == (hidden.id if both else None)
        if not both:
            with refused("COMMUNITY_POST_NOT_FOUND"):
                await people.gallery.comments.page(hidden.id, viewer, cursor=None, page=1, limit=20)
    followed = await people.gallery.feed.page(Order.FOLLOWING, ben.viewer)
    assert ([post.id for post in followed.items], followed.total) == ([shown.id], 1)
    trending = await people.gallery.feed.page(Order.TRENDING, Viewer(), of_ada)
    assert ([post.id for post in trending.items], trending.total) == ([shown.id], 1)
    own = (await people.gallery.creators.profile(ada.id, ada.viewer)).stats
    assert (own.post_count, own.total_likes_received) == (2, 2)
    for write in (ben.likes, ben.unlikes, ben.comments, ben.reports):
        with refused("COMMUNITY_POST_NOT_FOUND", post_id=hidden.id):
            await write(hidden)


async def test_a_hidden_post_inspired_nobody(people: People, published: list[Entry]) -> None:
    """Its share of an unseen notification is taken back, and there again when it is shown again."""
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    origin = await ada.shares()
    first, _ = await ben.shares(inspired_by=origin), await cem.shares(inspired_by=origin)

    async def notice() -> tuple[int, list[Any]]:
        (notice,) = await ada.notifications()
        return notice.count, notice.actors

    assert await notice() == (2, [cem.id, ben.id])
    await people.hide(first)
    assert await notice() == (1, [cem.id])
    told = json.loads(published[-1].data or b"")
    assert (published[-1].topic, told["count"]) == (f"user:{ada.id}", 1)
    await people.hide(first, hidden=False)
    assert await notice() == (2, [cem.id, ben.id])
    await people.hide(first)
    await ben.removes(first)
    assert await notice() == (1, [cem.id])


async def test_showing_a_post_again_notifies_nobody_anew(people: People) -> None:
    """What was seen, or taken back altogether, does not begin again."""
    ada, ben = await people.crowd("Ada", "Ben")
    origin = await ada.shares()
    post = await ben.shares(inspired_by=origin)
    await people.hide(post)
    assert await ada.notifications() == []
    await people.hide(post, hidden=False)
    assert await ada.notifications() == []
    later = await ben.shares(inspired_by=origin)
    await people.see(ada)
    await people.hide(later)
    await people.hide(later, hidden=False)
    (notice,) = await ada.notifications()
    assert (notice.seen, notice.count) == (True, 1)


async def test_a_banned_user_writes_nothing_and_reads(people: People, database: Database) -> None:
    """From the commit on; moderators can be banned too. Let back in, they write again."""
    ada, ben = await people.crowd("Ada", "Ben")
    mo = await people.person("Mo", moderates=True)
    max_ = await people.person("Max", moderates=True)
    post, bens = await ada.shares(), await ben.shares()
    comment = await ben.comments(post)
    report = await ada.reports(bens)
    ban = people.gallery.moderation.ban
    answer = await ban(ben.id, max_.viewer, banned=True, reason="Spam.")
    assert (answer.changed, answer.ban.is_banned, answer.ban.banned_reason) == (True, True, "Spam.")
    assert answer.ban.banned_at is not None
    again = await ban(ben.id, max_.viewer, banned=True, reason="Other.")
    assert (again.changed, again.ban) == (False, answer.ban)
    await ban(mo.id, max_.viewer, banned=True)
    writes = (
        ben.makes(),
        ben.shares(),
        ben.updates(bens, title="New"),
        ben.removes(bens),
        ben.likes(post),
        ben.unlikes(post),
        ben.comments(post),
        ben.edits(comment, "New"),
        ben.deletes(comment),
        ben.follows(ada),
        ben.unfollows(ada),
        ben.reports(post),
        mo.removes(bens),
        mo.reviews(report),
        featured(people, mo, bens),
        people.gallery.moderation.hide(bens.id, mo.viewer, hidden=True),
        ban(ada.id, mo.viewer, banned=True),
    )
    for write in writes:
        with refused("COMMUNITY_USER_BANNED"):
            await write
    assert (await ben.reads(post)).id == post.id
    assert await notes(database, ben.id) == [(max_.id, "banned", "user", "Spam.")]
    back = await ban(ben.id, max_.viewer, banned=False)
    assert (back.ban.is_banned, back.ban.banned_at, back.ban.banned_reason) == (False, None, None)
    await ben.likes(post)
    assert len(await notes(database, ben.id)) == 2


async def test_who_never_was_there_is_not_moderated(people: People) -> None:
    """Unknown posts and users are refused, whatever is to be done with them."""
    max_ = await people.person("Max", moderates=True)
    moderation, nobody = people.gallery.moderation, new_id()
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=nobody):
        await moderation.feature(nobody, max_.viewer, featured=True)
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=nobody):
        await moderation.hide(nobody, max_.viewer, hidden=True)
    with refused("COMMUNITY_USER_NOT_FOUND", user_id=nobody):
        await moderation.ban(nobody, max_.viewer, banned=True)


@pytest.mark.parametrize("turn", range(3))
async def test_hiding_while_everybody_writes(people: People, database: Database, turn: int) -> None:
    """Counters equal the rows, nobody fails otherwise than by 404, and nothing of a stranger's is told
    between a post's hiding and its showing.
    """
    ada = await people.person("Ada")
    max_ = await people.person("Max", moderates=True)
    crowd = await people.crowd(*(f"Person {number}" for number in range(10)))
    origin = await ada.shares()
    posts = [await ada.shares(inspired_by=origin) for _ in range(3)]
    posts += [await person.shares(inspired_by=origin) for person in crowd[:2]]

    async def storm(person: Person) -> list[Any]:
        return [
            await asyncio.gather(
                *(person.likes(post) for post in posts),
                *(person.comments(post) for post in posts),
                *(person.unlikes(post) for post in posts[:2]),
                return_exceptions=True,
            )
            for _ in range(3)
        ]

    async def curtain(post: Post) -> None:
        for hidden in (True, False, True):
            await people.gallery.moderation.hide(post.id, max_.viewer, hidden=hidden)

    results, *_ = await asyncio.gather(
        asyncio.gather(*map(storm, crowd)),
        *map(curtain, posts),
        ada.removes(origin),
    )
    errors = [
        answer
        for rounds in results
        for answers in rounds
        for answer in answers
        if isinstance(answer, BaseException)
    ]
    assert [error for error in errors if not isinstance(error, Refusal)] == []
    assert {error.code for error in errors if isinstance(error, Refusal)} == {
        "COMMUNITY_POST_NOT_FOUND"
    }
    await assert_sound(database)
    for post in posts:
        rows = await database.fetch(
            "select type, actor from events where topic = $1 order by seq", post.topic
        )
        hidden = False
        for row in rows:
            strangers = row["actor"] not in (post.user_id, max_.id)
            assert not (hidden and strangers), row["type"]
            hidden = row["type"] == "post:hidden" or (hidden and row["type"] != "post:updated")
        assert hidden
