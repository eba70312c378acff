"""Creators: users as the gallery knows them."""

from collections.abc import Iterable, Mapping
from uuid import UUID

import msgspec

from store.database import Database, Reader
from store.gallery.refusals import user_banned, user_not_found
from store.gallery.shapes import Profile, Stats
from store.identity import UserSummary, summary_of
from store.queries import queries
from store.refusal import Refusal
from store.viewer import Viewer

_SQL = queries("gallery/creators")


class Creator(msgspec.Struct, frozen=True):
    """A user, and whether the gallery lets them write nothing."""

    summary: UserSummary
    is_banned: bool


class Creators:
    """Who they are, and how they stand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def profile(self, user_id: UUID, viewer: Viewer) -> Profile:
        """How `viewer` sees a user; raises COMMUNITY_USER_NOT_FOUND."""
        row = await self._database.reads.fetchrow(
            _SQL["profile"], user_id, viewer.id, viewer.moderates
        )
        if row is None:
            raise user_not_found(user_id)
        return Profile(
            user=summary_of(row),
            stats=Stats(
                user_id=row["id"],
                post_count=row["post_count"],
                total_likes_received=row["total_likes_received"],
                follower_count=row["follower_count"],
                following_count=row["following_count"],
            ),
            is_following=row["is_following"],
            joined_at=row["joined_at"],
        )


async def find_creators(reader: Reader, ids: Iterable[UUID]) -> Mapping[UUID, Creator]:
    """Those of the users `ids` that there are."""
    rows = await reader.fetch(_SQL["find"], list(set(ids)))
    return {row["id"]: Creator(summary_of(row), row["is_banned"]) for row in rows}


def refusal_to_write(creators: Mapping[UUID, Creator], user_id: UUID) -> Refusal | None:
    """Why this user may write nothing, or None; a user who was deleted meanwhile may not either."""
    creator = creators.get(user_id)
    if creator is None:
        return user_not_found(user_id)
    return user_banned() if creator.is_banned else None
