"""Heads of topics, read from the journal together."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from gateway.gathering import Gathering


class Heads(Protocol):
    @property
    def epoch(self) -> str: ...
    @property
    def seqs(self) -> Mapping[str, int]: ...


class HeadReader:
    """One query at a time: topics that are asked for while it runs are read by the next, together."""

    def __init__(self, read: Callable[[Sequence[str]], Awaitable[Heads]]) -> None:
        self._read = read
        self._gathering = Gathering(self._read_all)

    async def head(self, topic: str) -> tuple[str, int]:
        """The epoch and the topic's head, not older than this call. Raises what reading raises."""
        return await self._gathering(topic)

    async def _read_all(self, topics: Sequence[str]) -> list[tuple[str, int]]:
        heads = await self._read(list(dict.fromkeys(topics)))
        return [(heads.epoch, heads.seqs[topic]) for topic in topics]
