"""Views: each viewer once in half an hour, however many look at once."""

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from store.database import Database
from store.gallery.shapes import Post
from store.gallery.views import View, Views
from store.ids import new_id
from store.journal import Entry, Ephemeral
from store.refusal import Refusal
from store.viewer import Viewer
from tests.store.people import People, Person, only
from tests.store.refused import refused
from tests.waiting import until

HERE = "192.0.2.1"


@pytest.fixture
def views(people: People) -> Views:
    return people.gallery.views


def by(person: Person | None, post: Post, address: str = HERE) -> View:
    return View(post.id, Viewer() if person is None else person.viewer, address)


async def age(database: Database, post: Post, minutes: float) -> None:
    """The post was viewed so long before it really was."""
    await database.fetch(
        "update view_marks set counted_at = counted_at - $2 * interval '1 minute' where post_id = $1",
        post.id,
        minutes,
    )


async def stored(database: Database, post: Post) -> int:
    row = await database.fetchrow("select view_count from community_posts where id = $1", post.id)
    assert row is not None
    count: int = row["view_count"]
    return count


def told(published: list[Entry | Ephemeral]) -> list[Any]:
    return [json.loads(each.data or b"") for each in published if each.type == "post:viewed"]


async def test_a_viewer_counts_once(people: People, views: Views, database: Database) -> None:
    """A user on whatever device, a visitor by address; the author too."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares()
    for number, view in enumerate(
        (by(ben, post), by(ada, post), by(None, post), by(None, post, "2001:db8::1")), 1
    ):
        for _ in range(2):
            viewed = only(await views.settle([view]))
            assert (viewed.post_id, viewed.view_count) == (post.id, number)
    assert only(await views.settle([by(ben, post, "192.0.2.9")])).view_count == 4
    assert await stored(database, post) == 4


async def test_after_half_an_hour_a_viewer_counts_again(
    people: People, views: Views, database: Database
) -> None:
    """Not before; and each time for the half hour that follows."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares()
    assert only(await views.settle([by(ben, post)])).view_count == 1
    await age(database, post, 29.9)
    assert only(await views.settle([by(ben, post)])).view_count == 1
    await age(database, post, 0.2)
    for _ in range(2):
        assert only(await views.settle([by(ben, post)])).view_count == 2


async def test_old_marks_are_removed(people: People, views: Views, database: Database) -> None:
    """Those that count for nothing any more, and no others."""
    ada, ben = await people.crowd("Ada", "Ben")
    old, fresh = await ada.shares(), await ada.shares()
    for post in (old, fresh):
        await views.settle([by(ben, post), by(ada, post)])
    await age(database, old, 31)
    await views.forget()
    rows = await database.fetch(
        "select post_id, count(*) from view_marks where post_id = any ($1) group by post_id",
        [old.id, fresh.id],
    )
    assert [tuple(row) for row in rows] == [(fresh.id, 2)]
    assert only(await views.settle([by(ben, fresh)])).view_count == 2


async def test_a_batch_answers_each(people: People, views: Views) -> None:
    """With the count after all of them; what may not be seen is refused alone."""
    ada, ben = await people.crowd("Ada", "Ben")
    moderator = await people.person("Max", moderates=True)
    one, hidden = await ada.shares(), await ada.shares()
    await people.hide(hidden)
    unknown = View(new_id(), ben.viewer, HERE)
    batch = [
        by(ben, one), by(ben, hidden), unknown, by(ada, one), by(ada, hidden), by(ben, one),
        by(moderator, hidden),
    ]  # fmt: skip
    answers = await views.settle(batch)
    counts = [None if isinstance(each, Refusal) else each.view_count for each in answers]
    assert counts == [2, None, None, 2, 2, 2, 2]
    for view, answer in zip(batch, answers, strict=True):
        if isinstance(answer, Refusal):
            assert (answer.code, answer.details) == (
                "COMMUNITY_POST_NOT_FOUND",
                {"post_id": view.post_id},
            )
    with refused("COMMUNITY_POST_NOT_FOUND"):
        await views.submit(by(None, hidden))


async def test_new_counts_are_told_and_journalled_nowhere(
    people: People, views: Views, database: Database, published: list[Entry]
) -> None:
    """One message for each post that got more; a view that counts for nothing is not told."""
    ada, ben = await people.crowd("Ada", "Ben")
    one, two = await ada.shares(), await ada.shares()
    published.clear()
    await views.settle([by(ada, one), by(ben, one), by(ben, two)])
    assert sorted(told(published), key=lambda data: data["view_count"]) == [
        {"post_id": str(two.id), "view_count": 1},
        {"post_id": str(one.id), "view_count": 2},
    ]
    assert {(each.topic, each.key, each.seq) for each in published} == {
        (f"post:{one.id}", "views", None),
        (f"post:{two.id}", "views", None),
    }
    published.clear()
    await views.settle([by(ada, one), by(ben, two)])
    assert published == []
    rows = await database.fetch("select from topics where topic = $1", f"post:{one.id}")
    assert rows == []


async def test_counts_are_exact_over_all_nodes(people: People, database: Database) -> None:
    """Everybody looks at everything on every node at once, and each is counted once."""
    ada, *crowd = await people.crowd(*(f"Person {number}" for number in range(20)))
    posts = [await ada.shares() for _ in range(3)]
    nodes = [Views(database) for _ in range(3)]
    looks = [
        node.submit(by(person, post)) for node in nodes for person in crowd for post in posts
    ] + [
        node.submit(by(None, post, f"192.0.2.{last}"))
        for last in range(20)
        for node in nodes
        for post in reversed(posts)
    ]
    answers = await asyncio.gather(*looks)
    assert {await stored(database, post) for post in posts} == {len(crowd) + 20}
    assert max(answer.view_count for answer in answers) == len(crowd) + 20


async def test_a_view_is_noted_without_waiting(
    people: People, views: Views, database: Database
) -> None:
    """It is counted by and by; one that fails is logged, and harms nobody."""
    ada = await people.person("Ada")
    post = await ada.shares()
    with capture_logs() as logs:
        views.note(by(ada, post))
        views.note(View(new_id(), ada.viewer, HERE))
        await until(lambda: not views._noting, "all counted")
    assert await stored(database, post) == 1
    assert [(log["log_level"], log["code"]) for log in logs] == [
        ("warning", "COMMUNITY_POST_NOT_FOUND")
    ]
