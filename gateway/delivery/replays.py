"""What clients missed of one topic, read from the journal for many of them together."""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.delivery.message import Entry
from gateway.delivery.ports import Replay
from gateway.gathering import Gathering


@dataclass(frozen=True, slots=True)
class Part:
    """What follows one position, out of a replay that began no later."""

    epoch: str
    head: int
    whole: bool
    entries: Sequence[Entry]


class ReplayReader:
    """One query at a time: positions that are asked for while it runs are answered by the next, together.

    A replay is collapsed to the newest state of each key; what of it lies after a later position is just what a
    replay from there would be.
    """

    def __init__(self, read: Callable[[int], Awaitable[Replay]]) -> None:
        self._read = read
        self._gathering = Gathering(self._read_all)

    async def after(self, seq: int) -> Replay:
        """What followed `seq`, not older than this call. Raises what reading raises."""
        return await self._gathering(seq)

    async def _read_all(self, seqs: Sequence[int]) -> list[Replay]:
        """The replay from the earliest position that it reaches serves all the later ones."""
        wanted = sorted(set(seqs))
        reach: tuple[int, Replay] | None = None
        place, low, high = 0, 0, len(wanted)
        while True:
            replay = await self._read(wanted[place])
            if replay.whole:
                reach = wanted[place], replay
                high = place
            else:
                low = place + 1
                # Nothing follows what is not there.
                high = min(high, bisect_right(wanted, replay.head))
            if low >= high:
                break
            place = (low + high) // 2
        return [_part(seq, replay, reach) for seq in seqs]


def _part(seq: int, latest: Replay, reach: tuple[int, Replay] | None) -> Replay:
    if reach is None or not reach[0] <= seq <= reach[1].head:
        return Part(latest.epoch, latest.head, whole=False, entries=())
    replay = reach[1]
    entries = [entry for entry in replay.entries if entry.seq is not None and entry.seq > seq]
    return Part(replay.epoch, replay.head, whole=True, entries=entries)
