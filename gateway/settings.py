"""Settings: read from the environment once, at start, and refused there if they cannot be meant."""

import ipaddress
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import Field, dataclass, field, fields, replace
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from gateway.redaction import HIDDEN, redact
from gateway.startup import CannotStart, make_folder
from pubsub import check_url

PREFIX = "VERNISSAGE_"
SHARED_KEY = "HS256"
KEY_PAIRS = ("RS256", "ES256", "EdDSA")
SECRET_BYTES = 32
"""RFC 7518 § 3.2: an HS256 key is no shorter than the hash."""

MOST_WORKERS = 40
"""On one machine: each of them needs a few of PostgreSQL's connections."""

N = TypeVar("N", int, float)


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value

    return parse


def _between(low: N, high: N, what: str) -> Callable[[str], N]:
    def parse(value: str) -> N:
        try:
            number = type(low)(value)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise ValueError(f"{what} between {low:,} and {high:,}")
        return number

    return parse


_port = _between(0, 65_535, "a port")
_workers = _between(1, MOST_WORKERS, "processes")
_seconds = _between(0.05, 3_600.0, "seconds")


def _anonymous(value: str) -> bool:
    return _one_of("allow", "deny")(value) == "allow"


def _rate_limits(value: str) -> float | None:
    if value in ("on", "off"):
        return 1.0 if value == "on" else None
    return _between(0.001, 1e9, "on, off, or a factor")(value)


def _cap(value: str) -> int | None:
    return None if value == "off" else _between(1, 1_000_000, "off, or a number")(value)


def _list(value: str) -> list[str]:
    return [each.strip() for each in value.split(",") if each.strip()]


def _is_origin(value: str) -> bool:
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and value == f"{parts.scheme}://{parts.netloc}"


def _origin(value: str) -> str:
    if not _is_origin(value):
        raise ValueError("scheme, host and port, such as http://10.0.0.5:8080")
    return value


def _origins(value: str) -> tuple[str, ...]:
    if not all(map(_is_origin, _list(value))):
        raise ValueError("exact origins such as https://example.org, with commas between")
    return tuple(_list(value))


def _networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(each) for each in _list(value))
    except ValueError:
        raise ValueError("addresses or networks such as 10.0.0.0/8, with commas between") from None


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        try:
            parts = urlsplit(value)
            right = parts.scheme in schemes and parts.port != 0
        except ValueError:
            right = False
        if not right:
            raise ValueError("a URL such as " + " or ".join(f"{each}://…" for each in schemes))
        return value

    return parse


def _redis(value: str) -> str:
    check_url(value)
    return value


def _jwks(value: str) -> str:
    if not value.startswith(("https://", "http://")) and not Path(value).is_file():
        raise ValueError("a URL, or the path of a file that is there")
    return value


def _secret(value: str) -> str:
    if len(value.encode()) < SECRET_BYTES or len(set(value)) < 8:
        raise ValueError(
            f"{SECRET_BYTES} random bytes or more, as `openssl rand -hex 32` makes them"
        )
    return value


