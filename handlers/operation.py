"""The vocabulary in which a domain declares what a user may want.

An operation is declared once, as plain data, and served over Socket.IO and REST alike. The gateway
reads these declarations; the generated documents are made from the same table.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Generic, TypeVar

from handlers.actor import Actor
from store.refusal import Refusal

__all__ = ["Access", "Call", "Limit", "Operation", "Refusal"]

S = TypeVar("S")
C = TypeVar("C")
A = TypeVar("A")


class Access(Enum):
    """Who may call an operation, each including the ones after it."""

    PUBLIC = "public"
    MEMBER = "member"
    MODERATOR = "moderator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` accepted, state-changing commands per user in any `window`.

    Operations that name the same limit share one budget.
    """

    name: str
    count: int
    window: timedelta = timedelta(hours=1)


@dataclass(slots=True)
class Call(Generic[S]):
    """One call of an operation: who calls, and the domain's store.

    A handler that found nothing to change sets `changed` to False: the call then costs nothing of
    its limit, and a creation answers 200 instead of 201. `shown` is False where nobody gets to see what
    it answers.
    """

    actor: Actor
    store: S
    changed: bool = True
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Operation(Generic[S, C, A]):
    """One thing a user may want.

    `event` is its Socket.IO name, `method` and `path` its REST route below the domain's base. Names in
    braces in the path, and the query of a GET, are fields of `command`; other methods take the rest
    as a JSON body. What `creates` has an `id` in its command, None unless the client made one, by which
    a repetition is known; over REST an `Idempotency-Key` stands for it. `max_bytes` replaces the general
    bound on the size of a command. `refuses` are the codes by which the handler may say no, beside what
    is checked of every command. `weak_fields` are numbers, at any depth of the answer of a GET, that
    change without making it another one: its ETag leaves them out.
    """

    event: str
    method: str
    path: str
    command: type[C]
    answer: Any
    handle: Callable[[Call[S], C], Awaitable[A]]
    access: Access = Access.MEMBER
    limit: Limit | None = None
    creates: bool = False
    max_bytes: int | None = None
    weak_fields: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
