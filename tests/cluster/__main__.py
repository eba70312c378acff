"""`make cluster`: three nodes behind HAProxy, on three shards, a primary and a replica, until Ctrl-C."""

import asyncio
import os
import shutil
import signal
import sys
from contextlib import suppress
from secrets import token_hex

from gateway import composition
from gateway.auth.tokens import mint
from gateway.launcher import check_free
from gateway.settings import read_settings
from gateway.startup import CannotStart
from tests.cluster.cluster import Cluster, open_cluster
from tests.deploy.proxies import HOST, PATHS
from tests.servers import data_folder

DAY = 24 * 60 * 60


async def run(port: int) -> None:
    """All of it, with the demo gallery; what it keeps is gone afterwards."""
    check_free(HOST, port)
    ended = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    secret = token_hex(32)
    with data_folder() as folder:
        async with open_cluster(
            folder, port=port, jwt_secret=secret, data_dir=str(folder / "data")
        ) as cluster:
            environ = cluster.installation.environment(
                jwt_secret=secret, data_dir=str(folder / "data")
            )
            await composition.demo(read_settings(environ))
            tell(cluster, mint(read_settings(environ), "ada", "user", DAY))
            await ended.wait()


def tell(cluster: Cluster, token: str) -> None:
    lines = {
        "Vernissage is open at": f"{cluster.url}/",
        "HAProxy's page": f"{cluster.door.operator}/",
        "nodes": " ".join(node.url for node in cluster.nodes),
        "their operator's pages": " ".join(str(node.admin_url) for node in cluster.nodes),
        "DATABASE_URL": cluster.pair.primary.url,
        "DATABASE_REPLICA_URL": cluster.pair.standby.url,
        "REDIS_URL": cluster.shards.url,
        "a token for ada": token,
    }
    print()
    for name, value in lines.items():
        print(f"  {name:24}{value}")
    print("\n  Ctrl-C closes all of it, and forgets what it held.\n", flush=True)


def main() -> None:
    """Exit code 1, and one line, where something is missing."""
    if shutil.which("haproxy", path=PATHS) is None:
        sys.exit(
            "make cluster: there is no haproxy on this machine (Debian: apt-get install haproxy)"
        )
    port = int(os.environ.get("VERNISSAGE_PORT") or 8080)
    for name in [name for name in os.environ if name.startswith("VERNISSAGE_")]:
        del os.environ[name]
    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(run(port))
        except CannotStart as error:
            sys.exit(f"make cluster: {error}")


if __name__ == "__main__":
    main()
