"""Consumers: programs that follow the whole journal, each from a position of its own.

    async with consume(database_url, "search") as batches:
        async for batch in batches:
            for entry in batch.entries:
                ...
            await batch.commit()

Docs: docs/consumers.md, docs/adr/0042-consumers-read-by-turns.md.
"""

from store.consumers.following import Batch, Follower, Following, consume, follow
from store.consumers.positions import (
    Begin,
    Consumer,
    Consumers,
    HistoryChanged,
    Missed,
    Stopped,
    TakenOver,
    Told,
    Wanted,
)

__all__ = [
    "Batch",
    "Begin",
    "Consumer",
    "Consumers",
    "Follower",
    "Following",
    "HistoryChanged",
    "Missed",
    "Stopped",
    "TakenOver",
    "Told",
    "Wanted",
    "consume",
    "follow",
]
