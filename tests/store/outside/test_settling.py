"""What is written from outside is counted, notified and told like all else, whatever happens meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from store.database import Database
from store.gallery.outside import MARKS_AT_ONCE
from store.gallery.shapes import Post
from store.journal import Entry
from store.refusal import Refusal
from tests.outside import Outside, Outsider
from tests.store.audit import assert_sound
from tests.store.people import People, Person
from tests.waiting import DEADLINE

LIKE = "insert into community_likes (post_id, user_id) values ($1, $2)"
UNLIKE = "delete from community_likes where post_id = $1 and user_id = $2"
COMMENT = (
    "insert into community_comments (post_id, user_id, content) values ($1, $2, $3) returning id"
)
EDIT = "update community_comments set content = $2 where id = $1"
ERASE = "delete from community_comments where id = $1"
FOLLOW = "insert into community_follows (follower_id, following_id) values ($1, $2)"
UNFOLLOW = "delete from community_follows where follower_id = $1 and following_id = $2"
SHARE = (
    "insert into community_posts (user_id, asset_id, title, inspired_by_post_id) "
    "values ($1, $2, $3, $4) returning id"
)


@pytest.fixture
async def settled(database: Database, people: People) -> AsyncIterator[Any]:
    """Settles what waits. Counters fit their rows and what waits before, and their rows alone afterwards."""

    async def settle() -> None:
        await assert_sound(database)
        await people.gallery.outside.settle()
        rows = await database.fetch("select * from outside.writes")
        assert [dict(row) for row in rows] == []
        await assert_sound(database)

    yield settle
    await settle()


def told(entries: list[Entry]) -> list[tuple[str, str]]:
    """Topics and types of what was published, but for notifications."""
    return [(e.topic, e.type) for e in entries if not e.type.startswith("notification")]


async def counts(person: Person, post: Post) -> tuple[int, int]:
    seen = await person.reads(post)
    return seen.like_count, seen.comment_count


async def test_a_like_is_counted_and_told(
    people: People, outside: Outside, settled: Any, published: list[Entry]
) -> None:
    """On the post, in its author's statistics, on screens, and as a notification."""
    ada, bob = await people.crowd("Ada", "Bob")
    post = await ada.shares()
    await outside.user(bob).runs(LIKE, post.id, bob.id)
    assert await counts(bob, post) == (0, 0)
    published.clear()
    await settled()
    assert await counts(bob, post) == (1, 0)
    assert (await bob.profile_of(ada)).stats.total_likes_received == 1
    assert told(published) == [(post.topic, "post:liked")]
    (liked, notified) = published
    assert liked.actor == bob.id
    assert liked.data is not None
    assert str(bob.id).encode() in liked.data
    assert (notified.topic, notified.type) == (f"user:{ada.id}", "notification:created")
    assert [(n.kind, n.count, n.actors) for n in await ada.notifications()] == [
        ("post_liked", 1, [bob.id])
    ]

    published.clear()
    await outside.user(bob).runs(UNLIKE, post.id, bob.id)
    await settled()
    assert told(published) == [(post.topic, "post:unliked")]
    assert await counts(bob, post) == (0, 0)
    assert await ada.notifications() == []


async def test_a_like_that_went_again_was_never_there(
    people: People, outside: Outside, settled: Any, published: list[Entry]
) -> None:
    """Nothing is told of what came and went between two settlements."""
    ada, bob = await people.crowd("Ada", "Bob")
    post = await ada.shares()
    session = outside.user(bob)
    published.clear()
    await session.runs(LIKE, post.id, bob.id)
    await session.runs(UNLIKE, post.id, bob.id)
    await settled()
    assert published == []


@pytest.mark.parametrize("others", [0, 2])
async def test_the_gateway_takes_back_what_is_not_counted_yet(
    people: People, outside: Outside, settled: Any, database: Database, others: int
) -> None:
    """A like, a comment, a follow and a post from outside, gone through the gateway before they are settled."""
    ada, bob, *fans = await people.crowd("Ada", "Bob", *["Fan"] * others)
    post = await ada.shares()
    for fan in fans:
        await fan.likes(post)
        await fan.comments(post)
        await fan.follows(ada)
        await bob.follows(fan)
        await bob.shares()
    session = outside.user(bob)
    asset = await bob.makes()
    await session.runs(LIKE, post.id, bob.id)
    await session.runs(COMMENT, post.id, bob.id, "Hm.")
    await session.runs(FOLLOW, bob.id, ada.id)
    ((own,),) = await session.runs(SHARE, bob.id, asset.id, "Mine", None)
    page = await bob.reads_comments(post)
    (comment,) = [each for each in page.items if each.user_id == bob.id]

    assert (await bob.unlikes(post)).changed
    assert (await bob.deletes(comment)).changed
    assert (await bob.unfollows(ada)).changed
    await bob.removes(await bob.finds(own))
    await settled()
    assert await counts(bob, post) == (others, others)
    stats = (await bob.profile_of(bob)).stats
    assert (stats.post_count, stats.following_count) == (others, others)


