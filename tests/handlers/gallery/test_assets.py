"""Which addresses an asset may have, and what creating one answers."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from handlers.actor import Actor, Role
from handlers.gallery import assets
from handlers.gallery.assets import CreateAsset, check_url
from handlers.operation import Call
from store.database import Database, open_database
from store.gallery import Gallery
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


def decode(**fields: Any) -> CreateAsset:
    body = {"asset_type": "overlay", "url": "https://example.org/a.png", **fields}
    return msgspec.json.decode(msgspec.json.encode(body), type=CreateAsset)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",
        "http://example.org:8080/a%20b.png?size=2#top",
        "HTTPS://[2001:db8::1]/a",
        "https://xn--bcher-kva.example/",
        "/media/demo/1.svg",
        "/media/a..b/c%20d.svg",
    ],
)
def test_addresses_that_an_asset_may_have(url: str) -> None:
    """http and https URLs, and paths of the gateway's own below /media/."""
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.png",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "//example.org/a.png",
        "https://",
        "https:///a.png",
        "https://example.org:port/",
        "https://[::1/",
        "a.png",
        "/a.png",
        "/media",
        "/media/",
        "/media/../secret",
        "/media/a/../../b",
        "/media/%2e%2e/secret",
        "/media/a%2f..%2f..%2fb",
        "/media/a//b",
        "/media/./a",
        "/media/a%00b",
        "/media/a%0ab",
        "/media/a%5c..%5cb",
        "/media/a\\b",
        "https://example.org/a b.png",
        "https://example.org/a\nb.png",
        "https://example.org/\x07",
        'https://example.org/"onload="x',
        "https://example.org/<script>",
        "https://exämple.org/",
    ],
)
def test_addresses_that_an_asset_may_not_have(url: str) -> None:
    """Other schemes, no host, steps out of /media/, and what is not a URL at all."""
    with refused("VALIDATION_ERROR"):
        check_url(url)


def test_an_address_has_2000_characters_at_most() -> None:
    """After trimming."""
    url = "https://example.org/".ljust(2000, "x")
    assert decode(url=f"  {url} ").url == url
    with refused("VALIDATION_ERROR", url="must have 1 to 2000 characters, has 2001"):
        decode(url=url + "x")
    with refused("VALIDATION_ERROR", url="must have 1 to 2000 characters, has 0"):
        decode(url=" ")


def test_a_prompt_of_nothing_is_none() -> None:
    """Others are cleaned, and bounded."""
    assert decode().prompt is None
    assert decode(prompt="  ").prompt is None
    assert decode(prompt=" a fox ").prompt == "a fox"
    with refused("VALIDATION_ERROR", prompt="must have 0 to 4000 characters, has 4001"):
        decode(prompt="x" * 4001)


def test_what_has_the_wrong_shape() -> None:
    """An unknown asset type, an unknown field."""
    for fields in ({"asset_type": "painting"}, {"user_id": str(uuid4())}, {"url": None}):
        with pytest.raises(msgspec.ValidationError):
            decode(**fields)
    with refused("VALIDATION_ERROR", id="must be a UUID of version 7"):
        decode(id=str(uuid4()))


async def test_creating_an_asset_again_changes_nothing(database: Database) -> None:
    """A retry with the client's own id gets the first answer; without one each call makes an asset."""
    ada = await People(database).person("Ada")
    command = decode(id=str(new_id()))
    first, again = call(database, ada), call(database, ada)
    assert await assets.create(first, command) == await assets.create(again, command)
    assert (first.changed, again.changed) == (True, False)
    one, two = [await assets.create(call(database, ada), decode()) for _ in range(2)]
    assert one.id != two.id
