"""One dispatcher for sockets and REST: whoever calls, an operation is checked and carried out here.

Checks go in this order: token, size, shape, rate; ban, existence and rights are the handler's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
import structlog

from gateway.limits import Admission, Gate
from gateway.refusals import MISSHAPEN, STATUSES, internal, misshapen, sign_in_first
from handlers.actor import Actor, Role
from handlers.domain import Domain
from handlers.operation import Access, Call, Operation, Refusal

_log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Served:
    """An operation with the store of its domain."""

    operation: Operation[Any, Any, Any]
    domain: Domain[Any]
    store: Any
    decode: Callable[[msgspec.Raw], Any]
    """Decodes a socket's payload straight into the command. Raises Refusal, or one of MISSHAPEN."""
    statuses: Mapping[str, int]
    """The HTTP status of each refusal: the domain's own word first."""


class Outcome(msgspec.Struct, frozen=True):
    """What an operation answered, plain and as JSON, and whether it made something new."""

    answer: Any
    body: bytes
    created: bool


class Dispatcher:
    """The operation table of all domains, ready to be called. `stores` are by name of domain."""

    def __init__(
        self, domains: Sequence[Domain[Any]], stores: Mapping[str, Any], gate: Gate
    ) -> None:
        self._gate = gate
        self.served = [
            Served(
                operation,
                domain,
                stores[domain.name],
                _decoder(operation.command),
                statuses_of(domains, domain),
            )
            for domain in domains
            for operation in domain.operations
        ]
        self._by_event = {each.operation.event: each for each in self.served}
        if len(self._by_event) != len(self.served):
            raise ValueError("two operations have the same event")

    def find(self, event: str) -> Served | None:
        """The operation of that Socket.IO event."""
        return self._by_event.get(event)

    async def call(
        self,
        served: Served,
        actor: Actor,
        decode: Callable[[], Any],
        admission: Admission | None = None,
        *,
        shown: bool = True,
    ) -> Outcome:
        """Check one operation and carry it out. Raises Refusal, and nothing else.

        `admission` tells afterwards how the actor stands with the limits; `shown` is False where the
        answer is not for anybody's eyes, as with HEAD.
        """
        command = self.command(served, actor, decode)
        admission = await self._gate.admit(actor, served.operation.limit, admission)
        return await self.carry_out(served, actor, command, admission, shown=shown)

    def command(self, served: Served, actor: Actor, decode: Callable[[], Any]) -> Any:
        """What the actor wants, if they may want it and it has the right shape. Raises Refusal."""
        check_access(served.operation.access, actor)
        try:
            return decode()
        except MISSHAPEN as error:
            raise misshapen(error) from error

    async def carry_out(
        self,
        served: Served,
        actor: Actor,
        command: Any,
        admission: Admission,
        *,
        shown: bool = True,
    ) -> Outcome:
        """Carry out what was admitted. What it took of its limit is given back where it came to nothing."""
        call: Call[Any] = Call(actor, served.store, shown=shown)
        try:
            answer = await served.operation.handle(call, command)
            body = _encode(answer)
        except Exception as error:
            await self._gate.give_back(admission)
            raise as_refusal(error) from error
        if not call.changed:
            await self._gate.give_back(admission)
        return Outcome(answer, body, served.operation.creates and call.changed)


def _decoder(shape: type[Any]) -> Callable[[msgspec.Raw], Any]:
    decode = msgspec.json.Decoder(shape).decode

    def decoded(payload: msgspec.Raw) -> Any:
        try:
            return decode(payload)
        except msgspec.ValidationError as error:
            raise misshapen(error, shape, msgspec.json.decode(payload)) from error

    return decoded


def statuses_of(domains: Sequence[Domain[Any]], domain: Domain[Any]) -> Mapping[str, int]:
    """The HTTP status of each refusal of a domain's operations: its own word first."""
    codes = {code: status for each in domains for code, status in each.statuses.items()}
    return {**codes, **STATUSES, **domain.statuses}


def check_access(access: Access, actor: Actor) -> None:
    """Raises `UNAUTHENTICATED` or `FORBIDDEN` where the actor may not call what has this access."""
    if access is Access.PUBLIC:
        return
    if actor.id is None:
        raise sign_in_first()
    if (access is Access.MODERATOR and not actor.moderates) or (
        access is Access.ADMIN and actor.role is not Role.ADMIN
    ):
        raise Refusal("FORBIDDEN", f"This takes the role `{access.value}`.", role=access.value)


def as_refusal(error: Exception) -> Refusal:
    """What the caller gets to know of an error; one that is no refusal goes to the log."""
    if isinstance(error, Refusal):
        return error
    bound = structlog.contextvars.get_contextvars()
    request_id = str(bound.get("request_id") or uuid4())
    _log.error("an operation failed", exc_info=error, request_id=request_id)
    return internal(request_id)
