"""Who the users are, the topic that each of them has, and the end of their sessions."""

from collections.abc import Sequence

from handlers.domain import Domain, Job, Topic, Wish
from handlers.identity import sessions
from handlers.operation import Access, Operation
from store.identity import Identity, Revoked
from store.identity.revocation import UPKEEP

__all__ = ["DOMAIN"]


async def _are_own(store: Identity, wishes: Sequence[Wish]) -> list[bool]:
    return [actor.id is not None and str(actor.id) == user_id for actor, (user_id,) in wishes]


async def _forget_revocations(store: Identity) -> None:
    await store.revocations.forget()


DOMAIN = Domain(
    name="identity",
    base="/api/v1",
    store=Identity,
    operations=(
        Operation(
            "session:get",
            "GET",
            "/session",
            sessions.Myself,
            sessions.Bearer,
            sessions.get,
            access=Access.PUBLIC,
        ),
        Operation(
            "session:revoke",
            "POST",
            "/session/revoke",
            sessions.Revoke,
            Revoked,
            sessions.revoke,
            refuses=("FORBIDDEN", "NOT_FOUND"),
        ),
    ),
    topics=(Topic("user:{id}", _are_own),),
    jobs=(Job("identity:revocations", UPKEEP, _forget_revocations),),
)
