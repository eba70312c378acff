"""From connections and what people do to what each server has to bear: plain arithmetic."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

from gateway.composition import DATABASE_CONNECTIONS, MACHINE_CONNECTIONS
from gateway.delivery.hub import CHECK_SECONDS, CHECK_SECONDS_IN_DOUBT
from gateway.delivery.presence import RENEW_SECONDS
from gateway.settings import read_settings
from load.scale.units import Units
from store.batching import BATCH_COMMANDS, LANES


@dataclass(frozen=True, slots=True)
class Habits:
    """What people do; `each_…` is how many seconds pass between two of them by one connection."""

    session: float = 600.0
    """Seconds that a connection lasts."""
    each_room: float = 60.0
    """Opening a post: watching it, leaving the one before, one view."""
    each_like: float = 60.0
    each_comment: float = 600.0
    each_page: float = 60.0
    watchers: float = 200.0
    """Of the post at which somebody looks; every connection looks at one, and has its own topic."""


CALM = Habits(session=3_600, each_room=1_800, each_like=1_800, each_comment=18_000, each_page=1_800)
"""People who are there and seldom do anything."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is bought."""

    cores: int = 16
    memory: float = 64e9
    """Bytes."""
    network: float = 10e9 / 8
    """Bytes a second."""
    busy: float = 0.5
    """The share of its cores that is planned for: two thirds of the machines bear it all at three quarters."""
    socket: float = 12e3
    """Bytes that the kernel keeps for a connection at rest, beside what the process holds."""
    frame: float = 620.0
    """Bytes of an event on its way to a client."""
    message: float = 600.0
    """Bytes of an event on the bus."""
    fewest: int = 3
    """Machines: one in each zone."""
    redis_busy: float = 0.6
    """The share of its one thread that is planned for."""
    database_cores: int = 32
    database_connections: int = 500
    """That one PostgreSQL serves well without a pooler before it."""
    round_trip: float = 0.0005
    """Seconds from a node to PostgreSQL and back, between zones."""
    flush: float = 0.001
    """Seconds until a commit is on disk."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server has to bear each second, by what for."""

    parts: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    @property
    def most(self) -> str:
        """What the largest part is for."""
        return max(self.parts, key=lambda name: self.parts[name])


@dataclass(frozen=True, slots=True)
class Rates:
    """What happens each second in the whole installation."""

    joins: float
    rooms: float
    likes: float
    comments: float
    pages: float
    told: float
    """Messages that are published to rooms: counts, comments, views."""
    presence: float
    """Messages that tell who is here."""
    notices: float
    """Messages to one user."""
    nodes_of_room: float
    """Workers on which a room has watchers."""
    received: float
    """Messages that come to workers over the bus."""
    entries: float
    """Those of them that each watcher is told of; of the others a room's newest goes out once a second."""
    shown: float
    """Times that a worker tells a room of those others."""
    deliveries: float
    topics: float
    """That are followed, on all workers together."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What an installation of `connections` has to have."""

    connections: int
    machines: int
    workers: int
    rates: Rates
    node: Load
    """Cores."""
    redis: Load
    """Of one thread."""
    database: Load
    """Cores."""
    memory: float
    """Bytes on all nodes."""
    outwards: float
    """Bytes a second to clients."""
    bus: float
    """Bytes a second from Redis to nodes."""
    log: float
    """Bytes of WAL a second."""
    commits: float
    batch: float
    """Likes that one worker writes together."""
    channels: float
    database_connections: int
    shards: int
    lookups: float
    """Topics a second that PostgreSQL is asked for while there is no Redis."""
    blind: float
    """Cores of PostgreSQL that this takes."""


def workers_with(watchers: float, workers: int) -> float:
    """On how many workers a room has somebody, if people are spread by chance."""
    return workers * (1.0 - math.pow(1 - 1 / workers, watchers))


def hold(units: Units, machine: Machine, name: str, batch: float) -> float:
    """Seconds that a batch holds its rows: look, write, journal, commit; nobody else waits on these servers."""
    work = units[f"PostgreSQL: {name}"].of(batch) + units[f"node: {name}"].of(batch)
    return 4 * machine.round_trip + machine.flush + work / 1e6


