"""The measured costs that everything here is derived from, read from load/results."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from load.costs.cost import Cost
from load.costs.writers import Contention
from load.machine import PROJECT

RESULTS = PROJECT / "load" / "results"


@dataclass(frozen=True, slots=True)
class Units:
    """Costs by the names that load/costs gives them, and those that `make bench` tells.

    CPU time in µs, memory in bytes.
    """

    costs: Mapping[str, Cost]
    origins: Mapping[str, str]
    """The file that each comes from."""
    measured: Mapping[str, float]
    """What `make bench` reached, by the measure of the table's row."""
    contention: Sequence[Contention] = ()
    """What so many writers made of likes on one post."""

    def __getitem__(self, name: str) -> Cost:
        return self.costs[name]


LIKES_REACHED = "durable likes on one post"
LIKES_SPREAD = "durable likes spread over 200 posts"
SCREENS_P50 = "like → another client's screen, 20 likes/s, 1,000 watchers on two nodes: p50"


def _per_second(rate: float) -> float:
    """From how many go through in a second of CPU time to µs for one."""
    return 1e6 / rate


_ROWS: dict[str, tuple[str, Callable[[float], float]]] = {
    "node: a join": ("signed-in joins per second and core", _per_second),
    "node: a feed page over REST": (
        "feed pages of 20 per second and core",
        _per_second,
    ),
    "node: a command with its ack": ("CPU per inbound command with ack, no database", float),
    "node: a delivery in a room of 1,000": (
        "CPU per delivery, one event at a time, 1,000 watchers",
        float,
    ),
}
"""Costs in µs by the rows of the table that say them."""

_MEMORY_ROW = "memory per idle signed-in WebSocket"
_OUTCOMES = {
    "node: a like under load": "likes on 200 posts",
    "node: a like on one post under load": "likes on 1 post",
}


@cache
def units(folder: Path = RESULTS) -> Units:
    """The newest of each. Raises KeyError where something was never measured."""
    costs: dict[str, Cost] = {}
    origins: dict[str, str] = {}
    measured: dict[str, float] = {}
    contention: list[Contention] = []
    for path, run in _runs(folder):
        found = [Cost.from_json(each) for each in run.get("costs", ())]
        if "contention" in run:
            contention = [Contention(**each) for each in run["contention"]]
        if "rows" in run:
            rows = {row["measure"]: row["ours"] for row in run["rows"]}
            measured |= rows
            found += _of_bench(rows, run["outcomes"])
        for cost in found:
            costs[cost.name], origins[cost.name] = cost, path.name
    return Units(costs, origins, measured, contention)


def _runs(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every full run that was kept, the oldest first."""
    kept = [
        (path, json.loads(path.read_text()))
        for path in folder.glob("*.json")
        if not re.search("-(quick|feeds)", path.name)
    ]
    return iter(sorted(kept, key=lambda each: (each[1]["machine"]["date"], each[0].name)))


def _of_bench(rows: Mapping[str, float], outcomes: list[dict[str, Any]]) -> Iterator[Cost]:
    for name, (measure, converted) in _ROWS.items():
        if measure in rows:
            yield Cost(name, "µs", f"make bench: {measure}", converted(rows[measure]))
    if _MEMORY_ROW in rows:
        yield Cost(
            "node: memory of a connection",
            "bytes",
            f"make bench: {_MEMORY_ROW}",
            rows[_MEMORY_ROW] * 1e3,
        )
    for name, scenario in _OUTCOMES.items():
        runs = [
            each["figures"]["server CPU per command, µs"]
            for each in outcomes
            if each["scenario"] == scenario and each["deployment"] == "Vernissage"
        ]
        if runs:
            yield Cost(name, "µs", f"make bench: {scenario}", median(runs))
