"""Who is at a place, over all nodes: each node says who is there of its own, and is told of all.

Redis keeps each node's share until it fades; what a node does not renew in time counts no more.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError, RedisError

from pubsub.commands import open_redis

SHARE_SECONDS = 60.0
"""How long a node's share stays unless it is renewed."""
SAMPLE_USERS = 5
"""Users at a place who are told by name."""
CALLS_AT_ONCE = 200
"""Script calls of one round trip."""
CHANGES_A_CALL = 500
"""Users who come or leave in one script call: Redis does nothing else meanwhile."""
SOCKET_SECONDS = 1.0
"""Within which Redis has to answer, or it counts as away."""

_LUA = Path(__file__).with_name("attendance.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_LUA.encode(), usedforsecurity=False).hexdigest()
_KEYS = ("fades", "visitors", "at", "came", "tell")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Away(Exception):
    """Redis cannot be asked now; what was said may have arrived or not."""


@dataclass(frozen=True, slots=True)
class Share:
    """What this node says of a place: all of it where it is `whole`, else what changed since it last did.

    `visitors` counts those whom nothing else tells apart. Users who `came` stand with what to tell of them.
    """

    place: str
    visitors: int
    whole: bool = True
    came: Mapping[str, bytes] = field(default_factory=dict)
    left: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Present:
    """How many are at a place, each user once, at that moment; and what to tell of those who came last."""

    viewers: int
    sample: tuple[bytes, ...]
    at: datetime


class Attendance:
    """What `node` says, and is told. Keys are named `prefix + "here:{place}:…"`: a place is one cluster slot."""

    def __init__(
        self, url: str, *, prefix: str, node: str, share_seconds: float = SHARE_SECONDS
    ) -> None:
        self._redis = open_redis(url, SOCKET_SECONDS)
        self._prefix = prefix
        self._node = node
        self._life = str(round(share_seconds * 1000))

    async def close(self) -> None:
        """Let go of the connection."""
        await self._redis.aclose()

    async def tell(self, shares: Sequence[Share]) -> list[Present | None]:
        """Say who is here, and hear who is there in all; None where the share has to be told whole.

        One round trip for any number of places up to CALLS_AT_ONCE. Raises Away.
        """
        calls: list[tuple[list[str], list[str | bytes]]] = []
        last = []
        for share in shares:
            calls += self._calls(share)
            last.append(len(calls) - 1)
        answers: list[Any] = []
        try:
            for first in range(0, len(calls), CALLS_AT_ONCE):
                answers += await self._evaluate(calls[first : first + CALLS_AT_ONCE])
        except (RedisError, OSError) as error:
            raise Away(repr(error)) from error
        return [_present(answers[place]) for place in last]

    def _calls(self, share: Share) -> list[tuple[list[str], list[str | bytes]]]:
        keys = [f"{self._prefix}here:{{{share.place}}}:{name}" for name in _KEYS]
        changes: list[tuple[str, bytes | None]] = [*share.came.items()]
        changes += [(user, None) for user in share.left]
        calls = []
        for first in range(0, max(len(changes), 1), CHANGES_A_CALL):
            some = changes[first : first + CHANGES_A_CALL]
            came = [each for user, tell in some if tell is not None for each in (user, tell)]
            whole = "1" if share.whole and first == 0 else "0"
            arguments: list[str | bytes] = [self._node, self._life, whole, str(share.visitors)]
            arguments += [str(SAMPLE_USERS), str(len(came) // 2), *came]
            arguments += [user for user, tell in some if tell is None]
            calls.append((keys, arguments))
        return calls

    async def _evaluate(self, calls: Sequence[tuple[list[str], list[str | bytes]]]) -> list[Any]:
        """Redis's answers in one round trip; in two more where it does not know the script any more."""
        pipeline = self._redis.pipeline(transaction=False)
        for keys, arguments in calls:
            pipeline.evalsha(_SHA, len(keys), *keys, *arguments)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            # It was lost with all shares: nothing of these calls has been done.
            await self._redis.script_load(_LUA)
            pipeline = self._redis.pipeline(transaction=False)
            for keys, arguments in calls:
                pipeline.evalsha(_SHA, len(keys), *keys, *arguments)
            answers = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers


def _present(answer: Any) -> Present | None:
    if answer is None:
        return None
    seconds, microseconds, viewers, *sample = answer
    at = _EPOCH + timedelta(seconds=seconds, microseconds=microseconds)
    return Present(viewers, tuple(each for each in sample if each is not None), at)
