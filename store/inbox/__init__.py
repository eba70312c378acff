"""What a user should get to know: notifications.

`record` is what other domains call from inside their own transactions; where one of their SQL functions
has called `inbox_record`, `told` gives the entry of each row. `correct` is for their audits.
"""

from store.cursors import CursorKey
from store.database import Database
from store.inbox.notifications import Activity, Notifications, correct, record, told, withdraw
from store.inbox.shapes import ACTORS, Notification, NotificationKind, Subject

__all__ = [
    "ACTORS",
    "Activity",
    "Inbox",
    "Notification",
    "NotificationKind",
    "Subject",
    "correct",
    "record",
    "told",
    "withdraw",
]


class Inbox:
    """The store of the inbox domain."""

    def __init__(self, database: Database) -> None:
        self.notifications = Notifications(database, CursorKey(database))
