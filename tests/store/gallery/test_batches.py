"""A batch comes to what its commands would come to one by one."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.database import Database, Transaction
from store.gallery.comments import Delete, Edit, Write
from store.gallery.follows import Follow
from store.gallery.likes import Like
from store.gallery.shapes import Post
from store.gallery.views import View
from store.ids import new_id
from store.refusal import Refusal
from tests.store.audit import assert_sound
from tests.store.people import People, Person

on_postgresql = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

WHO, WHERE, WHICH = st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)
CONTENT = st.sampled_from(["One", "Two"])


class Scene:
    """Four people, the last of them banned; two posts of the first, and one that is hidden."""

    people: list[Person]
    posts: list[Post]
    comments: list[UUID]

    @classmethod
    async def set(cls, people: People) -> "Scene":
        scene = cls()
        scene.people = await people.crowd("Ada", "Ben", "Cem", "Bob")
        scene.posts = [await scene.people[0].shares(title) for title in ("One", "Two", "Hidden")]
        scene.comments = [new_id() for _ in range(3)]
        await people.ban(scene.people[-1])
        await people.hide(scene.posts[-1])
        return scene


def verdicts(answers: Sequence[Any]) -> list[object]:
    return [answer.code if isinstance(answer, Refusal) else answer.changed for answer in answers]


async def settled_alike(
    people: People,
    settle: Callable[[Sequence[Any]], Any],
    commands: Callable[[Scene], list[Any]],
) -> tuple[Scene, Scene]:
    """Two scenes with the same outcome: commands as one batch, and each as a batch of its own."""
    together, apart = await Scene.set(people), await Scene.set(people)
    batch = await settle(commands(together))
    singly = [answer for command in commands(apart) for answer in await settle([command])]
    assert verdicts(batch) == verdicts(singly)
    await assert_sound(people.database)
    return together, apart


async def inboxes(scene: Scene) -> list[object]:
    """What everybody was notified of, with people by their places."""
    places = {person.id: place for place, person in enumerate(scene.people)}
    return [
        sorted(
            (
                notice.kind,
                notice.subject_title or "",
                notice.count,
                {places[a] for a in notice.actors},
            )
            for notice in await person.notifications()
        )
        for person in scene.people
    ]


@on_postgresql
@given(st.lists(st.tuples(WHO, WHERE, st.booleans()), max_size=12))
async def test_likes(database: Database, drawn: list[tuple[int, int, bool]]) -> None:
    """Any likes and unlikes: the same verdicts, the same likers, the same notifications."""
    people = People(database)

    def commands(scene: Scene) -> list[Any]:
        return [
            Like(scene.posts[where].id, scene.people[who].viewer, liked)
            for who, where, liked in drawn
        ]

    async def outcome(scene: Scene) -> object:
        return [
            [not (await person.likes(post)).changed for post in scene.posts[:2]]
            for person in scene.people[:3]
        ]

    together, apart = await settled_alike(people, people.gallery.likes.settle, commands)
    assert await inboxes(together) == await inboxes(apart)
    assert await outcome(together) == await outcome(apart)


@on_postgresql
@given(st.lists(st.tuples(WHO, WHO, st.booleans()), max_size=12))
async def test_follows(database: Database, drawn: list[tuple[int, int, bool]]) -> None:
    """Any follows and unfollows, crossing or of oneself: the same verdicts, profiles, notifications."""
    people = People(database)

    def commands(scene: Scene) -> list[Any]:
        return [
            Follow(scene.people[whom].id, scene.people[who].viewer, following)
            for who, whom, following in drawn
        ]

    async def outcome(scene: Scene) -> object:
        profiles = [[await a.profile_of(b) for a in scene.people] for b in scene.people]
        return [
            [(p.is_following, p.stats.follower_count, p.stats.following_count) for p in row]
            for row in profiles
        ]

    together, apart = await settled_alike(people, people.gallery.follows.settle, commands)
    assert await inboxes(together) == await inboxes(apart)
    assert await outcome(together) == await outcome(apart)


@on_postgresql
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), WHO, WHERE, CONTENT, st.one_of(WHICH, st.none())),
            st.tuples(st.just("edit"), WHO, WHICH, CONTENT),
            st.tuples(st.just("delete"), WHO, WHICH),
        ),
        max_size=12,
    )
)
async def test_comments(database: Database, drawn: list[Any]) -> None:
    """Any comments, edits and deletions, also of what was made in the same batch."""
    people = People(database)

    def command(scene: Scene, step: Any) -> Any:
        match step:
            case ("write", who, where, content, which):
                identifier = None if which is None else scene.comments[which]
                return Write(scene.people[who].viewer, scene.posts[where].id, content, identifier)
            case ("edit", who, which, content):
                return Edit(scene.people[who].viewer, scene.comments[which], content)
            case ("delete", who, which):
                return Delete(scene.people[who].viewer, scene.comments[which])

    def commands(scene: Scene) -> list[Any]:
        return [command(scene, step) for step in drawn]

    async def outcome(scene: Scene) -> object:
        pages = [await scene.people[0].reads_comments(post) for post in scene.posts]
        return [
            [(c.author.display_name, c.content, c.is_edited) for c in page.items] for page in pages
        ]

    together, apart = await settled_alike(people, people.gallery.comments.settle, commands)
    assert await outcome(together) == await outcome(apart)
    assert await inboxes(together) == await inboxes(apart)


@pytest.mark.parametrize("what", ["likes", "comments", "views"])
async def test_a_post_that_somebody_holds_keeps_no_other_waiting(
    database: Database, what: str
) -> None:
    """Commands on the other posts are settled while an open transaction holds one; then on that one too."""
    people = People(database)
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    posts = [await ada.shares(str(n)) for n in range(6)]
    gallery = people.gallery

    def submit(post: Post, by: Person) -> "asyncio.Task[Any]":
        return asyncio.create_task(
            {
                "likes": lambda: gallery.likes.submit(Like(post.id, by.viewer, True)),
                "comments": lambda: gallery.comments.submit(Write(by.viewer, post.id, "So.")),
                "views": lambda: gallery.views.submit(View(post.id, by.viewer, "")),
            }[what]()
        )

    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold(transaction: Transaction) -> None:
        await transaction.execute(
            "update community_posts set title = 'Mine' where id = $1", posts[0].id
        )
        held.set()
        await let_go.wait()

    holder = asyncio.create_task(database.transaction(hold))
    await held.wait()
    first = [submit(post, ben) for post in posts]
    await asyncio.gather(*first[1:])
    await asyncio.gather(*(submit(post, cem) for post in posts[1:]))
    behind = submit(posts[0], cem)
    assert not first[0].done()
    let_go.set()
    await asyncio.gather(holder, first[0], behind)
    await assert_sound(database)
