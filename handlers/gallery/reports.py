"""Reports: how people say that something is wrong with a post, and how that is settled."""

from typing import Annotated
from uuid import UUID

import msgspec

from handlers.operation import Call
from handlers.paging import PageQuery
from handlers.text import clean_text, written
from handlers.validation import ClientId, check_client_id
from store.cursors import Page
from store.gallery import Gallery
from store.gallery.reports import NewReport
from store.gallery.shapes import Report, Reported, ReportReason, ReportStatus, ReviewStatus
from store.ids import new_id

DETAILS_MOST = 500
"""Characters of a report's details."""

Details = Annotated[str, written(most=DETAILS_MOST)]


class ReportPost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong with a post. Details of nothing are none.

    `id` is the client's own, a UUIDv7: then a retry is recognised as one.
    """

    post_id: UUID
    reason: ReportReason
    details: Details | None = None
    id: ClientId | None = None

    def __post_init__(self) -> None:
        details = clean_text(self.details or "", "details", least=0, most=DETAILS_MOST)
        msgspec.structs.force_setattr(self, "details", details or None)
        if self.id is not None:
            check_client_id(self.id)


class ReportQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reports, newest first: those of one status, or all."""

    status: ReportStatus | None = None


class ReviewReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a report, and whether its post is to be hidden."""

    report_id: UUID
    status: ReviewStatus
    hide_post: bool = False


async def report(call: Call[Gallery], command: ReportPost) -> Reported:
    """The actor reports the post: once, and be it their own."""
    report_id = command.id or new_id()
    call.changed = await call.store.reports.make(
        NewReport(report_id, command.post_id, call.actor.viewer, command.reason, command.details)
    )
    return Reported(report_id)


async def page(call: Call[Gallery], query: ReportQuery) -> Page[Report]:
    """What has been reported."""
    return await call.store.reports.page(query.status, **query.paging)


async def review(call: Call[Gallery], command: ReviewReport) -> Report:
    """The report is settled, once and for all."""
    return await call.store.reports.review(
        command.report_id, call.actor.viewer, command.status, hide_post=command.hide_post
    )
