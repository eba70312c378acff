"""What a comment may say, and what its retry costs."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from handlers.actor import Actor, Role
from handlers.gallery import comments
from handlers.gallery.comments import CommentRef, CreateComment, UpdateComment
from handlers.operation import Call
from store.database import Database, open_database
from store.gallery import Gallery
from store.gallery.shapes import DeletedComment
from store.ids import new_id
from tests.servers import FreshDatabase
from tests.store.people import People, Person
from tests.store.refused import refused


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    async with open_database(await fresh_database(), connections=4) as database:
        yield database


def call(database: Database, person: Person) -> Call[Gallery]:
    return Call(Actor(person.id, Role.USER, "127.0.0.1"), Gallery(database))


def decode(command: type[Any], **fields: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(fields), type=command)


@pytest.mark.parametrize("command", [CreateComment, UpdateComment])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (" ", "must have 1 to 1000 characters, has 0"),
        ("x" * 1001, "must have 1 to 1000 characters, has 1001"),
        ("a\0b", "must not contain NUL"),
        ("a\u202eb", "must not contain bidirectional controls, contains U+202E"),
    ],
)
def test_content_that_is_refused(command: type[Any], content: str, why: str) -> None:
    """Already when the command is decoded: it has cost nothing then."""
    with refused("VALIDATION_ERROR", content=why):
        decode(command, content=content, **{command.__struct_fields__[0]: uuid4()})


def test_content_is_cleaned() -> None:
    """Normalised and trimmed, and 1,000 characters are not too many."""
    command = decode(CreateComment, post_id=uuid4(), content="  " + "e\u0301" * 1000 + " ")
    assert command.content == "é" * 1000


def test_an_id_of_the_clients_own_is_of_version_7() -> None:
    """Any other cannot be told from one that somebody thought up."""
    with refused("VALIDATION_ERROR", id="must be a UUID of version 7"):
        decode(CreateComment, post_id=uuid4(), content="Hello", id=uuid4())
    with refused("VALIDATION_ERROR", id="must be a UUID of version 7"):
        decode(CreateComment, post_id=uuid4(), content="Hello", id=UUID(int=0))
    identifier = new_id()
    assert decode(CreateComment, post_id=uuid4(), content="Hello", id=identifier).id == identifier


async def test_a_retry_changes_nothing(database: Database) -> None:
    """The first call creates, the second answers the same and says that nothing was changed."""
    ada = await People(database).person("Ada")
    command = CreateComment((await ada.shares()).id, "Hello", new_id())
    first, second = call(database, ada), call(database, ada)
    created = await comments.create(first, command)
    assert await comments.create(second, command) == created
    assert (first.changed, second.changed) == (True, False)


async def test_deleting_answers_what_is_gone(database: Database) -> None:
    """The id and no more."""
    ada = await People(database).person("Ada")
    comment = await ada.comments(await ada.shares())
    answer = await comments.delete(call(database, ada), CommentRef(comment.id))
    assert answer == DeletedComment(comment.id)
