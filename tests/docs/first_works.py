"""How soon the page shows its first works: `make bench-page RUNS=20`, each run in a browser that knows nothing yet."""

import asyncio
import sys
from contextlib import AsyncExitStack
from statistics import median
from urllib.parse import urlsplit

from playwright.async_api import Browser, async_playwright

from tests.docs.screenshots import demo_gallery
from tests.nodes import Node
from tests.programs import FLAGS, find_chromium
from tests.windows import Window

RUNS = 20

# From the start of the navigation until works, not their ghosts, have been painted, in milliseconds.
NOTE = """new MutationObserver((_, observer) => {
  if (!document.querySelector(".hang .work:not(.ghost)")) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => { window.shown = performance.now(); }));
}).observe(document, { childList: true, subtree: true });"""

WAIT = """() => new Promise((resolve) => {
  const look = () => (window.shown === undefined ? requestAnimationFrame(look) : resolve(window.shown));
  look();
})"""


async def run(browser: Browser, node: Node) -> tuple[float, int]:
    """Milliseconds until the first works hang, and bytes transferred until then, pictures apart."""
    async with await browser.new_context() as context:
        window = Window(await context.new_page(), node)
        await window.page.add_init_script(NOTE)
        await window.page.goto(node.url)
        shown: float = await window.page.evaluate(WAIT)
        sizes = [
            await request.sizes()
            for request in list(window.requests)
            if not urlsplit(request.url).path.startswith("/media/")
            and "/socket.io/?" not in request.url
        ]
        return shown, sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)


async def main(runs: int) -> None:
    """Measure, and print."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(demo_gallery())
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        stack.push_async_callback(browser.close)
        await run(browser, node)  # nobody's first visit is the gateway's first request
        measured = [await run(browser, node) for _ in range(runs)]
    times = sorted(time for time, _ in measured)
    sys.stdout.write(
        f"first works after {median(times):.0f} ms (median of {runs}), {times[-1]:.0f} ms at most; "
        f"{max(size for _, size in measured) / 1000:.0f} kB transferred without pictures\n"
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
