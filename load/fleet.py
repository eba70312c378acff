"""Directs swarms: starts them, pins them to cores, and puts their counts together."""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from load import swarm
from load.swarm import Guest, Opened, Plan, Progress, Script, Tally
from load.swarm.tally import together

_spawn = multiprocessing.get_context("spawn")

END_SECONDS = 5.0


class Fleet:
    """Processes full of clients. Clients are dealt to them in turn, and so are scripts."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self._pipes = pipes
        self._early: list[dict[str, Any]] = [{} for _ in pipes]
        self._driving: list[int] = []

    def open(self, guests: Sequence[Guest], *, at_once: int = 64) -> Opened:
        """Let clients in."""
        shares = self._deal(guests)
        each = max(1, at_once // len(self._pipes))
        whole = Opened()
        for opened in self._ask("open", [(share, each) for share in shares]):
            whole.entered += opened.entered
            whole.failures += opened.failures
            whole.latencies += opened.latencies
            whole.seconds = max(whole.seconds, opened.seconds)
        return whole

    def begin(self, *, trace: bool = False) -> None:
        """Count from here on."""
        self._ask("begin", [(trace,)] * len(self._pipes))

    def progress(self) -> Progress:
        """How far it is; also while commands are under way."""
        all_of_them = self._ask("progress")
        return Progress(
            *(sum(getattr(each, name) for each in all_of_them) for name in Progress.__slots__)
        )

    def tally(self) -> Tally:
        """What was counted since `begin`."""
        return together(self._ask("tally"))

    def start(self, scripts: Sequence[Script], plan: Plan) -> None:
        """Have the first clients send commands, one script each; `finish` waits for the end."""
        shares = self._deal(scripts)
        self._driving = [i for i, share in enumerate(shares) if share]
        for turn, i in enumerate(self._driving):
            part = len(shares[i]) / len(scripts)
            mine = Plan(
                plan.seconds,
                plan.window,
                None if plan.per_second is None else plan.per_second * part,
                None if plan.commands is None else round(plan.commands * part),
                0.0 if plan.per_second is None else turn / plan.per_second,
            )
            self._pipes[i].send(("drive", (shares[i], mine)))

    @property
    def driving(self) -> bool:
        """Whether commands are still under way."""
        return any(not self._has("drive", i) for i in self._driving)

    def finish(self) -> Tally:
        """Wait until all commands are answered; what was counted since `begin`."""
        for i in self._driving:
            self._receive("drive", i)
        self._driving = []
        return self.tally()

    def drive(self, scripts: Sequence[Script], plan: Plan) -> Tally:
        """Have clients send commands, and wait for the end."""
        self.start(scripts, plan)
        return self.finish()

    def leave(self, count: int | None = None) -> None:
        """Have all clients leave, or the last `count` of each process."""
        self._ask("leave", [(count,)] * len(self._pipes))

    def cut(self, *, kept: int = 0) -> list[Guest]:
        """Reset all connections but the first at once; the clients as they would come back."""
        keeping = [(len(share),) for share in self._deal(range(kept))]
        return [guest for guests in self._ask("cut", keeping) for guest in guests]

    def _deal(self, things: Sequence[Any]) -> list[list[Any]]:
        n = len(self._pipes)
        return [list(things[i::n]) for i in range(n)]

    def _ask(self, name: str, arguments: Sequence[tuple[Any, ...]] | None = None) -> list[Any]:
        for i, pipe in enumerate(self._pipes):
            pipe.send((name, arguments[i] if arguments else ()))
        return [self._receive(name, i) for i in range(len(self._pipes))]

    def _receive(self, name: str, i: int) -> Any:
        early = self._early[i]
        while name not in early:
            answered, answer = self._pipes[i].recv()
            early[answered] = answer
        return early.pop(name)

    def _has(self, name: str, i: int) -> bool:
        while name not in self._early[i] and self._pipes[i].poll():
            answered, answer = self._pipes[i].recv()
            self._early[i][answered] = answer
        return name in self._early[i]


@contextmanager
def fleet(processes: int, cores: Sequence[int] = ()) -> Iterator[Fleet]:
    """Run that many processes of clients, pinned to `cores` in turn, until the context ends."""
    pipes, started = [], []
    try:
        for i in range(processes):
            ours, theirs = _spawn.Pipe()
            own = [cores[i % len(cores)]] if cores else []
            process = _spawn.Process(target=swarm.main, args=(theirs, own), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            started.append(process)
        yield Fleet(pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in started:
            process.join(END_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
