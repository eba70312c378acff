"""Which user a token's claims belong to, asked of the database once a while and not per request."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from gateway.auth.tokens import Claims

U = TypeVar("U")

FRESH_SECONDS = 60.0
"""How long a user is remembered by what a token says, unless something of theirs is revoked."""
RENEWED_SECONDS = 600.0
"""How long ago at most the database was asked for a user who is remembered because they were here until now."""
REMEMBERED_USERS = 20_000
"""Past it those who were asked for longest ago are forgotten."""
REMEMBERED_TOKENS_A_USER = 50
"""Past it the one that was asked for longest ago is forgotten."""

Said = tuple[object, ...]


class Revocation(Protocol):
    """A token of a user that is good no longer, by its `jti`; or all that were issued before a moment."""

    @property
    def user_id(self) -> UUID: ...
    @property
    def token_id(self) -> str | None: ...
    @property
    def valid_after(self) -> datetime | None: ...


def is_revoked(claims: Claims, revocation: Revocation) -> bool:
    """Whether this revocation is of a token with these claims."""
    if claims.user_id != revocation.user_id:
        return False
    if revocation.token_id is not None and revocation.token_id == claims.token_id:
        return True
    valid_after = revocation.valid_after
    return valid_after is not None and (
        claims.issued_at is None or datetime.fromtimestamp(claims.issued_at, UTC) < valid_after
    )


@dataclass(slots=True)
class _Known(Generic[U]):
    """A user, when they were asked for, and until when nobody asks again."""

    user: U
    asked_at: float
    good_until: float


class Recognition(Generic[U]):
    """Remembers users for a minute, by what their tokens say of them and of themselves.

    `recognize` raises Refusal for a token that was revoked. Whoever hears of a revocation has to `forget`
    its user: then the next one who shows a token of theirs is asked for anew.
    """

    def __init__(
        self,
        recognize: Callable[[Claims], Awaitable[U]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recognize = recognize
        self._clock = clock
        self._known: OrderedDict[UUID, OrderedDict[Said, _Known[U]]] = OrderedDict()
        self._asking: defaultdict[UUID, set[object]] = defaultdict(set)
        """Of each user: the questions under way whose answers still hold."""

    async def __call__(self, claims: Claims) -> U:
        """The user behind these claims. Raises what `recognize` raises."""
        known = self._find(claims)
        if known is not None and self._clock() < known.good_until:
            return known.user
        while True:
            user, holds = await self._ask(claims)
            if holds:
                self._remember(claims, user)
                return user

    def renew(self, claims: Claims) -> None:
        """Whoever came with these claims was here until now: they may come back as who they were.

        When thousands lose their connections at once, nobody is asked for anew.
        """
        now = self._clock()
        known = self._find(claims)
        if known is not None and now - known.asked_at < RENEWED_SECONDS:
            known.good_until = now + FRESH_SECONDS
            self._known.move_to_end(claims.user_id)

    def forget(self, user_id: UUID) -> None:
        """Something of what is remembered of this user's tokens is not so any more."""
        self._known.pop(user_id, None)
        self._asking.pop(user_id, None)

    def forget_all(self) -> None:
        """Nothing is sure any more."""
        self._known.clear()
        self._asking.clear()

    async def _ask(self, claims: Claims) -> tuple[U, bool]:
        """The user, and whether nothing was forgotten while they were asked for."""
        question = object()
        self._asking[claims.user_id].add(question)
        holds = False
        try:
            user = await self._recognize(claims)
        finally:
            questions = self._asking.get(claims.user_id, set())
            if question in questions:
                holds = True
                questions.remove(question)
                if not questions:
                    del self._asking[claims.user_id]
        return user, holds

    def _find(self, claims: Claims) -> _Known[U] | None:
        tokens = self._known.get(claims.user_id)
        return None if tokens is None else tokens.get(_said(claims))

    def _remember(self, claims: Claims, user: U) -> None:
        user_id, said, now = claims.user_id, _said(claims), self._clock()
        tokens = self._known.setdefault(user_id, OrderedDict())
        tokens[said] = _Known(user, now, now + FRESH_SECONDS)
        tokens.move_to_end(said)
        if len(tokens) > REMEMBERED_TOKENS_A_USER:
            tokens.popitem(last=False)
        self._known.move_to_end(user_id)
        if len(self._known) > REMEMBERED_USERS:
            self._known.popitem(last=False)


def _said(claims: Claims) -> Said:
    return claims.name, claims.picture, claims.tier, claims.token_id, claims.issued_at
