"""Requests that the OpenAPI document allows, and requests that it does not: schemathesis, all checks.

Every operation, alone and led from one to the other by links; as whoever has all rights, and as a user.
No answer is a 500, each is as documented, what is valid is taken and what is not is refused, methods that
are not there are named in `Allow`, and tokens are looked at. hooks.py says what no schema can.
"""

import asyncio
import os
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.fuzz.budget import IS_LONG, SHARE
from tests.nodes import PROJECT, Installation, Node
from tests.people import mint

SHORT = ["--max-time", "20", "--max-examples", "3", "--seed", "1"]
"""Bounded by seconds, and the same requests each time."""
LONG = ["--max-time", f"{max(round(SHARE), 1)}"]
ROLES = ["admin", "user"] if IS_LONG else ["admin"]


@pytest.fixture(scope="module")
async def node(installation: Installation) -> Node:
    """A node of a gallery in which the demo hangs, without limits on pace."""
    await installation.command("demo")
    return await installation.start(rate_limits="off")


@pytest.mark.parametrize("role", ROLES)
async def test_requests_are_answered_as_documented(node: Node, tmp_path: Path, role: str) -> None:
    """Whatever is in them."""
    token = mint(str(uuid4()), role=role, ttl=24 * 3600)
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{node.url}/openapi.json"),
        *("--checks", "all", "--warnings", "off", "--no-color"),
        *("--header", f"Authorization: Bearer {token}"),
        *(LONG if IS_LONG else SHORT),
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await run.communicate()
    assert run.returncode == 0, told.decode()
    assert b"passed" in told
