"""What a user should get to know: notifications, on the user's own topic."""

from handlers.domain import Domain
from handlers.inbox.operations import OPERATIONS
from store.inbox import Inbox
from store.inbox.events import NOTIFICATION_CREATED, NOTIFICATION_UPDATED

__all__ = ["DOMAIN"]

DOMAIN = Domain(
    name="inbox",
    base="/api/v1/community",
    store=Inbox,
    operations=OPERATIONS,
    events={"user:{id}": (NOTIFICATION_CREATED, NOTIFICATION_UPDATED)},
)
