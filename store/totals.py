"""Totals of listings: counted once a minute at most, however many ask, and ahead of time where many do."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Any

from store.database import Reader

MOST_AGE_SECONDS = 60.0
"""How old a total may be when it is answered."""
AHEAD_SECONDS = 30.0
"""A total of this age is counted anew when it is asked for, and answered as it is: nobody waits."""
MOST_TOTALS = 10_000
"""Totals that are remembered."""

Counted = tuple[float, "asyncio.Future[int]"]
"""When counting began, and what it comes to."""


class Totals:
    """The totals that were counted in the last minute; of more than `most`, those longest unasked are forgotten."""

    def __init__(self, *, clock: Callable[[], float] = monotonic, most: int = MOST_TOTALS) -> None:
        self._clock = clock
        self._most = most
        self._known: OrderedDict[Hashable, Counted] = OrderedDict()
        self._ahead: dict[Hashable, Counted] = {}

    def ask(self, key: Hashable, count: Callable[[], Awaitable[int]]) -> "asyncio.Future[int]":
        """The total under `key`; where it is not known or too old, `count` is called, once for all.

        The future is shared: await it shielded.
        """
        known = self._known.get(key)
        age = MOST_AGE_SECONDS if known is None else self._clock() - known[0]
        if known is None or age >= MOST_AGE_SECONDS:
            known = self._known[key] = self._ahead.get(key) or self._begin(key, count, self._forget)
        elif age >= AHEAD_SECONDS and key not in self._ahead:
            self._ahead[key] = self._begin(key, count, self._take_over)
        self._known.move_to_end(key)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return known[1]

    def _begin(
        self,
        key: Hashable,
        count: Callable[[], Awaitable[int]],
        done: Callable[[Hashable, Counted], None],
    ) -> Counted:
        counted = (self._clock(), asyncio.ensure_future(count()))
        counted[1].add_done_callback(lambda _: done(key, counted))
        return counted

    def _forget(self, key: Hashable, counted: Counted) -> None:
        """A count that failed is not kept."""
        if _failed(counted) and self._known.get(key) is counted:
            del self._known[key]

    def _take_over(self, key: Hashable, counted: Counted) -> None:
        """From now on this is the total; if it failed, the one before goes on until it is too old."""
        del self._ahead[key]
        if _failed(counted):
            self._forget(key, counted)
        elif key in self._known:
            self._known[key] = counted


def _failed(counted: Counted) -> bool:
    return counted[1].cancelled() or counted[1].exception() is not None


async def count(reader: Reader, query: str, *arguments: Any) -> int:
    """What a query answers as `total`."""
    row = await reader.fetchrow(query, *arguments)
    assert row is not None
    return int(row["total"])
