"""The events of the inbox domain, all on the receiver's own topic `user:{id}`."""

from store.inbox.shapes import Notification
from store.journal import EventType, Kind

NOTIFICATION_CREATED = EventType("notification:created", Kind.STATE, Notification)
NOTIFICATION_UPDATED = EventType("notification:updated", Kind.STATE, Notification)
