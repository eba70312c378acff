"""The servers of one DATA_DIR: started together, stopped together, once at a time."""

import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.embedded.home import home_of
from gateway.embedded.postgres import PostgreSQL
from gateway.embedded.valkey import Valkey
from gateway.startup import CannotStart, make_folder


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """Where the servers are that were asked for; None for the others."""

    database_url: str | None = None
    redis_url: str | None = None
    superuser_url: str | None = None
    replica_url: str | None = None
    """Of a standby of that database."""


@asynccontextmanager
async def embedded_servers(
    data_dir: Path,
    *,
    postgres: bool = True,
    valkey: bool = True,
    replica: bool = False,
    durable: bool = True,
) -> AsyncIterator[EmbeddedServers]:
    """Run the servers of `data_dir` for as long as the context lasts; raises CannotStart.

    A `replica` is a standby beside that PostgreSQL. While they run, `data_dir/urls.env` (0600) holds their
    addresses as DATABASE_URL, DATABASE_REPLICA_URL and REDIS_URL.
    """
    with _held(data_dir) as data_dir, _published(data_dir / "urls.env") as publish:
        home = home_of(data_dir)
        database, standby, bus = None, None, None
        async with AsyncExitStack() as stack:
            if postgres:
                database = PostgreSQL(home, data_dir / "postgres.log", durable=durable)
                await database.start()
                stack.push_async_callback(database.stop)
                if replica:
                    standby = database.standby(data_dir / "standby.log")
                    await standby.start()
                    stack.push_async_callback(standby.stop)
            if valkey:
                bus = Valkey(home, data_dir / "valkey.log")
                await bus.start()
                stack.push_async_callback(bus.stop)
            servers = EmbeddedServers(
                database_url=database.url if database else None,
                superuser_url=database.superuser_url if database else None,
                replica_url=standby.url if standby else None,
                redis_url=bus.url if bus else None,
            )
            publish(servers)
            yield servers


def running_servers(data_dir: Path) -> EmbeddedServers | None:
    """The servers that another process runs for `data_dir` just now, as far as they are published."""
    try:
        with (data_dir / "lock").open() as lock:
            if _hold(lock.fileno()):
                return None
            lines = (data_dir / "urls.env").read_text().splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotStart(f"DATA_DIR cannot be used: {error.strerror}: {error.filename}") from error
    urls = dict(line.split("=", 1) for line in lines)
    return EmbeddedServers(
        database_url=urls.get("DATABASE_URL"),
        replica_url=urls.get("DATABASE_REPLICA_URL"),
        redis_url=urls.get("REDIS_URL"),
    )


def _hold(descriptor: int) -> bool:
    """Take the lock, if nobody has it; the kernel frees it when its process ends, however that does."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _held(data_dir: Path) -> Iterator[Path]:
    """Hold `data_dir`, made absolute, against a second start."""
    data_dir = data_dir.resolve()
    try:
        make_folder(data_dir)
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(f"DATA_DIR cannot be used: {error.strerror}: {error.filename}") from error
    try:
        if not _hold(descriptor):
            holder = os.read(descriptor, 20).decode().strip()
            raise CannotStart(
                f"DATA_DIR {data_dir} is in use by process {holder}:"
                " stop that one, or give another DATA_DIR"
            )
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield data_dir
    finally:
        os.close(descriptor)


@contextmanager
def _published(path: Path) -> Iterator[Callable[[EmbeddedServers], None]]:
    """Gives what publishes the addresses; they are not there before and after."""

    def publish(servers: EmbeddedServers) -> None:
        urls = {
            "DATABASE_URL": servers.database_url,
            "DATABASE_REPLICA_URL": servers.replica_url,
            "REDIS_URL": servers.redis_url,
        }
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{name}={url}\n" for name, url in urls.items() if url)

    path.unlink(missing_ok=True)  # of a start that was killed
    try:
        yield publish
    finally:
        path.unlink(missing_ok=True)
