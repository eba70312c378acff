"""Commands under way: who sends the next, and when."""

import re
from collections.abc import Sequence

from load.swarm.clients import Client
from load.swarm.plan import Plan, Script
from load.swarm.tally import Tally

_SEQ = re.compile(rb'"seq":(\d+)\}')

DRAIN_SECONDS = 15.0
"""For which answers are waited for once the time is up."""


class Drive:
    """Has clients send what their scripts say, as the plan says, and notes the answers in a tally."""

    def __init__(
        self,
        clients: Sequence[Client],
        scripts: Sequence[Script],
        plan: Plan,
        tally: Tally,
        now: float,
        *,
        trace: bool,
    ) -> None:
        self._plan = plan
        self._tally = tally
        self._trace = trace
        self._clients = [each for each in clients[: len(scripts)] if not each.closed]
        for client, script in zip(clients, scripts, strict=False):
            client.frames = [client.prepared(command) for command in script.commands]
            client.awaited.clear()
        self._began = now + plan.delay
        self._until = now + plan.seconds
        self._primed = plan.per_second is not None
        self._sent = 0
        self._turn = 0
        self._unanswered = 0

    def wait(self, now: float) -> float:
        """Seconds until something has to be done that no answer asks for."""
        if not self._primed:
            return 0.0
        if self._plan.per_second is None or self._ended(now):
            return 0.1
        return max(0.0, self._began + self._sent / self._plan.per_second - now)

    def go(self, now: float) -> None:
        """Send what is due."""
        if not self._primed:
            self._primed = True
            for client in self._clients:
                for _ in range(self._plan.window):
                    self._send(client, now)
        elif self._plan.per_second is not None:
            self._keep_schedule(now, self._plan.per_second)

    def _keep_schedule(self, now: float, per_second: float) -> None:
        passed_over = 0
        while passed_over < len(self._clients) and not self._ended(now):
            due = self._began + self._sent / per_second
            if due > now:
                return
            client = self._clients[self._turn % len(self._clients)]
            self._turn += 1
            if client.closed or len(client.awaited) >= len(client.frames):
                passed_over += 1
                continue
            passed_over = 0
            self._tally.late = max(self._tally.late, now - due)
            self._send(client, due)

    def _ended(self, now: float) -> bool:
        return now >= self._until or (
            self._plan.commands is not None and self._sent >= self._plan.commands
        )

    def _send(self, client: Client, at: float) -> None:
        if client.closed or self._ended(at):
            return
        turn = client.turn % len(client.frames)
        client.turn += 1
        client.awaited[turn + 1] = at
        self._sent += 1
        self._unanswered += 1
        self._tally.sent += 1
        client.ask(turn + 1)

    def answered(
        self, client: Client, command: int, code: str | None, answer: bytes, now: float
    ) -> None:
        at = client.awaited.pop(command, None)
        if at is None:
            return
        self._unanswered -= 1
        tally = self._tally
        tally.acked += 1
        if code is not None:
            tally.refused[code] += 1
        else:
            tally.latencies.append(now - at)
            if self._trace:
                found = _SEQ.search(answer)
                tally.acked_seqs.append(int(found[1]) if found else -1)
                tally.sent_at.append(at)
        if self._plan.per_second is None:
            self._send(client, now)

    def lost(self, client: Client) -> None:
        """A client is gone, and will not be answered."""
        self._unanswered -= len(client.awaited)
        self._tally.faults["never answered"] += len(client.awaited)
        client.awaited.clear()

    def over(self, now: float) -> bool:
        """Whether all has been sent and answered, or will not be answered any more."""
        if not self._ended(now):
            return False
        if self._unanswered and now <= self._until + DRAIN_SECONDS:
            return False
        if self._unanswered:
            self._tally.faults["never answered"] += self._unanswered
            self._unanswered = 0
        return True
