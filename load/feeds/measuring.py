"""Measures the cases: first and thousandth page, large and small, by readers of every kind."""

from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from load.feeds.cases import AnyPage, Case, Samples, Stores
from load.feeds.plans import MODES, blocks, explain, sequential
from load.feeds.watching import Asked, Name, Watched
from load.latency import Spread
from store.database import Database
from store.gallery import Gallery
from store.inbox import Inbox
from store.listing import Paging
from store.queries import Queries, queries
from store.viewer import Viewer

RUNS = 200
SIZES = (20, 50)
DEEP = 1_000
"""The page that a deep run begins at; in a shorter list, the last tenth."""

RATIO = 2.0
QUICK_MS = 1.0
"""What is faster than this is not compared: the way to the database and back is more."""

BEGINNINGS = 10
"""First pages of each list whose depth is measured, to compare with."""

PLANNED = 3
"""Plans that are looked at for each query of a case, at each depth."""

_SAMPLES = Queries(Path(__file__).with_name("samples.sql"))


@dataclass(slots=True)
class Series:
    """Runs of one kind: the milliseconds in the database of each, and how deep they began.

    Of deep runs `beginnings` are what the first pages of the same lists took.
    """

    milliseconds: list[float] = field(default_factory=list)
    page: int = 1
    beginnings: list[float] = field(default_factory=list)

    def at(self, share: float) -> float:
        return Spread.of(self.milliseconds).at(share)


Kind = tuple[str, str, int]
"""Who reads (`user`, `visitor`, `moderator`), from where (`first`, `deep`), and how many a page."""


@dataclass(slots=True)
class Result:
    """What came of a case."""

    case: Case
    series: dict[Kind, Series] = field(default_factory=dict)
    scanned: dict[str, set[str]] = field(default_factory=dict)
    """The tables that each query reads from end to end; counting one for a total may."""
    blocks: int = 0
    totals: list[float] = field(default_factory=list)

    def worst(self, share: float, depth: str | None = None, size: int | None = None) -> float:
        """Of all kinds of readers."""
        return max(
            series.at(share)
            for (_, at, limit), series in self.series.items()
            if depth in (None, at) and size in (None, limit)
        )

    @property
    def deepest(self) -> int:
        """The number of the page from which on it was measured."""
        return max(series.page for series in self.series.values())

    @property
    def ratio(self) -> float:
        """How much more the medians come to: by depth for the same lists, by size for the same readers."""
        medians = {kind: max(series.at(0.5), QUICK_MS) for kind, series in self.series.items()}
        grown = [1.0]
        for (who, depth, size), median in medians.items():
            grown.append(median / medians[who, depth, SIZES[0]])
            if beginnings := self.series[who, depth, size].beginnings:
                grown.append(median / max(Spread.of(beginnings).at(0.5), QUICK_MS))
        return max(grown)

    @property
    def failures(self) -> list[str]:
        """What is not as it should be."""
        found = []
        if self.worst(0.99) > self.case.most_ms:
            found.append(f"p99 {self.worst(0.99):.1f} ms")
        if self.ratio > RATIO:
            found.append(f"{self.ratio:.1f} ×")
        found += [
            f"{query} reads all of {', '.join(sorted(tables))}"
            for query, tables in self.scanned.items()
        ]
        return found


async def samples(database: Database) -> Samples:
    """Readers and subjects of a generated gallery."""

    async def column(name: str) -> list[Any]:
        return [row[0] for row in await database.fetch(_SAMPLES[name])]

    people = await column("viewers")
    return Samples(
        viewers=[Viewer(each) for each in people],
        moderators=[Viewer(each, moderates=True) for each in people],
        creators=await column("creators"),
        posts=await column("posts"),
        tags=await column("tags"),
        words=await column("words"),
    )


