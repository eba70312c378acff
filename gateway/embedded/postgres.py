"""The embedded PostgreSQL: a cluster with one database, owned by one role that is no superuser.

A `Standby` is a second server beside it, which replays what the first one writes and answers whoever reads.
"""

import asyncio
import secrets
import shutil
import signal
from pathlib import Path
from urllib.parse import quote

from gateway.embedded.home import Home, postgres_programs
from gateway.embedded.process import (
    ATTEMPTS,
    PATIENCE,
    Child,
    free_port,
    run_to_end,
    stop_stale,
)
from gateway.startup import CannotStart

NAME = "vernissage"
"""Of the database, and of the role that owns it."""

SUPERUSER = "postgres"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may have 107 characters at most; TCP does
    "cluster_name": NAME,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",  # compiling costs more than running any of the gateway's statements
    "idle_in_transaction_session_timeout": "60s",  # one forgotten in psql would hold a topic's head
    "wal_keep_size": "128MB",  # for a standby that was away for a while
}

STANDBY_SETTINGS = {
    "hot_standby_feedback": "on",  # rows that are read here are kept by the primary's vacuum
    "wal_retrieve_retry_interval": "200ms",
}

THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

ADDRESS = "127.0.0.1"
ACCESS = f"host all all {ADDRESS}/32 scram-sha-256\nhost replication {SUPERUSER} {ADDRESS}/32 scram-sha-256\n"

SHUTDOWN = (signal.SIGINT, signal.SIGQUIT)
"""Fast, then immediate. (SIGTERM would wait for every client to leave by itself.)"""


class PostgreSQL:
    """A server of our own. Without `durable` it forgets on a power cut what it has acknowledged.

    `url` is for the gateway's role: it owns the database and may create roles, which migrations
    need for row-level security; it is no superuser, so that the gateway meets the rights it will
    have in production. `superuser_url` is for what needs more: a test that makes a database.
    """

    def __init__(self, home: Home, log: Path, *, durable: bool, folder: str = "postgres") -> None:
        self._home = home
        self._account = home.account
        self._programs = postgres_programs(home.account)
        self._cluster = home.folder / folder
        self._log = log
        self._durable = durable
        self.url = ""
        self.superuser_url = ""

    @property
    def pid(self) -> int:
        """Its first process, once started."""
        return self._child.pid

    async def start(self) -> None:
        """Serve, making the cluster if there is none; raises CannotStart."""
        await self._prepare()
        for _ in range(ATTEMPTS):
            port = free_port()
            self._child = await self._spawn(port)
            if await self._ready():
                owner, superuser = self._passwords()
                self.url = f"postgresql://{NAME}:{owner}@{ADDRESS}:{port}/{NAME}"
                self.superuser_url = f"postgresql://{SUPERUSER}:{superuser}@{ADDRESS}:{port}/{NAME}"
                return
        raise CannotStart(
            f"the embedded PostgreSQL did not start: {self._child.complaint} (more in {self._log})"
        )

    async def stop(self) -> None:
        """Shut it down; what it has acknowledged is in the cluster."""
        await self._child.stop(*SHUTDOWN)

    def standby(self, log: Path, *, folder: str = "standby") -> "Standby":
        """A standby of this server, which runs already; it is not started yet. Each has a `folder` of its own."""
        return Standby(self, log, folder)

    async def _prepare(self) -> None:
        """See to it that there is a cluster, and that nobody serves from it."""
        if self._cluster.exists():
            await asyncio.to_thread(stop_stale, self._cluster / "postmaster.pid", *SHUTDOWN)
        else:
            await self._make_cluster()
        self._account.write(self._cluster / "pg_hba.conf", ACCESS)

    def _passwords(self) -> tuple[str, str]:
        """The owner's and the superuser's."""
        owner, superuser = (self._cluster / "passwords").read_text().split()
        return owner, superuser

    def _settings(self) -> dict[str, str]:
        return SETTINGS if self._durable else SETTINGS | THROWAWAY

    async def _spawn(self, port: int) -> Child:
        settings = self._settings()
        options = [f"--{name}={value}" for name, value in settings.items()]
        return await Child.spawn(
            self._account,
            [self._programs / "postgres", "-D", self._cluster, f"--port={port}", *options],
            death_signal=SHUTDOWN[0],
            log=self._log,
        )

    async def _ready(self) -> bool:
        """Whether it takes connections; False when it ended instead."""
        pid_file = self._cluster / "postmaster.pid"
        try:
            async with asyncio.timeout(6 * PATIENCE):  # recovery after a crash takes its time
                while self._child.alive:
                    if _status(pid_file, self._child.pid) == "ready":
                        return True
                    await asyncio.sleep(0.01)
                return False
        except BaseException:
            await self._child.stop(*SHUTDOWN)
            raise

    async def _make_cluster(self) -> None:
        """Make the cluster aside and move it into place whole."""
        making = await self._empty_folder()
        await run_to_end(
            self._account,
            [
                self._programs / "initdb",
                f"--pgdata={making}",
                f"--username={SUPERUSER}",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",  # code points, the same on every machine
                "--auth=reject",
                "--no-instructions",
                *([] if self._durable else ["--no-sync"]),
            ],
        )
        owner, superuser = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        await run_to_end(
            self._account,
            [self._programs / "postgres", "--single", "-D", making, "postgres"],
            f"alter role {SUPERUSER} password '{superuser}'\n"
            f"create role {NAME} login createrole password '{owner}'\n"
            f"create database {NAME} owner {NAME}\n",
        )
        self._account.write(making / "passwords", f"{owner}\n{superuser}\n")
        making.rename(self._cluster)

    async def _empty_folder(self) -> Path:
        """A folder beside the cluster's, in which to make that."""
        making = self._cluster.with_name(f"{self._cluster.name}.making")
        if making.exists():
            await asyncio.to_thread(shutil.rmtree, making)
        self._account.make_folder(making)
        return making


