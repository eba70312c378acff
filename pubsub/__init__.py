"""Topics and bytes between nodes, and limits and presence over all of them. Knows nothing of the product."""

from pubsub.attendance import Attendance, Away, Present, Share
from pubsub.bus import Bus
from pubsub.ending import ended
from pubsub.limiter import Ask, Bucket, Limiter, LocalLimiter, Room, Verdict, Window
from pubsub.line import BusCounts
from pubsub.servers import servers_at as check_url

__all__ = [
    "Ask",
    "Attendance",
    "Away",
    "Bucket",
    "Bus",
    "BusCounts",
    "Limiter",
    "LocalLimiter",
    "Present",
    "Room",
    "Share",
    "Verdict",
    "Window",
    "check_url",
    "ended",
]
