"""What an operator reads at `/metrics`, and sees on the page beside it, is what happened on all workers."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Browser, Locator, Page, expect
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics.catalogue import METRICS
from tests.nodes import GENEROUS, Installation, Node
from tests.people import People
from tests.screens import DEADLINE, NODE_POLLING, NODE_WEBSOCKET, Refused
from tests.windows import clean_tab

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Metrics:
    """One reading: what `/metrics` said at a moment."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {each.name: each for each in text_string_to_metric_families(text)}

    def __call__(self, name: str, **labels: str) -> float:
        """All samples of that name with these labels, added up."""
        return sum(
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == f"vernissage_{name}" and labels.items() <= sample.labels.items()
        )


Read = Callable[[], Awaitable[Metrics]]


@pytest.fixture(scope="module")
async def machine(unsteady: Installation) -> Node:
    return await unsteady.start(workers="2", **GENEROUS)


@pytest.fixture
async def read(machine: Node) -> AsyncIterator[Read]:
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    async with aiohttp.ClientSession(timeout=timeout) as http:

        async def now() -> Metrics:
            async with http.get(f"{machine.admin_url}/metrics") as answer:
                assert answer.status == 200
                return Metrics(await answer.text())

        yield now


async def until(read: Read, holds: Callable[[Metrics], bool]) -> Metrics:
    """Read again and again until that holds."""
    metrics = await read()
    try:
        async with asyncio.timeout(DEADLINE):
            while not holds(metrics):
                await asyncio.sleep(0.05)
                metrics = await read()
    except TimeoutError:
        pytest.fail(f"it never came to that: {metrics.text}")
    return metrics


