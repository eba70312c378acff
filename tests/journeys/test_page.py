"""The page at `/`, as people see it: a real Chromium, real nodes, the demo gallery."""

import asyncio
import re
from urllib.parse import urlsplit

from playwright.async_api import expect

from store.database import Database
from tests.nodes import GENEROUS, Installation, Node
from tests.windows import SCRIPT, TRANSPORTS, Open, Window, newest, unliked


@TRANSPORTS
async def test_a_like_travels_to_every_wall(opened: Open, transport: str) -> None:
    """A like shows at once on the liker's screen, and live on another user's and a visitor's."""
    name = {"websocket": "edith", "polling": "farid"}[transport]
    ada, bob, visitor = [await opened(each, transport=transport) for each in (name, "bob", None)]
    post_id = unliked(name)
    count = await ada.likes_on(post_id)
    await bob.sees_likes(post_id, count)
    await ada.likes(post_id)
    for window in (ada, bob, visitor):
        await window.sees_likes(post_id, count + 1)
    button = ada.on_the_wall(post_id).locator(".like")
    await expect(button).to_have_attribute("aria-pressed", "true")
    await ada.likes(post_id)
    for window in (ada, bob, visitor):
        await window.sees_likes(post_id, count)


@TRANSPORTS
async def test_a_new_work_is_announced_on_the_wall(opened: Open, transport: str) -> None:
    """Who looks at the recent wall is told of a new work, and has it first when they ask for it."""
    ada, visitor = await opened("ada", transport=transport), await opened(transport=transport)
    post_id = await ada.shares(f"Fresh paint, by {transport}")
    await visitor.page.get_by_role("button", name="1 new work").click()
    await expect(visitor.page.locator(".hang .work").first).to_have_attribute(
        "data-post", str(post_id)
    )


@TRANSPORTS
async def test_a_comment_is_written_edited_and_deleted_before_everybodys_eyes(
    opened: Open, transport: str
) -> None:
    """What one says in a room appears, changes and goes on the other's window."""
    ada, bob = [await opened(each, transport=transport) for each in ("ada", "bob")]
    post_id = newest(not_by=("ada", "bob")).post_id
    assert post_id is not None
    await ada.enters(post_id)
    await bob.enters(post_id)
    await expect(bob.comments).to_have_count(await ada.comments.count())
    before = await bob.comments.count()
    await ada.says("Lovely light in this one.")
    await bob.reads("Lovely light in this one.")
    await expect(bob.comments).to_have_count(before + 1)
    await expect(ada.comments).to_have_count(before + 1)
    await expect(bob.comments.last.get_by_role("button")).to_have_count(0)

    await ada.comments.last.get_by_role("button", name="Edit").click()
    await ada.room.locator(".edit textarea").fill("Lovely light, and no noise.")
    await ada.room.get_by_role("button", name="Save").click()
    await bob.reads("Lovely light, and no noise.")
    await expect(bob.comments.last).to_contain_text("edited")

    await ada.comments.last.get_by_role("button", name="Delete").click()
    await ada.room.get_by_role("button", name="Delete for good").click()
    for window in (ada, bob):
        await expect(window.comments).to_have_count(before)


@TRANSPORTS
async def test_a_follow_reaches_the_one_who_is_followed(opened: Open, transport: str) -> None:
    """The follower's button turns; the followed one's count grows live, and the bell tells of it."""
    follower, followed = {"websocket": ("otis", "carla"), "polling": ("quinn", "dev")}[transport]
    fan, star = [await opened(each, transport=transport) for each in (follower, followed)]
    post_id = newest(by=followed).post_id
    assert post_id is not None
    await fan.enters(post_id)
    button = fan.room.locator(".follow button")
    await expect(button).to_be_visible()
    if await button.inner_text() == "Following":
        await button.click()
        await expect(button).to_have_text("Follow")
    before = int((await fan.room.locator(".followers").inner_text()).split()[0])
    await expect(star.page.locator(".me .followers")).to_have_text(re.compile(rf"^{before} "))
    badge = star.page.locator(".bell .badge")
    unseen = int(await badge.inner_text())
    await button.click()
    await expect(button).to_have_text("Following")
    await expect(star.page.locator(".me .followers")).to_have_text(re.compile(rf"^{before + 1} "))
    await star.is_told("follow")
    await expect(badge).to_have_text(str(unseen))  # there is one for all who follow, and it grows
    await star.page.locator("button.bell").click()
    await expect(star.page.locator("#bell .row").first).to_contain_text("follow")
    await expect(star.page.locator(".bell .badge")).to_be_hidden()


