"""The slots of a cluster: which one a name belongs to, and which server answers for it."""

import random
from collections.abc import Callable
from itertools import count
from secrets import token_hex
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from pubsub.servers import Host, Servers

SLOTS = REDIS_CLUSTER_HASH_SLOTS
"""Of a cluster, over all servers."""
LOOK_SECONDS = 0.5
"""Within which a server has to say who has which slots, or another one is asked."""


def slot_of(name: str) -> int:
    """The slot of a key or channel: of what stands in braces, if anything does."""
    return key_slot(name.encode())


def name_in(prefix: str, fits: Callable[[int], bool]) -> str:
    """A name that nobody else has, of a slot that fits; there has to be one."""
    mark = token_hex(8)
    return next(name for n in count() if fits(slot_of(name := f"{prefix}{mark}:{n}")))


class SlotMap:
    """Which server has which slot, as one of the cluster's servers said last."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self.owners: list[Host | None] = [None] * SLOTS

    @property
    def is_known(self) -> bool:
        """Whether any server has ever answered."""
        return any(self.owners)

    async def look(self) -> None:
        """Ask one of the servers, each time another. Raises RedisError or OSError where none answers."""
        known = [*{owner for owner in self.owners if owner is not None}]
        others = [host for host in self._servers.hosts if host not in known]
        failure: Exception = RedisConnectionError("no server of the cluster")
        for host in (*random.sample(known, len(known)), *random.sample(others, len(others))):
            try:
                for first, last, primary, *_ in await self._ask(host):
                    self._note(first, last, primary, host)
            except (RedisError, OSError) as error:
                failure = error
            else:
                return
        raise failure

    async def _ask(self, host: Host) -> Any:
        connection = await self._servers.connect(host, LOOK_SECONDS, LOOK_SECONDS)
        try:
            await connection.send_command("CLUSTER", "SLOTS")
            return await connection.read_response()
        finally:
            await connection.disconnect(nowait=True)

    def _note(self, first: int, last: int, primary: list[Any], asked: Host) -> None:
        """That a server has the slots from first to last, unless it is not known how to reach it."""
        name, port = primary[:2]
        if name != b"?":
            owner = (name.decode() if name else asked[0], port)
            self.owners[first : last + 1] = [owner] * (last + 1 - first)
