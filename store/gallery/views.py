"""Views: how many have looked at a post, each viewer once in half an hour."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import structlog

from store.batching import Batcher
from store.database import Database, Transaction
from store.gallery.events import POST_VIEWED, post_topic
from store.gallery.refusals import post_not_found
from store.gallery.shapes import Viewed
from store.journal import Ephemeral
from store.queries import queries
from store.refusal import Refusal
from store.viewer import Viewer

_SQL = queries("gallery/views")

COUNTS_AGAIN_AFTER = timedelta(minutes=30)
"""When the same viewer's view of a post counts again."""
UPKEEP = timedelta(minutes=10)
"""How often old marks are removed."""

_log = structlog.get_logger(__name__)


class View(msgspec.Struct, frozen=True):
    """Somebody looks at a post; a visitor is known by their address."""

    post_id: UUID
    by: Viewer
    address: str

    @property
    def viewer(self) -> str:
        return self.address if self.by.id is None else str(self.by.id)


class Views:
    """Who looks at what."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher = Batcher(
            partial(self.settle, patient=False),
            by=lambda view: view.post_id,
            report=database.batched("views"),
        )
        self._noting: set[asyncio.Task[Viewed]] = set()

    async def submit(self, view: View) -> Viewed:
        """Count a view, together with those that arrive meanwhile. Raises Refusal."""
        return await self._batcher(view)

    def note(self, view: View) -> None:
        """Count a view without waiting for it; if that fails, it is not counted."""
        task = asyncio.create_task(self.submit(view))
        self._noting.add(task)
        task.add_done_callback(self._noted)

    def _noted(self, task: "asyncio.Task[Viewed]") -> None:
        self._noting.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, Refusal):
            _log.warning("a view was not counted", code=error.code)
        else:
            _log.error("a view was not counted", exc_info=error)

    async def settle(
        self, views: Sequence[View], *, patient: bool = True
    ) -> list[Viewed | Refusal]:
        """Count views in one transaction; each post's new count is told to those who watch it.

        Who is not `patient` gets Blocked where somebody else holds one of the posts.
        """
        return await self._database.transaction(
            lambda transaction: _settle(transaction, views), patient=patient
        )

    async def forget(self) -> None:
        """Remove the marks that count for nothing any more."""
        await self._database.fetch(_SQL["forget"], COUNTS_AGAIN_AFTER)


async def _settle(transaction: Transaction, views: Sequence[View]) -> list[Viewed | Refusal]:
    rows = await transaction.fetch(_SQL["find"], list({view.post_id for view in views}))
    posts = {row["id"]: row for row in rows}
    seen = [view for view in views if _may_see(view, posts.get(view.post_id))]
    marked = await transaction.fetch(
        _SQL["mark"],
        [view.post_id for view in seen],
        [view.viewer for view in seen],
        COUNTS_AGAIN_AFTER,
    )
    counts = {post_id: row["view_count"] for post_id, row in posts.items()}
    counts.update(await _count(transaction, Counter(row["post_id"] for row in marked)))
    visible = set(seen)
    return [
        Viewed(view.post_id, counts[view.post_id])
        if view in visible
        else post_not_found(view.post_id)
        for view in views
    ]


def _may_see(view: View, post: Mapping[str, Any] | None) -> bool:
    return post is not None and (
        not post["is_hidden"] or view.by.may_see_hidden_of(post["user_id"])
    )


async def _count(transaction: Transaction, growth: Mapping[UUID, int]) -> dict[UUID, int]:
    """The counts of posts that were viewed so many times more."""
    if not growth:
        return {}
    locked = await transaction.fetch(_SQL["lock_posts"], list(growth))
    # Of what is hidden nothing is told: without a seq it could pass the entry that says so.
    shown = {row["id"] for row in locked if not row["is_hidden"]}
    rows = await transaction.fetch(_SQL["count"], list(growth), list(growth.values()))
    transaction.tell(
        [
            Ephemeral.of(
                post_topic(row["id"]),
                POST_VIEWED,
                Viewed(row["id"], row["view_count"]),
                key="views",
                at=row["at"],
            )
            for row in rows
            if row["id"] in shown
        ]
    )
    return {row["id"]: row["view_count"] for row in rows}
