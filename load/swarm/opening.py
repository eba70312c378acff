"""Clients on their way in."""

from collections import deque
from collections.abc import Callable, Sequence

from load.swarm.clients import Client
from load.swarm.plan import Guest
from load.swarm.tally import Opened

CONNECT_SECONDS = 30.0
"""Within which a client has to be in."""


class Opening:
    """Lets clients in, at most `at_once` at a time, until all are in or have failed."""

    def __init__(
        self,
        admit: Callable[[Guest], Client],
        guests: Sequence[Guest],
        at_once: int,
        now: float,
    ) -> None:
        self._admit = admit
        self._waiting = deque(guests)
        self._at_once = at_once
        self._under_way: set[Client] = set()
        self._entering = False
        self._began = self._ended = now
        self.opened = Opened()

    def more(self) -> None:
        """Start as many as may be under way."""
        while self._waiting and len(self._under_way) < self._at_once:
            client = self._admit(self._waiting.popleft())
            if not client.inside and not client.closed:
                self._under_way.add(client)

    def entered(self, client: Client, now: float) -> None:
        self._under_way.discard(client)
        self.opened.entered += 1
        self.opened.latencies.append(now - client.began)
        self._ended = now

    def failed(self, client: Client, why: str) -> None:
        self._under_way.discard(client)
        self.opened.failures[why] += 1

    def over(self, now: float) -> bool:
        """Whether all are in or have failed; gives up on those that take too long."""
        late = [each for each in self._under_way if now - each.began > CONNECT_SECONDS]
        for client in late:
            client.cut()
            self.failed(client, "no answer")
        self.more()
        self.opened.seconds = self._ended - self._began
        return not self._waiting and not self._under_way
