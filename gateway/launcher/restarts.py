"""How long a slot stays empty after its worker died."""

STEADY_SECONDS = 10.0
"""A worker that lived this long was well: its end says nothing about the next one."""

FIRST_PAUSE = 0.5
"""Seconds until a worker is started again that died soon."""
LONGEST_PAUSE = 30.0
"""Seconds between two starts of a worker that dies again and again; each is twice the one before."""


class Restarts:
    """The deaths of one slot's workers, and what follows from them."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def pause(self, lived: float) -> float:
        """Seconds to wait before the next start, after a worker that lived this long; 0 for at once."""
        self._in_a_row = 1 if lived >= STEADY_SECONDS else self._in_a_row + 1
        if self._in_a_row == 1:
            return 0.0
        doublings = min(self._in_a_row - 2, 16)  # beyond that it is the longest anyway
        return float(min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE))
