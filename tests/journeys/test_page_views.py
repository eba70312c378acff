"""The page's views, in a real Chromium: where they are, how they are left and found again, and for whom they are."""

from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Page, expect

from handlers.gallery.demo import plan
from tests.programs import NODE_FOLDER
from tests.views import VIEWS
from tests.windows import Open, Window, newest

AXE = NODE_FOLDER / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = {"serious", "critical"}
BUDGET_BYTES = 300_000
"""What the page may transfer until its first works hang, their pictures apart."""


async def test_every_view_can_be_used_by_everybody(opened: Open) -> None:
    """axe finds no serious fault in any view, by day and, as for its colours, by night."""
    vera = await opened("vera")
    devtools = await vera.page.context.new_cdp_session(vera.page)
    faults = []
    for view in VIEWS:
        await vera.goes_to(view.path.format(user=vera.user_id))
        await view.does(vera)
        await expect(vera.page.locator(view.shows).first).to_be_visible()
        await devtools.send("Runtime.evaluate", {"expression": AXE.read_text()})
        for theme, rules in (("light", None), ("dark", ["color-contrast"])):
            await vera.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            faults += [
                f"{view.name}, {theme}: {fault}" for fault in await _faults(vera.page, rules)
            ]
        await vera.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        await vera.page.keyboard.press("Escape")
    assert "\n".join(faults) == ""


async def _faults(page: Page, rules: list[str] | None) -> list[str]:
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules is not None:
        options["runOnly"] = rules
    found = await page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{fault['id']} at {node['target']}: {node['failureSummary']}"
        for fault in found["violations"]
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]


async def test_a_phone_shows_every_view_without_scrolling_sideways(opened: Open) -> None:
    """On a narrow screen nothing sticks out."""
    phone = {"width": 390, "height": 844}
    vera = await opened("vera", viewport=phone, is_mobile=True, has_touch=True)
    for view in VIEWS:
        await vera.goes_to(view.path.format(user=vera.user_id))
        await view.does(vera)
        await expect(vera.page.locator(view.shows).first).to_be_visible()
        wide = await vera.page.evaluate("document.documentElement.scrollWidth")
        assert wide == phone["width"], view.name
        await vera.page.keyboard.press("Escape")


async def test_the_first_works_hang_within_the_budget(opened: Open) -> None:
    """Scripts, styles, letters and data until then are few; `make bench-page` says how long it takes."""
    visitor = await opened()
    await expect(visitor.page.locator(".hang .work:not(.ghost)").first).to_be_visible()
    transferred = 0
    for request in visitor.requests:
        if not urlsplit(request.url).path.startswith("/media/"):
            size = await request.sizes()
            transferred += size["responseBodySize"] + size["responseHeadersSize"]
    assert 100_000 < transferred <= BUDGET_BYTES


async def test_going_back_finds_the_wall_as_it_was_left(opened: Open) -> None:
    """Works, filters and how far one had scrolled; the address says where one is, also after a reload."""
    ada = await opened("ada", "/trending")
    works = ada.page.locator(".hang .work:not(.ghost)")
    await expect(works).to_have_count(24)
    await works.nth(23).scroll_into_view_if_needed()
    await expect(works).not_to_have_count(24)
    work = works.nth(20)
    await work.scroll_into_view_if_needed()
    left, many = await _scrolled(ada), await works.count()
    assert left > 500
    title = await work.locator(".name").inner_text()
    await work.locator(".frame").click()
    await expect(ada.room.locator("h2")).to_have_text(title)
    await ada.room.locator(".byline .face").click()
    await expect(ada.page.locator(".creator h1")).to_be_visible()
    await expect(ada.room).to_be_hidden()
    await ada.page.go_back()
    await expect(ada.room.locator("h2")).to_have_text(title)
    await ada.page.keyboard.press("Escape")
    await expect(ada.room).to_be_hidden()
    assert urlsplit(ada.page.url).path == "/trending"
    assert (await _scrolled(ada), await works.count()) == (left, many)
    await ada.page.go_forward()
    await expect(ada.room.locator("h2")).to_have_text(title)
    await ada.page.reload()
    await expect(ada.room.locator("h2")).to_have_text(title)
    await ada.page.go_back()
    await expect(ada.room).to_be_hidden()
    await expect(ada.page.get_by_role("link", name="Trending")).to_have_attribute(
        "aria-current", "page"
    )