async def test_what_people_write_stays_text(opened: Open, database: Database) -> None:
    """Markup in a title and in a comment is shown as it was typed, and does nothing."""
    work = newest(not_by=("ada", "bob"))
    assert work.post_id is not None
    rename = "update community_posts set title = $2 where id = $1"
    await database.fetch(rename, work.post_id, SCRIPT)
    try:
        ada, bob = await opened("ada"), await opened("bob")
        await expect(bob.on_the_wall(work.post_id).locator(".name")).to_have_text(SCRIPT)
        for window in (ada, bob):
            await window.enters(work.post_id)
            await expect(window.room.locator("h2")).to_have_text(SCRIPT)
        await ada.says(SCRIPT)
        await bob.reads(SCRIPT)
        for window in (ada, bob):
            assert await window.page.evaluate("window.taken") is None
    finally:
        await database.fetch(rename, work.post_id, work.title)


async def test_a_room_says_how_many_are_here(opened: Open) -> None:
    """Whoever has the work before them counts, on the wall too; one who has gone does not."""
    bob, ada = await opened("bob"), await opened("ada")
    post_id = await bob.shares("Who looks at this")
    for window in (bob, ada):
        await window.enters(post_id)
    for window in (bob, ada):
        await expect(window.room.locator(".here")).to_have_text("2 here now")
    await ada.page.close()
    await expect(bob.room.locator(".here")).to_have_text("1 here now")


async def test_a_refused_like_goes_back(opened: Open, database: Database) -> None:
    """A like that the gallery refuses is taken off the screen again, and the reason is shown."""
    ban = (
        "update community_user_stats set is_banned = $1 "
        "from users where users.id = user_id and external_id = 'hana'"
    )
    hana = await opened("hana")
    post_id = unliked("hana")
    before = await hana.likes_on(post_id)
    await database.fetch(ban, True)
    try:
        await hana.likes(post_id)
        await expect(hana.page.locator('.toast[data-tone="refusal"]')).to_be_visible()
        await hana.sees_likes(post_id, before)
        button = hana.on_the_wall(post_id).locator(".like")
        await expect(button).to_have_attribute("aria-pressed", "false")
    finally:
        await database.fetch(ban, False)


async def test_a_visitor_is_asked_to_sign_in(opened: Open) -> None:
    """Visitors see everything; what needs a user is refused in a sentence, without a request."""
    visitor = await opened()
    post_id = unliked("ada")
    await visitor.likes(post_id)
    await visitor.is_told("Sign in to do that.")
    await visitor.page.get_by_role("link", name="Following").click()
    await expect(visitor.page.locator(".empty")).to_contain_text("Sign in")


async def test_the_wall_grows_as_one_walks_along_it(opened: Open, database: Database) -> None:
    """Scrolling brings page after page, until every work hangs there once."""
    visitor = await opened()
    ((shared,),) = await database.fetch("select count(*) from community_posts")
    works = visitor.page.locator(".hang .work:not(.ghost)")
    async with asyncio.timeout(30):
        while (shown := await works.count()) < shared:
            await visitor.page.locator(".end").scroll_into_view_if_needed()
            await expect(works).not_to_have_count(shown)
    await expect(works).to_have_count(shared)
    await visitor.is_live("websocket")


async def test_each_tab_is_somebody_else(opened: Open, gallery: Node) -> None:
    """Two tabs of one browser are two users; a reload of a tab stays the same one."""
    first = await opened("ada")
    second = Window(await first.page.context.new_page(), gallery)
    await second.opens()
    await second.signs_in_as("bob")
    await first.page.reload()
    await expect(first.page.locator(".me b")).to_have_text("Ada Lindqvist")
    await expect(second.page.locator(".me b")).to_have_text("Bob Okafor")
    assert second.faults == []


async def test_a_room_is_left_by_escape_and_the_wall_is_where_it_was(opened: Open) -> None:
    """The keyboard opens a work and leaves it again, back to the work that one came from."""
    visitor = await opened()
    post_id = unliked("ada")
    frame = visitor.on_the_wall(post_id).locator("a.frame")
    await frame.focus()
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.room).to_be_visible()
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.room).to_be_hidden()
    await expect(frame).to_be_focused()


async def test_a_page_catches_up_after_its_node_was_away(
    opened: Open, installation: Installation
) -> None:
    """A page whose node stops says so; when it is back, everything missed is there."""
    shaky = await installation.start(**GENEROUS)
    bob, ada = await opened("bob", at=shaky), await opened("ada")
    post_id = unliked("ada")
    before = await bob.likes_on(post_id)
    await bob.enters(post_id)
    await ada.enters(post_id)
    await shaky.stop()
    await bob.is_live("offline")
    await ada.room.locator(".like").click()
    await expect(ada.room.locator(".like")).to_have_attribute("aria-pressed", "true")
    await ada.says("Said while you were away.")
    await ada.reads("Said while you were away.")
    await installation.start(port=str(urlsplit(shaky.url).port), **GENEROUS)
    await bob.is_live("websocket")
    await bob.reads("Said while you were away.")
    await expect(bob.room.locator(".like .number")).to_have_text(str(before + 1))
    bob.faults.clear()  # the browser notes each connection that was refused meanwhile
