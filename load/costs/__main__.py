"""`python -m load.costs [bus|nodes|database|writers …]`: measures unit costs, and keeps them in load/results."""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.embedded import embedded_servers
from load.bench.deployments import Ground, Places, prepare
from load.costs import bus, database, nodes, writers
from load.costs.cost import Cost
from load.machine import PROJECT, machine, place
from load.processes import PROC, Meter, family, machine_seconds

RESULTS = PROJECT / "load" / "results"


@dataclass(frozen=True, slots=True)
class _Servers:
    """A PostgreSQL with an empty gallery, and a Valkey, each with what it spends."""

    folder: Path
    ground: Ground
    superuser_url: str
    """Of the gallery's database."""
    postgres: Meter
    valkey: Meter


def main() -> None:
    parts = tuple(sys.argv[1:]) or tuple(PARTS)
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="vernissage-costs-", dir="/var/tmp") as folder:
            Path(folder).chmod(0o755)
            asyncio.run(_measure(part, Path(folder)))


async def _measure(part: str, folder: Path) -> None:
    async with embedded_servers(folder / "servers") as running:
        assert running.database_url is not None
        assert running.redis_url is not None
        assert running.superuser_url is not None
        children = {pid: _name(pid) for pid in family(os.getpid()) if pid != os.getpid()}
        ground = await prepare(
            running.database_url,
            running.superuser_url,
            running.redis_url,
            folder,
            Meter(tuple(children)),
        )
        database_name = urlsplit(running.database_url).path
        servers = _Servers(
            folder / "servers",
            ground,
            urlsplit(running.superuser_url)._replace(path=database_name).geturl(),
            Meter((next(pid for pid, name in children.items() if name == "postgres"),)),
            Meter(tuple(pid for pid, name in children.items() if name == "valkey-server")),
        )
        began, ours, theirs = time.monotonic(), Meter((os.getpid(),)), machine_seconds()
        ours_before = ours.cpu()
        found = await PARTS[part](servers)
        spent = machine_seconds() - theirs - (ours.cpu() - ours_before)
    others = spent / (time.monotonic() - began) / (os.cpu_count() or 1)
    _keep(part, {**machine(), "others' share of the machine": f"{others:.0%}"}, found)


async def _bus(servers: _Servers) -> dict[str, Any]:
    return _costs(await bus.costs(servers.ground.redis_url, servers.valkey, servers.folder))


async def _nodes(servers: _Servers) -> dict[str, Any]:
    places = Places.of(sorted(os.sched_getaffinity(0)))
    return _costs(await asyncio.to_thread(nodes.costs, servers.ground, places, _say))


async def _database(servers: _Servers) -> dict[str, Any]:
    url = servers.ground.database_url
    return _costs(await database.costs(url, servers.superuser_url, servers.postgres))


async def _writers(servers: _Servers) -> dict[str, Any]:
    found = await writers.contention(servers.ground.database_url, servers.superuser_url)
    for each in found:
        print(each)
    return {"contention": [each.as_json() for each in found]}


PARTS: dict[str, Callable[[_Servers], Awaitable[dict[str, Any]]]] = {
    "bus": _bus,
    "nodes": _nodes,
    "database": _database,
    "writers": _writers,
}


def _costs(found: list[Cost]) -> dict[str, Any]:
    for cost in found:
        each = f" + {cost.each:.3f} for each {cost.per}" if cost.per else ""
        print(f"{cost.name:48} {cost.fixed:10.2f}{each}, {cost.unit}")
    return {"costs": [cost.as_json() for cost in found]}


def _name(pid: int) -> str:
    return (PROC / str(pid) / "comm").read_text().strip()


def _keep(part: str, facts: dict[str, str], found: dict[str, Any]) -> None:
    path = RESULTS / f"{facts['date'][:10]}-{place(facts)}-costs-{part}.json"
    kept = {"machine": facts, "command": f"python -m load.costs {part}", **found}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    _say(f"kept in {path.relative_to(PROJECT)}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
