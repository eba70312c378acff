"""How long transactions wait for others."""

from store.database import IMPATIENT_LOCK_MILLISECONDS, Database, Transaction


async def test_a_batch_waits_for_any_lock_no_longer_than_it_has_patience(
    database: Database,
) -> None:
    """Also for a row that no function of ours locks; the next transaction waits as long as ever."""

    async def waits(transaction: Transaction) -> object:
        row = await transaction.fetchrow("select current_setting('lock_timeout')")
        assert row is not None
        return row[0]

    usual = await database.transaction(waits)
    assert await database.transaction(waits, patient=False) == f"{IMPATIENT_LOCK_MILLISECONDS}ms"
    assert await database.transaction(waits) == usual != f"{IMPATIENT_LOCK_MILLISECONDS}ms"
