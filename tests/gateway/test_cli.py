import asyncio
import json
import os
import re
import shlex
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import jwt
import pytest

from gateway.embedded import free_port
from tests.servers import FreshDatabase, data_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder / "var"


@pytest.fixture
def environ(data_dir: Path) -> dict[str, str]:
    """A shell in which nothing is set but where the data lie, and that one worker will do."""
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    return clean | {"VERNISSAGE_DATA_DIR": str(data_dir), "VERNISSAGE_WORKERS": "1"}


async def vernissage(*arguments: str, environ: dict[str, str]) -> tuple[int, str, str]:
    """Run the command to its end: its exit code, stdout and stderr."""
    process = await start(*arguments, environ=environ)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def start(*arguments: str, environ: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=environ,
    )


@asynccontextmanager
async def running(environ: dict[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`vernissage run`, and what it has printed once it serves."""
    process = await start("run", environ=environ)
    assert process.stdout is not None
    try:
        welcome = await asyncio.wait_for(process.stdout.readuntil(b"Ctrl-C"), 60)
        yield process, welcome.decode()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def one_line(err: str) -> str:
    (line,) = err.splitlines()
    return line


async def test_run_serves_until_it_is_told_to_end(environ: dict[str, str], data_dir: Path) -> None:
    """It prints the address and a token that is good there, and ends in order at SIGTERM."""
    environ["VERNISSAGE_PORT"] = str(free_port())
    async with running(environ) as (process, welcome):
        (address, admin) = re.findall(r"http://\S+", welcome)
        assert address == f"http://localhost:{environ['VERNISSAGE_PORT']}/"
        (token,) = re.findall(r"eyJ\S+", welcome)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as client:
            async with client.get(f"{address}api/v1/community/posts") as answer:
                assert answer.status == 200
                assert (await answer.json())["items"]
            async with client.get(f"{admin}readyz") as answer:
                assert answer.status == 200
        assert stat.S_IMODE((data_dir / "urls.env").stat().st_mode) == 0o600
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
        assert not (data_dir / "urls.env").exists()


async def test_a_second_run_says_what_is_taken(environ: dict[str, str]) -> None:
    """The port first; with another port the DATA_DIR."""
    environ["VERNISSAGE_PORT"] = str(free_port())
    async with running(environ) as (process, _):
        code, _, err = await vernissage("run", environ=environ)
        assert code == 1
        assert f"port {environ['VERNISSAGE_PORT']} on 127.0.0.1 is in use" in one_line(err)
        code, _, err = await vernissage(
            "run", environ=environ | {"VERNISSAGE_PORT": str(free_port())}
        )
        assert code == 1
        assert f"is in use by process {process.pid}" in one_line(err)
        assert process.returncode is None


async def test_other_commands_join_the_servers_of_a_run(environ: dict[str, str]) -> None:
    """`config`, `migrate`, `epoch` and what the domains have speak of the database that runs."""
    environ["VERNISSAGE_PORT"] = "0"
    async with running(environ):
        _, out, _ = await vernissage("config", environ=environ)
        assert re.search(r"^DATABASE_URL +postgresql://vernissage:\*\*\*@\S+ +embedded$", out, re.M)
        assert await vernissage("migrate", environ=environ) == (0, "nothing to apply\n", "")
        told = await vernissage("trending", "refresh", environ=environ)
        assert told == (0, "The trending lists begin anew.\n", "")
        code, first, _ = await vernissage("epoch", environ=environ)
        assert code == 0
        _, second, _ = await vernissage("epoch", "--bump", environ=environ)
        assert (await vernissage("epoch", environ=environ))[1] == second != first


async def test_an_audit_ends_with_1_while_something_differs(
    environ: dict[str, str], fresh_database: FreshDatabase
) -> None:
    """It prints a table or JSON, and writes only where it is told to repair."""
    environ |= {"DATABASE_URL": await fresh_database(), "REDIS_URL": "redis://127.0.0.1:1"}
    assert (await vernissage("demo", environ=environ))[0] == 0
    code, out, _ = await vernissage("audit", environ=environ)
    assert code == 0
    assert re.search(r"^counters of posts +\d+ +0 +0$", out, re.M)

    connection = await asyncpg.connect(environ["DATABASE_URL"])
    post_id = await connection.fetchval(
        "update community_posts set like_count = like_count + 1000 "
        "where id = (select id from community_posts limit 1) returning id"
    )
    await connection.close()
    code, out, _ = await vernissage("audit", environ=environ)
    assert code == 1
    assert re.search(r"^counters of posts +\d+ +1 +0$", out, re.M)
    assert re.search(rf"^post {post_id}: like_count says 1,0\d\d, there are \d+$", out, re.M)
    code, out, _ = await vernissage("audit", "--json", "--repair", environ=environ)
    assert code == 0
    (found,) = [one for outcome in json.loads(out) for one in outcome["differences"]]
    assert (found["subject"], found["repaired"]) == (f"post {post_id}", True)
    assert (await vernissage("audit", environ=environ))[0] == 0


async def test_ctrl_c_while_starting_leaves_nothing(
    environ: dict[str, str], data_dir: Path
) -> None:
    """SIGINT is heard from the beginning on, and the next start finds nothing in its way."""
    process = await start("run", environ=environ | {"VERNISSAGE_PORT": "0"})
    while not (data_dir / "lock").exists():
        assert process.returncode is None
        await asyncio.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    assert b"Traceback" not in err
    assert not (data_dir / "urls.env").exists()
    assert (await vernissage("migrate", environ=environ))[0] == 0


async def test_a_killed_make_takes_its_run_along(environ: dict[str, str]) -> None:
    """After `kill -9` of `make run` the next one finds the port and the DATA_DIR free."""
    port = str(free_port())
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-c", f"{shlex.quote(sys.executable)} -m gateway run & wait"),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=environ | {"VERNISSAGE_PORT": port, "MAKELEVEL": "1"},
    )
    assert shell.stdout is not None
    await asyncio.wait_for(shell.stdout.readuntil(b"Ctrl-C"), 60)
    shell.kill()
    await asyncio.wait_for(shell.stdout.read(), 10)
    await shell.wait()
    async with running(environ | {"VERNISSAGE_PORT": port}) as (_, welcome):
        assert f":{port}/" in welcome


async def test_a_free_admin_port_is_taken_only_in_dev(environ: dict[str, str]) -> None:
    """Where the port after the gateway's is taken; one that was asked for is insisted on."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        environ["VERNISSAGE_PORT"] = str(port - 1)
        async with running(environ) as (_, welcome):
            assert f":{port}/" not in welcome
        code, _, err = await vernissage(
            "run", environ=environ | {"VERNISSAGE_ADMIN_PORT": str(port)}
        )
        assert code == 1
        assert f"port {port} on 127.0.0.1 is in use" in one_line(err)


async def test_serve_wants_a_migrated_database(
    environ: dict[str, str], fresh_database: FreshDatabase, redis_url: str
) -> None:
    """It changes no schema by itself, and says who does."""
    environ |= {
        "VERNISSAGE_ENV": "production",
        "VERNISSAGE_PORT": "0",
        "VERNISSAGE_JWT_SECRET": "0123456789abcdef" * 2,
        "DATABASE_URL": await fresh_database(migrated=False),
        "REDIS_URL": redis_url,
    }
    code, _, err = await vernissage("serve", environ=environ)
    assert code == 1
    assert "run `vernissage migrate`" in one_line(err)
    code, out, _ = await vernissage("migrate", environ=environ)
    assert code == 0
    assert out.startswith("applied ")


@pytest.mark.parametrize(
    ("command", "settings", "line"),
    [
        ("serve", {"VERNISSAGE_ENV": "production"}, "must be given"),
        ("migrate", {"VERNISSAGE_ENV": "production"}, "DATABASE_URL must be given"),
        ("run", {"VERNISSAGE_ENV": "production"}, "is for development"),
        ("token --user ada", {"VERNISSAGE_ENV": "production"}, "is for development"),
        ("config", {"VERNISSAGE_ENV": "production", "VERNISSAGE_PROT": "1"}, "VERNISSAGE_PORT?"),
        ("run", {"VERNISSAGE_PORT": "http"}, "it takes a port"),
        ("run", {"VERNISSAGE_HOST": "192.0.2.1"}, "port 8080 on 192.0.2.1"),
        ("migrate", {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "(DATABASE_URL)"),
    ],
)
async def test_what_stops_a_start_is_one_line(
    environ: dict[str, str], command: str, settings: dict[str, str], line: str
) -> None:
    """No traceback, and an exit code that is not 0."""
    code, out, err = await vernissage(*command.split(), environ=environ | settings)
    assert (code, out) == (1, "")
    assert line in one_line(err)


async def test_token_prints_a_token_and_nothing_else(
    environ: dict[str, str], data_dir: Path
) -> None:
    """Signed with the DATA_DIR's own secret, for the user, role and time that were asked for."""
    code, out, err = await vernissage(
        *("token", "--user", "ada", "--role", "admin", "--ttl", "900"), environ=environ
    )
    assert (code, err) == (0, "")
    secret = (data_dir / "jwt-secret").read_text().strip()
    claims = jwt.decode(out.strip(), secret, ["HS256"], audience="vernissage", issuer="vernissage")
    assert claims["role"] == "admin"
    assert claims["exp"] == int(claims["iat"]) + 900
    assert claims["jti"]
    assert claims["sub"]


async def test_no_token_is_printed_that_would_be_refused(environ: dict[str, str]) -> None:
    code, out, err = await vernissage("token", "--user", "", environ=environ)
    assert (code, out) == (1, "")
    assert "1 to 255 characters" in one_line(err)


async def test_config_changes_nothing(environ: dict[str, str], data_dir: Path) -> None:
    """It only looks; a misspelt setting is mentioned beside it."""
    code, out, err = await vernissage("config", environ=environ | {"VERNISSAGE_PROT": "1"})
    assert code == 0
    assert re.search(r"^VERNISSAGE_PORT +8080 +default$", out, re.M)
    assert one_line(err).endswith("did you mean VERNISSAGE_PORT?")
    assert not data_dir.exists()
