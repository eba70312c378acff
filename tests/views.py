"""Every view of the page, and how somebody comes to see it: for tests that hold of all, and for pictures of all."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from handlers.gallery.demo import plan
from tests.windows import Window


async def _as_it_is(window: Window) -> None:
    """Nothing more to do."""


class View(NamedTuple):
    """A view's name and address, what is to be seen there, and what to do before that.

    `{user}` in the address is whoever looks.
    """

    name: str
    path: str
    shows: str
    does: Callable[[Window], Awaitable[None]] = _as_it_is


async def _opens_bell(window: Window) -> None:
    await window.page.locator("button.bell").click()


async def _opens_account(window: Window) -> None:
    await window.page.locator("button.account").click()


async def _opens_tags(window: Window) -> None:
    await window.page.get_by_role("button", name="Tags").click()


async def _reports(window: Window) -> None:
    await window.presses("Report", window.room)


async def _refused(window: Window) -> None:
    await window.presses("Share", window.page.locator("form.share"))


def _discussed() -> str:
    """The address of the banner that is talked about most."""
    demo = plan()
    said = [remark.post_id for remark in demo.remarks]
    banners = [
        work.post_id for work in demo.works if work.post_id and work.asset_type == "twitch_banner"
    ]
    return f"/posts/{max(banners, key=said.count)}"


ROOM = _discussed()

VIEWS = (
    View("wall", "/", ".hang .work:not(.ghost)"),
    View("trending", "/trending?type=twitch_badge", ".hang .work:not(.ghost)"),
    View("following", "/following?type=overlay", ".hang .work:not(.ghost)"),
    View("search", "/search?q=night", ".hang .work:not(.ghost)"),
    View("tags", "/?type=twitch_panel", "#filters .panel .chip", _opens_tags),
    View("room", ROOM, "#room .comment"),
    View("report", ROOM, "dialog .field", _reports),
    View("creator", "/creators/{user}", ".hang .work:not(.ghost)"),
    View("followers", "/creators/{user}/followers", ".faces li"),
    View("share", "/share", ".complaint:not(:empty)", _refused),
    View("moderation", "/moderation", ".report"),
    View("bell", "/liked", "#bell .row", _opens_bell),
    View("account", "/search?q=nothing-like-it", "#account .people .row", _opens_account),
    View("nowhere", "/creators/nobody", ".empty"),
)
