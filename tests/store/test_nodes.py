"""The registry of machines: who is there, and for how long that counts."""

from datetime import timedelta

from store.database import Database
from store.nodes import Nodes

LEASE = timedelta(minutes=1)
OVER = timedelta(seconds=-1)


async def test_a_machine_is_found_while_its_lease_lasts(database: Database) -> None:
    """Renewing it may take it elsewhere only once it is over."""
    nodes = Nodes(database)
    assert await nodes.announce("aaaa", "http://10.0.0.1:8080", LEASE)
    assert await nodes.announce("bbbb", "http://10.0.0.2:8080", OVER)
    assert await nodes.addresses() == {"aaaa": "http://10.0.0.1:8080"}
    assert await nodes.announce("aaaa", "http://10.0.0.1:8080", LEASE)
    assert await nodes.announce("bbbb", "http://10.0.0.3:8080", LEASE)
    assert (await nodes.addresses())["bbbb"] == "http://10.0.0.3:8080"


async def test_a_name_belongs_to_one_machine(database: Database) -> None:
    """Whoever comes second with it is told, and the first one keeps it."""
    nodes = Nodes(database)
    assert await nodes.announce("cccc", "http://10.0.0.1:8080", LEASE)
    assert not await nodes.announce("cccc", "http://10.0.0.9:8080", LEASE)
    assert (await nodes.addresses())["cccc"] == "http://10.0.0.1:8080"


async def test_leases_are_cleared_away(database: Database) -> None:
    """An hour after they were over."""
    nodes = Nodes(database)
    await nodes.announce("dddd", "http://10.0.0.4:8080", timedelta(hours=-2))
    await nodes.announce("eeee", "http://10.0.0.5:8080", LEASE)
    rows = await database.fetch("select node from nodes where node = 'dddd'")
    assert rows == []
