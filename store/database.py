"""The connection to PostgreSQL: a pool, transactions, and what a committed transaction publishes."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Protocol, TypeVar

import asyncpg
import stamina
import structlog

from store.journal.entries import Entry, Ephemeral, NewEntry, append, blank, blank_topics
from store.pulse import GONE, Pulse
from store.refusal import Refusal
from store.turns import Turns

T = TypeVar("T")
Sink = Callable[[Sequence[Entry | Ephemeral]], None]

ACQUIRE_SECONDS = 2.0
"""Within which there has to be a connection, or the database counts as away."""
COMMAND_SECONDS = 10.0
"""Within which a statement has to be answered, by a database that is alive."""
CONNECT_SECONDS = 5.0
"""Within which a connection has to be opened."""
LOCK_MILLISECONDS = 2_000
"""How long a statement waits for a lock; its transaction is then tried again."""
IMPATIENT_LOCK_MILLISECONDS = 250
"""How long a transaction waits for a lock that would rather leave out what somebody else holds."""
IDLE_IN_TRANSACTION_MILLISECONDS = 10_000
"""After which PostgreSQL ends a transaction that nobody goes on with."""
STATEMENTS = 100
"""That a connection keeps prepared."""
DIRECT_CONNECTIONS = 4
"""Past a pooler, for what needs a session: who leads in a job has one for as long as that takes."""
ATTEMPTS = 5
"""How often a transaction is tried that others got in the way of."""
SLOW_SECONDS = 1.0
"""Work that holds a connection for longer is told in the log."""

_log = structlog.get_logger(__name__)

_LOST = (
    *GONE,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
)


class Overtaken(Exception):
    """What this transaction had seen was gone when it wrote: looking again, it sees what is there now.

    The gateway's own transactions wait for each other; somebody outside may take away a row meanwhile.
    """


_CONTENDED = (
    Overtaken,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
)
_OVERTAKEN = asyncpg.UniqueViolationError
"""Somebody else wrote the same key after this transaction had looked: looking again finds it."""


_PATIENT = (*_CONTENDED, _OVERTAKEN)
_IMPATIENT = tuple(each for each in _PATIENT if each is not asyncpg.LockNotAvailableError)


class Blocked(Exception):
    """Somebody else holds a lock for longer than is waited for; nothing was changed."""


class PoolerInTheWay(asyncpg.InterfaceError):  # type: ignore[misc]
    """What a session of ours was to begin with did not reach PostgreSQL."""

    def __init__(self) -> None:
        super().__init__("what a session says of itself does not reach PostgreSQL")


class Reader(Protocol):
    """Whatever runs a query: the database itself, or a transaction on it."""

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]: ...

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None: ...


class Transaction:
    """One attempt at a unit of work. What it tells is published if, and only if, it commits."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.told: list[Entry | Ephemeral] = []

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._connection.fetch(query, *args)
        return rows

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        row: asyncpg.Record | None = await self._connection.fetchrow(query, *args)
        return row

    async def execute(self, query: str, *args: Any) -> None:
        """Run a statement that answers nothing."""
        await self._connection.execute(query, *args)

    async def blank(self, subjects: Sequence[str], *, keeping: Sequence[str] = ()) -> None:
        """Take away what the journal tells of these subjects so far; the entries keep their seq.

        On the topics `keeping` it stays: whoever may watch those may know of the subjects.
        """
        await blank(self._connection, subjects, keeping)

    async def blank_topics(self, topics: Sequence[str]) -> None:
        """Take away what the journal tells on these topics so far; the entries keep their seq."""
        await blank_topics(self._connection, topics)

    async def journal(self, entries: Sequence[NewEntry[Any]]) -> list[Entry]:
        """Append entries as the last step before commit: the heads they touch stay locked until then."""
        written = await append(self._connection, entries)
        self.told.extend(written)
        return written

    def tell(self, messages: Sequence[Ephemeral]) -> None:
        """Tell those who are there, once this is committed."""
        self.told.extend(messages)


class Meter(Protocol):
    """Who measures what the store does, in seconds. It neither waits nor raises."""

    def waited(self, seconds: float) -> None:
        """Somebody has waited so long for a connection."""
        ...

    def failed(self) -> None:
        """PostgreSQL could not be reached."""
        ...

    def batched(self, name: str, commands: int, waited: float, took: float) -> None:
        """A batch was written; its oldest command had `waited` so long for that."""
        ...


class _Nobody:
    """Measures nothing."""

    def waited(self, seconds: float) -> None: ...

    def failed(self) -> None: ...

    def batched(self, name: str, commands: int, waited: float, took: float) -> None: ...


