"""What must hold of every database at rest, whatever was done to it."""

from handlers import DOMAINS
from store.audit import Difference, audit
from store.database import Database
from store.journal import audit as journal

CHECKS = (*journal.CHECKS, *(check for domain in DOMAINS for check in domain.checks))


async def differences(database: Database, *, repair: bool = False) -> list[Difference]:
    """What the audit finds in all of the database."""
    outcomes = await audit(database, CHECKS, repair=repair)
    return [difference for outcome in outcomes for difference in outcome.differences]


async def assert_sound(database: Database) -> None:
    """All counters and notifications equal the rows, and the journal is dense and in order."""
    assert await differences(database) == []
