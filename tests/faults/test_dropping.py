"""Messages of Redis are lost whole, and nothing else is touched."""

import random

import pytest

from tests.faults.dropping import Dropping

SUBSCRIBED = b"*3\r\n$9\r\nsubscribe\r\n$4\r\nroom\r\n:1\r\n"
MESSAGE = b"*3\r\n$7\r\nmessage\r\n$4\r\nroom\r\n$6\r\nhi\r\nyo\r\n"
ANSWERS = b"+OK\r\n" + SUBSCRIBED + MESSAGE + b"$-1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n" + MESSAGE


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_messages_are_lost_and_nothing_else(size: int) -> None:
    pieces = [ANSWERS[at : at + size] for at in range(0, len(ANSWERS), size)]
    none, every = Dropping(0.0, random.Random(1)), Dropping(1.0, random.Random(1))  # noqa: S311
    assert b"".join(map(none, pieces)) == ANSWERS
    assert b"".join(map(every, pieces)) == ANSWERS.replace(MESSAGE, b"")
    assert (none.dropped, every.dropped) == (0, 2)


def test_a_share_is_lost() -> None:
    dropping = Dropping(0.1, random.Random(1))  # noqa: S311
    dropping(MESSAGE * 10_000)
    assert 900 < dropping.dropped < 1_100
