"""What an operator asks for, beside the gateway that runs: the commands of `vernissage`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from gateway.auth.tokens import user_id_of
from gateway.composition.opening import database_of, explained
from gateway.consuming.handing import hand_over
from gateway.consuming.program import Program
from gateway.settings import Settings
from gateway.startup import CannotStart
from handlers import DOMAINS
from handlers.domain import Command, Domain
from handlers.gallery import demo as demo_gallery
from store import migrations
from store.audit import Outcome
from store.audit import audit as carry_out_audit
from store.consumers import Consumer, Consumers, Following, Stopped, follow
from store.database import Database
from store.identity import Identity
from store.journal import Journal
from store.journal import audit as journal_audit
from store.webhooks import Messages, Webhooks

AUDIT_SECONDS = 300.0
"""How long the audit lets one statement count: a post may have millions of likes."""
CONSUMER_CONNECTIONS = 2
"""Of `vernissage consume`, to PostgreSQL: one reads and moves on, one keeps the name."""

T = TypeVar("T")


async def migrate(settings: Settings) -> list[str]:
    """Bring the schema up to date; the versions applied now."""
    with explained():
        return await migrations.migrate(settings.session_url)


async def demo(settings: Settings) -> None:
    """Fill the gallery with its demo: what is there already stays as it is."""
    async with database_of(settings) as database:
        await _hang(settings, database)


async def demo_if_empty(settings: Settings) -> bool:
    """Fill the gallery with its demo if nobody has been here yet; whether that was so."""
    async with database_of(settings) as database:
        if not await Identity(database).users.is_empty():
            return False
        await _hang(settings, database)
        return True


COMMANDS = [(domain, command) for domain in DOMAINS for command in domain.commands]
"""What the domains have for operators to do."""


async def carry_out(settings: Settings, domain: Domain[Any], command: Command[Any]) -> str:
    """Do what an operator asks of a domain; what to print. What it tells reaches the nodes in seconds."""
    async with database_of(settings) as database:
        return await command.run(domain.store(database))


async def epoch(settings: Settings, bump: bool) -> str:
    """The journal's epoch, a new one with `bump`."""
    async with database_of(settings) as database:
        journal = Journal(database)
        return await (journal.begin_epoch() if bump else journal.epoch())


async def consume(settings: Settings, program: Program, following: Mapping[str, Any]) -> None:
    """Hand the journal to a program, until the task is cancelled; `following` are fields of Following."""
    try:
        async with (
            database_of(settings, CONSUMER_CONNECTIONS) as database,
            follow(Consumers(database), msgspec.convert(following, Following)) as batches,
        ):
            await hand_over(batches, batches.taken_over, program)
    except (Stopped, ValueError) as error:
        raise CannotStart(str(error)) from error


async def consumers(settings: Settings) -> list[Consumer]:
    """How every consumer of the journal stands."""
    async with database_of(settings) as database:
        return await Consumers(database).list()


async def reset_consumer(settings: Settings, name: str, where: str) -> None:
    """Place a consumer anew. Raises CannotStart where that cannot be."""
    async with database_of(settings) as database:
        stands = Consumers(database)
        if await stands.reset(name, where):
            return
        if name in (each.name for each in await stands.list()):
            raise CannotStart(
                f"{name} stood in a journal of another cluster: give --from beginning, or --from now"
            )
    raise CannotStart(f"there is no consumer {name}")


async def remove_consumer(settings: Settings, name: str) -> None:
    """Forget a consumer. Raises CannotStart where there is none of that name."""
    async with database_of(settings) as database:
        if not await Consumers(database).remove(name):
            raise CannotStart(f"there is no consumer {name}")


async def with_webhooks(
    settings: Settings, work: Callable[[Settings, Webhooks, Messages], Awaitable[T]]
) -> T:
    """Do what an operator asks of webhooks."""
    async with database_of(settings) as database:
        return await work(settings, Webhooks(database), Messages(database))


async def audit(settings: Settings, *, repair: bool) -> list[Outcome]:
    """What the journal and every domain say twice, compared; with `repair` put right where it can be."""
    checks = [*journal_audit.CHECKS, *(check for domain in DOMAINS for check in domain.checks)]
    with explained():
        async with database_of(settings, command_seconds=AUDIT_SECONDS) as database:
            return await carry_out_audit(database, checks, repair=repair)


async def _hang(settings: Settings, database: Database) -> None:
    stores = {domain.name: domain.store(database) for domain in DOMAINS}
    await demo_gallery.load(
        stores["identity"],
        stores["gallery"],
        media=settings.data_dir / "media",
        user_id=lambda name: user_id_of(name, settings.jwt_issuer),
    )