class Database:
    """The pool. Whatever cannot reach PostgreSQL in time is refused as `UNAVAILABLE`.

    Where its pulse is kept that is within 3 seconds, and at once while PostgreSQL is known to be away.
    """

    def __init__(
        self,
        pool: Any,
        url: str,
        *,
        acquire_seconds: float,
        server: str,
        pooled: bool,
        direct: "Database | None",
    ) -> None:
        self._pool = pool
        self._turns = Turns(pool, acquire_seconds)
        self._pooled = pooled
        self._direct = direct
        self._log = _log.bind(server=server)
        self._pulse = Pulse(
            url,
            server=server,
            answered_at=lambda: self._answered_at,
            when_lost=self._give_up,
        )
        self._answered_at = 0.0
        self._held: set[Any] = set()
        """The connections that somebody works with."""
        self._sink: Sink | None = None
        self._catch_up: Callable[[], Awaitable[bool]] | None = None
        self._meter: Meter = _Nobody()
        self._reads: Reader = self

    @property
    def reads(self) -> Reader:
        """Where to ask for what is only looked at: a replica, if there is one, or this database."""
        return self._reads

    def read_from(self, reads: Reader) -> None:
        """Name who answers what is only looked at, no older than this database would."""
        self._reads = reads

    def publish_to(self, sink: Sink) -> None:
        """Name the one receiver of what committed transactions tell; it is called after each commit."""
        self._sink = sink

    def measured_by(self, meter: Meter) -> None:
        """Name who measures from now on."""
        self._meter = meter

    def batched(self, name: str) -> Callable[[int, float, float], None]:
        """Whom a batcher of that name tells of each batch: how many, how long waited for, how long it took."""

        def told(commands: int, waited: float, took: float) -> None:
            self._meter.batched(name, commands, waited, took)

        return told

    @property
    def busy(self) -> int:
        """How many connections are in use, as of now."""
        return int(self._pool.get_size() - self._pool.get_idle_size())

    @property
    def idle(self) -> int:
        """How many connections are open and wait for use, as of now."""
        return int(self._pool.get_idle_size())

    @property
    def pool_size(self) -> int:
        """How many connections the pool may open."""
        size: int = self._pool.get_max_size()
        return size

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """The rows of a query outside any transaction."""
        async with self._connection() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(query, *args)
            return rows

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """The first row of a query outside any transaction, or None."""
        async with self._connection() as connection:
            row: asyncpg.Record | None = await connection.fetchrow(query, *args)
            return row

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Reader]:
        """One connection, for questions that belong together."""
        async with self._connection() as connection:
            yield connection

    async def execute(self, statement: str) -> None:
        """Run one statement outside any transaction, such as `detach partition … concurrently`."""
        async with (self._direct or self)._connection() as connection:
            await connection.execute(statement)

    def catch_up_by(self, catch_up: Callable[[], Awaitable[bool]]) -> None:
        """Name what settles rows that others wrote and counters do not know of; it answers whether it did."""
        self._catch_up = catch_up

    async def transaction(
        self, work: Callable[[Transaction], Awaitable[T]], *, patient: bool = True
    ) -> T:
        """Do `work` in one transaction, commit, publish what it tells, and answer its result.

        `work` runs again after a deadlock or a lock timeout, or when another transaction was first to
        write a unique key; so it must not have effects of its own. Who is not `patient` gets Blocked
        after a lock timeout. It also runs again when a counter would have fallen below zero, and rows
        that it did not know of have been settled since.
        """
        try:
            return await self.catching_up(work, patient=patient)
        except asyncpg.CheckViolationError:
            if self._catch_up is None or not await self._catch_up():
                raise
        return await self.catching_up(work, patient=patient)

    async def catching_up(
        self, work: Callable[[Transaction], Awaitable[T]], *, patient: bool = True
    ) -> T:
        """As `transaction`, for work that is itself what catches up."""
        try:
            async for attempt in stamina.retry_context(
                on=_PATIENT if patient else _IMPATIENT,
                attempts=ATTEMPTS,
                timeout=None,
                wait_initial=0.01,
                wait_jitter=0.02,
                wait_max=0.2,
            ):
                with attempt:
                    async with self._connection() as connection:
                        transaction = Transaction(connection)
                        async with self._begun(connection, patient):
                            result = await work(transaction)
        except _CONTENDED as error:
            if not patient and isinstance(error, asyncpg.LockNotAvailableError):
                raise Blocked from error
            raise Refusal(
                "OVERLOADED", "Too many changes to the same thing at once.", retry_after=1.0
            ) from error
        if transaction.told and self._sink is not None:
            self._sink(transaction.told)
        return result

    def _begun(self, connection: Any, patient: bool) -> AbstractAsyncContextManager[Any]:
        if self._pooled:
            return _transaction(connection, _SESSION if patient else _SESSION | _IMPATIENCE)
        if not patient:
            return _transaction(connection, _IMPATIENCE)
        usual: AbstractAsyncContextManager[Any] = connection.transaction()
        return usual

    @asynccontextmanager
    async def leadership(self, name: str) -> AsyncIterator[Reader | None]:
        """The leader's connection if this node leads in `name` for the length of the block, else None.

        Who leads holds an advisory lock of that connection's session.
        """
        async with (self._direct or self)._connection(slow_after=math.inf) as connection:
            leads: bool = await connection.fetchval(
                "select pg_try_advisory_lock(hashtextextended($1, 0))", name
            )
            try:
                yield connection if leads else None
            finally:
                if leads:
                    await connection.fetchval(
                        "select pg_advisory_unlock(hashtextextended($1, 0))", name
                    )

    async def keep_pulse(self) -> None:
        """Feel whether PostgreSQL answers, for as long as the task lives, by one more connection."""
        await self._pulse.keep()

    async def _give_up(self) -> None:
        """Nobody answers: whoever waits for that is told now, and nobody goes on with these connections."""
        await self._pool.expire_connections()
        for connection in tuple(self._held):
            connection.terminate()
        if self._direct is not None:
            await self._direct._give_up()

    @asynccontextmanager
    async def _connection(self, slow_after: float = SLOW_SECONDS) -> AsyncIterator[Any]:
        if self._pulse.lost:
            self._meter.failed()
            raise _unavailable()
        asked = time.perf_counter()
        try:
            connection = await self._turns.take()
            began = time.perf_counter()
            self._meter.waited(began - asked)
            self._held.add(connection)
            well = False
            try:
                yield connection
                well = True
            except asyncpg.InternalClientError:  # it would be so for whoever got it next
                connection.terminate()
                raise
            finally:
                self._held.discard(connection)
                await self._turns.give_back(connection, well=well)
            self._answered_at = time.monotonic()
            if (held := time.perf_counter() - began) > slow_after:
                self._log.warning("slow work in the database", milliseconds=round(held * 1000))
        except _LOST as error:
            if isinstance(error, ValueError):  # asyncpg's word for an argument of the wrong type
                raise
            self._meter.failed()
            self._log.warning("database unavailable", error=repr(error))
            raise _unavailable() from error


