"""What a swarm has seen."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Tally:
    """What the clients saw since counting began. Times are of the machine's monotonic clock, in seconds."""

    events: int = 0
    """Events with a seq, each of which was checked against the one before."""
    unnumbered: int = 0
    repeated: int = 0
    """Events whose seq was not higher than that of the one before."""
    skipped: int = 0
    """Numbers missing between one event of a topic and the next, summed over clients."""
    recovered: int = 0
    """Events that clients who came back had missed, and were told of."""
    unrecovered: int = 0
    """Topics of which clients who came back could not be told what they had missed."""
    sampled: int = 0
    wrong: int = 0
    """Events that were decoded whole, and those of them that were not what an event is."""
    pings: int = 0
    lost: int = 0
    """Connections that ended without our doing."""
    faults: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    acked: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    latencies: "array[float]" = field(default_factory=lambda: array("f"))
    """Seconds from a command to its answer, refused ones left out."""
    acked_seqs: "array[int]" = field(default_factory=lambda: array("q"))
    sent_at: "array[float]" = field(default_factory=lambda: array("d"))
    """Where traced: the seq in an answer (-1 if it has none), and when its command was sent."""
    seen_after: "array[int]" = field(default_factory=lambda: array("q"))
    seen_seqs: "array[int]" = field(default_factory=lambda: array("q"))
    seen_at: "array[float]" = field(default_factory=lambda: array("d"))
    """Where traced: a client's seq of a topic before a piece of data came, after it, and when it came."""
    first_at: float = 0.0
    last_at: float = 0.0
    """When the first and the last event came; 0 if none did."""
    seconds: float = 0.0
    busy_seconds: float = 0.0
    """CPU time of the busiest process."""
    longest_pass: float = 0.0
    """Seconds for which a loop kept everybody waiting at worst."""
    late: float = 0.0
    """Seconds by which a command on a schedule was sent late at worst."""

    @property
    def busy(self) -> float:
        """The share of its time for which the busiest process was busy."""
        return self.busy_seconds / self.seconds if self.seconds else 0.0


_WORST = {"seconds", "busy_seconds", "longest_pass", "late", "last_at"}


def together(tallies: Iterable[Tally]) -> Tally:
    """The tallies of several processes as one: sums, and of shares and waits the worst."""
    whole = Tally()
    for each in tallies:
        for name in (entry.name for entry in fields(Tally)):
            ours, theirs = getattr(whole, name), getattr(each, name)
            if name == "first_at":
                whole.first_at = min(ours or theirs, theirs or ours)
            elif name in _WORST:
                setattr(whole, name, max(ours, theirs))
            else:
                setattr(whole, name, ours + theirs)
    return whole


@dataclass(slots=True)
class Opened:
    """How the coming of clients went."""

    entered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    latencies: "array[float]" = field(default_factory=lambda: array("f"))
    """Seconds from connect to being in."""
    seconds: float = 0.0
    """From the first connect until the last one was in."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: counts since counting began."""

    events: int
    acked: int
    refused: int
    lost: int
    entered: int
