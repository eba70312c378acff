"""The documents at `/docs`, as people see them: a real Chromium, and a policy that lets nothing else in."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from handlers import DOMAINS
from tests.nodes import Installation, Node
from tests.people import Rest
from tests.windows import clean_tab


@pytest.fixture(scope="module")
async def node(installation: Installation) -> Node:
    return await installation.start()


@pytest.fixture
async def page(browser: Browser, node: Node) -> AsyncIterator[Page]:
    """A tab; in the end nothing was complained of, and no request has left the gateway."""
    async with clean_tab(browser) as (page, hosts):
        yield page
    assert hosts <= {urlsplit(node.url).netloc, ""}, "data: URLs have no host"


@pytest.mark.parametrize("path", ["/docs", "/docs/events.html"])
async def test_a_page_takes_nothing_that_is_not_the_gateways_own(
    rest: Rest, node: Node, path: str
) -> None:
    """No script or style stands in it, none comes from elsewhere, and nobody may frame it."""
    answer = await rest.send(node, "GET", path)
    assert answer.status == 200
    policy = dict(
        directive.strip().split(" ", 1)
        for directive in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert not {"script-src", "style-src", "connect-src"} & policy.keys()
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert policy["frame-ancestors"] == "'none'"
    assert "<style" not in answer.body
    assert " style=" not in answer.body


async def test_every_request_is_there_and_can_be_tried(page: Page, node: Node) -> None:
    """Each operation by its path; a request that is tried is made, and its answer shown."""
    await page.goto(f"{node.url}/docs")
    count = sum(len(domain.operations) for domain in DOMAINS)
    await expect(page.locator(".opblock").nth(count - 1)).to_be_visible()
    await page.locator("#operations-feed-feed_page .opblock-summary").click()
    feed = page.locator("#operations-feed-feed_page")
    await expect(feed).to_contain_text("INVALID_CURSOR")
    await feed.get_by_role("button", name="Execute").click()
    status = feed.locator(".live-responses-table tbody .response-col_status")
    await expect(status).to_contain_text("200")
    await expect(feed.locator(".live-responses-table")).to_contain_text('"total_count"')


async def test_every_command_and_event_is_there(page: Page, node: Node) -> None:
    """Commands open to what they take and answer; events stand under their topic; shapes have links."""
    await page.goto(f"{node.url}/docs/events.html")
    for domain in DOMAINS:
        for operation in domain.operations:
            await expect(page.locator(f"#{operation.event.replace(':', '_')}")).to_be_visible()
        for pattern, told in domain.events.items():
            topic = page.locator(".topic").filter(has=page.get_by_text(pattern, exact=True))
            for event in told:
                await expect(topic.get_by_text(event.name, exact=True)).to_be_visible()
    await page.locator("#comment_create summary").click()
    entry = page.locator("#comment_create")
    await expect(entry).to_contain_text("COMMUNITY_POST_NOT_FOUND")
    await entry.get_by_role("link", name="CreateComment").click()
    await expect(page.locator("#shape-CreateComment")).to_contain_text("1 to 1000 characters")
    await expect(page.locator("#shape-CreateComment")).to_be_in_viewport()
