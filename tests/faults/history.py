"""What clients did and saw, written down while it happens: the evidence that checkers judge."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any


class Outcome(Enum):
    """How a command ended. Whatever brought no answer, or `UNAVAILABLE`, may have been carried out."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


UNDECIDED = ("UNAVAILABLE", "INTERNAL")
"""Refusals that do not say whether the command was carried out: the reply to a COMMIT may be lost."""


@dataclass(slots=True, eq=False)
class Operation:
    """One command: who sent it, what it was about, and its end. Times are of the wall clock, in seconds."""

    who: str
    what: str
    subject: str
    begun: float
    outcome: Outcome = Outcome.UNKNOWN
    code: str | None = None
    answer: Any = None
    ended: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long its answer took; None where none came."""
        return None if self.ended is None else self.ended - self.begun


class History:
    """The commands of all clients, in the order in which they were sent."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.acknowledged = 0

    def __len__(self) -> int:
        return len(self.operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def invoke(self, who: str, what: str, subject: str) -> Operation:
        """A command goes out; its end is not known yet."""
        operation = Operation(who, what, subject, time.time())
        self.operations.append(operation)
        return operation

    def ok(self, operation: Operation, answer: Any = None) -> None:
        """It was acknowledged."""
        operation.outcome, operation.answer, operation.ended = Outcome.OK, answer, time.time()
        self.acknowledged += 1

    def refused(self, operation: Operation, code: str) -> None:
        """It was refused, which is a failure where the code says that nothing has been done."""
        operation.outcome = Outcome.UNKNOWN if code in UNDECIDED else Outcome.FAIL
        operation.code, operation.ended = code, time.time()

    def of(self, *whats: str) -> list[Operation]:
        """The operations of these kinds."""
        return [each for each in self.operations if each.what in whats]


@dataclass(frozen=True, slots=True)
class Heard:
    """One event that reached a screen: its place in its topic, when it came, and the count it tells."""

    seq: int
    name: str
    at: float
    count: int | None = None


@dataclass(slots=True)
class Stretch:
    """What a screen heard of a topic from `start` on, over all reconnects after which it had recovered.

    `asked` is the position that it had named and could not be recovered from; None at the beginning.
    """

    start: int
    asked: int | None = None
    heard: list[Heard] = field(default_factory=list)

    @property
    def position(self) -> int:
        """Where the screen stands."""
        return self.heard[-1].seq if self.heard else self.start


@dataclass(frozen=True, slots=True)
class Written:
    """One entry of the journal. States with the same key replace each other; log entries have none."""

    seq: int
    type: str
    key: str | None
    at: float
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody heard, as JSON, and when it was said; who is here, say, stands in no journal."""

    who: str
    name: str
    in_journal: bool
    at: datetime
    data: str
