"""Assets are kept once, whoever asks again."""

import asyncio

from store.database import Database
from store.gallery import Gallery
from store.gallery.assets import AssetCreated, NewAsset
from store.gallery.shapes import Asset
from store.ids import new_id
from store.refusal import Refusal
from tests.store.people import People, Person
from tests.store.refused import refused


def overlay(person: Person, url: str = "https://example.org/a.png") -> NewAsset:
    return NewAsset(new_id(), person.id, "overlay", url, "A prompt")


async def test_an_asset_is_answered_as_it_is_kept(people: People, database: Database) -> None:
    """With its maker, and the time when it was made."""
    ada = await people.person("Ada")
    new = overlay(ada)
    (answer,) = await people.gallery.assets.create([new])
    assert isinstance(answer, AssetCreated)
    row = await database.fetchrow("select * from assets where id = $1", new.id)
    assert row is not None
    assert answer == AssetCreated(Asset(**row), changed=True)
    assert (answer.asset.user_id, answer.asset.url) == (ada.id, new.url)


async def test_the_same_asset_again_is_the_first_one(people: People) -> None:
    """The same id with the same body answers the first asset and changes nothing; with another it conflicts."""
    ada, ben = await people.crowd("Ada", "Ben")
    new = overlay(ada)
    (first,) = await people.gallery.assets.create([new])
    assert isinstance(first, AssetCreated)
    again, other, foreign = await people.gallery.assets.create(
        [
            new,
            NewAsset(new.id, ada.id, "overlay", "https://example.org/b.png", None),
            NewAsset(new.id, ben.id, "overlay", new.url, new.prompt),
        ]
    )
    assert again == AssetCreated(first.asset, changed=False)
    assert [a.code for a in (other, foreign) if isinstance(a, Refusal)] == [
        "IDEMPOTENCY_CONFLICT",
        "IDEMPOTENCY_CONFLICT",
    ]


async def test_a_batch_is_answered_one_by_one(people: People) -> None:
    """Somebody who is banned is refused alone; who comes twice in one batch is served once."""
    ada, bob = await people.crowd("Ada", "Bob")
    await people.ban(bob)
    new = overlay(ada)
    first, again, banned = await people.gallery.assets.create([new, new, overlay(bob)])
    assert isinstance(first, AssetCreated)
    assert first.changed
    assert again == AssetCreated(first.asset, changed=False)
    assert isinstance(banned, Refusal)
    assert banned.code == "COMMUNITY_USER_BANNED"


async def test_who_is_unknown_keeps_nothing(database: Database, people: People) -> None:
    """A user who was deleted meanwhile is refused."""
    ada = await people.person("Ada")
    await database.fetch("delete from users where id = $1", ada.id)
    with refused("COMMUNITY_USER_NOT_FOUND", user_id=ada.id):
        await ada.makes()


async def test_an_asset_made_by_two_nodes_at_once_is_one(
    people: People, database: Database
) -> None:
    """Retries that overlap come to one asset, and both are answered with it."""
    ada = await people.person("Ada")
    new = overlay(ada)
    answers = await asyncio.gather(*(Gallery(database).assets.create([new]) for _ in range(8)))
    created = [answer for (answer,) in answers if isinstance(answer, AssetCreated)]
    assert len(created) == 8
    assert sum(each.changed for each in created) == 1
    assert len({each.asset for each in created}) == 1