def gathered(units: Units, machine: Machine, name: str, rate: float) -> float:
    """Commands that one lane writes together, when `rate` a second come to a worker with LANES of them.

    While a batch is under way the next one gathers: one, and whoever comes meanwhile.
    """
    each = rate / LANES
    fixed = hold(units, machine, name, 0)
    more = hold(units, machine, name, 1) - fixed
    if each * more >= 1:
        return float(BATCH_COMMANDS)
    return min((1 + each * fixed) / (1 - each * more), BATCH_COMMANDS)


def rates(connections: int, habits: Habits, workers: int) -> Rates:
    likes = connections / habits.each_like
    comments = connections / habits.each_comment
    rooms = connections / habits.each_room
    joins = connections / habits.session
    spread = workers_with(habits.watchers, workers)
    open_rooms = connections / habits.watchers
    told = likes + comments + rooms  # a view is a message as well
    changes = 2 * (rooms + joins)
    # Each worker tells of a room at most once a second.
    presence = min(changes, open_rooms * spread)
    notices = likes + comments
    each_second = min(changes / open_rooms, 1.0) + min(rooms / open_rooms, 1.0)
    return Rates(
        joins=joins,
        rooms=rooms,
        likes=likes,
        comments=comments,
        pages=connections / habits.each_page,
        told=told,
        presence=presence,
        notices=notices,
        nodes_of_room=spread,
        received=(told + presence) * spread + notices,
        entries=(likes + comments) * spread + notices,
        shown=each_second * open_rooms * spread,
        deliveries=(likes + comments) * habits.watchers + each_second * connections + notices,
        topics=connections + open_rooms * spread,
    )


def node_load(units: Units, machine: Machine, rate: Rates, connections: int, workers: int) -> Load:
    ping = read_settings({}).ping_interval
    like = "likes on many posts"
    comment = "comments on many posts"
    many = gathered(units, machine, like, rate.likes / workers)
    event = units["node: an event from the bus, in bursts"]
    replaced = units["node: an event from the bus that another replaces"].fixed
    parts = {
        "pings": connections / ping * units["node: a ping and its answer"].fixed,
        "joins": rate.joins * units["node: a join"].fixed,
        "commands": (2 * rate.rooms + rate.likes + rate.comments)
        * units["node: a command with its ack"].fixed,
        "writes": rate.likes * units[f"node: {like}"].of(many) / many
        + rate.comments * units[f"node: {comment}"].of(1)
        + rate.rooms * units["node: views of many posts"].of(1),
        "pages": rate.pages * units["node: a feed page over REST"].fixed,
        "bus": (rate.entries + rate.shown) * event.fixed
        + max(rate.received - rate.entries - rate.shown, 0.0) * replaced,
        "deliveries": rate.deliveries * event.each,
        "heads": (rate.topics * units["node: heads"].each + workers * units["node: heads"].fixed)
        / CHECK_SECONDS,
        "presence": (rate.topics - connections) / RENEW_SECONDS * units["node: who is here"].each
        + rate.presence * units["node: who is here"].each,
        "rest": workers * units["node: a worker without clients"].fixed,
    }
    return Load({name: each / 1e6 for name, each in parts.items()})


def redis_load(units: Units, rate: Rates, connections: int) -> Load:
    publish, limits = units["Redis: publish, in bursts"], units["Redis: limits"]
    presence = units["Redis: who is here"]
    commands = 2 * rate.rooms + rate.likes + rate.comments + rate.pages
    parts = {
        "counts and comments": rate.told * publish.of(rate.nodes_of_room),
        "who is here": rate.presence * (publish.of(rate.nodes_of_room) + presence.of(1))
        + (rate.topics - connections) / RENEW_SECONDS * presence.each,
        "notifications": rate.notices * publish.of(1),
        "limits": commands * limits.of(1),
        "subscriptions": (rate.joins + rate.rooms) * units["Redis: a lone subscription"].fixed,
    }
    return Load({name: each / 1e6 for name, each in parts.items()})


