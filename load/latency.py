"""Percentiles, and how long it took until others saw what somebody did."""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from load.swarm import Tally

SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)


@dataclass(frozen=True, slots=True)
class Spread:
    """Latencies in seconds, sorted."""

    values: Sequence[float]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        return cls(sorted(values))

    def __len__(self) -> int:
        return len(self.values)

    def at(self, share: float) -> float:
        """The value that this share of all values does not exceed (nearest rank); 0 if there is none."""
        if not self.values:
            return 0.0
        rank = -int(-share * len(self.values) // 1)
        return self.values[min(max(rank, 1), len(self.values)) - 1]


def screens(tally: Tally) -> Spread:
    """From sending each traced command until each watcher saw its effect, for all of both.

    A watcher sees the effect of number n with the first event whose seq is n or more: a newer state
    stands for the older ones.
    """
    sent = defaultdict(list)
    for seq, at in zip(tally.acked_seqs, tally.sent_at, strict=True):
        if seq >= 0:
            sent[seq].append(at)
    numbers = sorted(sent)
    latencies = []
    for after, seq, at in zip(tally.seen_after, tally.seen_seqs, tally.seen_at, strict=True):
        for number in numbers[bisect_right(numbers, after) : bisect_right(numbers, seq)]:
            latencies += [at - sent_at for sent_at in sent[number]]
    return Spread.of(latencies)


def in_order(tally: Tally) -> Spread:
    """The same where answers carry no seq: the nth command sent made the nth of dense numbers."""
    base = min(tally.seen_after, default=0)
    tally.acked_seqs = array("q", range(base + 1, base + 1 + len(tally.sent_at)))
    tally.sent_at = array("d", sorted(tally.sent_at))
    return screens(tally)