async def test_the_gateway_finds_a_like_that_is_not_counted_yet(
    people: People, outside: Outside, settled: Any
) -> None:
    """It is there already, so liking again changes nothing."""
    ada, bob = await people.crowd("Ada", "Bob")
    post = await ada.shares()
    await outside.user(bob).runs(LIKE, post.id, bob.id)
    assert not (await bob.likes(post)).changed
    await settled()
    assert await counts(bob, post) == (1, 0)


async def test_a_post_from_outside_is_liked_before_it_is_counted(
    people: People, outside: Outside, settled: Any
) -> None:
    """Its author, who never shared before, has what was received all the same."""
    ada, bob = await people.crowd("Ada", "Bob")
    asset = await ada.makes()
    ((post_id,),) = await outside.user(ada).runs(SHARE, ada.id, asset.id, "New", None)
    post = await bob.finds(post_id)
    await bob.likes(post)
    await outside.user(bob).runs(COMMENT, post_id, bob.id, "Hm.")
    await settled()
    stats = (await bob.profile_of(ada)).stats
    assert (stats.post_count, stats.total_likes_received) == (1, 1)
    assert await counts(bob, post) == (1, 1)


async def test_comments_are_told(
    people: People, outside: Outside, settled: Any, published: list[Entry]
) -> None:
    """Written, edited and deleted, each at its settlement; of one that is gone the journal keeps nothing."""
    ada, bob = await people.crowd("Ada", "Bob")
    post = await ada.shares()
    session = outside.user(bob)
    published.clear()
    ((comment_id,),) = await session.runs(COMMENT, post.id, bob.id, "Hm.")
    await settled()
    await session.runs(EDIT, comment_id, "Hm!")
    await settled()
    (comment,) = (await bob.reads_comments(post)).items
    assert (comment.content, comment.is_edited, comment.can_edit) == ("Hm!", True, True)
    assert await counts(bob, post) == (0, 1)
    await session.runs(ERASE, comment_id)
    await settled()
    assert told(published) == [
        (post.topic, "comment:created"),
        (post.topic, "comment:updated"),
        (post.topic, "comment:deleted"),
    ]
    rows = await people.database.fetch(
        "select data is null as blank from events where subject = $1 order by seq",
        f"comment:{comment_id}",
    )
    assert [row["blank"] for row in rows] == [True, True, False]
    assert await ada.notifications() == []


async def test_follows_are_told(
    people: People, outside: Outside, settled: Any, published: list[Entry]
) -> None:
    """To who is followed, with the count."""
    ada, bob = await people.crowd("Ada", "Bob")
    session = outside.user(bob)
    published.clear()
    await session.runs(FOLLOW, bob.id, ada.id)
    await settled()
    assert (await bob.profile_of(ada)).stats.follower_count == 1
    assert [notice.kind for notice in await ada.notifications()] == ["user_followed"]
    await session.runs(UNFOLLOW, bob.id, ada.id)
    await settled()
    assert told(published) == [
        (f"user:{ada.id}", "user:followed"),
        (f"user:{ada.id}", "user:unfollowed"),
    ]
    assert (await bob.profile_of(ada)).stats.follower_count == 0


async def test_a_post_is_told_changed_and_gone(
    people: People, outside: Outside, settled: Any, published: list[Entry]
) -> None:
    """With what hangs on it: likes, comments, who was inspired; a prompt that is hidden is taken back."""
    ada, bob = await people.crowd("Ada", "Bob")
    inspiring = await ada.shares()
    asset = await bob.makes(prompt="a cat")
    session = outside.user(bob)
    published.clear()
    ((post_id,),) = await session.runs(SHARE, bob.id, asset.id, "New", inspiring.id)
    await settled()
    assert told(published) == [("gallery", "post:created")]
    assert published[0].data is not None
    assert b"a cat" in published[0].data
    assert [notice.kind for notice in await ada.notifications()] == ["post_inspired"]

    published.clear()
    statement = "update community_posts set title = 'Newer', show_prompt = false where id = $1"
    await session.runs(statement, post_id)
    await settled()
    topic = f"post:{post_id}"
    assert told(published) == [(topic, "post:updated"), ("gallery", "post:updated")]
    rows = await people.database.fetch("select data from events where subject = $1", topic)
    assert not any("a cat" in row["data"] for row in rows)

    post = await ada.finds(post_id)
    await ada.likes(post)
    await outside.user(ada).runs(COMMENT, post_id, ada.id, "Hm.")
    published.clear()
    await session.runs("delete from community_posts where id = $1", post_id)
    await settled()
    assert told(published) == [(topic, "post:deleted"), ("gallery", "post:deleted")]
    stats = (await bob.profile_of(bob)).stats
    assert (stats.post_count, stats.total_likes_received) == (0, 0)
    assert await ada.notifications() == await bob.notifications() == []