def _optional(parse: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: parse(value) if value else ""


Read = Mapping[str, Any]
"""The settings that stand further up, already read."""


def _setting(
    name: str,
    parse: Callable[[str], Any],
    default: str | Callable[[Read], str],
    *,
    secret: bool = False,
) -> Any:
    """A field that comes from the variable `name`, its default written as one would set it."""
    metadata = {"name": name, "parse": parse, "default": default, "secret": secret}
    return field(metadata=metadata, repr=not secret and not name.endswith("_URL"))


def _cores(read: Read) -> str:
    """One worker for each core that this process may use."""
    return str(min(len(os.sched_getaffinity(0)), MOST_WORKERS))


def _by_env(*, dev: str, production: str) -> Callable[[Read], str]:
    return lambda read: production if read["env"] == "production" else dev


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment asks for; each setting is explained in `.env.example`."""

    env: str = _setting("VERNISSAGE_ENV", _one_of("dev", "production"), "dev")
    database_url: str = _setting("DATABASE_URL", _optional(_url("postgresql", "postgres")), "")
    """Empty, in dev, until the embedded server runs."""
    database_direct_url: str = _setting(
        "DATABASE_DIRECT_URL", _optional(_url("postgresql", "postgres")), ""
    )
    """Past the pooler that the others lead through; empty: there is none."""
    database_replica_url: str = _setting(
        "DATABASE_REPLICA_URL", _optional(_url("postgresql", "postgres")), ""
    )
    """A standby of that database, to read from; empty: there is none."""
    redis_url: str = _setting("REDIS_URL", _optional(_redis), "")
    """Empty, in dev, until the embedded server runs."""
    host: str = _setting("VERNISSAGE_HOST", str, _by_env(dev="127.0.0.1", production="0.0.0.0"))  # noqa: S104
    port: int = _setting("VERNISSAGE_PORT", _port, "8080")
    """0: any free one."""
    admin_port: int = _setting(
        "VERNISSAGE_ADMIN_PORT", _port, lambda read: str(read["port"] and read["port"] + 1)
    )
    """0: any free one."""
    admin_host: str = _setting("VERNISSAGE_ADMIN_HOST", str, "127.0.0.1")
    workers: int = _setting("VERNISSAGE_WORKERS", _workers, _cores)
    node_url: str = _setting("VERNISSAGE_NODE_URL", _optional(_origin), "")
    """Where other machines reach this one's public port; empty: they do not."""
    cluster_secret: str = _setting("VERNISSAGE_CLUSTER_SECRET", _optional(_secret), "", secret=True)
    """The same on all machines that forward to each other."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = _setting(
        "VERNISSAGE_TRUSTED_PROXIES", _networks, ""
    )
    data_dir: Path = _setting("VERNISSAGE_DATA_DIR", Path, "var")  # noqa: RUF009
    jwt_algorithm: str = _setting(
        "VERNISSAGE_JWT_ALGORITHM", _one_of(SHARED_KEY, *KEY_PAIRS), SHARED_KEY
    )
    jwt_secret: str = _setting("VERNISSAGE_JWT_SECRET", _optional(_secret), "", secret=True)
    """For HS256; empty for the others."""
    jwt_jwks: str = _setting("VERNISSAGE_JWT_JWKS", _optional(_jwks), "")
    """A path or a URL, for RS256, ES256 and EdDSA; empty for HS256."""
    jwt_issuer: str = _setting("VERNISSAGE_JWT_ISSUER", str, "vernissage")
    jwt_audience: str = _setting("VERNISSAGE_JWT_AUDIENCE", str, "vernissage")
    anonymous: bool = _setting("VERNISSAGE_ANONYMOUS", _anonymous, "allow")
    """Whether visitors without a token may come in."""
    cors_origins: tuple[str, ...] = _setting("VERNISSAGE_CORS_ORIGINS", _origins, "")
    """Besides the gateway's own."""
    ping_interval: float = _setting("VERNISSAGE_PING_INTERVAL", _seconds, "25")
    """Seconds."""
    ping_timeout: float = _setting("VERNISSAGE_PING_TIMEOUT", _seconds, "10")
    """Seconds."""
    max_payload: int = _setting(
        "VERNISSAGE_MAX_PAYLOAD", _between(1_024, 1 << 20, "bytes"), "16384"
    )
    """Bytes of one socket message."""
    rate_limits: float | None = _setting("VERNISSAGE_RATE_LIMITS", _rate_limits, "on")
    """The factor on every ceiling; None: no limits."""
    sockets_per_user: int | None = _setting("VERNISSAGE_SOCKETS_PER_USER", _cap, "20")
    """None: no cap."""
    sockets_per_address: int | None = _setting("VERNISSAGE_SOCKETS_PER_ADDRESS", _cap, "off")
    """None: no cap."""
    connects_per_second: int | None = _setting("VERNISSAGE_CONNECTS_PER_SECOND", _cap, "500")
    """Of one worker. None: as many as come."""
    webhook_key: str = _setting("VERNISSAGE_WEBHOOK_KEY", _optional(_secret), "", secret=True)
    """Seals the secrets of webhooks; empty: this machine tells no endpoint anything."""
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = _setting(
        "VERNISSAGE_WEBHOOK_NETWORKS", _networks, _by_env(dev="127.0.0.0/8,::1", production="")
    )
    """Where webhooks may go besides public addresses."""
    log_format: str = _setting(
        "VERNISSAGE_LOG_FORMAT",
        _one_of("json", "console"),
        _by_env(dev="console", production="json"),
    )
    sentry_dsn: str = _setting(
        "VERNISSAGE_SENTRY_DSN", _optional(_url("https", "http")), "", secret=True
    )
    """Where errors are told; empty: nowhere."""
    otlp_endpoint: str = _setting("VERNISSAGE_OTLP_ENDPOINT", _optional(_origin), "")
    """Where traces are told; empty: nowhere."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each field's value comes from."""

    @property
    def session_url(self) -> str:
        """Where a connection to the database is a session of one's own."""
        return self.database_direct_url or self.database_url

    @property
    def production(self) -> bool:
        return self.env == "production"

    def environment(self) -> dict[str, str]:
        """The variables by which another process gets what was filled in here."""
        return {
            each.metadata["name"]: str(getattr(self, each.name))
            for each in _VARIABLES
            if self.sources[each.name] not in ("environment", "default")
        }

    def filled(self, source: str, **values: Any) -> "Settings":
        """These settings with some values that `source` gave."""
        sources = {**self.sources, **dict.fromkeys(values, source)}
        return replace(self, **values, sources=sources)


_VARIABLES = [each for each in fields(Settings) if each.metadata]


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings that `environ` asks for; an empty variable counts as one that is not there.

    Raises CannotStart for a value that is not right, and for values that contradict each other.
    """
    read: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for each in _VARIABLES:
        name, default = each.metadata["name"], each.metadata["default"]
        value = environ.get(name, "")
        sources[each.name] = "environment" if value else "default"
        try:
            if not value:
                value = default(read) if callable(default) else default
            read[each.name] = each.metadata["parse"](value)
        except ValueError as error:
            shown = HIDDEN if each.metadata["secret"] else repr(redact(value))
            raise CannotStart(f"{name} is {shown}; it takes {error}") from None
    settings = Settings(**read, sources=sources)
    _refuse_two_kinds_of_key(settings)
    _refuse_ways_to_nothing(settings)
    if bool(settings.node_url) != bool(settings.cluster_secret):
        raise CannotStart(
            "VERNISSAGE_NODE_URL and VERNISSAGE_CLUSTER_SECRET go together: give both, or neither"
        )
    return settings


def _refuse_ways_to_nothing(settings: Settings) -> None:
    if settings.database_direct_url and not settings.database_url:
        raise CannotStart("DATABASE_DIRECT_URL is another way to DATABASE_URL: give that, too")
    if settings.database_replica_url and not settings.database_url:
        raise CannotStart("DATABASE_REPLICA_URL is a replica of DATABASE_URL: give that, too")
    if settings.database_replica_url and settings.database_replica_url == settings.database_url:
        raise CannotStart(
            "DATABASE_REPLICA_URL is the same as DATABASE_URL: give a standby's, or none"
        )


def _refuse_two_kinds_of_key(settings: Settings) -> None:
    """With two kinds at hand a token could be checked with the wrong one (RFC 8725 § 2.1)."""
    if settings.jwt_algorithm == SHARED_KEY:
        if settings.jwt_jwks:
            raise CannotStart(
                f"VERNISSAGE_JWT_JWKS is for {', '.join(KEY_PAIRS)}, and VERNISSAGE_JWT_ALGORITHM is"
                f" {SHARED_KEY}: set the algorithm, or drop the JWKS"
            )
    elif settings.jwt_secret:
        raise CannotStart(
            f"VERNISSAGE_JWT_SECRET is for {SHARED_KEY}, and VERNISSAGE_JWT_ALGORITHM is"
            f" {settings.jwt_algorithm}: drop the secret, and give VERNISSAGE_JWT_JWKS"
        )
    elif not settings.jwt_jwks:
        raise CannotStart(
            f"VERNISSAGE_JWT_ALGORITHM is {settings.jwt_algorithm} without VERNISSAGE_JWT_JWKS:"
            " give the path or the URL of the public keys"
        )


def unknown_settings(environ: Mapping[str, str] = os.environ) -> list[str]:
    """One line for each variable that looks like a setting and is none."""
    names = [each.metadata["name"] for each in _VARIABLES]
    lines = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in names:
            near = get_close_matches(name, names, 1)
            lines.append(f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else ""))
    return lines


def check_for_production(settings: Settings) -> None:
    """Raises CannotStart where a production server has been left something to guess."""
    needed = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    if settings.jwt_algorithm == SHARED_KEY:
        needed["VERNISSAGE_JWT_SECRET"] = settings.jwt_secret
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise CannotStart(f"in production {' and '.join(missing)} must be given")


def with_own_secret(settings: Settings, *, make: bool = True) -> Settings:
    """For dev: secrets made once and kept in DATA_DIR, so that tokens and webhooks outlive a restart."""
    if settings.production:
        return settings
    wanted = {"webhook_key": "webhook-key"}
    if settings.jwt_algorithm == SHARED_KEY:
        wanted["jwt_secret"] = "jwt-secret"  # noqa: S105 (a file's name)
    for field_name, file in wanted.items():
        if not getattr(settings, field_name):
            path = settings.data_dir / file
            if (secret := _own_secret(path, make=make)) is not None:
                settings = settings.filled(f"generated, in {path}", **{field_name: secret})
    return settings


def _own_secret(path: Path, *, make: bool) -> str | None:
    try:
        if not path.exists():
            if not make:
                return None
            make_folder(path.parent)
            _write_once(path, secrets.token_hex(SECRET_BYTES))
        return _secret(path.read_text().strip())
    except OSError as error:
        raise CannotStart(f"DATA_DIR cannot be used: {error.strerror}: {path}") from error
    except ValueError as error:
        raise CannotStart(f"{path} is damaged; it takes {error}: delete it for a new one") from None


def _write_once(path: Path, text: str) -> None:
    """Put `text` into `path` (0600) whole, unless another start was faster."""
    whole = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    whole.touch(mode=0o600)
    whole.write_text(f"{text}\n")
    with suppress(FileExistsError):
        os.link(whole, path)
    whole.unlink()


def without_secrets(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`environ` for a program that is not ours: the gateway's secrets are none of its business."""
    secret = {each.metadata["name"] for each in _VARIABLES if each.metadata["secret"]}
    return {name: value for name, value in environ.items() if name not in secret}


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """Each setting's name, value and source, for people to read: nothing secret is in it."""
    return [
        (each.metadata["name"], _shown(each, settings), settings.sources[each.name])
        for each in _VARIABLES
    ]


def _shown(variable: Field[Any], settings: Settings) -> str:
    value = getattr(settings, variable.name)
    if variable.metadata["secret"]:
        return HIDDEN if value else "(none)"
    if variable.name == "anonymous":
        return "allow" if value else "deny"
    if value is None:
        return "off"
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    return redact(str(value)) or "(none)"
