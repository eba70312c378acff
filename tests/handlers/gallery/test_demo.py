from collections.abc import AsyncIterator
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from handlers.gallery.demo import PEOPLE, identifier, load, plan
from store.database import Database, open_database
from store.gallery import Gallery
from store.identity import Identity
from tests.servers import FreshDatabase
from tests.store.audit import assert_sound

TABLES = (
    "users",
    "assets",
    "community_posts",
    "community_likes",
    "community_comments",
    "community_follows",
    "community_reports",
    "moderation_log",
    "notifications",
    "topics",
    "events",
)


def user_id(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, name)


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    async with open_database(await fresh_database(), connections=4) as database:
        yield database


@pytest.fixture(scope="module")
async def media(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of pictures of a gallery into which the demo has been loaded."""
    folder = tmp_path_factory.mktemp("media")
    await hang(database, folder)
    return folder


async def hang(database: Database, folder: Path) -> None:
    await load(Identity(database), Gallery(database), media=folder, user_id=user_id)


async def contents(database: Database) -> dict[str, list[str]]:
    """Every row of the gallery as text."""
    return {
        table: sorted(
            row["row"]
            for row in await database.fetch(f"select t::text as row from {table} t")  # noqa: S608
        )
        for table in TABLES
    }


def test_the_plan_is_always_the_same() -> None:
    """Two plans are equal, with some 30 people, 200 assets, and ids of version 7 that differ."""
    demo = plan()
    assert demo == plan()
    assert len(PEOPLE) == 30
    assert len(demo.works) == 200
    ids = [work.asset_id for work in demo.works]
    ids += [work.post_id for work in demo.works if work.post_id is not None]
    ids += [remark.id for remark in demo.remarks]
    assert len(set(ids)) == len(ids)
    assert {each.version for each in ids} == {7}
    assert ids[:200] == sorted(ids[:200])


def test_an_identifier_follows_from_kind_and_number() -> None:
    """The demo's ids are fixed for good: links to a demo post stay right in every gallery."""
    assert identifier("post", 3) == UUID("01a0c453-2b20-72f7-89a3-4501911504a0")


async def test_the_demo_is_loaded_whole(database: Database, media: Path) -> None:
    """Every planned user, asset, post, like, comment and follow is there, and the books balance."""
    demo = plan()
    expected = {
        "users": len(PEOPLE),
        "assets": len(demo.works),
        "community_posts": sum(work.post_id is not None for work in demo.works),
        "community_likes": len(demo.likes),
        "community_comments": len(demo.remarks),
        "community_follows": len(demo.follows),
        "community_reports": len(demo.complaints),
    }
    found = await contents(database)
    assert {table: len(found[table]) for table in expected} == expected
    featured = await database.fetch("select id from community_posts where is_featured")
    assert {row["id"] for row in featured} == set(demo.featured)
    await assert_sound(database)


async def test_every_picture_of_the_demo_is_in_the_media_folder(
    database: Database, media: Path
) -> None:
    """Each asset's and each user's address below /media/ names a file that is there."""
    rows = await database.fetch("select url from assets union all select avatar_url from users")
    files = {f"/media/{path.relative_to(media)}" for path in media.rglob("*.svg")}
    assert {row["url"] for row in rows} == files


async def test_loading_the_demo_again_changes_nothing(database: Database, media: Path) -> None:
    """A second load leaves every row and every picture as it was."""
    before = await contents(database)
    written = {path: path.stat().st_mtime_ns for path in media.rglob("*.svg")}
    await hang(database, media)
    assert await contents(database) == before
    assert {path: path.stat().st_mtime_ns for path in media.rglob("*.svg")} == written


async def test_loading_the_demo_again_mends_a_torn_picture(database: Database, media: Path) -> None:
    """A picture that a crash left half written is drawn anew."""
    torn = next(iter(sorted(media.glob("*.svg"))))
    whole = torn.read_text("utf-8")
    torn.write_text(whole[:100], "utf-8")
    await hang(database, media)
    assert torn.read_text("utf-8") == whole
