"""Where consumers stand in the journal, who works for each, and what follows.

A position is a point in the order of `(turn, topic, seq)`. `turn` (sql/migrations) never falls along a topic,
and is never below the id of the transaction that wrote the entry; so what lies below the oldest transaction that is
still open is complete, and each topic comes in order.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec

from store.database import Database, Reader
from store.ids import new_id
from store.queries import queries

_SQL = queries("consumers/positions")

COUNTED_MOST = 10_000
"""Entries before a consumer are counted so far."""

_NAME = re.compile(r"[a-z0-9][a-z0-9:._-]{0,62}")
_PATTERN = re.compile(r"[\w:.*-]{1,255}")


class Begin(Enum):
    """Where a consumer begins that has no position yet."""

    BEGINNING = "beginning"
    """At the oldest entry that is kept."""
    NOW = "now"
    """With what is written from then on; a few entries from just before may be among it."""


class Stopped(Exception):
    """A consumer cannot go on by itself; the message says why, and what to do."""


class Missed(Stopped):
    """The retention has taken entries before they were read."""


class HistoryChanged(Stopped):
    """The database was restored, or a standby promoted: what was read may never have happened."""


class TakenOver(Stopped):
    """Another process has the name by now, and went on from the last commit."""


class Told(msgspec.Struct, frozen=True):
    """An entry as consumers get it; as JSON it is a line of `vernissage consume`.

    `id` is the same whenever it comes again in this history. `data` is JSON, None where the subject was
    hidden or deleted since. `key` is there for states only: a newer one of that topic and key replaces it.
    """

    id: str
    epoch: str
    topic: str
    seq: int
    type: str
    key: str | None
    subject: str | None
    actor: UUID | None
    at: datetime
    data: msgspec.Raw | None


class Wanted(msgspec.Struct, frozen=True):
    """Which entries a consumer wants, by patterns in which `*` stands for anything.

    Raises ValueError for what is no pattern.
    """

    events: Sequence[str] = ("*",)
    topics: Sequence[str] = ("*",)

    def __post_init__(self) -> None:
        for pattern in (*self.events, *self.topics):
            if not _PATTERN.fullmatch(pattern):
                raise ValueError(f"{pattern!r} is no pattern such as post:liked, comment:* or *")


class Position(msgspec.Struct, frozen=True, order=True):
    """Past all entries up to this one. `topic` is empty where a whole turn is still to come."""

    turn: int
    topic: str
    seq: int


class Claim(msgspec.Struct):
    """A consumer that is this process's for a while."""

    name: str
    holder: UUID
    lease: timedelta
    epoch: str
    position: Position
    excused: int
    """The retention may have taken entries up to this turn."""


class Held(msgspec.Struct, frozen=True):
    """A consumer is another process's just now."""

    by: str


class Reading(msgspec.Struct, frozen=True):
    """What followed a position, and the position after it; `more` says whether some may follow at once."""

    epoch: str
    entries: Sequence[Told]
    position: Position
    more: bool


class Consumer(msgspec.Struct, frozen=True):
    """How a consumer stands.

    `state` is `running` while a process has it, else `idle`; or `missed` or `history changed`, where it cannot
    go on before it is reset. `behind` counts entries up to COUNTED_MOST, wanted or not.
    """

    name: str
    state: str
    behind: int
    seconds_behind: float
    entries: int
    held_by: str | None
    seen_at: datetime

    @property
    def stopped(self) -> bool:
        """Whether it cannot go on before somebody places it anew."""
        return self.state in ("missed", "history changed")