async def _scrolled(window: Window) -> float:
    down: float = await window.page.evaluate("scrollY")
    return down


async def test_a_wall_is_narrowed_by_type_tag_and_words(opened: Open) -> None:
    """Each choice is an address, and shows exactly the works that it names."""
    shared = [work for work in plan().works if work.post_id is not None]
    visitor = await opened()
    works = visitor.page.locator(".hang .work:not(.ghost)")
    badges = [work for work in shared if work.asset_type == "twitch_badge"]
    await visitor.page.get_by_role("link", name="Badges", exact=True).click()
    await expect(visitor.page.locator(".featured")).to_have_count(0)
    await expect(works).to_have_count(len(badges))
    await visitor.presses("Tags")
    await visitor.page.get_by_label("A tag").fill("gold")
    await visitor.page.keyboard.press("Enter")
    await expect(works).to_have_count(sum("gold" in work.tags for work in badges))
    assert urlsplit(visitor.page.url).query == "type=twitch_badge&tag=gold"
    await visitor.page.get_by_role("link", name="Remove tag gold").click()
    await visitor.page.get_by_role("link", name="All", exact=True).click()
    await visitor.page.keyboard.press("/")
    await visitor.page.keyboard.type("low poly forest")
    await expect(visitor.page.get_by_role("heading", level=1)).to_contain_text("low poly forest")
    await expect(works.locator(".name").first).to_have_text("Low poly forest")
    await visitor.page.get_by_label("Search works").fill("xyzzy")
    await expect(visitor.page.locator(".empty")).to_contain_text("Nothing here fits.")
    await visitor.page.go_back()
    await expect(works).to_have_count(24)
    await expect(visitor.page.get_by_label("Search works")).to_have_value("")


async def test_light_and_dark_are_chosen_and_kept(opened: Open) -> None:
    """The page follows the system until somebody chooses, and remembers what they chose."""
    visitor = await opened(color_scheme="dark")
    scheme = "getComputedStyle(document.body).backgroundColor"
    dark = await visitor.page.evaluate(scheme)
    await visitor.presses("Switch to light walls")
    light = await visitor.page.evaluate(scheme)
    assert light != dark
    await visitor.page.reload()
    assert await visitor.page.evaluate(scheme) == light
    await visitor.presses("Switch to dark walls")
    assert await visitor.page.evaluate(scheme) == dark


async def test_a_room_is_walked_through_with_the_arrows(opened: Open) -> None:
    """From a work to the next one on the wall, and back, without leaving the room."""
    visitor = await opened()
    works = visitor.page.locator(".hang .work:not(.ghost)")
    first, second = [await works.nth(at).locator(".name").inner_text() for at in (0, 1)]
    await works.first.locator(".frame").click()
    title = visitor.room.locator("h2")
    await expect(title).to_have_text(first)
    await visitor.page.keyboard.press("ArrowRight")
    await expect(title).to_have_text(second)
    await visitor.page.keyboard.press("ArrowLeft")
    await expect(title).to_have_text(first)
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.room).to_be_hidden()


async def test_a_comment_can_be_edited_as_long_as_its_window_is_open(opened: Open) -> None:
    """After fifteen minutes the page stops offering it; what is older never had it."""
    bob = await opened("bob")
    post_id = newest(by="ada").post_id
    assert post_id is not None
    await bob.page.clock.install()
    await bob.enters(post_id)
    await bob.says("Let me think about it.")
    await bob.reads("Let me think about it.")
    edit = bob.comments.last.get_by_role("button", name="Edit")
    await expect(edit).to_be_visible()
    await bob.page.clock.fast_forward("15:01")
    await expect(edit).to_have_count(0)
    await expect(bob.comments.last.get_by_role("button", name="Delete")).to_be_visible()