class Standby(PostgreSQL):
    """Streams from a primary of ours and replays it; both URLs reach the same data, for reading only.

    It is made anew from a base backup when we start it for the first time, so that it always fits its
    primary. Stopped or killed, it goes on with what it has when it is started again.
    """

    def __init__(self, primary: PostgreSQL, log: Path, folder: str) -> None:
        super().__init__(primary._home, log, durable=primary._durable, folder=folder)
        self._primary = primary
        self._made = False

    async def _prepare(self) -> None:
        if self._cluster.exists():
            await asyncio.to_thread(stop_stale, self._cluster / "postmaster.pid", *SHUTDOWN)
        if not self._made:
            if self._cluster.exists():
                await asyncio.to_thread(shutil.rmtree, self._cluster)
            await self._make_cluster()
            self._made = True

    async def _make_cluster(self) -> None:
        making = await self._empty_folder()
        _, superuser = self._primary._passwords()
        self._account.write(self._passfile, f"{ADDRESS}:*:*:{SUPERUSER}:{superuser}\n")
        await run_to_end(
            self._account,
            [
                self._programs / "pg_basebackup",
                f"--pgdata={making}",
                f"--dbname={self._source()}",
                "--checkpoint=fast",
                "--no-password",
                *([] if self._durable else ["--no-sync"]),
            ],
        )
        self._account.write(making / "standby.signal", "")
        making.rename(self._cluster)

    def _settings(self) -> dict[str, str]:
        return super()._settings() | STANDBY_SETTINGS | {"primary_conninfo": self._source()}

    @property
    def _passfile(self) -> Path:
        return self._cluster.with_name(f"{self._cluster.name}.passfile")

    def _source(self) -> str:
        """Where the primary is just now; the password stands in a file, for command lines can be read."""
        address = self._primary.superuser_url.rpartition("@")[2].partition("/")[0]
        return f"postgresql://{SUPERUSER}@{address}/?passfile={quote(str(self._passfile), safe='')}"


def _status(pid_file: Path, pid: int) -> str:
    """What the postmaster says of itself in its lock file, where `pg_ctl` reads it too."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return ""
    return lines[7].strip() if len(lines) > 7 and lines[0] == str(pid) else ""
