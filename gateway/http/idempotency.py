"""`Idempotency-Key`: what is sent again is not done again.

Docs: docs/adr/0028-a-key-stands-for-the-id-of-what-is-made.md.
"""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog
from aiohttp.web_request import Request

from gateway.dispatch import Dispatcher, Served
from gateway.limits import Admission, Gate
from handlers.actor import Actor
from handlers.operation import Refusal
from handlers.validation import invalid

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY = re.compile(r"[!-~]{1,255}")

_encode = msgspec.json.Encoder(order="sorted").encode
_log = structlog.get_logger(__name__)


class Claim(Protocol):
    """What stands under a key: the hash of a request, the id of what it makes, and how it was answered."""

    @property
    def request(self) -> bytes: ...
    @property
    def made_id(self) -> UUID: ...
    @property
    def status(self) -> int | None: ...
    @property
    def answer(self) -> bytes | None: ...


class Keys(Protocol):
    """Where keys and answers are kept, for all nodes. Both tell what stands there then, if anything does."""

    async def claim(
        self, user_id: UUID, operation: str, key: str, request: bytes
    ) -> Claim | None: ...

    async def keep(
        self, user_id: UUID, operation: str, key: str, request: bytes, status: int, answer: bytes
    ) -> Claim | None: ...


class Kept(msgspec.Struct, frozen=True):
    """An answer, and whether it was given before."""

    status: int
    body: bytes
    replayed: bool


class Once:
    """Carries out operations that create something, once for each key.

    The key stands for the id of what is made, which is written down first. So whoever comes with the same
    key finds it made, also where the first attempt ended before it was answered.
    """

    def __init__(self, dispatcher: Dispatcher, gate: Gate, keys: Keys) -> None:
        self._dispatcher = dispatcher
        self._gate = gate
        self._keys = keys

    async def call(
        self,
        served: Served,
        actor: Actor,
        fields: Mapping[str, Any],
        decode: Callable[[], Any],
        given: str,
        admission: Admission,
    ) -> Kept:
        """The answer to the first request under the key `given`; `decode` makes the command of the `fields`.

        Raises what the operation raises, and `IDEMPOTENCY_CONFLICT` for a key that stands for other `fields`.
        """
        operation = served.operation
        command = self._dispatcher.command(served, actor, decode)
        await self._gate.admit(actor, None, admission)
        request = sha256(_encode(fields)).digest()
        place = (actor.user_id, operation.event, given, request)
        claim = await self._keys.claim(*place)
        if claim is None:
            raise Refusal("UNAUTHENTICATED", "This user is gone.")
        if claim.request != request:
            raise _conflict(given)
        if (first := _answered(claim)) is not None:
            return first
        if command.id is None:
            command = msgspec.structs.replace(command, id=claim.made_id)
        await self._gate.admit(actor, operation.limit, admission, paced=False)
        outcome = await self._dispatcher.carry_out(served, actor, command, admission)
        again = not outcome.created and command.id == claim.made_id  # by an earlier attempt
        status = 201 if outcome.created or again else 200
        return await self._keep(place, Kept(status, outcome.body, replayed=again))

    async def _keep(self, place: tuple[UUID, str, str, bytes], own: Kept) -> Kept:
        """The answer that counts: this one, unless another node was first."""
        try:
            kept = await self._keys.keep(*place, own.status, own.body)
        except Refusal as error:  # it is done: whoever comes again finds it, and is answered anew
            _log.warning("an answer was not kept", code=error.code)
            return own
        mine = (place[3], own.status, own.body)
        if kept is None or (kept.request, kept.status, kept.answer) == mine:
            return own
        return _answered(kept) or own


def _answered(claim: Claim) -> Kept | None:
    if claim.status is None or claim.answer is None:
        return None
    return Kept(claim.status, claim.answer, replayed=True)


def key_of(request: Request) -> str | None:
    """The key of a request, None where it has none. Raises VALIDATION_ERROR for one that is no good."""
    given = request.headers.getall(HEADER, ())
    if not given:
        return None
    if len(given) > 1 or not KEY.fullmatch(given[0]):
        raise invalid(HEADER, "must be 1 to 255 visible characters of ASCII, and stand once")
    return given[0]


def _conflict(key: str) -> Refusal:
    return Refusal(
        "IDEMPOTENCY_CONFLICT",
        "This key was used before, for something else: make a new one.",
        idempotency_key=key,
    )
