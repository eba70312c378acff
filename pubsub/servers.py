"""Which Redis an address means: a server, the master that sentinels name, or a cluster of shards.

    redis://user:password@host:6379/0
    redis+sentinel://user:password@host:26379,host:26379/name/0
    redis+cluster://user:password@host:6379,host:6379

Each with `rediss` instead of `redis` for TLS; certificates are checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import Connection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

Host = tuple[str, int]
"""Where a server listens."""

REDIS_PORT = 6379
"""Where a server listens, if the URL does not say."""
SENTINEL_PORT = 26379
"""Where a sentinel does."""
FORMS = (
    "redis://user:password@host:6379/0,"
    " redis+sentinel://user:password@host:26379,host:26379/name,"
    " or redis+cluster://user:password@host:6379,host:6379;"
    " with TLS rediss://, rediss+sentinel:// or rediss+cluster://"
)
"""What a URL may look like, for people."""
_FILES = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
_SENTINEL_ACCOUNT = {"sentinel_username": "username", "sentinel_password": "password"}


class Kind(Enum):
    """How the servers belong together, as the URL's scheme says."""

    ONE = ""
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Servers:
    """What a URL says of them; `name` is what sentinels call the master."""

    kind: Kind
    hosts: tuple[Host, ...]
    tls: bool
    options: Mapping[str, Any] = field(repr=False)
    """Of every connection."""
    name: str = ""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def known_as(self) -> str:
        """What the log calls them."""
        return self.name or ",".join(f"{host}:{port}" for host, port in self.hosts)

    def pool(
        self, host: Host, read_seconds: float | None, connect_seconds: float
    ) -> ConnectionPool:
        """Connections to one server, each of which fails at once for good."""
        return ConnectionPool(
            connection_class=SSLConnection if self.tls else Connection,
            host=host[0],
            port=host[1],
            **self.options,
            **_impatient(read_seconds, connect_seconds),
        )

    async def connect(
        self, host: Host, read_seconds: float | None, connect_seconds: float
    ) -> Connection:
        """A connection to one server, open. Raises RedisError or OSError."""
        pool = self.pool(host, read_seconds, connect_seconds)
        connection: Connection = pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    def master_pool(self, read_seconds: float | None, connect_seconds: float) -> ConnectionPool:
        """Connections to the master that the sentinels name as each is opened."""
        return SentinelConnectionPool(  # type: ignore[no-untyped-call]
            self.name,
            _Sentinels(self, connect_seconds),
            ssl=self.tls,
            **self.options,
            **_impatient(read_seconds, connect_seconds),
        )

    async def master(self, seconds: float) -> Host:
        """Who is the master, as the first sentinel says that knows. Raises RedisError."""
        failures = []
        for host in self.hosts:
            try:
                found = await self._ask(host, seconds)
            except (RedisError, OSError) as error:
                failures.append(f"{host[0]}:{host[1]}: {why(error)}")
                continue
            if found is not None:
                return found[0].decode(), int(found[1])
            failures.append(f"{host[0]}:{host[1]}: unknown")
        raise RedisConnectionError(
            f"no sentinel names the master {self.name}: {'; '.join(failures)}"
        )

    async def _ask(self, sentinel: Host, seconds: float) -> Any:
        connection = await replace(self, options=self.sentinel_options).connect(
            sentinel, seconds, seconds
        )
        try:
            await connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)
            return await connection.read_response()
        finally:
            await connection.disconnect(nowait=True)


@dataclass(frozen=True, slots=True)
class _Sentinels:
    """What redis-py's pool asks for the master."""

    servers: Servers
    seconds: float

    async def discover_master(self, _: str) -> Host:
        return await self.servers.master(self.seconds)


def why(error: BaseException) -> str:
    """What went wrong, in words; redis-py's `repr` says no more than the class."""
    return f"{type(error).__name__}: {error}"


def _impatient(read_seconds: float | None, connect_seconds: float) -> dict[str, Any]:
    return {
        "protocol": 2,
        "driver_info": None,  # it would tell the server about itself, for which an account needs leave
        "socket_timeout": read_seconds,
        "socket_connect_timeout": connect_seconds,
        "retry": Retry(NoBackoff(), 0),
    }


def servers_at(url: str) -> Servers:
    """What the URL means. Raises ValueError, with what it takes to be right."""
    parts = urlsplit(url)
    scheme, _, kind_name = parts.scheme.partition("+")
    try:
        kind = Kind(kind_name)
        if scheme not in ("redis", "rediss") or parts.scheme.endswith("+"):
            raise ValueError
        hosts = _hosts(parts, SENTINEL_PORT if kind is Kind.SENTINEL else REDIS_PORT)
    except ValueError:
        raise ValueError(f"a URL such as {FORMS}") from None
    if kind is Kind.ONE and len(hosts) > 1:
        raise ValueError("one host; several are redis+cluster://… or redis+sentinel://…")
    tls = scheme == "rediss"
    name, database = _path(parts.path, kind)
    account = _account(parts)
    files, sentinel_account = _query(parts.query, kind, tls=tls)
    return Servers(
        kind,
        hosts,
        tls,
        {**account, **files, "db": database},
        name,
        {**sentinel_account, **files},
    )


def _hosts(parts: SplitResult, port: int) -> tuple[Host, ...]:
    """Raises ValueError."""
    found = []
    for each in parts.netloc.rpartition("@")[2].split(","):
        one = urlsplit(f"//{each}")
        if not one.hostname or one.port == 0:
            raise ValueError
        found.append((unquote(one.hostname), one.port or port))
    return tuple(found)


def _account(parts: SplitResult) -> dict[str, str]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    if given["username"] and not given["password"]:
        raise ValueError("a password where there is a user, as in redis://user:password@host")
    return {name: value for name, value in given.items() if value}


def _path(path: str, kind: Kind) -> tuple[str, int]:
    """What sentinels call the master, and the number of the database."""
    steps = path.strip("/").split("/") if path.strip("/") else []
    name = ""
    if kind is Kind.SENTINEL:
        if not steps:
            raise ValueError("what the sentinels call the master, as in redis+sentinel://host/name")
        name = unquote(steps.pop(0))
    number = steps.pop(0) if steps else "0"
    if steps or not (number.isascii() and number.isdigit()):
        raise ValueError(f"no more after the host{'s' * (kind is not Kind.ONE)} than /0")
    if kind is Kind.CLUSTER and int(number):
        raise ValueError("no database but 0 in a cluster")
    return name, int(number)


def _query(query: str, kind: Kind, *, tls: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Files for TLS, and the account with the sentinels."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    files = {name: value for name, value in given.items() if tls and name in _FILES}
    account = {
        _SENTINEL_ACCOUNT[name]: value
        for name, value in given.items()
        if kind is Kind.SENTINEL and name in _SENTINEL_ACCOUNT
    }
    known = [
        *(sorted(_FILES) if tls else []),
        *(_SENTINEL_ACCOUNT if kind is Kind.SENTINEL else []),
    ]
    if unknown := sorted(given.keys() - set(known)):
        raise ValueError(
            f"nothing like ?{unknown[0]}= here; "
            + (f"there are {', '.join(known)}" if known else "such files are for rediss://")
        )
    for name, file in files.items():
        if not Path(file).is_file():
            raise ValueError(f"a file that is there as {name}")
    if "ssl_keyfile" in files and "ssl_certfile" not in files:
        raise ValueError("ssl_certfile with ssl_keyfile")
    return files, account
