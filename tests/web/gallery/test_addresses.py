"""The page's addresses, read and written without a browser."""

from pathlib import Path

from tests.web.modules import passes


async def test_the_addresses(node: Path) -> None:
    """Each view's address leads back to it, whatever stands in it; others lead nowhere."""
    await passes(node, Path(__file__).parent / "addresses.test.mjs")
