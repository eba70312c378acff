"""Reports: what people find wrong with posts, and what moderators make of it."""

import asyncio
from collections.abc import Mapping
from typing import Any, Unpack
from uuid import UUID

import msgspec

from store.cursors import CursorKey, Page
from store.database import Database, Transaction
from store.gallery.moderation import check_may_write, lock_with_inspiring, set_hidden
from store.gallery.moderation_log import Note, note
from store.gallery.refusals import (
    already_reported,
    id_taken,
    post_not_found,
    report_already_reviewed,
    report_not_found,
)
from store.gallery.shapes import Report, ReportReason, ReportStatus, ReviewStatus
from store.identity import summary_of
from store.listing import NewestFirst, Paging
from store.queries import queries
from store.totals import Totals, count
from store.viewer import Viewer

_SQL = queries("gallery/reports")

_NEWEST = NewestFirst("reports")


class NewReport(msgspec.Struct, frozen=True):
    """A report about to be made. Its text is clean."""

    id: UUID
    post_id: UUID
    by: Viewer
    reason: ReportReason
    details: str | None


class Reports:
    """What is reported."""

    def __init__(self, database: Database, cursor_key: CursorKey) -> None:
        self._database = database
        self._cursor_key = cursor_key
        self._totals = Totals()

    async def make(self, report: NewReport) -> bool:
        """Report a post; whether that is new: False when it had been reported before, just so.

        Raises COMMUNITY_POST_NOT_FOUND, COMMUNITY_ALREADY_REPORTED and IDEMPOTENCY_CONFLICT.
        """
        return await self._database.transaction(lambda transaction: _make(transaction, report))

    async def page(self, status: ReportStatus | None, **paging: Unpack[Paging]) -> Page[Report]:
        """Reports of one status or of any, newest first; `total` may be up to a minute old.

        Raises INVALID_CURSOR.
        """
        span = await _NEWEST.span(self._cursor_key, [status], **paging)
        total = self._totals.ask(status, lambda: count(self._database.reads, _SQL["count"], status))
        if status is None:
            rows = await self._database.reads.fetch(_SQL["newest"], *span.arguments)
        else:
            rows = await self._database.reads.fetch(
                _SQL["newest_of_status"], *span.arguments, status
            )
        return span.page(rows, _report, await asyncio.shield(total))

    async def review(
        self, report_id: UUID, by: Viewer, status: ReviewStatus, *, hide_post: bool
    ) -> Report:
        """Settle a report, once, and hide its post if so wanted.

        Raises NOT_FOUND and COMMUNITY_REPORT_ALREADY_REVIEWED.
        """

        async def work(transaction: Transaction) -> Report:
            return await _review(transaction, report_id, by, status, hide_post)

        return await self._database.transaction(work)


async def _make(transaction: Transaction, report: NewReport) -> bool:
    reporter_id = await check_may_write(transaction, report.by)
    post = await transaction.fetchrow(_SQL["hold_post"], report.post_id)
    if post is None or (post["is_hidden"] and not report.by.may_see_hidden_of(post["user_id"])):
        raise post_not_found(report.post_id)
    wanted = (report.id, report.post_id, reporter_id, report.reason, report.details)
    if await transaction.fetchrow(_SQL["add"], *wanted) is not None:
        return True
    there = await transaction.fetchrow(_SQL["made"], report.id)
    if there is None:
        raise already_reported(report.post_id)
    if tuple(there) != wanted:
        raise id_taken(report.id)
    return False


async def _review(
    transaction: Transaction, report_id: UUID, by: Viewer, status: ReviewStatus, hide_post: bool
) -> Report:
    reviewer_id = await check_may_write(transaction, by)
    post_id = await _post_of(transaction, report_id)
    posts = await lock_with_inspiring(transaction, post_id) if hide_post else {}
    if await transaction.fetchrow(_SQL["review"], report_id, status, reviewer_id) is None:
        await _post_of(transaction, report_id)  # it may have gone meanwhile, with its post
        raise report_already_reviewed(report_id)
    await note(transaction, [Note(reviewer_id, status, "report", report_id)])
    row = await transaction.fetchrow(_SQL["find"], report_id)
    assert row is not None
    if hide_post:
        await set_hidden(transaction, posts, post_id, by, True, None)
    return _report(row)


async def _post_of(transaction: Transaction, report_id: UUID) -> UUID:
    """The post that a report is about. Raises NOT_FOUND."""
    row = await transaction.fetchrow(_SQL["reported"], report_id)
    if row is None:
        raise report_not_found(report_id)
    post_id: UUID = row["post_id"]
    return post_id


def _report(row: Mapping[str, Any]) -> Report:
    return Report(
        id=row["id"],
        post_id=row["post_id"],
        reporter=summary_of(row, "reporter_"),
        reason=row["reason"],
        details=row["details"],
        status=row["status"],
        reviewed_by=row["reviewed_by"],
        reviewed_at=row["reviewed_at"],
        created_at=row["created_at"],
    )
