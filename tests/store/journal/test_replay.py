"""A replay is what a watcher missed, without a hole, or says that it is not."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.database import Database
from store.ids import new_id
from store.journal import EventType, Journal, Kind, NewEntry
from store.journal.reading import REPLAY_ENTRIES


class Value(msgspec.Struct, frozen=True):
    """A number as of now."""

    value: int


SAID = EventType("thing:said", Kind.LOG, Value)
ROSE = EventType("thing:rose", Kind.STATE, Value)
FELL = EventType("thing:fell", Kind.STATE, Value)


async def tell(database: Database, topic: str, *told: tuple[EventType[Value], str | None]) -> None:
    entries = [NewEntry(topic, type, Value(n), key=key) for n, (type, key) in enumerate(told)]
    await database.transaction(lambda transaction: transaction.journal(entries))


async def seqs_after(database: Database, topic: str, after: int) -> list[int] | None:
    """The numbers of what followed, None where the replay is not whole."""
    replay = await Journal(database).replay(topic, after)
    return [entry.seq for entry in replay.entries] if replay.whole else None


async def test_of_each_state_only_the_newest_is_replayed(database: Database) -> None:
    """Entries with the same key replace each other, whatever their type; log entries all count."""
    topic = f"topic:{new_id()}"
    await tell(
        database,
        topic,
        (ROSE, "a"),
        (SAID, None),
        (ROSE, "b"),
        (FELL, "a"),
        (SAID, None),
        (ROSE, "b"),
    )
    assert await seqs_after(database, topic, 0) == [2, 4, 5, 6]
    assert await seqs_after(database, topic, 4) == [5, 6]


async def test_one_who_is_up_to_date_missed_nothing(database: Database) -> None:
    """At the head the replay is whole and empty, also in a topic in which nothing ever happened."""
    topic = f"topic:{new_id()}"
    assert await seqs_after(database, topic, 0) == []
    await tell(database, topic, (SAID, None))
    assert await seqs_after(database, topic, 1) == []


async def test_a_position_beyond_the_head_is_of_another_history(database: Database) -> None:
    """It cannot be continued from."""
    topic = f"topic:{new_id()}"
    await tell(database, topic, (SAID, None))
    assert await seqs_after(database, topic, 2) is None
    assert await seqs_after(database, f"topic:{new_id()}", 1) is None


async def test_more_than_a_recovery_may_hold_is_no_recovery(database: Database) -> None:
    """500 entries after collapsing are replayed, 501 are not, and there is never a part of them."""
    topic = f"topic:{new_id()}"
    await tell(database, topic, *[(ROSE, "same")] * 300, *[(SAID, None)] * (REPLAY_ENTRIES - 1))
    assert await seqs_after(database, topic, 0) == list(range(300, 300 + REPLAY_ENTRIES))
    await tell(database, topic, (SAID, None))
    assert await seqs_after(database, topic, 0) is None
    assert await seqs_after(database, topic, 300) == list(range(301, 301 + REPLAY_ENTRIES))


async def test_what_the_retention_took_is_missing(database: Database) -> None:
    """From before the oldest entry that is left there is no recovery; from there on there is."""
    topic = f"topic:{new_id()}"
    await tell(database, topic, *[(SAID, None)] * 4)
    await database.fetch("delete from events where topic = $1 and seq <= 2", topic)
    assert await seqs_after(database, topic, 0) is None
    assert await seqs_after(database, topic, 1) is None
    assert await seqs_after(database, topic, 2) == [3, 4]


async def test_a_new_epoch_is_another_name(database: Database) -> None:
    """It stays the same until a new one is begun, and comes with every replay and head."""
    journal = Journal(database)
    before = await journal.epoch()
    assert await journal.epoch() == before
    after = await journal.begin_epoch()
    assert after != before
    assert (await journal.heads(["any"])).epoch == after
    assert (await journal.replay("any", 0)).epoch == after


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    told=st.lists(
        st.sampled_from([(SAID, None), (ROSE, "a"), (FELL, "a"), (ROSE, "b")]), max_size=12
    ),
    after=st.integers(0, 12),
)
async def test_a_replay_is_the_newest_of_each_key_and_all_of_the_log(
    database: Database, told: list[tuple[EventType[Value], str | None]], after: int
) -> None:
    """For any entries and any position up to the head."""
    topic = f"topic:{new_id()}"
    if told:
        await tell(database, topic, *told)
    if after > len(told):
        assert await seqs_after(database, topic, after) is None
        return
    newest = {key: seq for seq, (_, key) in enumerate(told, 1)}
    assert await seqs_after(database, topic, after) == [
        seq
        for seq, (_, key) in enumerate(told, 1)
        if seq > after and (key is None or newest[key] == seq)
    ]
