"""What the store does, counted: implements `Meter` of `store.database` and of `store.replica`."""

from collections import Counter

from gateway.metrics.catalogue import BATCH_SIZES
from gateway.metrics.counts import Spread


class BatchCounts:
    """The batches of one name."""

    __slots__ = ("commands", "took", "waited")

    def __init__(self) -> None:
        self.commands = Spread(BATCH_SIZES)
        self.waited = Spread()
        self.took = Spread()


class StoreCounts:
    """Waiting for connections, batches by name, and where is read that has a replica."""

    def __init__(self) -> None:
        self.pool = Spread()
        self.failures = 0
        self.batches: dict[str, BatchCounts] = {}
        self.reads: Counter[str] = Counter()
        self.catching_up = Spread()

    def waited(self, seconds: float) -> None:
        self.pool.add(seconds)

    def failed(self) -> None:
        self.failures += 1

    def read(self, server: str) -> None:
        self.reads[server] += 1

    def caught_up(self, seconds: float) -> None:
        self.catching_up.add(seconds)

    def batched(self, name: str, commands: int, waited: float, took: float) -> None:
        counts = self.batches.get(name)
        if counts is None:
            counts = self.batches[name] = BatchCounts()
        counts.commands.add(commands)
        counts.waited.add(waited)
        counts.took.add(took)
