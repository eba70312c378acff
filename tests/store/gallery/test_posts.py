"""A post shares an asset, once, and tells everybody."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from store.database import Database
from store.gallery import Gallery
from store.gallery.posts import NewPost, PostChange, PostCreated
from store.gallery.shapes import Asset, Post
from store.ids import new_id
from store.journal import Entry
from store.refusal import Refusal
from store.viewer import Viewer
from tests.store.audit import assert_sound
from tests.store.people import People, Person, only
from tests.store.refused import refused


def about(
    person: Person,
    asset: Asset,
    title: str = "A picture",
    *,
    id: UUID | None = None,
    inspired_by: Post | None = None,
) -> NewPost:
    """A post of this person's about an asset."""
    inspiring = None if inspired_by is None else inspired_by.id
    return NewPost(
        id or new_id(), person.viewer, asset.id, title, "Words", ("one", "two"), True, inspiring
    )


async def test_a_post_is_what_its_asset_is(people: People) -> None:
    """Type, address and prompt come from the asset; all counts begin at zero, and its topic is empty."""
    ada = await people.person("Ada")
    asset = await ada.makes("twitch_badge", prompt="A fox")
    created = await ada.posts(about(ada, asset, "Fox"))
    post = created.post
    assert created.changed
    assert post == Post(
        id=post.id,
        user_id=ada.id,
        asset_id=asset.id,
        title="Fox",
        description="Words",
        prompt_used="A fox",
        show_prompt=True,
        tags=["one", "two"],
        asset_type="twitch_badge",
        asset_url=asset.url,
        like_count=0,
        comment_count=0,
        view_count=0,
        is_featured=False,
        inspired_by_post_id=None,
        created_at=post.created_at,
        updated_at=post.created_at,
        author=ada.summary,
        is_liked=False,
        topic=f"post:{post.id}",
        seq=0,
        is_hidden=False,
    )


async def test_a_post_is_told_to_the_gallery(people: People, published: list[Entry]) -> None:
    """A log entry about the post, without what depends on the viewer."""
    ada = await people.person("Ada")
    post = await ada.shares(prompt="A fox")
    (entry,) = published
    assert (entry.topic, entry.type, entry.key) == ("gallery", "post:created", None)
    assert (entry.subject, entry.actor) == (f"post:{post.id}", ada.id)
    told = json.loads(entry.data or b"")["post"]
    assert told["prompt_used"] == "A fox"
    assert told["author"]["display_name"] == "Ada"
    of_the_viewer = {"is_liked", "inspired_by_post_id", "topic", "seq", "is_hidden"}
    assert set(Post.__struct_fields__) - set(told) == of_the_viewer


async def test_a_prompt_that_is_not_shown_is_the_owners(
    people: People, published: list[Entry]
) -> None:
    """Neither events nor other readers, moderators among them, get to see it; the owner does."""
    ada, ben = await people.crowd("Ada", "Ben")
    max_ = await people.person("Max", moderates=True)
    post = await ada.shares(prompt="Secret", show_prompt=False)
    assert json.loads(published[-1].data or b"")["post"]["prompt_used"] is None
    assert post.prompt_used == "Secret"
    assert (await ada.reads(post)).prompt_used == "Secret"
    assert (await ben.reads(post)).prompt_used is None
    assert (await max_.reads(post)).prompt_used is None


async def test_a_post_as_each_reader_sees_it(people: People) -> None:
    """Likes are the reader's own; `seq` is the head of its topic; `is_hidden` is for owner and moderators."""
    ada, ben = await people.crowd("Ada", "Ben")
    moderator = await people.person("Max", moderates=True)
    post = await ada.shares()
    liked = await ben.likes(post)
    bens, adas = await ben.reads(post), await ada.reads(post)
    assert (bens.is_liked, bens.like_count, bens.seq) == (True, 1, liked.seq)
    assert (adas.is_liked, adas.is_hidden, bens.is_hidden) == (False, False, msgspec.UNSET)
    assert (await moderator.reads(post)).is_hidden is False
    visitors = await people.gallery.posts.get(post.id, Viewer())
    assert (visitors.is_liked, visitors.is_hidden) == (False, msgspec.UNSET)


async def test_a_hidden_post_is_not_there(people: People) -> None:
    """For strangers it is as unknown as one that never was; owner and moderators read it."""
    ada, ben = await people.crowd("Ada", "Ben")
    moderator = await people.person("Max", moderates=True)
    post = await ada.shares()
    await people.hide(post)
    for viewer in (ben.viewer, Viewer()):
        with refused("COMMUNITY_POST_NOT_FOUND", post_id=post.id):
            await people.gallery.posts.get(post.id, viewer)
    for reader in (ada, moderator):
        assert (await reader.reads(post)).is_hidden is True
    readers = (ben.viewer, Viewer(), ada.viewer, moderator.viewer)
    asked = [(post.id, reader) for reader in readers]
    seen = await people.gallery.posts.may_see([*asked, (new_id(), moderator.viewer)])
    assert seen == [False, False, True, True, False]


