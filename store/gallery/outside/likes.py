"""Likes from outside."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from store.database import Transaction
from store.gallery.events import POST_LIKED, POST_UNLIKED, LikeCount, post_topic
from store.gallery.outside.growth import Growth
from store.gallery.outside.marks import Fate
from store.gallery.outside.people import LastPeople, activities, fresh, last_people
from store.gallery.outside.posts import LockedPosts, subjects_of
from store.inbox import ACTORS, Activity
from store.journal import NewEntry
from store.queries import queries

_SQL = queries("gallery/outside")


class Likes:
    """What became of likes on locked posts."""

    def __init__(self, fates: Iterable[Fate], posts: LockedPosts) -> None:
        self._fates = [fate for fate in fates if fate.net and fate.parent_id in posts]
        self._posts = posts
        self._latest: LastPeople = {}

    async def look(self, transaction: Transaction, growth: Growth) -> list[Activity]:
        """Stamp what is new; what is to be counted, and what the posts' authors get to know of."""
        for post_id, fate in self._by_post():
            growth.likes[post_id] += fate.net
            growth.received[self._posts[post_id]["user_id"]] += fate.net
        stamps = await transaction.fetch(_SQL["stamp_likes"], fresh(self._fates))
        self._latest = await last_people(
            transaction, _SQL["likers"], (post_id for post_id, _ in self._by_post()), ACTORS + 1
        )
        return activities("post_liked", self._fates, stamps, subjects_of(self._posts), self._latest)

    def entries(self, growth: Growth) -> list[NewEntry[Any]]:
        """How many like each post now; who liked or unliked it last is the actor."""
        return [
            NewEntry(
                topic=post_topic(post_id),
                type=POST_LIKED if fate.net > 0 else POST_UNLIKED,
                data=LikeCount(
                    post_id,
                    growth.like_counts[post_id],
                    [user for user, _ in self._latest.get(post_id, ())][:ACTORS],
                ),
                key="likes",
                subject=post_topic(post_id),
                actor=fate.actor_id,
            )
            for post_id, fate in dict(self._by_post()).items()
        ]

    def _by_post(self) -> list[tuple[UUID, Fate]]:
        return [(fate.parent_id, fate) for fate in self._fates if fate.parent_id is not None]