def database_load(units: Units, machine: Machine, rate: Rates, workers: int) -> Load:
    like = "likes on many posts"
    many = gathered(units, machine, like, rate.likes / workers)
    heads = units["PostgreSQL: heads"]
    parts = {
        "likes": rate.likes * units[f"PostgreSQL: {like}"].of(many) / many,
        "comments": rate.comments * units["PostgreSQL: comments on many posts"].of(1),
        "views": rate.rooms * units["PostgreSQL: views of many posts"].of(1),
        "pages": rate.pages * units["PostgreSQL: a feed page"].fixed,
        "joins": rate.joins * (units["PostgreSQL: those who connect"].of(1) + heads.of(1)),
        "heads": (rate.topics * heads.each + workers * heads.fixed) / CHECK_SECONDS,
    }
    return Load({name: each / 1e6 for name, each in parts.items()})


def needs(
    units: Units, connections: int, habits: Habits | None = None, machine: Machine | None = None
) -> Needs:
    """The smallest installation that bears it: with more workers each message goes to more of them."""
    habits, machine = habits or Habits(), machine or Machine()
    memory = connections * (units["node: memory of a connection"].fixed + machine.socket)
    for machines in range(machine.fewest, 100_000):
        workers = machines * machine.cores
        rate = rates(connections, habits, workers)
        node = node_load(units, machine, rate, connections, workers)
        outwards = rate.deliveries * machine.frame
        enough = (
            node.total <= workers * machine.busy,
            memory <= machines * machine.memory * machine.busy,
            outwards <= machines * machine.network * machine.busy,
        )
        if all(enough):
            break
    else:
        raise ValueError("no number of machines is enough")
    redis = redis_load(units, rate, connections)
    heads = units["PostgreSQL: heads"]
    batch = gathered(units, machine, "likes on many posts", rate.likes / workers)
    each = min(DATABASE_CONNECTIONS, MACHINE_CONNECTIONS // machine.cores)
    return Needs(
        connections=connections,
        machines=machines,
        workers=workers,
        rates=rate,
        node=node,
        redis=redis,
        database=database_load(units, machine, rate, workers),
        memory=memory,
        outwards=outwards,
        bus=rate.received * machine.message,
        log=rate.likes * units["WAL: likes on many posts"].of(batch) / batch
        + rate.comments * units["WAL: comments on many posts"].of(1)
        + rate.rooms * units["WAL: views of many posts"].of(1),
        commits=rate.likes / batch + rate.comments + rate.rooms,
        batch=batch,
        channels=rate.topics,
        database_connections=workers * each,
        shards=max(
            math.ceil(redis.total / machine.redis_busy),
            math.ceil(rate.received * machine.message / (machine.network * machine.redis_busy)),
        ),
        lookups=rate.topics / CHECK_SECONDS_IN_DOUBT,
        blind=(rate.topics * heads.each + workers * heads.fixed) / CHECK_SECONDS_IN_DOUBT / 1e6,
    )


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of one thing is used: `share` of a single one, and whether more of them help."""

    name: str
    share: float
    spreads: bool
    remedy: str


def limits(needed: Needs, machine: Machine | None = None) -> list[Limit]:
    """The tightest first: what gives way first if there is one of each, planned as `machine` says."""
    machine = machine or Machine()
    found = [
        Limit(
            "a node's cores", needed.node.total / (machine.cores * machine.busy), True, "machines"
        ),
        Limit("a node's memory", needed.memory / (machine.memory * machine.busy), True, "machines"),
        Limit(
            "a node's network", needed.outwards / (machine.network * machine.busy), True, "machines"
        ),
        Limit("Redis's thread", needed.redis.total / machine.redis_busy, True, "shards"),
        Limit(
            "Redis's network", needed.bus / (machine.network * machine.redis_busy), True, "shards"
        ),
        Limit(
            "PostgreSQL's cores",
            needed.database.total / (machine.database_cores * machine.busy),
            False,
            "batches grow; replicas for pages and heads",
        ),
        Limit(
            "PostgreSQL's connections",
            needed.database_connections / machine.database_connections,
            False,
            "a pooler",
        ),
    ]
    return sorted(found, key=lambda each: -each.share)


def assumed(of: Habits | Machine) -> Iterator[tuple[str, float]]:
    """The names and values of what is assumed."""
    for each in fields(of):
        yield each.name, getattr(of, each.name)
