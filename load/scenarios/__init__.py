"""What can be measured of a deployment. Each scenario takes a fleet and a deployment, and gives an outcome."""

from load.scenarios.crowds import connections, storm
from load.scenarios.delivery import fanout, hot_room, polling, screens
from load.scenarios.everyday import mixed
from load.scenarios.requests import comments, feed, intake, likes
from load.scenarios.running import CannotBegin

__all__ = [
    "CannotBegin",
    "comments",
    "connections",
    "fanout",
    "feed",
    "hot_room",
    "intake",
    "likes",
    "mixed",
    "polling",
    "screens",
    "storm",
]
