"""Real gateway nodes for tests: each one is `python -m gateway serve`, a launcher with its workers.

    async def test_…(installation):
        node = await installation.start()
        machine = await installation.start(workers="3")

An installation is one fresh database on the tests' PostgreSQL and Redis, and the nodes on it. The nodes
of a module are stopped after it, and must not have logged an error meanwhile.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import msgspec
import psutil
import pytest

from gateway.embedded import free_port
from gateway.launcher.assignment import Assignment
from gateway.settings import Settings, read_settings
from gateway.sockets.owner import Owner
from store.database import Database, open_database
from tests.servers import FreshDatabase

PROJECT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 30.0
"""Within which a node has to end after a SIGTERM: operations.md, "Workers, restarts and draining"."""

JWT_SECRET = "a secret of the tests, known to every node"  # noqa: S105
GENEROUS = {"rate_limits": "1000"}
"""For tests that are about something else than limits."""


class Node:
    """A running gateway: `process` is its launcher."""

    def __init__(
        self, process: asyncio.subprocess.Process, url: str, log: Path, begins_at: int
    ) -> None:
        self.process = process
        self.url = url
        self._log = log
        self._begins_at = begins_at

    @property
    def log(self) -> list[dict[str, Any]]:
        """What the node has logged so far, one dictionary a line."""
        return [_record(line) for line in self._log.read_bytes()[self._begins_at :].splitlines()]

    @property
    def admin_url(self) -> str | None:
        """Where its operator asks; None until all workers serve."""
        for record in self.log:
            if record["event"] == "serving":
                return f"http://127.0.0.1:{record['admin_port']}"
        return None

    @property
    def workers(self) -> set[int]:
        """The process ids of its workers, as of now."""
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def worker(self, name: str) -> int:
        """The process id of the worker that calls itself so, as in `session:ready`."""
        return next(
            int(record["pid"])
            for record in self.log
            if record["event"] == "worker ready" and record["worker"] == name
        )

    @property
    def names(self) -> set[str]:
        """What its workers have called themselves so far, as in `session:ready`."""
        return {record["worker"] for record in self.log if record["event"] == "worker ready"}

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [
            record for record in self.log if record.get("level") not in ("debug", "info", "warning")
        ]

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait until the process has ended; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(how)
            try:
                await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
                pytest.fail(f"the node did not end within {STOP_SECONDS} s: {self.log[-5:]}")
        code = self.process.returncode
        assert code is not None
        return code


def _record(line: bytes) -> dict[str, Any]:
    try:
        record: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return {"level": "not a log line", "event": line.decode(errors="replace")}
    return record


class Installation:
    """One database and one Redis, and the nodes that serve from them."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        folder: Path,
        *,
        replica_url: str = "",
        direct_url: str = "",
    ) -> None:
        self.database_url = database_url
        self.replica_url = replica_url
        self.direct_url = direct_url
        self.redis_url = redis_url
        self.nodes: list[Node] = []
        self._folder = folder

    async def start(self, port: str | None = None, **settings: str) -> Node:
        """A node that is ready to serve, at `port` or any; `settings` are VERNISSAGE_… in lower case."""
        while True:
            node = await self._launch(port or str(free_port()), settings)
            if await _is_ready(node):
                self.nodes.append(node)
                return node
            # Somebody else, who looked at the same moment, has found the same port to be free.
            if port is not None or "is in use" not in str(node.log):
                pytest.fail(f"the node did not become ready: {node.log}")

    async def _launch(self, port: str, settings: Mapping[str, str]) -> Node:
        host = settings.get("host", "127.0.0.1")
        log = self._folder / f"node-{host}-{port}.log"
        with log.open("ab") as stderr:
            begins_at = stderr.tell()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "serve"),
                cwd=PROJECT,
                env=self.environment(port=port, admin_port="0", **settings),
                stdin=asyncio.subprocess.DEVNULL,
                stderr=stderr,
            )
        return Node(process, f"http://{host}:{port}", log, begins_at)

    def environment(self, **settings: str) -> dict[str, str]:
        """The environment of a node, or of a `vernissage` command beside it."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("VERNISSAGE_")
        }
        given = {
            "data_dir": str(self._folder / "data"),
            "jwt_secret": JWT_SECRET,
            "log_format": "json",
            "workers": "1",
            **settings,
        }
        return {
            **inherited,
            "DATABASE_URL": self.database_url,
            "DATABASE_REPLICA_URL": self.replica_url,
            "DATABASE_DIRECT_URL": self.direct_url,
            "REDIS_URL": self.redis_url,
            **{f"VERNISSAGE_{name.upper()}": value for name, value in given.items()},
        }

    async def command(self, *arguments: str) -> str:
        """Run `vernissage …` against this database; what it prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *arguments),
            cwd=PROJECT,
            env=self.environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await asyncio.wait_for(process.communicate(), START_SECONDS)
        assert process.returncode == 0
        return printed.decode().strip()

    @contextmanager
    def assigned(self) -> Iterator[tuple[Settings, Assignment]]:
        """What a worker begins with that runs in the test's own process, where no client can reach it."""
        with TemporaryDirectory() as folder:  # a short path, as those of sockets have to be
            yield (
                read_settings(self.environment()),
                Assignment(
                    launcher=os.getpid(),
                    owner=Owner("test", 0, 0),
                    workers=1,
                    listening=[],
                    secret=token_hex(16),
                    folder=folder,
                ),
            )

    async def close(self) -> None:
        """Stop all nodes that still run."""
        await asyncio.gather(*(node.stop() for node in self.nodes))


async def _is_ready(node: Node) -> bool:
    """True once it serves; False where it ends before that, or takes too long."""
    try:
        async with aiohttp.ClientSession() as http, asyncio.timeout(START_SECONDS):
            while node.process.returncode is None:
                if (admin := node.admin_url) is not None:
                    async with http.get(f"{admin}/readyz") as answer:
                        if answer.status == 200:
                            return True
                await asyncio.sleep(0.02)
    except TimeoutError:
        await node.stop(signal.SIGKILL)
    return False


@asynccontextmanager
async def _installed(
    database_url: str, redis_url: str, folder: Path
) -> AsyncIterator[Installation]:
    """An installation whose nodes are stopped in the end."""
    installation = Installation(database_url, redis_url, folder)
    try:
        yield installation
    finally:
        await installation.close()


@pytest.fixture(scope="module")
async def installation(
    fresh_database: FreshDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """A fresh database for the tests of one module, without nodes so far."""
    folder = tmp_path_factory.mktemp("installation")
    async with _installed(await fresh_database(), redis_url, folder) as installation:
        yield installation
    assert [error for node in installation.nodes for error in node.errors] == []


@pytest.fixture(scope="module")
async def unsteady(
    fresh_database: FreshDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """Another one, whose nodes may log errors: workers die there."""
    folder = tmp_path_factory.mktemp("unsteady")
    async with _installed(await fresh_database(), redis_url, folder) as installation:
        yield installation


@pytest.fixture(scope="module")
async def nodes(installation: Installation) -> tuple[Node, Node]:
    """Two nodes of the module's installation, whose limits nobody reaches."""
    one, other = await asyncio.gather(
        installation.start(**GENEROUS), installation.start(**GENEROUS)
    )
    return one, other


@pytest.fixture(scope="module")
async def database(installation: Installation) -> AsyncIterator[Database]:
    """The installation's database, to look at and to do what no operation does yet."""
    async with open_database(installation.database_url, connections=2) as database:
        yield database
