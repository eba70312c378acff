"""`python -m load.feeds [--scale 1] [--runs 200] [case …]`: what `make bench-feeds` runs."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from gateway.embedded import embedded_servers
from load.feeds.cases import CASES
from load.feeds.generator import generate
from load.feeds.measuring import RUNS, Result, measure, samples
from load.feeds.table import as_json, markdown
from load.feeds.watching import watched
from load.machine import PROJECT, machine, place
from store.database import open_database
from store.gallery.trending import Trending
from store.migrations import migrate

RESULTS = PROJECT / "load" / "results"
Say = Callable[[str], None]


def main() -> None:
    given = argparse.ArgumentParser(prog="python -m load.feeds", description="Time every list.")
    given.add_argument("--scale", type=float, default=1.0, help="of a million posts [1]")
    given.add_argument("--seed", type=int, default=1, help="another seed, another gallery [1]")
    given.add_argument("--runs", type=int, default=RUNS, help=f"of each kind [{RUNS}]")
    given.add_argument("--data", type=Path, help="where the gallery is kept for the next time")
    given.add_argument("cases", nargs="*", help="only cases whose names have one of these in them")
    options = given.parse_args()
    if options.data is not None:
        options.data.mkdir(parents=True, exist_ok=True)
        sys.exit(asyncio.run(_run(options, options.data)))
    with tempfile.TemporaryDirectory(prefix="vernissage-feeds-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        sys.exit(asyncio.run(_run(options, Path(folder))))


async def _run(options: argparse.Namespace, folder: Path) -> int:
    async with embedded_servers(folder, valkey=False, durable=False) as servers:
        assert servers.database_url is not None
        assert servers.superuser_url is not None
        made = await _gallery(
            servers.database_url, servers.superuser_url, folder, options.scale, options.seed
        )
        made |= {"trending pass, s": await _trending(servers.database_url)}
        results = await _measure(servers.database_url, options.cases, options.runs)
    table = markdown(results)
    print(table)
    _keep(results, table, made, whole=not options.cases and options.runs >= RUNS)
    return 0 if all(not result.failures for result in results) else 1


async def _gallery(
    url: str, superuser_url: str, folder: Path, scale: float, seed: int
) -> dict[str, float]:
    """Migrate, and generate what is not there from the last time; what was made."""
    await migrate(url)
    noted = folder / "generated.json"
    wanted = {"scale": scale, "seed": seed}
    if noted.exists():
        made: dict[str, float] = json.loads(noted.read_text())
        if wanted.items() <= made.items():
            return made
        sys.exit(f"{folder} holds another gallery ({made}): remove it, or name another folder")
    began = time.monotonic()
    theirs = urlsplit(superuser_url)._replace(path=urlsplit(url).path).geturl()
    await generate(theirs, scale=scale, seed=seed, say=_say)
    made = {**wanted, "generated in, s": round(time.monotonic() - began)}
    noted.write_text(json.dumps(made))
    return made


async def _trending(url: str) -> float:
    """How long a pass over all posts takes, in seconds."""
    async with open_database(url, connections=1) as database:
        began = time.monotonic()
        await Trending(database).refresh()
        return round(time.monotonic() - began, 2)


async def _measure(url: str, parts: Sequence[str], runs: int) -> list[Result]:
    results = []
    async with open_database(url, connections=1) as database:
        drawn = await samples(database)
    async with watched(url) as database:
        for case in CASES:
            if parts and not any(part in case.title for part in parts):
                continue
            began = time.monotonic()
            result = await measure(database, case, drawn, runs)
            _say(
                f"{case.title}: {result.worst(0.5):.1f} / {result.worst(0.99):.1f} ms"
                f" {'; '.join(result.failures)} ({time.monotonic() - began:.0f} s)"
            )
            results.append(result)
    return results


def _keep(results: Sequence[Result], table: str, made: dict[str, float], *, whole: bool) -> None:
    facts = machine()
    path = RESULTS / f"{facts['date'][:10]}-{place(facts)}-feeds{'' if whole else '-part'}"
    kept = {"machine": facts, "gallery": made, "cases": list(map(as_json, results))}
    path.with_name(path.name + ".json").write_text(
        json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
    )
    lines = [
        f"# Feeds, {facts['date']}, {facts['CPU']}, {facts['cores']} cores",
        "",
        ", ".join(f"{name}: {value:g}" for name, value in made.items()) + ".",
        "",
        table,
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
    ]
    path.with_name(path.name + ".md").write_text("\n".join(lines) + "\n")
    _say(f"kept in {path.relative_to(PROJECT)}.md and .json")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