def _unavailable() -> Refusal:
    return Refusal("UNAVAILABLE", "The database cannot be reached just now.", retry_after=1.0)


_SESSION = {
    "vernissage.gateway": "on",  # what other sessions write, triggers note
    "lock_timeout": str(LOCK_MILLISECONDS),
    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MILLISECONDS),
    "jit": "off",  # compiling takes longer than any statement of ours
}
"""What holds for each session of ours; through a pooler, where a session is anybody's, for each transaction."""
_IMPATIENCE = {"lock_timeout": str(IMPATIENT_LOCK_MILLISECONDS)}
"""For a transaction that gives up on a lock early."""


@asynccontextmanager
async def _transaction(connection: Any, settings: Mapping[str, str]) -> AsyncIterator[None]:
    """A transaction under `settings`; it begins with one message, as any other does."""
    local = "".join(f"; set local {name} = '{value}'" for name, value in settings.items())
    await connection.execute(f"begin{local}")
    try:
        yield
    except BaseException:
        await connection.execute("rollback")
        raise
    await connection.execute("commit")


async def _leave_as_it_is(connection: Any) -> None:
    """Spares the round trip of a reset whenever a connection goes back to the pool.

    The driver has ended an open transaction by then, and nothing here changes settings of the session.
    """


@asynccontextmanager
async def open_database(
    url: str,
    *,
    connections: int,
    command_seconds: float = COMMAND_SECONDS,
    acquire_seconds: float = ACQUIRE_SECONDS,
    server: str = "primary",
    pooled: bool = False,
    direct_url: str = "",
) -> AsyncIterator[Database]:
    """A database with up to `connections` connections, closed at the end of the block.

    That it is there is seen at once; the `server` of the name `replica` may come later.
    `pooled`: it leads through a pooler that may give each transaction another session; what needs a session
    of its own goes by `direct_url`, past that. Raises PoolerInTheWay where a URL leads through one unsaid.
    """
    async with AsyncExitStack() as stack:
        direct = None
        if direct_url:
            direct = await stack.enter_async_context(
                open_database(
                    direct_url,
                    connections=DIRECT_CONNECTIONS,
                    command_seconds=command_seconds,
                    server="direct",
                )
            )
        name = "vernissage" if server == "primary" else f"vernissage {server}"
        anybodys = {"application_name": name, "timezone": "UTC"}  # a pooler passes these on
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=0 if server == "replica" else 1,
                max_size=connections,
                timeout=CONNECT_SECONDS,
                command_timeout=command_seconds,
                reset=_leave_as_it_is,
                init=None if pooled else _check_session,
                server_settings=anybodys if pooled else anybodys | _SESSION,
                # What was prepared in one session is not there in the next.
                statement_cache_size=0 if pooled else STATEMENTS,
            )
        except asyncpg.ProtocolViolationError as error:
            raise PoolerInTheWay from error
        stack.push_async_callback(_close, pool)
        yield Database(
            pool,
            url,
            acquire_seconds=acquire_seconds,
            server=server,
            pooled=pooled,
            direct=direct,
        )


async def _check_session(connection: Any) -> None:
    """Nobody may have left out what a session says of itself: its writes would be taken for somebody else's."""
    if await connection.fetchval("select current_setting('vernissage.gateway', true)") != "on":
        raise PoolerInTheWay


async def _close(pool: Any) -> None:
    try:
        await asyncio.wait_for(pool.close(), COMMAND_SECONDS)
    except TimeoutError:
        pool.terminate()
