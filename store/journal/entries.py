"""Entries of the journal, and how they are appended.

Docs: docs/adr/0001-the-journal-numbers-entries-under-the-heads-lock.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar
from uuid import UUID

import asyncpg
import msgspec

from store.queries import queries

D = TypeVar("D")

_SQL = queries("journal/entries")
_encode = msgspec.json.Encoder().encode


class Kind(Enum):
    """How much of an event type a watcher is owed."""

    STATE = "state"
    """Carries the absolute value: a newer entry with the same key replaces it."""
    LOG = "log"
    """Every one counts."""
    EPHEMERAL = "ephemeral"
    """Never in the journal, and without a seq."""


@dataclass(frozen=True, slots=True)
class EventType(Generic[D]):
    """A kind of event, declared by the domain that writes it.

    `removes` says that its subject may not be seen any more once such an entry stands in the journal.
    `revises` says that the journal may tell less of its subject from then on than it told before.
    """

    name: str
    kind: Kind
    data: type[D]
    removes: bool = False
    revises: bool = False


class NewEntry(msgspec.Struct, Generic[D], frozen=True):
    """An entry about to be appended. `key` is for state entries, and only for them.

    `subject` (`comment:{id}`) names what the data tells of, so that it can be blanked later.
    """

    topic: str
    type: EventType[D]
    data: D
    key: str | None = None
    subject: str | None = None
    actor: UUID | None = None


class Entry(msgspec.Struct, frozen=True):
    """An entry that stands in the journal. `data` is JSON, None where its subject was removed."""

    topic: str
    seq: int
    type: str
    key: str | None
    subject: str | None
    data: bytes | None
    actor: UUID | None
    at: datetime


class Ephemeral(msgspec.Struct, frozen=True):
    """A message that stands in no journal: whoever is there hears it, and nobody afterwards.

    `data` is JSON. Of those of one topic with the same key the newest, by `at`, replaces the others.
    """

    topic: str
    type: str
    key: str
    data: bytes
    at: datetime

    @property
    def seq(self) -> None:
        """It has no place in its topic's journal."""

    @property
    def subject(self) -> None:
        """Nothing of it is kept that could be blanked."""

    @classmethod
    def of(cls, topic: str, event: EventType[D], data: D, *, key: str, at: datetime) -> "Ephemeral":
        """The message that tells `data`, as things stood `at` that moment."""
        return cls(topic, event.name, key, _encode(data), at)


async def append(
    connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]",
    entries: Sequence[NewEntry[Any]],
) -> list[Entry]:
    """Append `entries` in order inside the connection's transaction, and answer them as they stand."""
    if not entries:
        return []
    datas = [_encode(entry.data) for entry in entries]
    rows = await connection.fetch(
        _SQL["append"],
        [entry.topic for entry in entries],
        [entry.type.name for entry in entries],
        [entry.key for entry in entries],
        [entry.subject for entry in entries],
        [data.decode() for data in datas],
        [entry.actor for entry in entries],
    )
    return [
        Entry(
            topic=entry.topic,
            seq=row["seq"],
            type=entry.type.name,
            key=entry.key,
            subject=entry.subject,
            data=data,
            actor=entry.actor,
            at=row["at"],
        )
        for entry, data, row in zip(entries, datas, rows, strict=True)
    ]


async def blank(
    connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]",
    subjects: Sequence[str],
    keeping: Sequence[str],
) -> None:
    """Take away what the entries about `subjects` tell, except on the topics `keeping`."""
    await connection.execute(_SQL["blank"], list(subjects), list(keeping))


async def blank_topics(
    connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", topics: Sequence[str]
) -> None:
    """Take away what all entries on `topics` tell."""
    await connection.execute(_SQL["blank_topics"], list(topics))
