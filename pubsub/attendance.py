"""Who is at a place, over all nodes: each node says who is there of its own, and is told of all.

Redis keeps each node's share until it fades; what a node does not renew in time counts no more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pubsub.commands import Call, Script, open_commands, run
from pubsub.servers import why

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

_TELL = Script("attendance.lua")
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
        self._redis = open_commands(url, SOCKET_SECONDS)
        self._prefix = prefix
        self._node = node
        self._life = str(round(share_seconds * 1000))

    async def close(self) -> None:
        """Let go of the connection."""
        await self._redis.close()

    async def tell(self, shares: Sequence[Share]) -> list[Present | None]:
        """Say who is here, and hear who is there in all; None where the share has to be told whole.

        One round trip for any number of places up to CALLS_AT_ONCE. Raises Away.
        """
        calls: list[Call] = []
        last = []
        for share in shares:
            calls += self._calls(share)
            last.append(len(calls) - 1)
        answers: list[Any] = []
        for first in range(0, len(calls), CALLS_AT_ONCE):
            answers += await self._evaluate(calls[first : first + CALLS_AT_ONCE])
        return [_present(answers[place]) for place in last]

    def _calls(self, share: Share) -> list[Call]:
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
            calls.append(Call(keys, arguments))
        return calls

    async def _evaluate(self, calls: Sequence[Call]) -> list[Any]:
        """Redis's answers in one round trip; in two where it does not know the script any more."""
        answers = await run(self._redis, _TELL, calls)
        for answer in answers:
            if isinstance(answer, Exception):
                raise Away(why(answer)) from answer
        return answers


def _present(answer: Any) -> Present | None:
    if answer is None:
        return None
    seconds, microseconds, viewers, *sample = answer
    at = _EPOCH + timedelta(seconds=seconds, microseconds=microseconds)
    return Present(viewers, tuple(each for each in sample if each is not None), at)