async def test_the_trending_score_is_that_of_this_moment(
    people: People, database: Database
) -> None:
    """(likes + 2·comments + 0.1·views) / (hours + 2)^1.5, and half as much again for a featured post."""
    ada = await people.person("Ada")
    post = await ada.shares()
    for likes, comments, views, hours, featured in (
        (3, 0, 0, 0, False),
        (7, 5, 123, 30, True),
        (1_000_000, 20_000, 2_000_000_000, 8_760, False),
        (0, 0, 0, 0, False),
    ):
        await database.fetch(
            "update community_posts set like_count = $2, comment_count = $3, view_count = $4, "
            "created_at = now() - $5 * interval '1 hour', is_featured = $6 where id = $1",
            *(post.id, likes, comments, views, hours, featured),
        )
        found = await ada.reads(post)
        age = (datetime.now(UTC) - found.created_at).total_seconds() / 3600
        score = (likes + 2 * comments + 0.1 * views) / (age + 2) ** 1.5 * (1.5 if featured else 1)
        assert found.trending_score == pytest.approx(score, rel=1e-3)


async def test_an_asset_of_somebody_else_cannot_be_shared(people: People) -> None:
    """Nor one that is not there: both are refused alike."""
    ada, ben = await people.crowd("Ada", "Ben")
    asset = await ada.makes()
    with refused("COMMUNITY_ASSET_NOT_OWNED", asset_id=asset.id):
        await ben.posts(about(ben, asset))
    unknown = msgspec.structs.replace(asset, id=new_id())
    with refused("COMMUNITY_ASSET_NOT_OWNED", asset_id=unknown.id):
        await ben.posts(about(ben, unknown))


async def test_an_asset_is_shared_once(people: People) -> None:
    """A second post about it is refused, also in the same batch."""
    ada = await people.person("Ada")
    asset, other = await ada.makes(), await ada.makes()
    await ada.posts(about(ada, asset))
    with refused("COMMUNITY_ALREADY_SHARED", asset_id=asset.id):
        await ada.posts(about(ada, asset))
    first, second = await people.gallery.posts.create([about(ada, other), about(ada, other)])
    assert isinstance(first, PostCreated)
    assert isinstance(second, Refusal)
    assert second.code == "COMMUNITY_ALREADY_SHARED"
    await assert_sound(people.database)


async def test_who_is_banned_shares_nothing(people: People) -> None:
    """And says nothing of whose asset it is."""
    ada, bob = await people.crowd("Ada", "Bob")
    asset = await ada.makes()
    await people.ban(bob)
    with refused("COMMUNITY_USER_BANNED"):
        await bob.posts(about(bob, asset))


async def test_the_same_post_again_is_the_first_one(people: People, published: list[Entry]) -> None:
    """The same id with the same body changes and tells nothing; with another body or user it conflicts."""
    ada, ben = await people.crowd("Ada", "Ben")
    asset, bens = await ada.makes(), await ben.makes()
    new = about(ada, asset)
    first = await ada.posts(new)
    published.clear()
    assert await ada.posts(new) == PostCreated(first.post, changed=False)
    for other in (
        msgspec.structs.replace(new, title="Another"),
        msgspec.structs.replace(new, tags=("two", "one")),
        about(ben, bens, id=new.id),
    ):
        with refused("IDEMPOTENCY_CONFLICT", id=new.id):
            await ada.posts(other)
    assert published == []
    await assert_sound(people.database)


async def test_a_post_made_again_after_a_change_is_as_it_is_now(
    people: People, published: list[Entry]
) -> None:
    """What it was made as counts, not what it says by now, nor whether what inspired it is still there."""
    ada, ben = await people.crowd("Ada", "Ben")
    inspiring = await ben.shares()
    new = about(ada, await ada.makes(), inspired_by=inspiring)
    await ada.posts(new)
    change = PostChange(new.id, ada.viewer, title="Later", tags=("three",), show_prompt=False)
    changed = only(await people.gallery.posts.update([change]))
    await ben.removes(inspiring)
    published.clear()
    again = await ada.posts(new)
    assert again == PostCreated(
        msgspec.structs.replace(changed.post, inspired_by_post_id=None), changed=False
    )
    with refused("IDEMPOTENCY_CONFLICT", id=new.id):
        await ada.posts(msgspec.structs.replace(new, title="Later", tags=("three",)))
    assert published == []
    await assert_sound(people.database)


async def test_a_deleted_post_is_not_made_again(people: People) -> None:
    """A retry that comes too late makes nothing; a new post of that asset takes a new id."""
    ada = await people.person("Ada")
    new = about(ada, await ada.makes())
    await ada.removes((await ada.posts(new)).post)
    with refused("IDEMPOTENCY_CONFLICT", id=new.id):
        await ada.posts(new)
    assert (await ada.posts(msgspec.structs.replace(new, id=new_id()))).changed


