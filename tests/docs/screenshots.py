"""Pictures of every view of the page, for the documents: `make screenshots` takes them anew.

They are taken of a gallery of their own, with the demo in it: on a desktop and on a phone, by day and by night.
A moderator looks, and so sees everything; two others stand before the work in the room.
"""

import asyncio
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from playwright.async_api import Browser, async_playwright, expect

from gateway.embedded import embedded_servers
from store.migrations import migrate
from tests.docs.inserts import DOCS
from tests.nodes import GENEROUS, Installation, Node
from tests.programs import FLAGS, find_chromium
from tests.servers import data_folder
from tests.views import ROOM, VIEWS, View
from tests.windows import Window

FOLDER = DOCS / "views"
QUALITY = 55
"""Of WebP: 100 is the best. Flat colours and letters stay clear at this one."""
LARGE = {"wall", "room"}
"""Views whose desktop pictures by day are taken in full size: the README shows them."""


class Screen(NamedTuple):
    """What somebody looks at, and how much smaller its picture is."""

    name: str
    context: dict[str, Any]
    scale: float


SCREENS = (
    Screen("desktop", {"viewport": {"width": 1280, "height": 800}}, 0.5),
    Screen(
        "phone",
        {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
        0.6,
    ),
)


@asynccontextmanager
async def demo_gallery() -> AsyncIterator[Node]:
    """A node of a gallery in which the demo hangs, on servers of its own."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(data_folder())
        servers = await stack.enter_async_context(embedded_servers(folder, durable=False))
        assert servers.database_url is not None
        assert servers.redis_url is not None
        await migrate(servers.database_url)
        installation = Installation(servers.database_url, servers.redis_url, folder)
        stack.push_async_callback(installation.close)
        await installation.command("demo")
        yield await installation.start(**GENEROUS)


@asynccontextmanager
async def window(
    browser: Browser, node: Node, name: str, path: str = "/", **context: Any
) -> AsyncIterator[Window]:
    """A window of somebody's at the gallery."""
    async with await browser.new_context(reduced_motion="reduce", **context) as opened:
        window = Window(await opened.new_page(), node)
        await window.comes_as(name)
        await window.opens(path)
        yield window


async def take(window: Window, view: View, screen: Screen, theme: str) -> None:
    """Bring the window to the view, and keep what it shows."""
    await window.opens(view.path.format(user=window.user_id))
    await view.does(window)
    await expect(window.page.locator(view.shows).first).to_be_visible()
    await window.page.wait_for_load_state("networkidle")
    scale = (
        1 if view.name in LARGE and screen.name == "desktop" and theme == "light" else screen.scale
    )
    down: float = await window.page.evaluate("scrollY")
    devtools = await window.page.context.new_cdp_session(window.page)
    shot = await devtools.send(
        "Page.captureScreenshot",
        {
            "format": "webp",
            "quality": QUALITY,
            "clip": {"x": 0, "y": down, **screen.context["viewport"], "scale": scale},
        },
    )
    name = f"{view.name}-{screen.name}-{theme}.webp"
    await asyncio.to_thread((FOLDER / name).write_bytes, b64decode(shot["data"]))
    sys.stdout.write(f"{FOLDER / name}\n")


async def main() -> None:
    """Take all pictures."""
    FOLDER.mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(demo_gallery())
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        stack.push_async_callback(browser.close)
        for name in ("ada", "hana"):
            await stack.enter_async_context(window(browser, node, name, ROOM))
        for screen in SCREENS:
            for theme in ("light", "dark"):
                seen = window(browser, node, "vera", color_scheme=theme, **screen.context)
                async with seen as vera:
                    for view in VIEWS:
                        await take(vera, view, screen, theme)


if __name__ == "__main__":
    asyncio.run(main())
