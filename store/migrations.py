"""Schema migrations: append-only files in dbmate's format, applied in order under an advisory lock.

A file is `sql/migrations/<version>_<name>.sql`; what stands above `-- migrate:down` is applied. The
database remembers each file's checksum, and a start refuses what does not fit: a gap, a changed file,
or a schema that is newer than the code.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg
import msgspec
import structlog

from store.database import Reader
from store.queries import SQL

FOLDER = SQL / "migrations"
_log = structlog.get_logger(__name__)

_LOCK = 0x7665726E  # "vern": one migrator at a time
_UP, _DOWN = "-- migrate:up", "-- migrate:down"

_TABLE = """
create table if not exists schema_migrations (
    version text primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now()
)
"""

_APPLIED = "select version, checksum from schema_migrations order by version"


class SchemaError(Exception):
    """The database's schema does not fit this code; the message says what to do."""


class Migration(msgspec.Struct, frozen=True):
    """One file: its version, its name, the SQL that applies it, and the checksum of the whole file."""

    version: str
    name: str
    up: str
    checksum: str


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """All migrations in order of version. Raises SchemaError for a file that is not in the format."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        version, _, name = path.stem.partition("_")
        text = path.read_text(encoding="utf-8")
        up, down, _ = text.partition(_DOWN)
        if not version.isdigit() or not name or not up.startswith(_UP) or not down:
            raise SchemaError(f"{path.name}: not a migration in dbmate's format")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        found.append(Migration(version, name, up.removeprefix(_UP), checksum))
    if len({migration.version for migration in found}) != len(found):
        raise SchemaError(f"{folder}: a version stands twice")
    return found


def pending(
    migrations: Sequence[Migration], applied: Sequence[tuple[str, str]]
) -> Sequence[Migration]:
    """The migrations still to be applied, given `(version, checksum)` of those that are, in order.

    Raises SchemaError where what is applied is not exactly a beginning of what there is.
    """
    for migration, (version, checksum) in zip(migrations, applied, strict=False):
        if version > migration.version:
            raise SchemaError(
                f"migration {migration.version}_{migration.name} was skipped: "
                f"{version} is applied already, and migrations are only ever appended"
            )
        if version != migration.version:
            raise SchemaError(f"migration {version} is applied, but its file is gone")
        if checksum != migration.checksum:
            raise SchemaError(
                f"migration {migration.version}_{migration.name} was changed after it was applied: "
                "restore the file and append a new one"
            )
    if len(applied) > len(migrations):
        raise SchemaError(
            f"the database is at {applied[-1][0]}, newer than this code: upgrade the code first"
        )
    return migrations[len(applied) :]


async def migrate(url: str) -> list[str]:
    """Bring the database up to date; the versions that were applied now. One migrator at a time.

    What a migration warns of is logged: it was applied, and somebody has to do the rest.
    """
    migrations = read_migrations()
    connection = await asyncpg.connect(url)
    try:
        connection.add_log_listener(_pass_on)
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        due = pending(migrations, await _applied(connection))
        for migration in due:
            async with connection.transaction():
                await connection.execute(migration.up)
                await connection.execute(
                    "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)",
                    migration.version,
                    migration.name,
                    migration.checksum,
                )
        return [migration.version for migration in due]
    finally:
        await connection.close()


def _pass_on(connection: object, message: asyncpg.PostgresLogMessage) -> None:
    if message.severity_en == "WARNING":
        _log.warning(message.message)


async def check_schema(url: str) -> None:
    """Raises SchemaError unless the database's schema is exactly the one this code was written for."""
    connection = await asyncpg.connect(url)
    try:
        exists = await connection.fetchval("select to_regclass('schema_migrations') is not null")
        applied = await _applied(connection) if exists else []
    finally:
        await connection.close()
    if due := pending(read_migrations(), applied):
        raise SchemaError(f"{len(due)} migrations are due: run `vernissage migrate`")


def schema_watch(database: Reader) -> Callable[[], Awaitable[bool]]:
    """Gives what tells, as of now, whether everything is applied that this code was written for.

    Later migrations, of a newer code that is being deployed, do not matter to a node that runs already.
    """
    expected = [(migration.version, migration.checksum) for migration in read_migrations()]

    async def fits() -> bool:
        try:
            rows = await database.fetch(_APPLIED)
        except asyncpg.UndefinedTableError:
            return False
        return [(row["version"], row["checksum"]) for row in rows[: len(expected)]] == expected

    return fits


async def _applied(connection: "asyncpg.Connection[asyncpg.Record]") -> list[tuple[str, str]]:
    rows = await connection.fetch(_APPLIED)
    return [(row["version"], row["checksum"]) for row in rows]
