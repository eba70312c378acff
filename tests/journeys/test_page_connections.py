"""The page over whatever connection there is: in the end it shows what the database holds."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from playwright.async_api import Browser, BrowserContext, WebSocketRoute, expect

from store.database import Database
from tests.nodes import GENEROUS, Installation, Node
from tests.waiting import DEADLINE
from tests.windows import Open, Window, newest, unliked

SOCKETS = "**/socket.io/**"
TALL = {"width": 1200, "height": 3000}
TABS = 6
TURNS_SECONDS = 60.0
"""Within which a page that may only ask has begun to, and has had the turn of every topic."""


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser of somebody's own, with a window so tall that all works of a page are on it."""
    context = await browser.new_context(viewport=TALL)  # type: ignore[arg-type]
    yield context
    await context.close()


async def tab(
    context: BrowserContext, node: Node, name: str, status: str, *, within: float = DEADLINE
) -> Window:
    """One more tab, signed in, which is connected in the end as `status` says."""
    window = Window(await context.new_page(), node)
    await window.comes_as(name)
    await window.page.goto(node.url)
    await window.is_live(status, within=within)
    return window


async def equals_the_database(window: Window, database: Database) -> None:
    """Every work on the wall shows exactly the likes and comments that there are."""
    works = window.page.locator(".hang .work[data-post]")
    for work in await works.all():
        post_id = UUID(await work.get_attribute("data-post"))
        ((likes, comments),) = await database.fetch(
            "select (select count(*) from community_likes where post_id = $1), "
            "(select count(*) from community_comments where post_id = $1)",
            post_id,
        )
        await expect(work.locator(".like .number")).to_have_text(str(likes))
        await expect(work.locator('[data-of="comment"] .number')).to_have_text(str(comments))


async def test_where_websocket_is_blocked_the_page_is_live_by_polling(
    opened: Open, context: BrowserContext, gallery: Node
) -> None:
    """It says so, and likes and comments go both ways all the same."""

    async def refuse(socket: WebSocketRoute) -> None:
        await socket.close()

    await context.route_web_socket(SOCKETS, refuse)
    ada = await tab(context, gallery, "ada", "polling")
    bob = await opened("bob")
    post_id = unliked("bob")
    count = await ada.likes_on(post_id)
    await bob.likes(post_id)
    await ada.sees_likes(post_id, count + 1)
    for window in (ada, bob):
        await window.enters(post_id)
    await ada.says("Said the slow way.")
    await bob.reads("Said the slow way.")
    await ada.is_live("polling")


async def test_where_no_socket_gets_through_the_page_asks_over_rest(
    opened: Open, context: BrowserContext, gallery: Node
) -> None:
    """It says so, and is live all the same; when a socket gets through, it takes over."""
    await context.route(SOCKETS, lambda route: route.abort())
    # REST takes the place of a socket after 5 to 10 seconds, and then asks for one topic after the other.
    ada = await tab(context, gallery, "ada", "rest", within=TURNS_SECONDS)
    bob = await opened("bob")
    post_id = newest(not_by=("ada", "bob")).post_id
    assert post_id is not None
    for window in (ada, bob):
        await window.enters(post_id)
    await bob.says("Can you hear me?")
    await ada.reads(
        "Can you hear me?", within=2 * DEADLINE
    )  # every few turns, at the pace of the limits
    await ada.says("I can.")
    await bob.reads("I can.")
    await context.unroute(SOCKETS)
    await ada.is_live("websocket")
    await bob.says("Now too?")
    await ada.reads("Now too?")


async def test_six_tabs_catch_up_after_a_restart_in_the_middle(
    opened: Open,
    context: BrowserContext,
    installation: Installation,
    database: Database,
) -> None:
    """What all show when the server is back is what the database holds."""
    shaky = await installation.start(**GENEROUS)
    names = ("ada", "bob", "carla", "dev", "edith", "farid")
    tabs = [await tab(context, shaky, name, "websocket") for name in names]
    assert len(tabs) == TABS
    otis = await opened("otis", viewport=TALL)
    post_id = unliked("otis")
    count = await otis.likes_on(post_id)
    await otis.likes(post_id)
    for window in tabs:
        await window.sees_likes(post_id, count + 1)

    await shaky.stop()
    for window in tabs:
        await window.is_live("offline")
    works = otis.page.locator(".hang .work[data-post]")
    for work in (await works.all())[:4]:
        shared = await work.get_attribute("data-post")
        await work.locator(".like").click()
        await otis.asks("POST", f"/posts/{shared}/comments", {"content": "While you were away."})
    await installation.start(port=str(urlsplit(shaky.url).port), **GENEROUS)
    for window in tabs:
        await window.is_live("websocket")
    for window in (*tabs, otis):
        await equals_the_database(window, database)


async def test_a_page_that_was_offline_catches_up(
    opened: Open, context: BrowserContext, gallery: Node
) -> None:
    """It says that it is offline, and when it is back has what was missed, and reads what it could not."""
    ada = await tab(context, gallery, "ada", "websocket")
    bob = await opened("bob")
    post_id = newest(not_by=("ada", "bob")).post_id
    assert post_id is not None
    await ada.enters(post_id)
    await expect(ada.room).not_to_have_attribute("aria-busy", "true")
    await context.set_offline(True)
    await ada.is_live("offline")
    await ada.page.keyboard.press("Escape")
    await ada.enters(post_id)
    await ada.is_told("cannot be reached")
    await bob.enters(post_id)
    await bob.says("Where have you gone?")
    await bob.reads("Where have you gone?")
    await context.set_offline(False)
    await ada.is_live("websocket")
    await ada.reads("Where have you gone?")


async def test_signing_out_ends_the_token_and_everywhere_all_of_them(
    opened: Open, gallery: Node
) -> None:
    """The page is a visitor's then, as is every other of the user's pages that is told."""
    here, there = await opened("hana"), await opened("hana")
    held = "JSON.parse(sessionStorage.getItem('vernissage.session'))"
    token = await here.page.evaluate(f"{held}.token")
    await here.page.locator("button.account").click()
    async with here.page.expect_response("**/session/revoke") as revoked:
        await here.presses("Sign out")
    assert (await revoked.value).ok
    await expect(here.page.locator("button.account")).to_have_text("Sign in")
    await here.is_live("websocket")
    headers = {"Authorization": f"Bearer {token}"}
    session = f"{gallery.url}/api/v1/session"
    assert (await here.page.request.get(session, headers=headers)).status == 401
    await expect(there.page.locator(".me")).to_be_visible()

    token = await there.page.evaluate(f"{held}.token")
    headers = {"Authorization": f"Bearer {token}"}
    answer = await there.page.request.post(
        f"{session}/revoke", headers=headers, data={"everywhere": True}
    )
    assert answer.ok
    await there.is_told("Your session was ended.")
    await expect(there.page.locator("button.account")).to_have_text("Sign in")
    await there.is_live("websocket")
    await asyncio.gather(*(window.likes(unliked("hana")) for window in (here, there)))
    for window in (here, there):
        await window.is_told("Sign in to do that.")
