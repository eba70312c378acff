"""The journal is written with the change itself: dense per topic, in the order of the commits."""

import asyncio

import asyncpg
import msgspec
import pytest

from store.database import Database, Transaction
from store.ids import new_id
from store.journal import Entry, EventType, Journal, Kind, NewEntry
from tests.store.audit import assert_sound
from tests.store.refused import refused


class Note(msgspec.Struct, frozen=True):
    """Something to tell."""

    text: str


NOTED = EventType("note:taken", Kind.LOG, Note)


def note(topic: str, text: str = "…", subject: str | None = None) -> NewEntry[Note]:
    return NewEntry(topic, NOTED, Note(text), subject=subject)


async def append(database: Database, *entries: NewEntry[Note]) -> list[Entry]:
    return await database.transaction(lambda transaction: transaction.journal(entries))


async def test_each_topic_is_numbered_from_one(database: Database) -> None:
    """Entries get consecutive numbers within their topic, in the order in which they were given."""
    one, two = f"one:{new_id()}", f"two:{new_id()}"
    first = await append(database, note(one), note(two), note(one), note(one))
    second = await append(database, note(two), note(one))
    assert [(e.topic, e.seq) for e in first] == [(one, 1), (two, 1), (one, 2), (one, 3)]
    assert [(e.topic, e.seq) for e in second] == [(two, 2), (one, 4)]
    assert (await Journal(database).heads([one, two, "none"])).seqs == {one: 4, two: 2, "none": 0}


async def test_entries_are_published_once_they_are_committed(
    database: Database, published: list[Entry]
) -> None:
    """The sink gets what the journal holds, after the transaction has ended."""
    topic = f"topic:{new_id()}"

    async def work(transaction: Transaction) -> None:
        await transaction.journal([note(topic, "first"), note(topic, "second")])
        assert published == []

    await database.transaction(work)

    assert [entry.seq for entry in published] == [1, 2]
    assert list((await Journal(database).replay(topic, 0)).entries) == published


async def test_what_is_rolled_back_was_never_there(
    database: Database, published: list[Entry]
) -> None:
    """Nothing is published, and its numbers are given out again."""
    topic = f"topic:{new_id()}"

    async def fail(transaction: Transaction) -> None:
        await transaction.journal([note(topic)])
        raise LookupError("on second thoughts")

    with pytest.raises(LookupError):
        await database.transaction(fail)
    assert published == []
    (entry,) = await append(database, note(topic))
    assert entry.seq == 1


async def test_writers_at_the_same_time_leave_no_gap(
    database: Database, published: list[Entry]
) -> None:
    """160 transactions over crossing topics: dense, and times rise with the numbers."""
    topics = [f"topic:{new_id()}" for _ in range(4)]
    await asyncio.gather(
        *(
            append(database, *(note(topics[(n + k) % 4]) for k in range(1 + n % 4)))
            for n in range(160)
        )
    )
    await assert_sound(database)
    assert len(published) == 400
    for topic in topics:
        seqs = [entry.seq for entry in published if entry.topic == topic]
        assert sorted(seqs) == list(range(1, len(seqs) + 1))


async def test_a_deadlock_is_run_again(database: Database, published: list[Entry]) -> None:
    """Two transactions that lock each other out both succeed, and publish what they committed, once."""
    one, two = f"one:{new_id()}", f"two:{new_id()}"
    await append(database, note(one), note(two))
    published.clear()
    both_hold = asyncio.Barrier(2)
    attempts = []

    async def crossing(first: str, second: str) -> None:
        crossed = False

        async def work(transaction: Transaction) -> None:
            nonlocal crossed
            attempts.append(first)
            await transaction.journal([note(first)])
            if not crossed:
                crossed = True
                await both_hold.wait()
            await transaction.journal([note(second)])

        await database.transaction(work)

    await asyncio.gather(crossing(one, two), crossing(two, one))

    assert len(attempts) == 3
    assert sorted((entry.topic, entry.seq) for entry in published) == [
        (one, 2),
        (one, 3),
        (two, 2),
        (two, 3),
    ]


async def test_a_lock_that_is_not_let_go_is_refused(database: Database) -> None:
    """After several attempts the caller is told to come back: nobody waits for ever."""
    topic = f"topic:{new_id()}"
    await append(database, note(topic))
    held, release = asyncio.Event(), asyncio.Event()

    async def hold(transaction: Transaction) -> None:
        await transaction.journal([note(topic)])
        held.set()
        await release.wait()

    async def hurry(transaction: Transaction) -> None:
        await transaction.execute("set local lock_timeout = '20ms'")
        await transaction.journal([note(topic)])

    holder = asyncio.create_task(database.transaction(hold))
    await held.wait()
    with refused("OVERLOADED"):
        await database.transaction(hurry)
    release.set()
    await holder


async def test_a_broken_rule_is_not_taken_for_contention(database: Database) -> None:
    """What PostgreSQL refuses for good is raised as it is."""

    async def work(transaction: Transaction) -> None:
        await transaction.fetch("insert into topics (topic, seq) values ('twice', 1), ('twice', 1)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await database.transaction(work)


async def test_blanking_takes_what_was_told_and_leaves_its_place(database: Database) -> None:
    """Entries about the subject lose their data on every topic; all others keep theirs."""
    one, two = f"one:{new_id()}", f"two:{new_id()}"
    gone, kept = f"thing:{new_id()}", f"thing:{new_id()}"
    await append(
        database, note(one, subject=gone), note(one, subject=kept), note(two, subject=gone)
    )

    await database.transaction(lambda transaction: transaction.blank([gone]))

    for topic, blank in ((one, [True, False]), (two, [True])):
        replay = await Journal(database).replay(topic, 0)
        assert replay.whole
        assert [entry.data is None for entry in replay.entries] == blank


async def test_nothing_is_published_for_nothing(database: Database, published: list[Entry]) -> None:
    """An empty list appends nothing."""
    assert await append(database) == []
    assert published == []
