"""Users who are seen for the first time."""

import asyncio

from store.database import Database
from store.identity import Claimed, Identity, User
from store.ids import new_id

ROUNDS = 100
AT_ONCE = 6
"""Nodes that see a user first at the same moment, each by a connection of its own."""


async def test_several_nodes_may_see_a_user_first_at_the_same_moment(database: Database) -> None:
    """Whoever is second finds the user that the first has made."""
    users = Identity(database).users
    for number in range(ROUNDS):
        ada = Claimed(new_id(), f"ada {number} {new_id()}", name="Ada")
        found = await asyncio.gather(*(users.recognize([ada]) for _ in range(AT_ONCE)))
        assert {each.summary.id for (each,) in found if isinstance(each, User)} == {ada.id}
        assert all(isinstance(each, User) for (each,) in found)
