"""Follows: who wants to see more of whom, counters on both sides that always equal the rows, and the lists."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from functools import partial
from typing import Any, Unpack
from uuid import UUID

import msgspec

from store.batching import Batcher
from store.cursors import CursorKey, Page
from store.database import Database, Overtaken, Transaction
from store.gallery.creators import Creator, find_creators, refusal_to_write
from store.gallery.events import USER_FOLLOWED, USER_UNFOLLOWED, FollowerCount, user_topic
from store.gallery.refusals import self_follow, user_not_found
from store.gallery.shapes import Followed
from store.identity import UserSummary, summary_of
from store.ids import new_id
from store.inbox import ACTORS, Activity, Subject, record
from store.journal import NewEntry
from store.listing import NewestFirst, Paging
from store.queries import queries
from store.refusal import Refusal
from store.viewer import Viewer

_SQL = queries("gallery/follows")

_FOLLOWERS = NewestFirst("followers")
_FOLLOWING = NewestFirst("following")

Pair = tuple[UUID, UUID]
"""Who follows whom."""


class Follow(msgspec.Struct, frozen=True):
    """Somebody wants to follow a user, or not to."""

    user_id: UUID
    by: Viewer
    following: bool

    @property
    def pair(self) -> Pair:
        assert self.by.id is not None
        return self.by.id, self.user_id


class Follows:
    """Who follows whom."""

    def __init__(self, database: Database, cursor_key: CursorKey) -> None:
        self._database = database
        self._cursor_key = cursor_key
        self._batcher = Batcher(
            partial(self.settle, patient=False),
            by=lambda follow: follow.user_id,
            report=database.batched("follows"),
        )

    async def submit(self, follow: Follow) -> Followed:
        """Carry out one follow or unfollow, together with those that arrive meanwhile. Raises Refusal."""
        return await self._batcher(follow)

    async def settle(
        self, follows: Sequence[Follow], *, patient: bool = True
    ) -> list[Followed | Refusal]:
        """Carry out follows and unfollows in order, in one transaction; an answer or a refusal for each.

        Who is not `patient` gets Blocked where somebody else holds one of the users' statistics.
        """
        return await self._database.transaction(
            lambda transaction: _settle(transaction, follows), patient=patient
        )

    async def followers_of_authors(
        self, posts: Sequence[UUID], among: Sequence[UUID]
    ) -> Mapping[UUID, set[UUID]]:
        """Who of the users `among` follows the author of each of these posts; nobody's where it is hidden."""
        followers: dict[UUID, set[UUID]] = {post_id: set() for post_id in posts}
        for row in await self._database.fetch(_SQL["followers_of_authors"], list(posts), among):
            followers[row["post_id"]].add(row["follower_id"])
        return followers

    async def followers(self, user_id: UUID, **paging: Unpack[Paging]) -> Page[UserSummary]:
        """Who follows the user, newest first. Raises COMMUNITY_USER_NOT_FOUND and INVALID_CURSOR."""
        return await self._page(_FOLLOWERS, _SQL["followers"], user_id, **paging)

    async def following(self, user_id: UUID, **paging: Unpack[Paging]) -> Page[UserSummary]:
        """Whom the user follows, newest first. Raises COMMUNITY_USER_NOT_FOUND and INVALID_CURSOR."""
        return await self._page(_FOLLOWING, _SQL["following"], user_id, **paging)

    async def _page(
        self, listing: NewestFirst, query: str, user_id: UUID, **paging: Unpack[Paging]
    ) -> Page[UserSummary]:
        span = await listing.span(self._cursor_key, [user_id], **paging)
        rows = await self._database.reads.fetch(query, user_id, *span.arguments)
        if not rows:
            raise user_not_found(user_id)
        return span.page(rows, summary_of, rows[0]["total"])


async def _settle(transaction: Transaction, follows: Sequence[Follow]) -> list[Followed | Refusal]:
    creators = await find_creators(transaction, _people(follow.pair for follow in follows))
    pairs = {follow.pair for follow in follows if _refusal(follow, creators) is None}
    counts = await _lock_stats(transaction, _people(pairs))
    before = await _standing(transaction, pairs)
    now = set(before)
    verdicts = [_refusal(follow, creators) or _apply(follow, now) for follow in follows]
    changed = {pair: pair in now for pair in (follow.pair for follow in follows)}
    changed = {pair: stands for pair, stands in changed.items() if stands != (pair in before)}
    if changed:
        counts.update(followed for (_, followed), stands in changed.items() if stands)
        counts.subtract(followed for (_, followed), stands in changed.items() if not stands)
        await _write(transaction, creators, counts, changed)
    return [
        verdict
        if isinstance(verdict, Refusal)
        else Followed(follow.user_id, follow.following, verdict, counts[follow.user_id])
        for follow, verdict in zip(follows, verdicts, strict=True)
    ]


