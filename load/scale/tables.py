"""What docs/scale.md shows: the tables, each made anew from what was measured."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from gateway.gathering import ASKED_AT_ONCE
from gateway.settings import read_settings
from load.costs.writers import Contention
from load.scale import room, storm
from load.scale.demand import (
    CALM,
    Habits,
    Load,
    Machine,
    Needs,
    Rates,
    hold,
    limits,
    needs,
)
from load.scale.room import Found, Room
from load.scale.storm import Door
from load.scale.units import LIKES_REACHED, LIKES_SPREAD, SCREENS_P50, Units, units
from store.batching import BATCH_COMMANDS, LANES

STEPS = ((10_000, Habits()), (100_000, Habits()), (1_000_000, Habits()), (1_000_000, CALM))
CROWD = 100_000
"""Watchers of one post."""
RATES = (1, 10, 100, 1_000, 5_000)
"""Likes a second on it."""
SECONDS = 3.0
"""For which likes come, or until there are LEAST."""
LEAST = 100

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def measured() -> Table:
    """What each thing costs, and where that was measured."""
    found = units()
    return ("what", "cost", "how it was measured", "kept in"), [
        (
            name,
            _cost(cost.fixed, cost.each, cost.per, cost.unit),
            cost.how,
            f"`{found.origins[name]}`",
        )
        for name, cost in sorted(found.costs.items())
    ]


def checked() -> Table:
    """What the arithmetic says of this machine, beside what the benchmark measured there."""
    found = units()
    rows = []
    for name, said, unit in (
        (LIKES_REACHED, likes_on_two_cores(found, "one"), "/s"),
        (LIKES_SPREAD, likes_on_two_cores(found, "many"), "/s"),
        (SCREENS_P50, 1e3 * small_room(found), "ms"),
    ):
        real = found.measured[name]
        rows.append((name, _said(said, unit), _said(real, unit), f"{said / real:.2f} ×"))
    for each in found.contention:
        again = by_writers(found, each)
        ack, real = again.acks.at(0.5), each.p50
        rows.append(
            (
                f"{each.rate:g} likes/s on one post, {each.writers:,} who write: ack p50",
                _said(ack * 1e3, "ms"),
                _said(real * 1e3, "ms"),
                f"{ack / real:.2f} ×",
            )
        )
    return ("what", "derived", "measured", "derived to measured"), rows


def likes_on_two_cores(found: Units, posts: str) -> float:
    """Likes a second that `make bench` should reach: everything on two cores, 1,000 users who wait for their answers.

    The clients have a fifth of one of them.
    """
    cores, clients, users, workers = 2, 0.2, 1_000, 2
    batch = min(users / workers / (1 if posts == "one" else LANES), BATCH_COMMANDS)
    name = f"PostgreSQL: likes on {posts} post{'s' if posts == 'many' else ''}"
    node = "node: a like on one post under load" if posts == "one" else "node: a like under load"
    each = found[node].fixed + found[name].of(batch) / batch + found["Redis: limits"].of(50) / 50
    return (cores - clients) / each * 1e6


def small_room(found: Units) -> float:
    """Seconds until half of the screens show a like: 1,000 watchers, two nodes, 20 likes a second, one machine.

    The watchers are on it as well, and reading an event takes them about as long as sending it takes a node.
    """
    here = Machine(round_trip=0.0, flush=0.0005)
    return room.simulate(_room(found, 2, 1_000, 0.5, here), 20, 10).screens.at(0.5)


def by_writers(found: Units, real: Contention) -> Found:
    """The simulation of what was measured with so many writers, each batch of which took as long as a lone one."""
    place = Room(
        workers=real.writers,
        watchers=0,
        hold=real.hold,
        hold_each=hold(found, Machine(), "likes on one post", 1)
        - hold(found, Machine(), "likes on one post", 0),
        publish=0.0,
        publish_busy=0.0,
        travel=0.0,
        receive=0.0,
        deliver=0.0,
    )
    return room.simulate(place, real.rate, real.seconds)


def assumed() -> Table:
    """What people are taken to do, and what is taken to be bought."""
    active, calm, machine = Habits(), CALM, Machine()
    people = (
        ("a connection lasts", [f"{each.session:,.0f} s" for each in (active, calm)]),
        (
            "somebody opens another post",
            [f"every {each.each_room:,.0f} s" for each in (active, calm)],
        ),
        ("… likes", [f"every {each.each_like:,.0f} s" for each in (active, calm)]),
        ("… comments", [f"every {each.each_comment:,.0f} s" for each in (active, calm)]),
        (
            "… reads a page of the feed",
            [f"every {each.each_page:,.0f} s" for each in (active, calm)],
        ),
        (
            "watchers of a post that somebody looks at",
            [f"{active.watchers:g}", f"{calm.watchers:g}"],
        ),
    )
    things = (
        ("cores of a gateway's machine", f"{machine.cores}"),
        (
            "its memory and network",
            f"{machine.memory / 1e9:g} GB, {machine.network * 8 / 1e9:g} Gbit/s",
        ),
        ("of either is planned for", f"{machine.busy:.0%}"),
        ("machines at the least, one in each zone", f"{machine.fewest}"),
        ("the kernel's memory for a connection at rest", f"{machine.socket / 1e3:g} kB"),
        ("of Redis's one thread is planned for", f"{machine.redis_busy:.0%}"),
        (
            "PostgreSQL's cores, and planned for",
            f"{machine.database_cores}, {machine.busy:.0%}",
        ),
        ("connections that it serves without a pooler", f"{machine.database_connections}"),
        ("from a node to PostgreSQL and back", f"{machine.round_trip * 1e3:g} ms"),
        ("until a commit is on disk", f"{machine.flush * 1e3:g} ms"),
        (
            "an event to a client, and on the bus",
            f"{machine.frame:g} and {machine.message:g} bytes",
        ),
    )
    return ("assumption", "people", "calm people"), [
        *((name, *values) for name, values in people),
        *((name, value, value) for name, value in things),
    ]


@cache
def _steps() -> list[Needs]:
    return [needs(units(), *step) for step in STEPS]


def _named(connections: int, habits: Habits) -> str:
    return f"{connections:,}" + (", calm" if habits == CALM else "")


def steps() -> Table:
    """What each step needs."""

    def cores(of: Callable[[Needs], Load]) -> Callable[[Needs], str]:
        return lambda each: f"{of(each).total:,.1f}: {_largest(of(each))}"

    def rate(of: Callable[[Rates], float]) -> Callable[[Needs], str]:
        return lambda each: f"{of(each.rates):,.0f}"

    lines: list[tuple[str, Callable[[Needs], str]]] = [
        ("joins a second", rate(lambda rates: rates.joins)),
        ("likes a second", rate(lambda rates: rates.likes)),
        ("comments a second", rate(lambda rates: rates.comments)),
        ("pages a second", rate(lambda rates: rates.pages)),
        ("deliveries a second", rate(lambda rates: rates.deliveries)),
        ("workers where a post has watchers", rate(lambda rates: rates.nodes_of_room)),
        (
            "published a second",
            rate(lambda rates: rates.told + rates.presence + rates.notices),
        ),
        ("come over the bus a second", rate(lambda rates: rates.received)),
        ("topics followed, on all workers", rate(lambda rates: rates.topics)),
        ("cores of the gateway", cores(lambda each: each.node)),
        ("memory of the gateway", lambda each: f"{each.memory / 1e9:,.1f} GB"),
        ("to clients", lambda each: f"{each.outwards * 8 / 1e9:,.2f} Gbit/s"),
        (
            "**machines of the gateway**",
            lambda each: f"**{each.machines:,}**, {each.workers:,} workers",
        ),
        ("threads of Redis", cores(lambda each: each.redis)),
        ("from Redis", lambda each: f"{each.bus * 8 / 1e9:,.2f} Gbit/s"),
        ("**shards of Redis**", lambda each: f"**{each.shards:,}**"),
        ("cores of PostgreSQL", cores(lambda each: each.database)),
        ("commits a second", lambda each: f"{each.commits:,.0f}"),
        ("likes in a batch", lambda each: f"{each.batch:,.1f}"),
        ("WAL", lambda each: f"{each.log / 1e6:,.1f} MB/s"),
        ("connections to PostgreSQL", lambda each: f"{each.database_connections:,}"),
    ]
    return (
        ("connections", *(_named(*step) for step in STEPS)),
        [(name, *(said(each) for each in _steps())) for name, said in lines],
    )


def bottlenecks() -> Table:
    """How many of each are needed at each step, the tightest first; 1 is what is planned for."""
    rows = []
    for step, each in zip(STEPS, _steps(), strict=True):
        for place, limit in enumerate(limits(each)):
            first = "**first**" if place == 0 else ""
            named = _named(*step) if place == 0 else ""
            more = f"more {limit.remedy}" if limit.spreads else limit.remedy
            rows.append(
                (named, limit.name, f"{limit.share:,.2f}", first, more if limit.share > 1 else "")
            )
    return ("connections", "what", "of one", "", "what is done"), rows


def crowd() -> Table:
    """A post with 100,000 watchers, at several rates of likes."""
    found = units()
    rows = []
    for needed in _steps()[1:3]:
        for writers in (needed.workers, 1):
            place = _room(found, needed.workers, CROWD, Machine().busy / 2, Machine(), writers)
            for rate in RATES:
                was = room.simulate(place, rate, max(SECONDS, LEAST / rate))
                rows.append(
                    (
                        f"{needed.workers:,}",
                        f"{writers:,}",
                        f"{rate:,}",
                        _times(was.acks.at(0.5), was.acks.at(0.99)),
                        _times(was.screens.at(0.5), was.screens.at(0.99)),
                        f"{was.batches / was.seconds:,.0f}",
                        f"{was.refused / was.likes:.1%}",
                        f"{was.sending:.0%}",
                        f"{was.redis:.0%}",
                    )
                )
    return (
        "workers",
        "that write",
        "likes a second",
        "ack, ms",
        "screen, ms",
        "commits a second",
        "refused",
        "of a worker",
        "of Redis",
    ), rows


def storms() -> Table:
    """A million clients, and what happens when some of them are cut off at once."""
    found = units()
    cap = read_settings({}).connects_per_second
    assert cap is not None
    rows = []
    for step, needed in list(zip(STEPS, _steps(), strict=True))[2:]:
        for what, cut, left in (
            ("one machine", 1 / needed.machines, 1 - 1 / needed.machines),
            *([("a zone of three", 1 / 3, 2 / 3)] if needed.machines > Machine().fewest else []),
            ("all, restarted", 1.0, 1.0),
        ):
            each = round(needed.connections * cut / (needed.workers * left))
            used = 0.0 if cut == 1.0 else needed.node.total / needed.workers
            for client, pause in (("Socket.IO's", storm.official), ("client.md's", storm.ours)):
                for bound in (cap, None):
                    door = Door(
                        bound,
                        found["node: a join"].fixed / 1e6,
                        found["node: one who is turned away"].fixed / 1e6,
                        used,
                    )
                    was = storm.simulate(each, door, pause)
                    rows.append(
                        (
                            f"{_named(*step)}, {needed.workers:,} workers",
                            what,
                            f"{each:,}",
                            client,
                            "none" if bound is None else f"{bound:,}",
                            " / ".join(f"{was.waits.at(share):,.1f}" for share in (0.5, 0.99, 1.0)),
                            f"{was.turned_away / each:,.1f}",
                            f"{was.late:,.1f}",
                        )
                    )
    return (
        "connections",
        "lost",
        "clients for each worker left",
        "client",
        "bound, a second",
        "back after, s",
        "refusals each",
        "longest at the door, s",
    ), rows


def returning() -> Table:
    """What joins at the bound mean for the others."""
    found = units()
    cap = read_settings({}).connects_per_second
    assert cap is not None
    rows = []
    for step, each in zip(STEPS, _steps(), strict=True):
        joins = float(min(cap * each.workers, each.connections))
        users, heads = found["PostgreSQL: those who connect"], found["PostgreSQL: heads"]
        together = users.of(ASKED_AT_ONCE) + heads.of(ASKED_AT_ONCE)
        apart = users.of(1) + heads.of(1)
        subscribing = joins * found["Redis: a lone subscription"].fixed
        rows.append(
            (
                _named(*step),
                f"{joins:,.0f}",
                f"{joins * together / ASKED_AT_ONCE / 1e6:,.2f}",
                f"{joins * apart / 1e6:,.1f}",
                f"{subscribing / 1e6:,.2f}",
            )
        )
    return (
        "connections",
        "joins a second, at most",
        "cores of PostgreSQL, asked together",
        "asked one by one",
        "threads of Redis, for subscriptions",
    ), rows


def blind() -> Table:
    """Without Redis each worker asks PostgreSQL twice a second what is new."""
    return ("connections", "topics looked up a second", "cores of PostgreSQL", "with Redis"), [
        (
            _named(*step),
            f"{each.lookups:,.0f}",
            f"{each.blind:,.2f}",
            f"{each.database.parts['heads']:,.2f}",
        )
        for step, each in zip(STEPS, _steps(), strict=True)
    ]


def _room(
    found: Units,
    workers: int,
    watchers: int,
    busy: float,
    machine: Machine,
    writers: int | None = None,
) -> Room:
    name, event = "likes on one post", found["node: an event from the bus"]
    fixed = hold(found, machine, name, 0)
    return Room(
        workers=workers,
        watchers=watchers,
        hold=fixed,
        hold_each=hold(found, machine, name, 1) - fixed,
        publish=found["Redis: publish"].of(workers) / 1e6,
        publish_busy=found["Redis: publish, in bursts"].of(workers) / 1e6,
        travel=machine.round_trip,
        receive=event.fixed / 1e6,
        deliver=found["node: a delivery in a room of 1,000"].fixed / 1e6,
        busy=busy,
        writers=writers,
    )


def _largest(load: Load) -> str:
    """The three parts that make most of it."""
    parts = sorted(load.parts.items(), key=lambda each: -each[1])[:3]
    return ", ".join(f"{name} {part / load.total:.0%}" for name, part in parts)


def _cost(fixed: float, each: float, per: str, unit: str) -> str:
    def shown(value: float) -> str:
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    return f"{shown(fixed)} {unit}" + (f" + {shown(each)} for each {per}" if per else "")


def _said(value: float, unit: str) -> str:
    return f"{value:,.0f}{unit}" if unit.startswith("/") else f"{value:.1f} {unit}"


def _times(*seconds: float) -> str:
    return " / ".join(f"{each * 1e3:,.0f}" for each in seconds)


TABLES: dict[str, Callable[[], Table]] = {
    each.__name__: each
    for each in (measured, checked, assumed, steps, bottlenecks, crowd, storms, returning, blind)
}


@cache
def markdown(name: str) -> str:
    """One of them, for people."""
    heads, rows = TABLES[name]()
    lines: Iterable[Sequence[str]] = (heads, ["---"] * len(heads), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
