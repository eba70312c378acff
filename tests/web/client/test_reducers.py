"""The library's state, decided without a network: `node --test` runs what stands beside this file."""

from pathlib import Path

import pytest

from tests.web.modules import passes

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", ["topics.test.mjs", "tally.test.mjs"])
async def test_the_reducers(node: Path, file: str) -> None:
    """Sequences, duplicates, gaps, early events, refusals, races; and likes before they are confirmed."""
    await passes(node, HERE / file)