async def test_a_post_of_an_earlier_release_made_again(people: People, database: Database) -> None:
    """Of which nobody noted what it was made as: as long as it says the same it is known."""
    ada = await people.person("Ada")
    new = about(ada, await ada.makes())
    first = await ada.posts(new)
    await database.fetch("update community_posts set made_as = null where id = $1", new.id)
    assert await ada.posts(new) == PostCreated(first.post, changed=False)
    with refused("IDEMPOTENCY_CONFLICT", id=new.id):
        await ada.posts(msgspec.structs.replace(new, title="Another"))


async def test_retries_at_once_make_one_post(people: People, database: Database) -> None:
    """The same post sent to several nodes at the same moment is one post, and all are answered with it."""
    ada = await people.person("Ada")
    new = about(ada, await ada.makes())
    answers = await asyncio.gather(*(Gallery(database).posts.create([new]) for _ in range(8)))
    created = [answer for (answer,) in answers if isinstance(answer, PostCreated)]
    assert len(created) == 8
    assert sum(each.changed for each in created) == 1
    assert len({each.post.created_at for each in created}) == 1
    assert (await people.gallery.creators.profile(ada.id, ada.viewer)).stats.post_count == 1
    await assert_sound(people.database)


async def test_one_id_for_two_assets_at_once_is_one_post(
    people: People, database: Database
) -> None:
    """Whoever comes second finds the id taken, and nothing of theirs is kept."""
    ada, ben = await people.crowd("Ada", "Ben")
    new = about(ada, await ada.makes())
    other = about(ben, await ben.makes(), id=new.id)
    answers = await asyncio.gather(
        *(Gallery(database).posts.create([post]) for post in (new, other) * 4)
    )
    verdicts = [a.code if isinstance(a, Refusal) else a.changed for (a,) in answers]
    assert sorted(map(str, verdicts)) == [*["False"] * 3, *["IDEMPOTENCY_CONFLICT"] * 4, "True"]
    await assert_sound(people.database)


async def test_an_inspiring_post_must_be_visible(people: People) -> None:
    """One that is unknown or hidden from the author is not found; its own owner may name it."""
    ada, ben = await people.crowd("Ada", "Ben")
    hidden = await ada.shares()
    await people.hide(hidden)
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=hidden.id):
        await ben.shares(inspired_by=hidden)
    with refused("COMMUNITY_POST_NOT_FOUND"):
        await ben.shares(inspired_by=msgspec.structs.replace(hidden, id=new_id()))
    assert (await ada.shares(inspired_by=hidden)).inspired_by_post_id == hidden.id


async def test_inspiring_somebody_is_notified(people: People, published: list[Entry]) -> None:
    """One notification grows, and names each inspired user once, newest first; never oneself."""
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    post = await ada.shares("Sunrise")
    await ada.shares(inspired_by=post)
    assert await ada.notifications() == []
    await ben.shares(inspired_by=post)
    await cem.shares(inspired_by=post)
    await ben.shares(inspired_by=post)
    (notice,) = await ada.notifications()
    assert (notice.kind, notice.subject_id) == ("post_inspired", post.id)
    assert (notice.subject_title, notice.count) == ("Sunrise", 3)
    assert notice.actors == [ben.id, cem.id]
    told = [e.type for e in published if e.topic == f"user:{ada.id}"]
    assert told == ["notification:created", "notification:updated", "notification:updated"]


async def test_a_batch_is_settled_post_by_post(people: People, published: list[Entry]) -> None:
    """Who is refused is refused alone; the others' counters, entries and notifications are all there."""
    ada, ben, bob = await people.crowd("Ada", "Ben", "Bob")
    await people.ban(bob)
    inspiring = await ada.shares()
    batch = [
        about(ben, await ben.makes(), inspired_by=inspiring),
        about(bob, await ada.makes()),
        about(ada, await ada.makes()),
        about(ben, await ben.makes(), inspired_by=inspiring),
    ]
    published.clear()
    answers = await people.gallery.posts.create(batch)
    codes = [a.code if isinstance(a, Refusal) else a.post.author.display_name for a in answers]
    assert codes == ["Ben", "COMMUNITY_USER_BANNED", "Ada", "Ben"]
    created = [json.loads(e.data or b"")["post"]["id"] for e in published if e.topic == "gallery"]
    assert created == [str(batch[0].id), str(batch[2].id), str(batch[3].id)]
    (notice,) = await ada.notifications()
    assert notice.count == 2
    await assert_sound(people.database)


async def test_many_posts_inspired_by_one_another_do_not_lock_each_other_out(
    people: People,
) -> None:
    """Batches over the same posts and authors, in opposite orders at once, all come through."""
    ada, ben = await people.crowd("Ada", "Ben")
    one, two = await ada.shares(), await ben.shares()

    async def batch(first: Post, second: Post) -> list[PostCreated | Refusal]:
        return await people.gallery.posts.create(
            [
                about(ada, await ada.makes(), inspired_by=first),
                about(ben, await ben.makes(), inspired_by=second),
            ]
        )

    answers = await asyncio.gather(*(batch(*pair) for pair in [(one, two), (two, one)] * 5))
    assert all(isinstance(each, PostCreated) for answer in answers for each in answer)
    await assert_sound(people.database)