async def measure(database: Watched, case: Case, drawn: Samples, runs: int = RUNS) -> Result:
    """Time a case, then look at its plans."""
    result = Result(case)
    planned: dict[Name, list[Asked]] = defaultdict(list)
    for who, readers in _readers(case, drawn).items():
        for size in SIZES:
            for depth, run in (("first", _first), ("deep", _deep)):
                database.asked.clear()
                series = await run(database, case, readers, case.subjects(drawn), size, runs)
                result.series[who, depth, size] = series
                by_query: dict[Name, list[Asked]] = defaultdict(list)
                for asked in database.asked:
                    by_query[asked.name].append(asked)
                    if asked.counts:
                        result.totals.append(asked.seconds * 1000)
                for name, each in by_query.items():
                    if not each[0].counts:
                        slowest = sorted(each, key=lambda asked: -asked.seconds)
                        planned[name] += slowest[:PLANNED]
    for asked in (asked for each in planned.values() for asked in each):
        await _look(database, result, asked)
    return result


async def _look(database: Watched, result: Result, asked: Asked) -> None:
    file, name = asked.name
    for mode in MODES:
        plan = await explain(database, queries(file)[name], asked.arguments, mode)
        result.blocks = max(result.blocks, blocks(plan))
        if tables := sequential(plan):
            result.scanned.setdefault(f"{file}.{name}", set()).update(tables)


def _readers(case: Case, drawn: Samples) -> dict[str, Sequence[Viewer]]:
    match case.readers:
        case "moderators":
            return {"moderator": drawn.moderators}
        case "creators":
            return {"user": [Viewer(each) for each in drawn.creators]}
    visitor = {"visitor": [Viewer()]} if case.visitors else {}
    return {"user": drawn.viewers, **visitor}


async def _first(
    database: Watched,
    case: Case,
    readers: Sequence[Viewer],
    subjects: Sequence[Any],
    size: int,
    runs: int,
) -> Series:
    series, stores = Series(), _stores(database)
    for i in range(runs):
        paging: Paging = {"cursor": None, "page": 1, "limit": size}
        reader, subject = readers[i % len(readers)], subjects[i % len(subjects)]
        await _run(database, series, case.ask(stores, reader, subject, paging))
    return series


async def _deep(
    database: Watched,
    case: Case,
    readers: Sequence[Viewer],
    subjects: Sequence[Any],
    size: int,
    runs: int,
) -> Series:
    """Pages from the thousandth on, of the lists that are long enough; else of the longest ones' ends."""
    series, stores = Series(), _stores(database)
    longest = []
    for i in range(min(max(len(subjects), len(readers)), runs)):
        reader, subject = readers[i % len(readers)], subjects[i % len(subjects)]
        page = await case.ask(stores, reader, subject, {"cursor": None, "page": 1, "limit": size})
        longest.append((min(page.total, DEEP * size), i, reader, subject))
    longest.sort(key=lambda each: (-each[0], each[1]))
    starts = []
    for total, _, reader, subject in longest[:5]:
        for number in (DEEP, 1 + total * 9 // (10 * size)):  # `total` stops at 10,000
            paging: Paging = {"cursor": None, "page": max(number - 1, 1), "limit": size}
            page = await case.ask(stores, reader, subject, paging)
            if page.next_cursor is not None or number < DEEP:
                break
        starts.append((reader, subject, page.next_cursor))
        series.page = max(series.page, number)
    beginnings = Series()
    for reader, subject, _ in starts * BEGINNINGS:
        paging = {"cursor": None, "page": 1, "limit": size}
        await _run(database, beginnings, case.ask(stores, reader, subject, paging))
    series.beginnings = beginnings.milliseconds
    database.asked.clear()
    for reader, subject, start in starts:
        cursor = start
        for _ in range(-(-runs // len(starts))):
            paging = {"cursor": cursor, "page": 1, "limit": size}
            page = await _run(database, series, case.ask(stores, reader, subject, paging))
            cursor = page.next_cursor or start
    return series


async def _run(database: Watched, series: Series, asking: Awaitable[AnyPage]) -> AnyPage:
    before = len(database.asked)
    answer = await asking
    series.milliseconds.append(
        1000 * sum(asked.seconds for asked in database.asked[before:] if not asked.counts)
    )
    return answer


def _stores(database: Database) -> Stores:
    return Stores(Gallery(database), Inbox(database))
