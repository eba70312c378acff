"""A program follows the journal by `consume`: batches come until they are committed, and names are waited for."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from store.consumers import (
    Batch,
    Begin,
    Consumers,
    Follower,
    HistoryChanged,
    Stopped,
    TakenOver,
    consume,
)
from store.database import Database
from store.ids import new_id
from store.journal import Journal
from store.migrations import SchemaError
from tests.servers import FreshDatabase
from tests.store.consumers.conftest import APPEND


async def next_of(follower: Follower) -> Batch:
    return await asyncio.wait_for(anext(follower), 60)


def seqs(batch: Batch) -> list[int]:
    return [entry.seq for entry in batch.entries]


@pytest.fixture
def topic() -> str:
    return f"topic:{new_id()}"


@pytest.fixture
async def follower(url: str, topic: str) -> AsyncIterator[Follower]:
    name = topic.replace("topic:", "follower-")
    async with consume(url, name, begin=Begin.NOW, topics=(topic,), batch=2) as follower:
        yield follower


async def test_entries_come_as_they_are_written(
    follower: Follower, database: Database, topic: str
) -> None:
    """Whoever waits gets them, in batches, each after the one before was committed."""
    waiting = asyncio.create_task(next_of(follower))
    for _ in range(3):
        await database.fetch(APPEND, topic, None)
    seen = []
    batch = await waiting
    while True:
        seen += seqs(batch)
        await batch.commit()
        if len(seen) == 3:
            break
        batch = await next_of(follower)
    assert seen == [1, 2, 3]


async def test_a_batch_is_committed_once_or_comes_again(
    follower: Follower, database: Database, topic: str
) -> None:
    """Asking for another one instead is a mistake that is told; one that is given back comes again."""
    await database.fetch(APPEND, topic, None)
    batch = await next_of(follower)
    with pytest.raises(RuntimeError, match="commit the batch"):
        await anext(follower)
    batch.give_back()
    again = await next_of(follower)
    assert [entry.id for entry in again.entries] == [entry.id for entry in batch.entries]
    await again.commit()
    with pytest.raises(RuntimeError, match="committed already"):
        await again.commit()


async def test_what_was_not_committed_comes_to_the_next_process(
    url: str, database: Database, topic: str
) -> None:
    """And what was does not."""
    name = topic.replace("topic:", "next-")
    how = {"begin": Begin.NOW, "topics": (topic,), "batch": 1}
    async with consume(url, name, **how) as follower:
        for _ in range(2):
            await database.fetch(APPEND, topic, None)
        batch = await next_of(follower)
        await batch.commit()
        assert seqs(await next_of(follower)) == [2]
    async with consume(url, name, **how) as follower:
        assert seqs(await next_of(follower)) == [2]


async def test_a_second_process_waits_for_the_first(
    url: str, database: Database, topic: str
) -> None:
    """It goes on as soon as the first lets go."""
    name = topic.replace("topic:", "second-")
    went_on = asyncio.Event()

    async def second() -> None:
        async with consume(url, name, topics=(topic,)) as follower:
            went_on.set()
            assert seqs(await next_of(follower)) == [1]

    async with consume(url, name, begin=Begin.NOW, topics=(topic,)):
        waiting = asyncio.create_task(second())
        await database.fetch(APPEND, topic, None)
        await asyncio.wait({waiting}, timeout=0.2)
        assert not went_on.is_set()
    await asyncio.wait_for(waiting, 60)


async def test_whoever_was_reset_learns_of_it(url: str, consumers: Consumers, topic: str) -> None:
    """By its next renewal, or commit."""
    name = topic.replace("topic:", "reset-")
    async with consume(url, name, begin=Begin.NOW, lease_seconds=0.3) as follower:
        assert await consumers.reset(name, "now")
        await asyncio.wait_for(follower.taken_over.wait(), 60)
        with pytest.raises(TakenOver):
            await anext(follower)


async def test_a_lease_is_renewed(url: str, database: Database, topic: str) -> None:
    """However long a batch takes."""
    name = topic.replace("topic:", "long-")

    async def held_until() -> datetime:
        (row,) = await database.fetch("select held_until from consumers where name = $1", name)
        found: datetime = row["held_until"]
        return found

    async with consume(url, name, begin=Begin.NOW, lease_seconds=1.0), asyncio.timeout(60):
        first = await held_until()
        while await held_until() == first:
            await asyncio.sleep(0.05)
        assert await held_until() > first


async def test_a_consumer_may_go_on_in_another_history(
    url: str, database: Database, topic: str
) -> None:
    """Where it says so: from where it stands, and by names of the new one."""
    name = topic.replace("topic:", "over-")
    how = {"begin": Begin.NOW, "topics": (topic,)}
    async with consume(url, name, over_epochs=True, **how) as follower:
        await database.fetch(APPEND, topic, None)
        batch = await next_of(follower)
        await batch.commit()
        epoch = await Journal(database).begin_epoch()
        await database.fetch(APPEND, topic, None)
        again = await next_of(follower)
        assert [(entry.seq, entry.epoch) for entry in again.entries] == [(2, epoch)]
        assert batch.entries[0].epoch != epoch
        await again.commit()
    async with consume(url, name, **how) as follower:  # it is at home there
        await database.fetch(APPEND, topic, None)
        assert seqs(await next_of(follower)) == [3]
        await Journal(database).begin_epoch()
    async with consume(url, name, **how) as follower:
        with pytest.raises(HistoryChanged):
            await next_of(follower)


async def test_what_cannot_be_is_refused(url: str, fresh_database: FreshDatabase) -> None:
    """A name, a pattern, a database of another release."""
    with pytest.raises(ValueError, match="no name"):
        async with consume(url, "No Name"):
            pass
    with pytest.raises(ValueError, match="no pattern"):
        async with consume(url, "name", events=("%",)):
            pass
    with pytest.raises(SchemaError):
        async with consume(await fresh_database(migrated=False), "name"):
            pass
    assert issubclass(TakenOver, Stopped)
