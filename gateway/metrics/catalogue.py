"""Every metric there is, as data. docs/operations.md, deploy/ and the operator's page are held against it.

Names follow Prometheus' own rules. No label has a value that a client may choose.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from gateway.metrics.counts import DELAYS

PREFIX = "vernissage_"
BATCH_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
LAGS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)

Together = Callable[[Iterable[float]], float]


class Kind(Enum):
    """What may be asked of it: a gauge's value, how fast a counter rises, a histogram's quantiles."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """`told` says in a line what it tells; `together` makes one gauge of several workers' ones."""

    name: str
    kind: Kind
    told: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    together: Together = sum


def _counter(name: str, told: str, *labels: str) -> Metric:
    return Metric(f"{PREFIX}{name}_total", Kind.COUNTER, told, labels)


def _gauge(name: str, told: str, *labels: str, together: Together = sum) -> Metric:
    return Metric(PREFIX + name, Kind.GAUGE, told, labels, together=together)


def _histogram(name: str, told: str, *labels: str, bounds: tuple[float, ...] = DELAYS) -> Metric:
    return Metric(PREFIX + name, Kind.HISTOGRAM, told, labels, bounds)


CONNECTIONS = _gauge("connections", "Clients that are connected.", "transport")
CONNECTIONS_ENDED = _counter(
    "connections_ended", "Connections that ended; `slow_consumer` is a reader too slow.", "reason"
)
TURNED_AWAY = _counter(
    "turned_away", "New connections answered 503: more at once than a worker lets in."
)
JOINS = _counter("joins", "Clients that asked to come in: `ok`, or the refusal's code.", "outcome")
JOIN_SECONDS = _histogram("join_seconds", "From a client's CONNECT to the answer.")
COMMANDS = _counter(
    "commands", "Commands over sockets: `ok`, or the refusal's code.", "operation", "outcome"
)
COMMAND_SECONDS = _histogram(
    "command_seconds", "From a command's turn to its ack, commit included.", "operation"
)
REQUESTS = _counter(
    "requests", "Requests over HTTP; pages and files are `other`.", "operation", "status"
)
REQUEST_SECONDS = _histogram("request_seconds", "From a request's head to its answer.", "operation")

EVENTS = _counter(
    "events", "Messages for watchers: committed `here`, or come over the `bus`.", "origin"
)
DELIVERIES = _counter("deliveries", "Messages written to a watcher: each counts once per watcher.")
FLUSHES = _counter("flushes", "Rounds in which a topic's watchers got what was due.")
DELIVERY_SECONDS = _histogram(
    "delivery_seconds",
    "From an entry's stamp in the journal (the database's clock) until the last watcher on the "
    "worker has been written to.",
)
TOPICS = _gauge("topics", "Topics that are followed, with their watchers or without any more.")

HEADS_BEHIND = _gauge(
    "heads_behind", "Topics that lay behind the journal at the last comparison, every 3 seconds."
)
ENTRIES_BEHIND = _gauge("entries_behind", "Entries that these topics lacked.")
GAPS_FILLED = _counter("gaps_filled", "Times that missing entries were fetched from the journal.")
TOPICS_STARTED_OVER = _counter(
    "topics_started_over", "Times that a gap could not be filled, and all watchers came back."
)
REPLAYS = _counter(
    "replays",
    "Positions that clients came back with: told from the `ring` in memory or from the `journal`, "
    "or `refused`, so that they read afresh.",
    "source",
)

BATCH_COMMANDS = _histogram(
    "batch_commands", "Commands that were written together.", "batch", bounds=BATCH_SIZES
)
BATCH_WAIT_SECONDS = _histogram(
    "batch_wait_seconds", "How long a batch's oldest command had waited for it.", "batch"
)
BATCH_SECONDS = _histogram("batch_seconds", "How long writing a batch took.", "batch")
POOL_WAIT_SECONDS = _histogram("pool_wait_seconds", "Waiting for a connection to PostgreSQL.")
POOL_CONNECTIONS = _gauge(
    "pool_connections", "Connections to PostgreSQL: `busy`, `idle`, and `most` allowed.", "state"
)
DATABASE_FAILURES = _counter(
    "database_failures", "Times that PostgreSQL could not be reached, and a caller was refused."
)

