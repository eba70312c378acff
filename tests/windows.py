"""The page as people see it: a real Chromium with a window for each of them, at a gallery in which the demo hangs.

    async def test_…(opened):
        ada, bob = await opened("ada"), await opened("bob", "/trending")
        await ada.likes(post_id)
        await bob.sees_likes(post_id, 8)

In the end no window has complained of anything, and none has asked anybody but its node.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from handlers.gallery.demo import Work, plan
from tests.nodes import GENEROUS, Installation, Node
from tests.screens import DEADLINE

expect.set_options(timeout=DEADLINE * 1000)

SCRIPT = '<img src=x onerror="window.taken=1"><script>window.taken=1</script>'

TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "polling"])

_SIGN_IN = """held => {
  if (!sessionStorage.getItem("vernissage.session")) sessionStorage.setItem("vernissage.session", held);
}"""


@asynccontextmanager
async def clean_tab(browser: Browser) -> AsyncIterator[tuple[Page, set[str]]]:
    """A tab of which in the end nothing was complained, and the hosts that it has asked."""
    page = await browser.new_page()
    faults: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    yield page, hosts
    await page.close()
    assert faults == []


class Window:
    """One tab: what somebody does there, and what they see. `faults` is what the browser complains of.

    `user_id` is whom it came as.
    """

    def __init__(self, page: Page, node: Node) -> None:
        self.page = page
        self.node = node
        self.user_id: UUID | None = None
        self.faults: list[str] = []
        self.requests: list[Request] = []
        page.on("console", self._complains)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self.requests.append(request))

    def _complains(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    async def opens(self, path: str = "/", transport: str = "websocket") -> None:
        forced = "?transport=polling" if transport == "polling" else ""
        await self.page.goto(f"{self.node.url}{path}{forced}")
        await self.is_live(transport)

    async def comes_as(self, name: str) -> None:
        """Be signed in from the first page on."""
        url = f"{self.node.url}/api/v1/session/dev"
        answer = await (await self.page.request.post(url, data={"as": name})).json()
        self.user_id = UUID(answer["user"]["id"])
        held = msgspec.json.encode({"as": name, "token": answer["token"], "user": answer["user"]})
        literal = msgspec.json.encode(held.decode()).decode()
        await self.page.add_init_script(f"({_SIGN_IN})({literal})")

    async def signs_in_as(self, name: str) -> None:
        await self.page.locator("button.account").click()
        await self.page.locator(f'[data-as="{name}"]').click()
        await expect(self.page.locator(".me")).to_be_visible()

    async def is_live(self, status: str, *, within: float = DEADLINE) -> None:
        """See the badge say so, within so many seconds."""
        badge = self.page.locator("#status")
        await expect(badge).to_have_attribute("data-status", status, timeout=within * 1000)

    async def goes_to(self, path: str) -> None:
        """Follow a link of the page's own, without loading it anew."""
        follow = """href => {
          const link = Object.assign(document.createElement("a"), { href });
          document.body.append(link);
          link.click();
          link.remove();
        }"""
        await self.page.evaluate(follow, path)

    def on_the_wall(self, post_id: UUID) -> Locator:
        return self.page.locator(f'.hang .work[data-post="{post_id}"]')

    async def enters(self, post_id: UUID) -> None:
        await self.goes_to(f"/posts/{post_id}")
        await expect(self.room.locator(".comments h3")).not_to_be_empty()

    @property
    def room(self) -> Locator:
        return self.page.locator("#room")

    @property
    def comments(self) -> Locator:
        return self.room.locator(".comment")

    async def likes(self, post_id: UUID) -> None:
        await self.on_the_wall(post_id).locator(".like").click()

    async def likes_on(self, post_id: UUID) -> int:
        return int(await self.on_the_wall(post_id).locator(".like .number").inner_text())

    async def sees_likes(self, post_id: UUID, count: int) -> None:
        await expect(self.on_the_wall(post_id).locator(".like .number")).to_have_text(str(count))

    async def says(self, text: str) -> None:
        await self.room.locator(".write textarea").fill(text)
        await self.room.get_by_role("button", name="Send").click()

    async def reads(self, text: str, *, within: float = DEADLINE) -> None:
        """See it as the newest comment, within so many seconds."""
        newest = self.comments.last.locator(".text")
        await expect(newest).to_have_text(text, timeout=within * 1000)

    async def presses(self, name: str, within: Locator | None = None) -> None:
        await (within or self.page).get_by_role("button", name=name, exact=True).click()

    async def is_told(self, text: str) -> None:
        await expect(self.page.locator(".toast").filter(has_text=text).first).to_be_visible()

    async def shares(self, title: str) -> UUID:
        """Share a new asset over REST, as whoever is signed in here; the post's id."""
        asset = {"asset_type": "overlay", "url": "/media/avatars/ada.svg"}
        made = await self.asks("POST", "/assets", asset)
        return UUID(
            (await self.asks("POST", "/posts", {"asset_id": made["id"], "title": title}))["id"]
        )

    async def asks(self, method: str, path: str, body: Any = None) -> Any:
        """An operation of the community's over REST, as whoever is signed in here."""
        token = await self.page.evaluate(
            "JSON.parse(sessionStorage.getItem('vernissage.session')).token"
        )
        answer = await self.page.request.fetch(
            f"{self.node.url}/api/v1/community{path}",
            method=method,
            headers={"Authorization": f"Bearer {token}"},
            data=body,
        )
        assert answer.ok, await answer.text()
        return await answer.json()


Open = Callable[..., Awaitable[Window]]


@pytest.fixture(scope="module")
async def gallery(installation: Installation) -> Node:
    """A node of a gallery in which the demo hangs."""
    await installation.command("demo")
    return await installation.start(**GENEROUS)


@pytest.fixture
async def opened(browser: Browser, gallery: Node) -> AsyncIterator[Open]:
    """Opens the page in a window of its own; in the end no page has complained or left its host."""
    windows: list[Window] = []

    async def open_page(
        name: str | None = None,
        path: str = "/",
        *,
        transport: str = "websocket",
        at: Node = gallery,
        **context: Any,
    ) -> Window:
        window = Window(await (await browser.new_context(**context)).new_page(), at)
        windows.append(window)
        if name is not None:
            await window.comes_as(name)
        await window.opens(path, transport)
        return window

    yield open_page
    for window in windows:
        await window.page.context.close()
        assert window.faults == []
        hosts = {urlsplit(request.url).netloc for request in window.requests}
        assert hosts == {urlsplit(window.node.url).netloc}


def newest(*, by: str | None = None, not_by: tuple[str, ...] = ()) -> Work:
    """The demo work that hangs first on the recent wall, of those by (not by) these people."""
    return next(
        work
        for work in reversed(plan().works)
        if work.post_id is not None and by in (None, work.by) and work.by not in not_by
    )


def unliked(name: str) -> UUID:
    """A post near the top of the recent wall, by others, that somebody does not like in the demo."""
    demo = plan()
    liked = {post_id for post_id, liker in demo.likes if liker == name}
    return next(
        work.post_id
        for work in reversed(demo.works)
        if work.post_id is not None and work.post_id not in liked and work.by != name
    )
