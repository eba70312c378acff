"""What is written past the gateway, by programs of others: it is counted and told like all else.

Triggers leave marks in `outside.writes`; here they are settled. A mark is plus or minus one row that its
counter does not know of. So counters are right once no mark is left, whatever the gateway did to the same rows
meanwhile, and in whatever order transactions came to an end.
"""

import asyncio
import random
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import structlog

from store.database import Database, Transaction
from store.gallery.outside.comments import Comments
from store.gallery.outside.follows import Follows
from store.gallery.outside.growth import Growth
from store.gallery.outside.likes import Likes
from store.gallery.outside.marks import FRESH, Fate, fates
from store.gallery.outside.posts import LockedPosts, Posts
from store.inbox import record
from store.queries import queries
from store.refusal import Refusal

__all__ = ["Outside"]

_SQL = queries("gallery/outside")

MARKS_AT_ONCE = 500
"""Marks that one transaction settles, and what hangs together with them."""
WAITING_MILLISECONDS = 200
"""How long one try waits for a post that somebody has locked, the others being settled already."""
BUSY_AT_ONCE = 5
"""Groups of posts that somebody has locked, chosen by lot, for which one run waits."""

_log = structlog.get_logger(__name__)

Rows = list[UUID]
Anchors = frozenset[UUID]


class Outside:
    """The marks of what was written past the gateway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_waiting(self) -> bool:
        """Whether there is anything to settle."""
        row = await self._database.fetchrow(_SQL["waiting"])
        return row is not None and row["waiting"]

    async def catch_up(self) -> bool:
        """Settle what waits, if anything does; whether it did."""
        waiting = await self.is_waiting()
        if waiting:
            await self.settle()
        return waiting

    async def settle(self) -> None:
        """Count and tell all that is committed by now.

        A post that somebody outside keeps locked is left for later, and holds up nothing else.
        """
        place = 0
        busy: dict[Anchors, Rows] = {}
        while marks := await self._database.fetch(_SQL["next"], place, MARKS_AT_ONCE):
            place = marks[-1]["place"]
            together: dict[Anchors, Rows] = {}
            for mark in marks:
                together.setdefault(frozenset(mark["posts"]), []).append(mark["row_id"])
            try:
                busy |= await self._settle_free(together)
            except asyncpg.CheckViolationError:  # a counter depends on marks that come later
                await self._database.catching_up(_settle_all)
                return
        tried = random.sample(list(busy.items()), min(len(busy), BUSY_AT_ONCE))
        await asyncio.gather(*(self._settle_busy(anchors, rows) for anchors, rows in tried))

    async def _settle_free(self, together: dict[Anchors, Rows]) -> dict[Anchors, Rows]:
        """Settle what hangs on posts that nobody has locked; what is left."""
        posts = list({post_id for anchors in together for post_id in anchors})

        async def work(transaction: Transaction) -> dict[Anchors, Rows]:
            locked = await transaction.fetch(_SQL["lock_free"], posts)
            there = {row["id"] for row in await transaction.fetch(_SQL["there"], posts)}
            others = there - {row["id"] for row in locked}
            busy = {anchors: rows for anchors, rows in together.items() if anchors & others}
            held: LockedPosts = {row["id"]: row for row in locked}
            free = [
                row for anchors, rows in together.items() if anchors not in busy for row in rows
            ]
            whole = [post_id for post_id in held if not any(post_id in each for each in busy)]
            await _settle(transaction, await _take(transaction, free, whole), held)
            return busy

        return await self._database.catching_up(work)

    async def _settle_busy(self, anchors: Anchors, rows: Rows) -> None:
        async def work(transaction: Transaction) -> None:
            await transaction.fetch(_SQL["bound_waiting"], str(WAITING_MILLISECONDS))
            locked = await transaction.fetch(_SQL["lock"], list(anchors))
            held: LockedPosts = {row["id"]: row for row in locked}
            await _settle(transaction, await _take(transaction, rows, list(held)), held)

        try:
            await self._database.catching_up(work)
        except Refusal as refusal:
            if refusal.code != "OVERLOADED":
                raise
            _log.warning(
                "writes from outside wait for a lock", posts=[str(each) for each in anchors]
            )


async def _settle_all(transaction: Transaction) -> None:
    marks = await transaction.fetch(_SQL["next"], 0, None)
    posts = {post_id for mark in marks for post_id in mark["posts"]}
    locked = await transaction.fetch(_SQL["lock"], list(posts))
    held: LockedPosts = {row["id"]: row for row in locked}
    rows = [mark["row_id"] for mark in marks]
    await _settle(transaction, await _take(transaction, rows, list(held)), held)


async def _take(
    transaction: Transaction, rows: Sequence[UUID], posts: Sequence[UUID | None]
) -> Sequence[Fate]:
    return fates(await transaction.fetch(_SQL["take"], rows, posts, FRESH))


async def _settle(transaction: Transaction, taken: Sequence[Fate], posts: LockedPosts) -> None:
    """Count and tell what became of these rows; the posts they hang on are locked, or are no more."""

    def of(noun: str) -> list[Fate]:
        return [fate for fate in taken if fate.noun == noun]

    if not taken:
        return
    growth = Growth()
    changed = Posts(of("post"), posts)
    likes, comments = Likes(of("like"), posts), Comments(of("comment"), posts)
    follows = Follows(of("follow"))
    await changed.look(transaction, growth)
    activities = [
        *await likes.look(transaction, growth),
        *await comments.look(transaction, growth),
        *await follows.look(transaction, growth),
    ]
    await growth.write(transaction)
    notices = [*await record(transaction, activities), *await changed.notices(transaction)]
    await transaction.blank([*changed.gone, *comments.gone])
    await transaction.blank_topics(changed.gone)
    await transaction.journal(
        [
            *await changed.entries(transaction),
            *likes.entries(growth),
            *comments.entries(growth),
            *follows.entries(growth),
            *notices,
        ]
    )
