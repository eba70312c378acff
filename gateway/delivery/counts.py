"""What a worker's delivery has done since it began. A flush counts once, however many it reaches."""

from collections import Counter

from gateway.metrics.counts import Spread

RING, JOURNAL, REFUSED = "ring", "journal", "refused"


class DeliveryCounts:
    """Plain numbers, for whoever wants to read them."""

    __slots__ = (
        "committed",
        "deliveries",
        "entries_behind",
        "flushes",
        "gaps_filled",
        "heads_behind",
        "received",
        "replays",
        "seconds",
        "started_over",
    )

    def __init__(self) -> None:
        self.committed = 0
        self.received = 0
        self.flushes = 0
        self.deliveries = 0
        self.seconds = Spread()
        """From an entry's stamp in the journal until the last watcher here was written to."""
        self.heads_behind = 0
        self.entries_behind = 0
        self.gaps_filled = 0
        self.started_over = 0
        self.replays: Counter[str] = Counter({RING: 0, JOURNAL: 0, REFUSED: 0})
