"""pgbouncer, from Debian's package, in transaction mode before a PostgreSQL.

async with pgbouncer(url, folder) as pooled_url: …

It gives each transaction whichever of a few sessions is free.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.embedded import free_port
from gateway.embedded.account import Account
from gateway.embedded.process import Child
from tests.deploy.proxies import installed
from tests.waiting import DEADLINE

SESSIONS = 3
"""With PostgreSQL: fewer than a worker's connections, so that each meets many."""

SHUTDOWN = signal.SIGTERM
"""At once, whoever is connected."""

CONFIGURATION = """
[databases]
* = host={host} port={server_port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 500
{more}
"""


@asynccontextmanager
async def pgbouncer(url: str, folder: Path, *, more: str = "") -> AsyncIterator[str]:
    """The address of the database at `url` by way of a pgbouncer whose files are in the empty `folder`."""
    program, server, account = installed("pgbouncer"), urlsplit(url), Account.of_servers()
    port = free_port()
    users, configuration = folder / "users.txt", folder / "pgbouncer.ini"
    account.write(users, f'"{server.username}" "{server.password}"\n')
    account.write(
        configuration,
        CONFIGURATION.format(
            host=server.hostname,
            server_port=server.port,
            port=port,
            users=users,
            sessions=SESSIONS,
            more=more,
        ),
    )
    child = await Child.spawn(
        account, [program, configuration], death_signal=SHUTDOWN, log=folder / "pgbouncer.log"
    )
    try:
        await _listens(child, port)
        yield server._replace(
            netloc=f"{server.username}:{server.password}@127.0.0.1:{port}"
        ).geturl()
    finally:
        await child.stop(SHUTDOWN)


async def _listens(child: Child, port: int) -> None:
    async with asyncio.timeout(DEADLINE):
        while child.alive:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return
    pytest.fail(f"pgbouncer did not start: {child.complaint}")