async def test_a_moderators_deed_is_noted(people: People, outside: Outside, settled: Any) -> None:
    """With who it was, as over the gateway."""
    ada = await people.person("Ada")
    moderator = await people.person("Mo", moderates=True)
    post = await ada.shares()
    await outside.user(moderator).runs("delete from community_posts where id = $1", post.id)
    await settled()
    (row,) = await people.database.fetch(
        "select actor_id, action from moderation_log where subject_id = $1", post.id
    )
    assert tuple(row) == (moderator.id, "deleted")


async def test_transactions_that_end_late_are_settled_late(
    people: People, outside: Outside, settled: Any, database: Database
) -> None:
    """Whichever began first: what is not committed waits, and holds up neither the gateway nor the others."""
    ada, bob, cyd, dot = await people.crowd("Ada", "Bob", "Cyd", "Dot")
    post = await ada.shares()
    async with asyncio.timeout(DEADLINE), outside.user(bob).transaction() as late:
        await late.execute(LIKE, post.id, bob.id)
        await late.execute(COMMENT, post.id, bob.id, "Late.")
        await late.execute(FOLLOW, bob.id, ada.id)
        await outside.user(cyd).runs(LIKE, post.id, cyd.id)
        await dot.likes(post)
        await dot.comments(post)
        await dot.follows(ada)
        await settled()
        assert await counts(cyd, post) == (2, 1)
    await settled()
    assert await counts(cyd, post) == (3, 2)
    newest = await people.gallery.likes.likers(post.id, ada.viewer, cursor=None, page=1, limit=3)
    assert [user.id for user in newest.items] == [bob.id, dot.id, cyd.id] or [
        user.id for user in newest.items
    ] == [bob.id, cyd.id, dot.id]


async def test_a_post_that_is_locked_from_outside_holds_up_no_other(
    people: People, outside: Outside, settled: Any, database: Database
) -> None:
    """Its own marks wait until it is free."""
    ada, bob = await people.crowd("Ada", "Bob")
    held, free = await ada.shares(), await ada.shares()
    async with asyncio.timeout(DEADLINE), outside.user(ada).transaction() as open_:
        await open_.execute("update community_posts set title = 'Mine' where id = $1", held.id)
        for post in (held, free):
            await outside.user(bob).runs(LIKE, post.id, bob.id)
        await people.gallery.outside.settle()
        assert await counts(bob, held) == (0, 0)
        assert await counts(bob, free) == (1, 0)
        await assert_sound(database)
    await settled()
    assert await counts(bob, held) == (1, 0)


async def test_what_is_deleted_meanwhile_is_not_counted(
    people: People, outside: Outside, settled: Any, operator: Any
) -> None:
    """The post, by the gateway; the users on either side, by whoever may."""
    ada, bob, cyd = await people.crowd("Ada", "Bob", "Cyd")
    first, second = await ada.shares(), await cyd.shares()
    for post in (first, second):
        await outside.user(bob).runs(LIKE, post.id, bob.id)
        await outside.user(bob).runs(COMMENT, post.id, bob.id, "Hm.")
    await outside.user(bob).runs(FOLLOW, bob.id, cyd.id)
    await outside.user(cyd).runs(FOLLOW, cyd.id, ada.id)
    await ada.removes(first)
    await settled()
    assert (await bob.profile_of(ada)).stats.total_likes_received == 0
    await outside.user(bob).runs(FOLLOW, bob.id, ada.id)
    await operator.execute("delete from users where id = $1", bob.id)
    await settled()
    assert await counts(ada, second) == (0, 0)
    await outside.user(ada).runs(LIKE, second.id, ada.id)
    await operator.execute("delete from users where id = $1", cyd.id)
    await settled()
    assert (await ada.profile_of(ada)).stats.follower_count == 0


