"""`python -m load.bench [--quick] [line …]`: what `make bench` runs."""

import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from gateway.embedded import embedded_servers
from load.bench.deployments import PROJECT, Places, prepare
from load.bench.lines import LINES, Bench
from load.bench.table import command, doubts, markdown, versions
from load.machine import place
from load.processes import Meter, family

RESULTS = PROJECT / "load" / "results"


def main() -> None:
    quick = "--quick" in sys.argv
    names = [each for each in sys.argv[1:] if not each.startswith("-")] or list(LINES)
    unknown = set(names) - LINES.keys()
    if unknown:
        sys.exit(f"no such line: {', '.join(sorted(unknown))}; there are {', '.join(LINES)}")
    with tempfile.TemporaryDirectory(prefix="vernissage-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        sys.exit(asyncio.run(_run(Path(folder), names, quick)))


async def _run(folder: Path, names: list[str], quick: bool) -> int:
    async with embedded_servers(folder / "servers") as servers:
        assert servers.database_url is not None
        assert servers.redis_url is not None
        assert servers.superuser_url is not None
        children = tuple(set(family(os.getpid())) - {os.getpid()})
        ground = await prepare(
            servers.database_url,
            servers.superuser_url,
            servers.redis_url,
            folder,
            Meter(children),
        )
        places = Places.of(sorted(os.sched_getaffinity(0)))
        bench = Bench(ground, places, quick, lambda line: print(line, file=sys.stderr, flush=True))
        await asyncio.to_thread(_measure, bench, names)
    whole = len(names) == len(LINES)
    facts = versions()
    table = markdown(bench.rows)
    print(table)
    for doubt in doubts(bench.rows):
        print(f"? {doubt}")
    _keep(bench, facts, table, "" if whole else "-" + "-".join(names))
    return 0 if all(row.met for row in bench.rows) else 1


def _measure(bench: Bench, names: list[str]) -> None:
    for name in names:
        began = time.monotonic()
        bench.say(f"\n— {name}: {LINES[name].__doc__}")
        try:
            LINES[name](bench)
        except Exception as error:  # the other lines are worth having all the same
            bench.say(f"✗ {name} could not be measured: {error!r}")
        bench.say(f"  ({time.monotonic() - began:.0f} s)")


def _keep(bench: Bench, facts: dict[str, str], table: str, which: str) -> None:
    quick = "-quick" if bench.quick else ""
    path = RESULTS / f"{facts['date'][:10]}-{place(facts)}{quick}{which}"
    RESULTS.mkdir(exist_ok=True)
    whole = {
        "machine": facts,
        "command": command(),
        "rows": [asdict(row) | {"ratio": row.ratio, "met": row.met} for row in bench.rows],
        "outcomes": [outcome.as_json() for outcome in bench.outcomes],
    }
    path.with_name(path.name + ".json").write_text(
        json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    )
    lines = [
        f"# {facts['date']}, {facts['CPU']}, {facts['cores']} cores",
        "",
        f"`{command()}`, commit {facts['commit']}, {platform.system()}.",
        "",
        table,
        "",
        *(f"- ? {doubt}" for doubt in doubts(bench.rows)),
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
    ]
    path.with_name(path.name + ".md").write_text("\n".join(lines) + "\n")
    bench.say(f"kept in {path.relative_to(PROJECT)}.md and .json")


if __name__ == "__main__":
    main()
