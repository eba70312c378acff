"""Following the journal: batch after batch, for as long as one likes, and past crashes of any party."""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
import structlog

from store.consumers.positions import (
    Begin,
    Claim,
    Consumers,
    Position,
    Reading,
    TakenOver,
    Told,
    Wanted,
)
from store.database import open_database
from store.migrations import check_schema
from store.refusal import Refusal

T = TypeVar("T")

BATCH = 500
"""Entries that are looked at together, unless one says otherwise."""
LEASE_SECONDS = 30.0
"""For which a process keeps a name that it says nothing of, unless one says otherwise."""
IDLE_SECONDS = 0.5
"""Between two looks where nothing new was found."""
WAIT_SECONDS = 1.0
"""Between two tries for a name that another process has, or a database that does not answer."""

_log = structlog.get_logger(__name__)


class Batch:
    """Some entries, each topic in order. They come again unless they are committed."""

    def __init__(self, follower: "Follower", reading: Reading) -> None:
        self.entries: Sequence[Told] = reading.entries
        self._follower = follower
        self._reading = reading

    async def commit(self) -> None:
        """All that was done for these entries is kept: never tell them again. Raises TakenOver."""
        await self._follower.committed(self._reading)

    def give_back(self) -> None:
        """Tell them again, as they stand by then: what was deleted meanwhile is blank."""
        self._follower.given_back()


class Follower:
    """An endless iterator of batches. Raises Stopped where it cannot go on; see `consume`."""

    def __init__(
        self, consumers: Consumers, claim: Claim, wanted: Wanted, following: "Following"
    ) -> None:
        self._consumers = consumers
        self._claim = claim
        self._wanted = wanted
        self._limit = following.batch
        self._over_epochs = following.over_epochs
        self._open = False
        self._moving = asyncio.Lock()  # or a renewal under way could set a commit back
        self._epoch = claim.epoch
        self._done: Position = claim.position
        self.taken_over = asyncio.Event()
        """Set once another process has the name; what is done for a batch now is done twice."""

    def __aiter__(self) -> "Follower":
        return self

    async def __anext__(self) -> Batch:
        """The next entries that are wanted, as soon as there are some."""
        if self._open:
            raise RuntimeError("commit the batch, or give it back, before you ask for another one")
        while True:
            if self.taken_over.is_set():
                raise TakenOver(f"{self._claim.name} was taken over by another process, or reset")
            reading = await _patiently(self._read)
            if reading.entries:
                self._open = True
                return Batch(self, reading)
            self._done, self._epoch = reading.position, reading.epoch
            if not reading.more:
                await asyncio.sleep(IDLE_SECONDS)

    async def committed(self, reading: Reading) -> None:
        """Everything up to the end of `reading` is done."""

        if not self._open:
            raise RuntimeError("the batch is committed already")
        async with self._moving:
            await _patiently(
                lambda: self._consumers.move(
                    self._claim, reading.position, reading.epoch, len(reading.entries)
                )
            )
            self._done, self._epoch = reading.position, reading.epoch
        self._open = False

    def given_back(self) -> None:
        """What is open comes again."""
        self._open = False

    async def keep(self) -> None:
        """Keep the name, for as long as the task lives, or until another process has it."""
        while True:
            await asyncio.sleep(self._claim.lease.total_seconds() / 3)
            try:
                async with self._moving:
                    await self._consumers.move(self._claim, self._done, self._epoch, 0)
            except Refusal as refusal:
                _log.warning("lease not renewed", consumer=self._claim.name, code=refusal.code)
            except TakenOver:
                self.taken_over.set()
                return

    async def _read(self) -> Reading:
        return await self._consumers.read(
            self._claim, self._done, self._limit, self._wanted, over_epochs=self._over_epochs
        )


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """How a program wants to follow the journal, and as which consumer.

    A consumer that is new begins at `begin`. `events` and `topics` are patterns such as `comment:*`; `batch` is
    how many entries are looked at together. A process that says nothing for `lease_seconds` loses the name.
    Goes on in another history, after a restore, only `over_epochs`. Raises ValueError for what is no pattern.
    """

    name: str
    begin: Begin = Begin.BEGINNING
    events: Sequence[str] = ("*",)
    topics: Sequence[str] = ("*",)
    batch: int = BATCH
    lease_seconds: float = LEASE_SECONDS
    over_epochs: bool = False


@asynccontextmanager
async def consume(url: str, name: str, **how: Any) -> AsyncIterator[Follower]:
    """Follow the journal as the consumer `name`: every entry at least once, each topic in order.

    `url` is the database's; `how` are the fields of Following. Waits while another process has the name, and
    for a database that is away. Raises ValueError for what is no name or pattern, SchemaError for another
    release's database, and Stopped.
    """
    await check_schema(url)
    async with (
        open_database(url, connections=2) as database,
        follow(Consumers(database), Following(name=name, **how)) as follower,
    ):
        yield follower


@asynccontextmanager
async def follow(consumers: Consumers, following: Following) -> AsyncIterator[Follower]:
    """As `consume`, on a database that is open already."""
    wanted = Wanted(following.events, following.topics)
    claim = await _claim(consumers, following)
    follower = Follower(consumers, claim, wanted, following)
    keeping = asyncio.create_task(follower.keep())
    try:
        yield follower
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        with suppress(Refusal):  # the lease ends by itself
            await consumers.release(claim)


async def _claim(consumers: Consumers, following: Following) -> Claim:
    name, lease = following.name, timedelta(seconds=following.lease_seconds)
    held_by = f"{socket.gethostname()}:{os.getpid()}"
    waits_for = None
    while True:
        claim = await _patiently(
            lambda: consumers.claim(name, lease, held_by, begin=following.begin)
        )
        if isinstance(claim, Claim):
            _log.info("consumer begins", consumer=name)
            return claim
        if claim.by != waits_for:
            _log.info(
                "consumer waits: another process has the name", consumer=name, held_by=claim.by
            )
        waits_for = claim.by
        await asyncio.sleep(WAIT_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311


async def _patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do `work`, again and again while the database is away or overloaded."""
    while True:
        try:
            return await work()
        except Refusal as refusal:
            _log.warning("consumer waits for the database", code=refusal.code)
        await asyncio.sleep(WAIT_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311
