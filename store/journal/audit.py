"""What must hold of the journal: seqs are dense within what is kept, and the head is the newest."""

from collections.abc import Sequence

from store.audit import Check, Difference, difference_of
from store.database import Transaction
from store.queries import queries

_SQL = queries("journal/audit")


async def _mend(transaction: Transaction, topics: Sequence[str]) -> list[Difference]:
    """Raise heads that lie behind their entries. A hole cannot be filled: what stood there is gone."""
    await transaction.fetch(_SQL["make_heads"], topics)
    await transaction.fetch(_SQL["lock_heads"], topics)
    heads = {
        row["key"]: row
        for row in await transaction.fetch(_SQL["compare"], topics)
        if row["what"] == "head"
    }
    raised = await transaction.fetch(
        _SQL["raise_heads"], list(heads), [row["are"] for row in heads.values()]
    )
    return [difference_of(heads[row["topic"]], repaired=True) for row in raised]


CHECKS = (Check("topics of the journal", "", _SQL["walk"], _SQL["compare"], _mend),)