class Consumers:
    """All consumers of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, name: str, lease: timedelta, held_by: str, *, begin: Begin | None
    ) -> Claim | Held:
        """Have the consumer for as long as `lease`, from now on; a new one begins at `begin`.

        Raises LookupError for a name that is not there where `begin` is None, ValueError for what is no name,
        and HistoryChanged where the journal was filled in another cluster.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no name of a consumer: small letters, digits, and : . _ - within, 63 at most"
            )
        row = await self._database.fetchrow(_SQL["is_ahead"])
        if row is not None and row["ahead"]:
            raise HistoryChanged(
                "the journal was filled in another cluster: run `vernissage epoch --bump`"
            )
        if begin is not None:
            await self.begin(name, begin)
        holder = new_id()
        row = await self._database.fetchrow(_SQL["claim"], name, holder, held_by, lease)
        if row is None:
            found = await self._database.fetchrow(_SQL["find_holder"], name)
            if found is None:
                raise LookupError(f"there is no consumer {name}")
            return Held(found["held_by"] or "nobody")
        position = Position(row["turn"], row["topic"], row["seq"])
        return Claim(name, holder, lease, row["epoch"], position, row["excused"])

    async def begin(self, name: str, begin: Begin, reader: Reader | None = None) -> None:
        """Have a consumer of that name, which nobody works for; where there is one it stays as it is."""
        await (reader or self._database).fetch(_SQL["begin"], name, begin is Begin.BEGINNING)

    async def read(
        self,
        claim: Claim,
        after: Position,
        limit: int,
        wanted: Wanted,
        *,
        over_epochs: bool = False,
    ) -> Reading:
        """What follows `after`: up to `limit` entries are looked at, and those that are wanted are told.

        Raises HistoryChanged, unless the consumer goes on `over_epochs`, and Missed.
        """
        rows = await self._database.fetch(
            _SQL["read"],
            *(after.turn, after.topic, after.seq, limit),
            [_like(pattern) for pattern in wanted.events],
            [_like(pattern) for pattern in wanted.topics],
        )
        here = rows[0]
        _check(
            claim.name,
            is_ahead=after.turn > here["next_turn"],
            is_other=here["epoch"] != claim.epoch and not over_epochs,
            has_missed=_has_missed(after.turn, here["dropped"], claim.excused),
        )
        found = [row for row in rows if row["turn"] is not None]
        more = len(found) == limit
        if more:
            last = found[-1]
            position = Position(last["turn"], last["topic"], last["seq"])
        else:
            position = max(after, Position(here["open_from"], "", 0))
        entries = [told(row) for row in found if row["wanted"]]
        return Reading(here["epoch"], entries, position, more)

    async def move(
        self,
        claim: Claim,
        position: Position,
        epoch: str,
        entries: int,
        reader: Reader | None = None,
    ) -> None:
        """The consumer stands there from now on, `entries` further; the claim lasts anew. Raises TakenOver.

        Within a transaction of `reader`'s, if there is one.
        """
        row = await (reader or self._database).fetchrow(
            _SQL["move"],
            *(claim.name, claim.holder, position.turn, position.topic, position.seq),
            *(epoch, entries, claim.lease),
        )
        if row is None:
            raise TakenOver(f"{claim.name} was taken over by another process, reset or removed")

    async def release(self, claim: Claim) -> None:
        """Let others have it at once."""
        await self._database.fetch(_SQL["release"], claim.name, claim.holder)

    async def list(self) -> list[Consumer]:
        """All of them, by name."""
        return [
            Consumer(
                name=row["name"],
                state=_state(row),
                behind=row["behind"],
                seconds_behind=max(0.0, row["seconds_behind"]),
                entries=row["entries"],
                held_by=row["held_by"],
                seen_at=row["seen_at"],
            )
            for row in await self._database.fetch(_SQL["list"], COUNTED_MOST)
        ]

    async def held_up(self) -> float:
        """For how many seconds no consumer has come on, because an older transaction is open."""
        row = await self._database.fetchrow(_SQL["held_up"])
        assert row is not None
        seconds: float = row["seconds"]
        return max(0.0, seconds)

    async def reset(self, name: str, where: str) -> bool:
        """Place it at the `beginning`, `now`, or `here` in the present history; whoever has it stops.

        False where there is none of that name, or where it stood in another cluster.
        """
        return await self._database.fetchrow(_SQL["reset"], name, where) is not None

    async def remove(self, name: str, reader: Reader | None = None) -> bool:
        """Forget it and its position; whether there was one. Whoever has it stops."""
        return await (reader or self._database).fetchrow(_SQL["remove"], name) is not None


def told(row: Any) -> Told:
    """The entry in a row that has its fields."""
    epoch, topic, seq = row["epoch"], row["topic"], row["seq"]
    return Told(
        id=hashlib.sha256(f"{epoch}\n{topic}\n{seq}".encode()).hexdigest()[:32],
        epoch=epoch,
        topic=topic,
        seq=seq,
        type=row["type"],
        key=row["key"],
        subject=row["subject"],
        actor=row["actor"],
        at=row["at"],
        data=None if row["data"] is None else msgspec.Raw(row["data"].encode()),
    )


def _check(name: str, *, is_ahead: bool, is_other: bool, has_missed: bool) -> None:
    if is_ahead:
        raise HistoryChanged(
            f"{name} stood in a journal of another cluster:"
            f" `vernissage consumers reset {name} --from beginning`, or `--from now`"
        )
    if is_other:
        raise HistoryChanged(
            f"the journal has another history than the one that {name} read (a restore, or a promoted standby):"
            f" `vernissage consumers reset {name}` with `--from here` to go on, or `--from beginning`"
        )
    if has_missed:
        raise Missed(
            f"the retention took entries that {name} had not read:"
            f" `vernissage consumers reset {name} --from beginning` goes on with what is left"
        )


def _has_missed(turn: int, dropped: int, excused: int) -> bool:
    return dropped >= turn and dropped > excused


def _state(row: Any) -> str:
    if _has_missed(row["turn"], row["dropped"], row["excused"]):
        return "missed"
    if row["epoch"] != row["present_epoch"]:
        return "history changed"
    return "idle" if row["held_by"] is None else "running"


def _like(pattern: str) -> str:
    """The pattern as `like` has it."""
    return re.sub(r"([\\%_])", r"\\\1", pattern).replace("*", "%")