def _people(pairs: Iterable[Pair]) -> set[UUID]:
    return {user_id for pair in pairs for user_id in pair}


def _refusal(follow: Follow, creators: Mapping[UUID, Creator]) -> Refusal | None:
    follower, followed = follow.pair
    if refusal := refusal_to_write(creators, follower):
        return refusal
    if followed not in creators:
        return user_not_found(followed)
    return self_follow() if follower == followed else None


def _apply(follow: Follow, now: set[Pair]) -> bool:
    """Settle one follow in memory: whether it changed something."""
    if (follow.pair in now) == follow.following:
        return False
    if follow.following:
        now.add(follow.pair)
    else:
        now.remove(follow.pair)
    return True


async def _lock_stats(transaction: Transaction, people: Set[UUID]) -> Counter[UUID]:
    """The follower counts of these users, whose statistics are locked from now on."""
    await transaction.execute(_SQL["make_stats"], list(people))
    rows = await transaction.fetch(_SQL["lock_stats"], list(people))
    return Counter({row["user_id"]: row["follower_count"] for row in rows})


async def _standing(transaction: Transaction, pairs: Set[Pair]) -> frozenset[Pair]:
    rows = await transaction.fetch(_SQL["standing"], *_columns(pairs))
    return frozenset((row["follower_id"], row["following_id"]) for row in rows)


def _columns(pairs: Iterable[Pair]) -> tuple[list[UUID], list[UUID]]:
    listed = list(pairs)
    return [follower for follower, _ in listed], [followed for _, followed in listed]


async def _write(
    transaction: Transaction,
    creators: Mapping[UUID, Creator],
    counts: Mapping[UUID, int],
    changed: Mapping[Pair, bool],
) -> None:
    """Write what becomes of pairs: whether each stands from now on."""
    added = [pair for pair, stands in changed.items() if stands]
    removed = [pair for pair, stands in changed.items() if not stands]
    undone = await transaction.fetch(_SQL["remove"], *_columns(removed))
    if len(undone) != len(removed):
        raise Overtaken
    done = await transaction.fetch(_SQL["add"], [new_id() for _ in added], *_columns(added))
    followers: Counter[UUID] = Counter(followed for _, followed in added)
    followers.subtract(followed for _, followed in removed)
    following: Counter[UUID] = Counter(follower for follower, _ in added)
    following.subtract(follower for follower, _ in removed)
    people = list(followers.keys() | following.keys())
    await transaction.execute(
        _SQL["count"],
        people,
        [followers[user_id] for user_id in people],
        [following[user_id] for user_id in people],
    )
    notices = await record(transaction, await _activities(transaction, done, undone))
    told = [
        NewEntry(
            topic=user_topic(followed),
            type=USER_FOLLOWED if stands else USER_UNFOLLOWED,
            data=FollowerCount(followed, creators[follower].summary, counts[followed]),
            key=f"follower:{follower}",
            subject=f"user:{follower}",
            actor=follower,
        )
        for (follower, followed), stands in changed.items()
    ]
    await transaction.journal([*told, *notices])


async def _activities(
    transaction: Transaction, done: Sequence[Any], undone: Sequence[Any]
) -> list[Activity]:
    """What those who are followed get to know of: all their followers in one growing notification."""
    latest: dict[UUID, list[tuple[UserSummary, datetime]]] = {
        row["following_id"]: [] for row in (*done, *undone)
    }
    for row in await transaction.fetch(_SQL["latest"], list(latest), ACTORS):
        latest[row["following_id"]].append((summary_of(row), row["followed_at"]))
    added_at, removed_at = _times(done), _times(undone)
    return [
        Activity(
            user_id=user_id,
            kind="user_followed",
            subject=Subject("user", user_id),
            latest=followers,
            added=added_at[user_id],
            removed=removed_at[user_id],
        )
        for user_id, followers in latest.items()
    ]


def _times(rows: Sequence[Mapping[str, Any]]) -> Mapping[UUID, list[datetime]]:
    """When each follow of a user was made."""
    times: dict[UUID, list[datetime]] = defaultdict(list)
    for row in rows:
        times[row["following_id"]].append(row["created_at"])
    return times
