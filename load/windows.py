"""`python -m load.windows [--url …] [--likes 100]`: what `make bench-like` runs.

Two windows of a real Chromium look at the same wall of a running gallery, each signed in as somebody of the demo. One
likes a work and takes the like back, again and again; the pages' own clocks tell when it was clicked here, when the
number changed there, and when that was on the screen. Beside it stands the same over long-polling.
"""

import argparse
import asyncio
import shutil
import sys

from playwright.async_api import Browser, Locator, Page, async_playwright

from load.latency import Spread
from load.machine import machine

PACE_SECONDS = 0.6
"""Between two likes: a user may send two commands a second."""
PROMISED_SECONDS = 0.1
"""Within which 95 of 100 likes show in the other window."""
SHARES = (0.5, 0.95, 0.99, 1.0)

CLICK = """work => {
  const at = performance.timeOrigin + performance.now();
  work.querySelector(".like").click();
  return at;
}"""
WATCH = """work => {
  const now = () => performance.timeOrigin + performance.now();
  const number = work.querySelector(".like .number");
  const changes = [], waiting = [];
  let shown = number.textContent;
  new MutationObserver(() => {
    if (number.textContent === shown) return;
    shown = number.textContent;
    const changed = now();
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const change = [changed, now()];
      if (waiting.length) waiting.shift()(change);
      else changes.push(change);
    }));
  }).observe(number, { characterData: true, childList: true, subtree: true });
  window.nextChange = () => changes.length
    ? Promise.resolve(changes.shift())
    : new Promise((resolve) => waiting.push(resolve));
}"""


def main() -> None:
    given = argparse.ArgumentParser(prog="python -m load.windows", description="Time a like.")
    given.add_argument("--url", default="http://localhost:8080", help="of a gateway with the demo")
    given.add_argument("--likes", type=int, default=100, help="over each transport [100]")
    options = given.parse_args()
    sys.exit(asyncio.run(_run(options.url, options.likes)))


async def _run(url: str, likes: int) -> int:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        sys.exit("no Chromium on this machine (Debian: apt-get install chromium)")
    print(", ".join(machine().values()))
    print("| over | until | " + " | ".join(f"p{100 * share:g}, ms" for share in SHARES) + " |")
    print("| --- | --- |" + " --- |" * len(SHARES))
    kept = True
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for transport in ("websocket", "polling"):
            changed, painted = await _measure(browser, url, transport, likes)
            for until, spread in (("in the document", changed), ("on the screen", painted)):
                figures = " | ".join(f"{1000 * spread.at(share):.1f}" for share in SHARES)
                print(f"| {transport} | {until} | {figures} |")
            kept = kept and painted.at(0.95) <= PROMISED_SECONDS
        await browser.close()
    print(f"p95 within {1000 * PROMISED_SECONDS:g} ms: {'yes' if kept else 'NO'}")
    return 0 if kept else 1


async def _measure(browser: Browser, url: str, transport: str, likes: int) -> tuple[Spread, Spread]:
    """From the click in one window until the other's document has it, and until it is painted there."""
    here, there = [await _window(browser, url, transport, name) for name in ("ada", "bob")]
    post_id = await _somebody_elses(here)
    clicked, watched = [_work(page, post_id) for page in (here, there)]
    await watched.evaluate(WATCH)
    changed: list[float] = []
    painted: list[float] = []
    for _ in range(likes):
        at = await clicked.evaluate(CLICK)
        told, shown = await asyncio.wait_for(there.evaluate("window.nextChange()"), 30)
        changed.append((told - at) / 1000)
        painted.append((shown - at) / 1000)
        await asyncio.sleep(PACE_SECONDS)
    for page in (here, there):
        await page.context.close()
    return Spread.of(changed), Spread.of(painted)


async def _window(browser: Browser, url: str, transport: str, name: str) -> Page:
    """A window of its own, signed in and live."""
    page = await (await browser.new_context()).new_page()
    forced = "?transport=polling" if transport == "polling" else ""
    await page.goto(f"{url}/{forced}")
    await page.locator("button.account").click()
    await page.locator(f'[data-as="{name}"]').click()
    await page.locator(".me").wait_for()
    await page.locator(f'#status[data-status="{transport}"]').wait_for()
    await page.locator(".hang .work[data-post]").first.wait_for()
    return page


async def _somebody_elses(page: Page) -> str:
    """The first work on the wall that is not one's own."""
    me = await page.locator(".me b").inner_text()
    works = page.locator(".hang .work[data-post]").filter(has_not_text=me)
    post_id = await works.first.get_attribute("data-post")
    assert post_id is not None
    return post_id


def _work(page: Page, post_id: str) -> Locator:
    return page.locator(f'.hang .work[data-post="{post_id}"]')


if __name__ == "__main__":
    main()
