"""Tests that are JavaScript themselves: Node runs them, with nothing else around."""

import asyncio
from pathlib import Path


async def passes(node: Path, file: Path) -> None:
    """Run a file of `node --test`; what it tells is shown where it fails."""
    testing = await asyncio.create_subprocess_exec(
        *(node, "--test", "--test-reporter=spec", file),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await testing.communicate()
    assert testing.returncode == 0, told.decode()
    assert b"pass 0" not in told
