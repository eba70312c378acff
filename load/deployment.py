"""What is measured: where it listens, who may come in, and which processes of this machine it is."""

import ipaddress
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from load.people import Api, Token
from load.processes import PROC, Meter
from load.swarm import Address, Guest, Kind

CLIENTS_PER_SOURCE = 10_000
"""Connections from one address of this machine: its ports are 28,000, and some are still closing."""


@dataclass(frozen=True, slots=True)
class Url:
    """Where a server listens, without TLS."""

    host: str
    port: int

    @property
    def on_loopback(self) -> bool:
        return self.host == "localhost" or (
            self.host.replace(".", "").isdecimal() and ipaddress.ip_address(self.host).is_loopback
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """A server, or several that work together.

    `meters` are the processes behind each of `urls`, as far as they run on this machine.
    """

    name: str
    urls: tuple[Url, ...]
    token: Token
    meters: tuple[Meter, ...] = ()
    posts: Callable[[int], list[str]] | None = field(default=None)
    """Makes that many new posts; None: over REST."""

    def share(self, count: int) -> list[str]:
        """New posts, each by a creator of its own."""
        if self.posts is not None:
            return self.posts(count)
        return [self._shared_by(f"creator-{i}") for i in range(count)]

    def _shared_by(self, creator: str) -> str:
        with closing(Api(self.urls[0].host, self.urls[0].port, self.token(creator))) as api:
            return api.share(f"A picture by {creator}")

    def guests(
        self,
        count: int,
        name: str,
        *,
        topics: Sequence[str] = (),
        urls: Sequence[Url] = (),
        kind: Kind = Kind.WEBSOCKET,
    ) -> list[Guest]:
        """Clients to be, each a user of their own, spread over the servers."""
        places = urls or self.urls
        return [
            Guest(
                _from_many_ports(places[i % len(places)], i),
                self.token(f"{name}-{i}"),
                tuple(topics),
                kind,
            )
            for i in range(count)
        ]

    def cpu(self, first: int | None = None) -> float | None:
        """Seconds of CPU time used so far by the first servers, or all; None if that cannot be known."""
        if not self.meters:
            return None
        return sum(meter.cpu() for meter in self.meters[:first])

    def memory(self) -> int | None:
        """Bytes that the first server alone holds; None if that cannot be known."""
        return self.meters[0].memory() if self.meters else None


def _from_many_ports(url: Url, number: int) -> Address:
    source = f"127.0.0.{2 + number // CLIENTS_PER_SOURCE}" if url.on_loopback else None
    return Address(url.host, url.port, source)


def listening(url: Url) -> Meter | None:
    """The processes that listen at `url`, if they are ours to see on this machine.

    Not what they have started: `vernissage run` starts a database, too.
    """
    if not url.on_loopback:
        return None
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == url.port:
                inodes.add(f"socket:[{columns[9]}]")
    pids = [
        int(process.name)
        for process in PROC.iterdir()
        if process.name.isdecimal() and _holds(process, inodes)
    ]
    return Meter(tuple(pids), alone=True) if pids else None


def _holds(process: Path, inodes: set[str]) -> bool:
    try:
        return any(str(fd.readlink()) in inodes for fd in (process / "fd").iterdir())
    except OSError:
        return False
