"""What must hold of the gallery: every counter equals the rows it counts, and so do notifications."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from store.audit import Check, Difference, difference_of
from store.database import Transaction
from store.gallery.posts import changed_entries, lock_posts, shared
from store.inbox import correct
from store.queries import queries

_SQL = queries("gallery/audit")

_POST = ("like_count", "comment_count")
_STATS = ("post_count", "total_likes_received", "follower_count", "following_count")


async def _mend_posts(transaction: Transaction, ids: Sequence[UUID]) -> list[Difference]:
    """Count anew under the posts' locks; those who watch are told what the posts are now."""
    posts = await lock_posts(transaction, ids)
    rows = await transaction.fetch(_SQL["compare_posts"], list(posts))
    if rows:
        differing, columns = _columns(rows, _POST)
        await transaction.execute(_SQL["mend_posts"], differing, *columns)
        news = await shared(transaction, differing)
        await transaction.journal(
            [
                entry
                for post_id, post in news.items()
                for entry in changed_entries(post, None, in_gallery=not posts[post_id]["is_hidden"])
            ]
        )
    return [difference_of(row, repaired=True) for row in rows]


async def _mend_stats(transaction: Transaction, ids: Sequence[UUID]) -> list[Difference]:
    """Count anew under the lock of the statistics, which whoever changes them takes last."""
    await transaction.execute(_SQL["make_stats"], ids)
    await transaction.execute(_SQL["lock_stats"], ids)
    rows = await transaction.fetch(_SQL["compare_stats"], ids)
    if rows:
        differing, columns = _columns(rows, _STATS)
        await transaction.execute(_SQL["mend_stats"], differing, *columns)
    return [difference_of(row, repaired=True) for row in rows]


async def _mend_notices(transaction: Transaction, ids: Sequence[UUID]) -> list[Difference]:
    """Count anew; one that counts nothing is taken back."""
    await transaction.execute(_SQL["lock_subjects"], ids)
    await transaction.execute(_SQL["lock_receivers"], ids)
    rows = await transaction.fetch(_SQL["compare_notices"], ids)
    await transaction.journal(await correct(transaction, {row["key"]: row["are"] for row in rows}))
    return [difference_of(row, repaired=True) for row in rows]


async def _mend_standings(transaction: Transaction, ids: Sequence[UUID]) -> list[Difference]:
    """Write them anew under the posts' locks."""
    posts = await lock_posts(transaction, ids)
    rows = await transaction.fetch(_SQL["compare_standings"], list(posts))
    differing = list({row["key"] for row in rows})
    await transaction.execute(_SQL["clear_standings"], differing)
    await transaction.execute(_SQL["write_standings"], differing)
    return [difference_of(row, repaired=True) for row in rows]


def _columns(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> tuple[list[UUID], list[list[int | None]]]:
    """Whose counters differ, and for each of `names` what it should be, None where it is right."""
    found: defaultdict[UUID, dict[str, int]] = defaultdict(dict)
    for row in rows:
        found[row["key"]][row["what"]] = row["are"]
    return list(found), [[counts.get(name) for counts in found.values()] for name in names]


_NOBODY = UUID(int=0)

CHECKS = (
    Check("counters of posts", _NOBODY, _SQL["walk_posts"], _SQL["compare_posts"], _mend_posts),
    Check(
        "standings of posts",
        _NOBODY,
        _SQL["walk_posts"],
        _SQL["compare_standings"],
        _mend_standings,
    ),
    Check("statistics of users", _NOBODY, _SQL["walk_stats"], _SQL["compare_stats"], _mend_stats),
    Check("notifications", _NOBODY, _SQL["walk_notices"], _SQL["compare_notices"], _mend_notices),
)
