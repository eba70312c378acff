"""A consumer reads what is committed: nothing is left out, and each topic comes in order, whoever commits when."""

import asyncio
import random

import asyncpg
import pytest

from store.consumers import Begin, Wanted
from store.database import Database, Transaction
from store.ids import new_id
from tests.store.consumers.conftest import APPEND, NewReader, Writers


async def test_an_older_transaction_that_comes_later_is_not_told_too_early(
    reader: NewReader, writer: Writers
) -> None:
    """Its number follows that of a younger one that came first; so its turn does, too.

    (By the transactions' ids alone number 2 was read before number 1, where a third was open between them.)
    """
    topic = f"topic:{new_id()}"
    consumer = await reader(begin=Begin.NOW)
    old, between, young = await writer(), await writer(), await writer()
    assert await old.begins() < await between.begins() < await young.begins()
    await young.writes(topic)
    await young.commits()
    await old.writes(topic)
    await old.commits()
    assert await consumer.reads(0) == []  # `between` may still tell of it
    await between.commits()
    assert await consumer.reads(2) == [(topic, 1), (topic, 2)]


async def test_what_commits_late_is_not_passed_by(reader: NewReader, writer: Writers) -> None:
    """The reader waits at the oldest transaction that is open, on whatever topic that will write."""
    slow_topic, quick_topic = f"slow:{new_id()}", f"quick:{new_id()}"
    consumer = await reader(begin=Begin.NOW)
    slow, quick = await writer(), await writer()
    await slow.begins()
    await quick.begins()
    await quick.writes(quick_topic)
    await quick.commits()
    assert await consumer.reads(0) == []
    await slow.writes(slow_topic)
    await slow.commits()
    assert await consumer.reads(2) == [(slow_topic, 1), (quick_topic, 1)]
    assert await consumer.reads(0) == []


async def test_a_batch_may_end_anywhere(reader: NewReader, database: Database) -> None:
    """Within a transaction too; the next one goes on from there."""
    topics = sorted(f"topic:{new_id()}" for _ in range(3))
    consumer = await reader(begin=Begin.NOW)
    for _ in range(3):
        await database.fetch(APPEND, topics[0], None)

    async def together(transaction: Transaction) -> None:
        for topic in topics:
            await transaction.fetch(APPEND, topic, None)

    await database.transaction(together)
    expected = [(topics[0], seq) for seq in (1, 2, 3, 4)] + [(topic, 1) for topic in topics[1:]]
    assert await consumer.reads(6, limit=2) == expected


async def test_only_what_is_wanted_is_told(reader: NewReader, database: Database) -> None:
    """By type and topic, with `*` for anything; nothing else is special in a pattern."""
    mine, other = f"my_own:{new_id()}", f"myXown:{new_id()}"
    consumer = await reader(begin=Begin.NOW)
    for topic in (mine, other):
        await database.fetch(APPEND, topic, None)
    begin = consumer.position
    for wanted, found in (
        (Wanted(), [mine, other]),
        (Wanted(topics=("my_own:*",)), [mine]),
        (Wanted(events=("note:*",), topics=(other, "none:*")), [other]),
        (Wanted(events=("note",)), []),
    ):
        consumer.position = begin
        told = [topic for topic, _ in await consumer.reads(len(found), limit=1, wanted=wanted)]
        assert sorted(told) == sorted(found)
    for nonsense in ("", "a b", "post:%", "x" * 256):
        with pytest.raises(ValueError, match="no pattern"):
            Wanted(events=(nonsense,))


async def test_a_blanked_entry_has_its_place_and_no_data(
    reader: NewReader, database: Database
) -> None:
    """Its subject was hidden or deleted before it was read."""
    topic, gone = f"topic:{new_id()}", f"thing:{new_id()}"
    consumer = await reader(begin=Begin.NOW)
    await database.fetch(APPEND, topic, gone)
    await database.fetch(APPEND, topic, None)
    await database.transaction(lambda transaction: transaction.blank([gone]))
    blank, whole = await consumer.entries(2)
    assert (blank.seq, blank.subject, blank.data) == (1, gone, None)
    assert (whole.seq, bytes(whole.data or b"")) == (2, b'{"n": 1}')
    assert blank.id != whole.id


async def test_whoever_reads_while_others_write_misses_nothing(reader: NewReader, url: str) -> None:
    """Transactions of 12 sessions, on crossing topics, that hold their ids for a while before they write."""
    topics = [f"topic:{new_id()}" for _ in range(4)]
    consumer = await reader(begin=Begin.NOW)
    writing, written = True, 0

    async def write(seed: int) -> None:
        nonlocal written
        chance = random.Random(seed)  # noqa: S311
        connection = await asyncpg.connect(url)
        try:
            for _ in range(25):
                async with connection.transaction():
                    await connection.execute("select pg_current_xact_id()")
                    await asyncio.sleep(chance.choice((0, 0, 0.002, 0.01)))
                    for topic in sorted(chance.sample(topics, chance.randint(1, 3))):
                        await connection.execute(APPEND, topic, None)
                        written += 1
        finally:
            await connection.close()

    async def read() -> dict[str, list[int]]:
        told: dict[str, list[int]] = {topic: [] for topic in topics}
        while writing or sum(map(len, told.values())) < written:
            for topic, seq in await consumer.reads(0, limit=7):
                told[topic].append(seq)
        return told

    reading = asyncio.create_task(read())
    await asyncio.gather(*map(write, range(12)))
    writing = False
    told = await asyncio.wait_for(reading, 60)
    for topic in topics:
        assert told[topic] == list(range(1, len(told[topic]) + 1))
    assert sum(map(len, told.values())) == written >= 300
    assert await consumer.reads(0) == []
