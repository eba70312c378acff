"""The process: one epoll loop over all its clients, and the pipe over which it is directed.

No tasks, no timers per client: what a client costs here must not show in what is measured. How
busy the loop was, and how long it kept anyone waiting, is part of every tally.
"""

import json
import os
import select
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

from load import wire
from load.swarm.channel import Channel
from load.swarm.clients import CLIENTS, Client
from load.swarm.drive import Drive
from load.swarm.opening import Opening
from load.swarm.plan import Guest, Plan, Script
from load.swarm.tally import Progress, Tally

SAMPLE_EVERY = 997
"""One event in so many is decoded whole."""

PASS_EVENTS = 128
"""Sockets looked at before the clock is, and commands that are due are sent."""

IDLE_SECONDS = 0.5


class Swarm:
    """The clients, and what is under way with them. `do_…` are the orders that it takes."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._epoll = select.epoll()
        self._epoll.register(pipe.fileno(), select.EPOLLIN)
        self._channels: dict[int, Channel] = {}
        self._crowd: list[Client] = []
        self._opening: Opening | None = None
        self._drive: Drive | None = None
        self._running = True
        self._trace = False
        self._begin()
        self.last_data = b""
        self.last_reading = wire.Reading()

    def run(self) -> None:
        """Serve until told to end, or until the pipe is closed."""
        pipe, channels, poll = self._pipe.fileno(), self._channels, self._epoll.poll
        while self._running:
            ready = poll(self._wait(), PASS_EVENTS)
            began = time.monotonic()
            for fd, mask in ready:
                channel = channels.get(fd)
                if channel is not None:
                    channel.ready(mask)
                elif fd == pipe:
                    self._obey()
            self._go_on(time.monotonic())
            self._tally.longest_pass = max(self._tally.longest_pass, time.monotonic() - began)

    def _wait(self) -> float:
        return IDLE_SECONDS if self._drive is None else self._drive.wait(time.monotonic())

    def _go_on(self, now: float) -> None:
        if self._opening is not None and self._opening.over(now):
            opened, self._opening = self._opening.opened, None
            self._answer("open", opened)
        if self._drive is not None:
            self._drive.go(now)
            if self._drive.over(now):
                self._drive = None
                self._answer("drive", None)

    # Orders. Each is answered with its name.

    def _obey(self) -> None:
        try:
            name, arguments = self._pipe.recv()
        except (EOFError, OSError):
            self._running = False
            return
        getattr(self, f"do_{name}")(*arguments)

    def _answer(self, name: str, answer: object) -> None:
        self._pipe.send((name, answer))

    def do_open(self, guests: Sequence[Guest], at_once: int) -> None:
        """Let clients in; answered with an `Opened` once all are in or have failed."""
        self._opening = Opening(self._admit, guests, at_once, self.now())
        self._opening.more()

    def do_begin(self, trace: bool) -> None:
        """Count from here on; with `trace` note when each event was seen, and each answer's seq."""
        self._trace = trace
        self._begin()
        self._answer("begin", None)

    def do_progress(self) -> None:
        tally = self._tally
        entered = self._opening.opened.entered if self._opening is not None else 0
        refused = tally.refused.total()
        self._answer("progress", Progress(tally.events, tally.acked, refused, tally.lost, entered))

    def do_tally(self) -> None:
        """What was counted."""
        self._tally.seconds = time.monotonic() - self._began
        self._tally.busy_seconds = time.process_time() - self._began_busy
        self._answer("tally", self._tally)

    def do_drive(self, scripts: Sequence[Script], plan: Plan) -> None:
        """Have the first clients send commands; answered when all is sent and answered."""
        self._drive = Drive(self._crowd, scripts, plan, self._tally, self.now(), trace=self._trace)

    def do_leave(self, count: int | None) -> None:
        """Have all clients leave, or the last `count`."""
        staying = 0 if count is None else max(0, len(self._crowd) - count)
        for client in self._crowd[staying:]:
            client.leave()
        del self._crowd[staying:]
        self._answer("leave", None)

    def do_cut(self, kept: int) -> None:
        """Reset all connections but the first; answered with the clients as they would come back."""
        going = self._crowd[kept:]
        for client in going:
            client.cut()
        del self._crowd[kept:]
        self._answer("cut", [client.returning for client in going])

    def _begin(self) -> None:
        self._tally = Tally()
        self._began = time.monotonic()
        self._began_busy = time.process_time()

    def _admit(self, guest: Guest) -> Client:
        return CLIENTS[guest.kind](self, guest)

    # What channels ask for.

    def register(self, channel: Channel) -> None:
        self._channels[channel.fd] = channel
        self._epoll.register(channel.fd, select.EPOLLIN | select.EPOLLOUT)

    def await_writable(self, channel: Channel, writable: bool) -> None:
        self._epoll.modify(channel.fd, select.EPOLLIN | (select.EPOLLOUT if writable else 0))

    def forget(self, channel: Channel) -> None:
        del self._channels[channel.fd]
        self._epoll.unregister(channel.fd)

    # What clients tell.

    def now(self) -> float:
        return time.monotonic()

    def entered(self, client: Client) -> None:
        self._crowd.append(client)
        if self._opening is not None:
            self._opening.entered(client, self.now())

    def left(self, client: Client, why: str) -> None:
        if client.inside:
            self._tally.lost += 1
            self._tally.faults[why] += 1
        elif self._opening is not None:
            self._opening.failed(client, why)
        if self._drive is not None:
            self._drive.lost(client)

    def saw(self, client: Client, runs: list[wire.Run], sample: bytes | None) -> None:
        tally = self._tally
        tally.last_at = now = time.monotonic()
        if not tally.first_at:
            tally.first_at = now
        seqs = client.seqs
        for run in runs:
            last = seqs.get(run.topic)
            if last is None:
                last = run.first - 1
            if not run.rising or run.first <= last:
                tally.repeated += 1
            else:
                tally.skipped += run.last - last - run.count
            seqs[run.topic] = run.last
            if sample is not None and tally.events % SAMPLE_EVERY + run.count >= SAMPLE_EVERY:
                self._check(sample)
            tally.events += run.count
            if self._trace:
                tally.seen_after.append(last)
                tally.seen_seqs.append(run.last)
                tally.seen_at.append(now)

    def saw_unnumbered(self) -> None:
        self._tally.unnumbered += 1

    def caught_up(self, recovered: bool, events: int) -> None:
        self._tally.unrecovered += not recovered
        self._tally.recovered += events

    def pinged(self) -> None:
        self._tally.pings += 1

    def answered(self, client: Client, command: int, code: str | None, answer: bytes) -> None:
        if self._drive is not None:
            self._drive.answered(client, command, code, answer, time.monotonic())

    def _check(self, sample: bytes) -> None:
        """Decode an event whole: `42["name",data,{"topic","seq","at"}]`."""
        self._tally.sampled += 1
        try:
            name, data, meta = json.loads(sample[2:])
        except ValueError:
            self._tally.wrong += 1
            return
        right = isinstance(name, str) and isinstance(data, dict | None) and isinstance(meta, dict)
        self._tally.wrong += not (right and meta.keys() == {"topic", "seq", "at"})


def main(pipe: Connection, cores: Sequence[int]) -> None:
    """Be a process full of clients, pinned to `cores` if any are given, until the pipe closes."""
    if cores:
        os.sched_setaffinity(0, cores)
    Swarm(pipe).run()
