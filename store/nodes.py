"""The machines of the installation, as far as they can be reached by the others."""

from datetime import timedelta

from store.database import Database
from store.queries import queries

_SQL = queries("nodes/registry")

KEPT = timedelta(hours=1)
"""How long a lease stays after it expired."""


class Nodes:
    """The registry of machines: leases in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, node: str, url: str, lease: timedelta) -> bool:
        """Say where a machine is reached from now on; False if another one has that name."""
        row = await self._database.fetchrow(_SQL["announce"], node, url, lease)
        await self._database.fetch(_SQL["forget_gone"], KEPT)
        return row is not None

    async def addresses(self) -> dict[str, str]:
        """Where each machine that has a lease is reached, by its name."""
        rows = await self._database.fetch(_SQL["list_nodes"])
        return {row["node"]: row["url"] for row in rows}