REPLICA_FIT = _gauge(
    "replica_fit",
    "0 while a worker does not read from the replica that it has, else 1.",
    together=min,
)
READS = _counter(
    "reads",
    "With a replica: queries that it answered, and queries that the `primary` answered in its place.",
    "server",
)
REPLICA_WAIT_SECONDS = _histogram(
    "replica_wait_seconds", "How long a read waited until the replica was as far as the primary."
)

REDIS_UP = _gauge(
    "redis_up",
    "1 while every worker has Redis, all its shards, for its `bus`, `limits` and `presence`, else 0.",
    "use",
    together=min,
)
BUS_PUBLISHED = _counter("bus_published", "Messages that Redis took.")
BUS_DROPPED = _counter("bus_dropped", "Messages dropped because too many waited for Redis.")
BUS_WAITING = _gauge("bus_waiting", "Messages that wait for Redis.")
BUS_LOST = _counter(
    "bus_lost", "Times that the line to Redis was lost: `broken`, or `deaf`, without a word.", "why"
)
BUS_RECONNECTS = _counter("bus_reconnects", "Times that it came back, with all subscriptions.")

CONSUMER_ENTRIES_BEHIND = _gauge(
    "consumer_entries_behind",
    "Entries of the journal before a consumer, counted up to 10,000, wanted or not.",
    "consumer",
    together=max,
)
CONSUMER_SECONDS_BEHIND = _gauge(
    "consumer_seconds_behind", "The age of the first of them.", "consumer", together=max
)
CONSUMER_STOPPED = _gauge(
    "consumer_stopped",
    "1 where a consumer cannot go on before somebody places it anew, else 0.",
    "consumer",
    together=max,
)
CONSUMERS_HELD_UP_SECONDS = _gauge(
    "consumers_held_up_seconds",
    "How long the oldest entry has waited that no consumer may read yet, since an older transaction is open.",
    together=max,
)
WEBHOOK_DELIVERIES = _counter(
    "webhook_deliveries",
    "Messages to webhooks: `delivered`, `failed` and tried again, or `dead`.",
    "outcome",
)
WEBHOOK_SECONDS = _histogram("webhook_seconds", "From a request to a webhook to its answer.")
WEBHOOK_MESSAGES = _gauge(
    "webhook_messages", "Messages to webhooks that are `waiting`, or `dead`.", "state", together=max
)
WEBHOOK_ENDPOINTS = _gauge(
    "webhook_endpoints",
    "Webhooks that are `active`, `failing` for now, or `disabled`.",
    "state",
    together=max,
)

JOBS = _counter("jobs", "Jobs: `done`, `put_off` or `failed`.", "job", "outcome")
LOOP_LAG_SECONDS = _histogram(
    "loop_lag_seconds", "How late a worker's loop came to what was due.", bounds=LAGS
)
WORKER_CONNECTIONS = _gauge("worker_connections", "Clients connected to a worker.", "worker")
WORKER_CPU_SECONDS = _counter("worker_cpu_seconds", "CPU time that a worker has used.", "worker")
WORKER_RESIDENT_BYTES = _gauge("worker_resident_bytes", "Memory that a worker holds.", "worker")
WORKER_TASKS = _gauge("worker_tasks", "Tasks of a worker's loop that are under way.", "worker")

MACHINES = _gauge(
    "machines",
    "Machines that find each other in the database; 1 without `VERNISSAGE_NODE_URL`.",
    together=max,
)
WORKERS = _gauge("workers", "Workers that this machine should have.")
WORKERS_READY = _gauge("workers_ready", "Workers that serve.")
WORKER_DEATHS = _counter("worker_deaths", "Workers that ended though nobody had asked them to.")
BUILD_INFO = _gauge("build_info", "Always 1.", "version", "node")

METRICS = tuple(each for each in globals().values() if isinstance(each, Metric))
BY_NAME = {metric.name: metric for metric in METRICS}
