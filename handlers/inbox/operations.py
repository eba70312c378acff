"""The inbox's operations: the table that gallery.md describes."""

from typing import Any

from handlers.inbox import notifications
from handlers.operation import Operation
from handlers.paging import PageQuery
from store.inbox import Inbox
from store.inbox.shapes import NotificationPage, Seen

OPERATIONS: tuple[Operation[Inbox, Any, Any], ...] = (
    Operation(
        "notification:page",
        "GET",
        "/notifications",
        PageQuery,
        NotificationPage,
        notifications.page,
    ),
    Operation(
        "notification:see",
        "PUT",
        "/notifications/seen",
        notifications.See,
        Seen,
        notifications.see,
    ),
)
