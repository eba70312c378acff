"""Follows from outside."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from store.database import Transaction
from store.gallery.events import USER_FOLLOWED, USER_UNFOLLOWED, FollowerCount, user_topic
from store.gallery.outside.growth import Growth
from store.gallery.outside.marks import Fate
from store.gallery.outside.people import activities, fresh, last_people
from store.identity import UserSummary, summary_of
from store.inbox import ACTORS, Activity, Subject
from store.journal import NewEntry
from store.queries import queries

_SQL = queries("gallery/outside")


class Follows:
    """Who began or ceased to follow whom."""

    def __init__(self, fates: Iterable[Fate]) -> None:
        self._fates = [fate for fate in fates if fate.net and fate.parent_id is not None]
        self._users: dict[UUID, UserSummary] = {}

    async def look(self, transaction: Transaction, growth: Growth) -> list[Activity]:
        """Stamp what is new; what is to be counted, and what those who are followed get to know of."""
        for fate in self._fates:
            assert fate.parent_id is not None
            growth.following[fate.user_id] += fate.net
            growth.followers[fate.parent_id] += fate.net
        stamps = await transaction.fetch(_SQL["stamp_follows"], fresh(self._fates))
        people = {user_id for fate in self._fates for user_id in (fate.user_id, fate.parent_id)}
        rows = await transaction.fetch(_SQL["users"], list(people))
        self._users = {row["id"]: summary_of(row) for row in rows}
        followed = [fate for fate in self._fates if fate.parent_id in self._users]
        latest = await last_people(
            transaction, _SQL["followers"], (fate.parent_id for fate in followed), ACTORS
        )
        subjects = {user_id: (user_id, Subject("user", user_id)) for user_id in self._users}
        return activities("user_followed", followed, stamps, subjects, latest)

    def entries(self, growth: Growth) -> list[NewEntry[Any]]:
        """What becomes of each pair whose people are there."""
        return [
            NewEntry(
                topic=user_topic(followed),
                type=USER_FOLLOWED if fate.net > 0 else USER_UNFOLLOWED,
                data=FollowerCount(
                    followed, self._users[fate.user_id], growth.follower_counts[followed]
                ),
                key=f"follower:{fate.user_id}",
                subject=f"user:{fate.user_id}",
                actor=fate.actor_id,
            )
            for fate in self._fates
            for followed in (fate.parent_id,)
            if followed in growth.follower_counts and fate.user_id in self._users
        ]
