"""Loses some of what Redis tells its subscribers: a change to the answers of one connection (RESP2)."""

import random

_MESSAGE = b"*3\r\n$7\r\nmessage\r\n"


class Dropping:
    """Passes on whole answers, but for a share of the messages; `dropped` counts those."""

    def __init__(self, share: float, chance: random.Random) -> None:
        self.share = share
        self.dropped = 0
        self._chance = chance
        self._carry = b""

    def __call__(self, data: bytes) -> bytes:
        """The answers that are whole now, without what is lost."""
        data = self._carry + data
        kept, at = [], 0
        while (end := _end_of_answer(data, at)) is not None:
            answer = data[at:end]
            if answer.startswith(_MESSAGE) and self._chance.random() < self.share:
                self.dropped += 1
            else:
                kept.append(answer)
            at = end
        self._carry = data[at:]
        return b"".join(kept)


def _end_of_answer(data: bytes, at: int) -> int | None:
    """Where the answer that begins at `at` ends; None where it is not whole."""
    stop = data.find(b"\r\n", at)
    if stop < 0:
        return None
    kind, said, after = data[at : at + 1], data[at + 1 : stop], stop + 2
    if kind == b"$":
        end = after + int(said) + 2 if int(said) >= 0 else after
        return end if end <= len(data) else None
    if kind == b"*":
        end: int | None = after
        for _ in range(int(said)):
            end = _end_of_answer(data, end)
            if end is None:
                return None
        return end
    return after