async def test_an_import_keeps_its_times_and_notifies_nobody(
    people: People, settled: Any, operator: Any
) -> None:
    """What the owner of the tables writes by hand is counted too; more at once than one transaction settles."""
    ada, *fans = await people.crowd("Ada", *["Fan"] * 3)
    post = await ada.shares()
    await operator.execute(
        "insert into users (id, external_id, display_name) "
        "select gen_random_uuid(), 'import ' || $2 || n, 'Import' from generate_series(1, $1) as n",
        MARKS_AT_ONCE + 100,
        str(post.id),
    )
    await operator.execute(
        "insert into community_likes (post_id, user_id, created_at) "
        "select $1, id, '2020-01-01' from users where external_id like 'import %'",
        post.id,
    )
    await settled()
    assert (await counts(ada, post))[0] == MARKS_AT_ONCE + 100
    assert await ada.notifications() == []
    await fans[0].likes(post)
    await operator.execute(
        "delete from community_likes where post_id = $1 and created_at = '2020-01-01'", post.id
    )
    await settled()
    assert (await counts(ada, post))[0] == 1
    assert [notice.count for notice in await ada.notifications()] == [1]


async def test_settling_twice_at_once_counts_once(
    people: People, outside: Outside, settled: Any
) -> None:
    """As when a leader that was believed dead comes back."""
    ada, *fans = await people.crowd("Ada", *["Fan"] * 5)
    posts = [await ada.shares() for _ in range(3)]
    for fan in fans:
        session = outside.user(fan)
        for post in posts:
            await session.runs(LIKE, post.id, fan.id)
            await session.runs(COMMENT, post.id, fan.id, "Hm.")
    await asyncio.gather(*(people.gallery.outside.settle() for _ in range(4)))
    await settled()
    for post in posts:
        assert await counts(ada, post) == (5, 5)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_both_do_it_is_counted(
    outside: Outside, database: Database, people: People, seed: int
) -> None:
    """The gateway, outsiders and settlements side by side at random; afterwards every count is right."""
    chance = random.Random(seed)  # noqa: S311
    crowd = await people.crowd(*["Crowd"] * 4)
    posts = [await person.shares() for person in crowd for _ in range(2)]
    sessions = {person.id: outside.user(person) for person in crowd}
    await asyncio.gather(
        *(act(person, sessions[person.id], posts, crowd, chance) for person in crowd)
    )
    await people.gallery.outside.settle()
    await assert_sound(database)


async def act(
    person: Person, session: Outsider, posts: list[Post], crowd: list[Person], chance: random.Random
) -> None:
    """Sixty deeds of one person, here and there; what cannot be done just then is left."""
    for _ in range(60):
        post, other = chance.choice(posts), chance.choice(crowd)
        deed = chance.randrange(11)
        try:
            match deed:
                case 0:
                    await person.likes(post)
                case 1:
                    await person.unlikes(post)
                case 2:
                    await session.runs(LIKE + " on conflict do nothing", post.id, person.id)
                case 3:
                    await session.runs(UNLIKE, post.id, person.id)
                case 4:
                    await session.runs(COMMENT, post.id, person.id, "From outside.")
                case 5 | 6:
                    page = await person.reads_comments(post)
                    own = [each for each in page.items if each.user_id == person.id]
                    if own and deed == 5:
                        await person.deletes(own[0])
                    elif own:
                        await session.runs(ERASE, own[0].id)
                case 7 if other is not person:
                    await session.runs(FOLLOW + " on conflict do nothing", person.id, other.id)
                case 8 if other is not person:
                    await person.unfollows(other)
                case 9:
                    await session.runs(UNFOLLOW, person.id, other.id)
                case 10:
                    await person._gallery.outside.settle()
        except Refusal as refusal:
            assert refusal.code == "OVERLOADED"  # noqa: PT017


async def test_what_both_take_back_at_once_is_counted_off_once(
    people: People, outside: Outside, settled: Any
) -> None:
    """A like, a follow and a comment of one person, by the gateway and from outside at the same moment."""
    ada, *fans = await people.crowd("Ada", *["Fan"] * 4)
    post = await ada.shares()

    async def both_ways(fan: Person) -> None:
        session = outside.user(fan)
        for _ in range(12):
            await fan.likes(post)
            await asyncio.gather(fan.unlikes(post), session.runs(UNLIKE, post.id, fan.id))
            await fan.follows(ada)
            await asyncio.gather(fan.unfollows(ada), session.runs(UNFOLLOW, fan.id, ada.id))
            comment = await fan.comments(post)
            await asyncio.gather(
                fan.deletes(comment), session.runs(ERASE, comment.id), return_exceptions=True
            )

    for other in fans:
        await other.likes(post)
    await asyncio.gather(*(both_ways(fan) for fan in fans))
    await settled()
    assert await counts(ada, post) == (0, 0)
