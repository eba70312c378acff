"""The import contracts of pyproject.toml hold, and each of them fails where it should."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
ROOMS = ("gateway", "handlers", "store", "pubsub")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms and their contracts, for a test to break."""
    folder = tmp_path_factory.mktemp("project")
    for name in ROOMS:
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests").mkdir()
    for name in ("pyproject.toml", "tests/__init__.py", "tests/contracts.py"):
        shutil.copy(PROJECT / name, folder / name)
    return folder


def broken_contracts(project: Path) -> list[str]:
    """The names of the contracts that `project` breaks."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as m; m()"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
    )
    broken = [line.removesuffix(" BROKEN") for line in done.stdout.splitlines() if "BROKEN" in line]
    assert done.returncode == bool(broken), done.stdout + done.stderr
    return broken


def test_the_contracts_hold(copy: Path) -> None:
    """As the code stands, every room and every domain keeps to what it may know."""
    assert broken_contracts(copy) == []


@pytest.mark.parametrize(
    ("where", "forbidden", "contract"),
    [
        ("store/ids.py", "import handlers.actor", "Rooms know each other in one direction"),
        ("store/ids.py", "import pubsub", "Rooms know each other in one direction"),
        ("pubsub/bus.py", "import store.ids", "Rooms know each other in one direction"),
        ("pubsub/bus.py", "import gateway.logs", "Rooms know each other in one direction"),
        ("handlers/actor.py", "import gateway.logs", "Rooms know each other in one direction"),
        ("handlers/text.py", "import pubsub", "Messages between nodes are the gateway's business"),
        ("gateway/dispatch.py", "import store.viewer", "Only one room of the gateway knows"),
        ("gateway/dispatch.py", "import handlers.gallery", "Domains keep to themselves"),
        ("handlers/text.py", "import store.gallery", "Domains keep to themselves"),
        ("store/journal/entries.py", "import store.inbox", "Domains keep to themselves"),
        ("handlers/inbox/__init__.py", "import handlers.gallery", "Domains keep to themselves"),
        ("handlers/inbox/__init__.py", "import store.gallery.likes", "Domains keep to themselves"),
        ("store/gallery/likes.py", "import store.inbox.shapes", "Domains keep to themselves"),
        ("handlers/gallery/likes.py", "import aiohttp", "HTTP and Socket.IO are the gateway's"),
        ("store/ids.py", "import socketio", "HTTP and Socket.IO are the gateway's"),
        ("pubsub/bus.py", "import engineio", "HTTP and Socket.IO are the gateway's"),
        ("gateway/dispatch.py", "import asyncpg", "SQL is spoken in the store"),
        ("handlers/text.py", "import asyncpg", "SQL is spoken in the store"),
        ("gateway/limits.py", "import redis", "Redis is spoken in pubsub"),
        ("store/ids.py", "import redis.asyncio", "Redis is spoken in pubsub"),
        ("gateway/dispatch.py", "import load.fleet", "Only the command line knows the load"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(
    copy: Path, where: str, forbidden: str, contract: str
) -> None:
    """One line in the wrong room is found."""
    file = copy / where
    before = file.read_text()
    file.write_text(f"{before}\n{forbidden}\n")
    try:
        broken = broken_contracts(copy)
    finally:
        file.write_text(before)
    assert any(name.startswith(contract) for name in broken), broken


@pytest.mark.parametrize(
    "allowed",
    ["import store.inbox", "import store.journal", "import store.gallery.shapes"],
)
def test_what_a_domain_may_know_breaks_nothing(copy: Path, allowed: str) -> None:
    """Another store as it is published, what belongs to no domain, and the rest of its own."""
    file = copy / "store/gallery/likes.py"
    before = file.read_text()
    file.write_text(f"{before}\n{allowed}\n")
    try:
        assert broken_contracts(copy) == []
    finally:
        file.write_text(before)
