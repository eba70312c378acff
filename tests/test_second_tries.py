"""What is told of a test that fails, and passes when it is run once more."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.nodes import PROJECT

UNSTEADY = """
from pathlib import Path

import pytest

@pytest.fixture(scope="module")
def servers():
    return []

def test_that_leaves_something(servers):
    servers.append("a server")
    tried = Path(__file__).with_suffix(".left")
    first = not tried.exists()
    tried.touch()
    assert not first, "the sea was rough"
    assert servers == ["a server"]

def test_unsteady():
    tried = Path(__file__).with_suffix(".tried")
    first = not tried.exists()
    tried.touch()
    assert not first, "the moon was full"

def test_broken():
    assert 2 + 2 == 5

def test_broken_in_two_ways():
    tried = Path(__file__).with_suffix(".broken")
    if not tried.exists():
        tried.touch()
        assert False, "the sun was small"
    assert False, "it is broken for good"
"""


@pytest.mark.parametrize("side_by_side", [(), ("-n", "1")], ids=["alone", "side by side"])
async def test_a_second_try_does_not_hide_the_first(
    tmp_path: Path, side_by_side: tuple[str, ...]
) -> None:
    """It is counted and shown in full; what fails twice fails the run."""
    (tmp_path / "test_it.py").write_text(UNSTEADY)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-p", "tests.second_tries", "--second-try", "-q"),
        *("-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path), *side_by_side),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    told = printed.decode()
    assert process.returncode == 1
    assert "2 failed, 2 passed, 4 rerun" in told
    assert "test_unsteady failed at first" in told
    assert "test_broken failed at first" not in told
    assert "AssertionError: the moon was full" in told
    assert "test_broken_in_two_ways failed at first" in told
    assert "AssertionError: the sun was small" in told