async def test_what_happened_is_counted(machine: Node, people: People, read: Read) -> None:
    """Connections, joins, commands, requests, deliveries, batches: as many as there were, and no id in it."""
    before = await read()
    ada, bob, eve = people.named("Ada", "Bob", "Eve")
    await ada.comes_to(machine, over=NODE_WEBSOCKET)
    await bob.comes_to(machine, over=NODE_POLLING)
    post = await ada.shares("Dusk")
    await bob.watches(post)
    await ada.watches(post)
    await ada.watches(post)  # answered at once, and counted all the same
    await bob.likes(post)
    await ada.sees("post:liked", like_count=1)
    await bob.sees("post:liked", like_count=1)
    await ada.sees("notification:created")
    with pytest.raises(Refused):
        await ada.asks("post:like", {"post_id": "nobody's"})
    with pytest.raises(Refused):
        await ada.asks(f"no:{ada.id}")
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{machine.url}/api/v1/community/posts/{post['id']}") as answer,
    ):
        assert answer.status == 200
    with pytest.raises(Refused):
        await eve.comes_to(machine, over=NODE_WEBSOCKET, token="no token")  # noqa: S106

    def grown(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    after = await until(read, lambda now: now("deliveries_total") - before("deliveries_total") >= 3)
    assert after("connections", transport="websocket") == 1
    assert after("connections", transport="polling") == 1
    assert after("worker_connections") == 2
    assert grown("joins_total", outcome="ok") == grown("join_seconds_count") - 1 == 2
    assert grown("joins_total", outcome="UNAUTHENTICATED") == 1
    assert grown("commands_total", operation="post:like", outcome="ok") == 1
    assert grown("commands_total", operation="post:like", outcome="VALIDATION_ERROR") == 1
    assert grown("commands_total", operation="topic:watch", outcome="ok") == 3
    assert grown("commands_total", operation="other", outcome="UNKNOWN_COMMAND") == 1
    assert grown("command_seconds_count", operation="post:like") == 2
    assert grown("requests_total", operation="post:get", status="200") == 1
    assert grown("batch_commands_sum", batch="likes") == 1
    assert grown("batch_seconds_count", batch="likes") == 1
    assert grown("delivery_seconds_count") >= 2
    assert 0 < grown("delivery_seconds_sum") < DEADLINE
    assert after("redis_up") == 3
    assert after("workers") == after("workers_ready") == 2
    assert {family.name for family in after.families.values()} == {
        metric.name.removesuffix("_total") for metric in METRICS
    }
    assert not ID.search(after.text)
    assert ada.name not in after.text


async def test_a_replay_names_its_source(machine: Node, people: People, read: Read) -> None:
    """Who comes back with a position of another history is refused, and that is told."""
    (ada,) = people.named("Ada")
    await ada.comes_to(machine)
    post = await ada.shares("Dawn")
    before = await read()
    await ada.watches(post, since={"epoch": "another", "seq": 0})
    answer = await ada.watches(post)
    await ada.watches(post, since={"epoch": answer["epoch"], "seq": answer["seq"]})
    after = await read()
    for source in ("refused", "ring"):
        growth = [each("replays_total", source=source) for each in (before, after)]
        assert growth[1] - growth[0] == 1, source


@pytest.fixture
async def page(browser: Browser, machine: Node) -> AsyncIterator[Page]:
    """The page; in the end nothing was complained of, and no request has left the port."""
    async with clean_tab(browser) as (page, hosts):
        await page.goto(f"{machine.admin_url}/")
        yield page
    assert hosts == {urlsplit(machine.admin_url).netloc}


def card(page: Page, title: str) -> Locator:
    return page.locator("article.card").filter(
        has=page.get_by_role("heading", name=title, exact=True)
    )


def row(page: Page, table: str, first: str) -> Locator:
    return (
        page.get_by_role("table", name=table)
        .get_by_role("row")
        .filter(has=page.get_by_role("rowheader", name=first, exact=True))
    )


async def test_it_shows_what_goes_on(page: Page, machine: Node, people: People) -> None:
    """Who is connected, what is done and how fast, by worker and by command, without being asked again."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(machine, over=NODE_WEBSOCKET)
    await bob.comes_to(machine, over=NODE_POLLING)
    post = await ada.shares("Dusk")
    await bob.watches(post)
    await expect(card(page, "Connections").locator(".figure")).to_have_text("2")
    await expect(card(page, "Connections").locator(".legend")).to_have_text(
        "all 2WebSocket 1long-polling 1"
    )
    await expect(page.locator('[data-state="workers"]')).to_have_text("2 of 2 workers")
    for state in ("workers", "bus", "limits", "presence", "journal", "pool"):
        await expect(page.locator(f'[data-state="{state}"]')).to_have_attribute("data-fine", "true")
    await bob.likes(post)
    await bob.sees("post:liked")
    await expect(row(page, "Commands", "post:like")).to_contain_text(re.compile(r"\d ms"))
    await expect(row(page, "Batches", "likes")).to_contain_text(re.compile(r"\d ms"))
    for worker in ("0", "1"):
        await expect(row(page, "Workers", worker)).to_contain_text("MB")
    drawn = card(page, "Deliveries").get_by_role("img", name=re.compile("^Deliveries: delivered "))
    await expect(drawn).to_be_visible()


async def test_it_takes_nothing_from_elsewhere(machine: Node) -> None:
    """No script or style stands in it, none comes from another place, and nobody may frame it."""
    async with aiohttp.ClientSession() as http, http.get(f"{machine.admin_url}/") as answer:
        policy, text = answer.headers["Content-Security-Policy"], await answer.text()
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "<style" not in text
    assert " style=" not in text
    assert all("src=" in tag.partition(">")[0] for tag in text.split("<script")[1:])


async def test_the_public_port_tells_none_of_it(machine: Node) -> None:
    """Neither the sum nor what a worker says to the launcher."""
    async with aiohttp.ClientSession() as http:
        for path in ("/metrics", "/readings", "/operator/main.js"):
            async with http.get(machine.url + path) as answer:
                assert answer.status == 404, path


# The last: it kills.


async def test_counters_outlive_a_worker(machine: Node, people: People, read: Read) -> None:
    """What a killed worker had counted stays in the sum; its clients are not connected any more."""
    (ada,) = people.named("Ada")
    await ada.comes_to(machine)
    await ada.shares("Noon")
    before = await read()
    for pid in machine.workers:
        os.kill(pid, signal.SIGKILL)
    after = await until(
        read, lambda now: now("workers_ready") == 2 and now("worker_deaths_total") == 2
    )
    for name in (
        "joins_total",
        "commands_total",
        "command_seconds_count",
        "worker_cpu_seconds_total",
    ):
        assert after(name) >= before(name) > 0, name
    assert before("worker_connections") > after("worker_connections") == 0
