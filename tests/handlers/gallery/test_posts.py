"""What a post may say, and what its retry costs."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.actor import Actor, Role
from handlers.gallery import DOMAIN, posts
from handlers.gallery.likes import PostRef
from handlers.gallery.posts import TAG_FORMAT, CreatePost, clean_tags
from handlers.operation import Call
from store.database import Database, open_database
from store.gallery import Gallery
from store.ids import new_id
from store.refusal import Refusal
from tests.servers import FreshDatabase
from tests.store.people import People, Person
from tests.store.refused import refused
from tests.waiting import until


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    async with open_database(await fresh_database(), connections=4) as database:
        yield database


def call(database: Database, person: Person) -> Call[Gallery]:
    return Call(Actor(person.id, Role.USER, "127.0.0.1"), Gallery(database))


def decode(**fields: Any) -> CreatePost:
    body = {"asset_id": uuid4(), "title": "A picture", **fields}
    return msgspec.json.decode(msgspec.json.encode(body), type=CreatePost)


def test_text_is_cleaned() -> None:
    """Title and description are normalised and trimmed; a description of nothing is none."""
    post = decode(title="  Cafe\u0301 ", description=" \n")
    assert (post.title, post.description) == ("Café", None)
    assert decode(description=" x ").description == "x"
    assert decode(title="é" * 100, description="é" * 500).title == "é" * 100


@pytest.mark.parametrize(
    ("field", "text", "why"),
    [
        ("title", " ", "must have 1 to 100 characters, has 0"),
        ("title", "x" * 101, "must have 1 to 100 characters, has 101"),
        ("title", "a\0b", "must not contain NUL"),
        ("description", "x" * 501, "must have 0 to 500 characters, has 501"),
        ("description", "\u2066", "must not contain bidirectional controls, contains U+2066"),
    ],
)
def test_text_that_is_refused(field: str, text: str, why: str) -> None:
    """With the field, and what would be right."""
    with refused("VALIDATION_ERROR", **{field: why}):
        decode(**{field: text})


def test_a_tag_stands_once() -> None:
    """Lower-cased and trimmed; of several that are the same then, the first place counts."""
    assert decode(tags=[" Fox", "red", "FOX ", "fox"]).tags == ("fox", "red")
    assert decode(tags=["a", "A", "b", "c", "d", "e"]).tags == ("a", "b", "c", "d", "e")
    assert decode().tags == ()


@pytest.mark.parametrize(
    "tag", ["", " ", "-", "-a", "a-", "a b", "a_b", "ä", "a\nb", "x" * 31, "#fox", "a,b", "²"]
)
def test_a_tag_that_is_refused(tag: str) -> None:
    """With the tag as it was understood, and the format that it should have."""
    with refused("COMMUNITY_INVALID_TAG", tag=tag.strip().lower(), expected_format=TAG_FORMAT):
        decode(tags=["ok", tag])


@pytest.mark.parametrize("tag", ["a", "7", "ab", "a-b", "a--b", "x" * 30, "4k", "0-0"])
def test_a_tag_that_is_accepted(tag: str) -> None:
    """One to thirty letters, digits and inner hyphens."""
    assert decode(tags=[tag]).tags == (tag,)


def test_five_tags_are_the_most() -> None:
    """Different ones are counted."""
    with refused("COMMUNITY_TOO_MANY_TAGS", count=6, max_count=5):
        decode(tags=list("abcdef"))


@given(st.lists(st.text("abAB-1 ", max_size=4), max_size=8))
def test_clean_tags_stay_as_they_are(tags: list[str]) -> None:
    """What is accepted is accepted again, unchanged."""
    with suppress(Refusal):
        clean = clean_tags(tags)
        assert clean_tags(clean) == clean
        assert len(set(clean)) == len(clean)


def test_what_has_the_wrong_shape() -> None:
    """Unknown fields, ids that are none; a client's id that is not of version 7 is refused by name."""
    for fields in ({"user_id": str(uuid4())}, {"asset_id": "1"}, {"tags": "fox"}, {"title": 1}):
        with pytest.raises(msgspec.ValidationError):
            decode(**fields)
    with refused("VALIDATION_ERROR", id="must be a UUID of version 7"):
        decode(id=uuid4())


async def test_sharing_again_changes_nothing(database: Database) -> None:
    """A retry with the client's own id gets the first answer, and costs nothing of the limit."""
    ada = await People(database).person("Ada")
    command = decode(asset_id=(await ada.makes()).id, id=new_id(), tags=["Fox"])
    first, again = call(database, ada), call(database, ada)
    post = await posts.create(first, command)
    assert await posts.create(again, command) == post
    assert (first.changed, again.changed) == (True, False)
    assert (post.id, post.tags) == (command.id, ["fox"])
    found = await posts.get(call(database, ada), PostRef(post.id))
    assert (found.title, found.trending_score) == ("A picture", 0)


async def test_reading_a_post_is_a_view_of_it(database: Database) -> None:
    """Counted by and by, and once with what is counted on purpose."""
    people = People(database)
    ada, ben = await people.crowd("Ada", "Ben")
    post = PostRef((await ada.shares()).id)
    for count, person in enumerate((ben, ada)):
        reading = call(database, person)
        assert (await posts.get(reading, post)).view_count == count
        views = reading.store.views
        await until(lambda views=views: not views._noting, "the view is counted")
    for person in (ben, ada):
        assert (await posts.view(call(database, person), post)).view_count == 2
    visitor = Call(Actor(None, Role.USER, "192.0.2.7"), Gallery(database))
    assert (await posts.view(visitor, post)).view_count == 3


async def test_a_posts_topic_is_watched_by_those_who_may_see_it(database: Database) -> None:
    """By its canonical name only; a hidden one by owner and moderators."""
    people = People(database)
    ada = await people.person("Ada")
    post = await ada.shares()
    (topic,) = [topic for topic in DOMAIN.topics if topic.pattern == "post:{id}"]
    gallery = people.gallery
    visitor = Actor(None, Role.USER, "127.0.0.1")
    owner = Actor(ada.id, Role.USER, "127.0.0.1")
    moderator = Actor(new_id(), Role.MODERATOR, "127.0.0.1")
    shown = [(each, (str(post.id),)) for each in (visitor, owner, moderator)]
    assert await topic.may_watch(gallery, shown) == [True, True, True]
    names = (str(post.id).upper(), post.id.hex, "", "x", str(new_id()))
    assert not any(await topic.may_watch(gallery, [(moderator, (name,)) for name in names]))
    mixed = [(visitor, ("x",)), *shown]
    assert await topic.may_watch(gallery, mixed) == [False, True, True, True]
    await people.hide(post)
    assert await topic.may_watch(gallery, mixed) == [False, False, True, True]
