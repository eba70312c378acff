"""A slot: the listening sockets that are one worker's, and whichever process serves them just now."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import structlog

from gateway.http.listener import LISTEN_BACKLOG
from gateway.launcher.ports import Port
from gateway.launcher.restarts import LONGEST_PAUSE, Restarts
from gateway.launcher.worker import Worker, WorkerFailed
from gateway.sockets.owner import GENERATIONS

_log = structlog.get_logger(__name__)

Spawn = Callable[[int, int, list[int]], Awaitable[Worker]]
"""Starts a worker for a slot, in a generation, with the descriptors of its sockets."""


class Slot:
    """Keeps a worker in its place. The sockets stay open from one worker to the next."""

    def __init__(self, number: int, port: Port, spawn: Spawn) -> None:
        self.number = number
        self._port = port
        self._spawn = spawn
        self._restarts = Restarts()
        self._sockets: list[socket.socket] = []
        self._generation = -1
        self._worker: Worker | None = None
        self._processes: set[Worker] = set()
        self.deaths = 0
        """How many workers have ended here though nobody had asked them to."""

    @property
    def worker(self) -> Worker | None:
        """The worker that serves here; None while there is none that does."""
        worker = self._worker
        return worker if worker is not None and worker.is_ready else None

    @property
    def workers(self) -> list[Worker]:
        """All that serve here: beside `worker` one that it has followed, as long as that is drained."""
        return [worker for worker in self._processes if worker.is_ready]

    async def fill(self) -> None:
        """Have a first worker serve. Raises WorkerFailed."""
        try:
            self._open()
            for each in self._sockets:
                each.listen(LISTEN_BACKLOG)
        except OSError as error:
            raise WorkerFailed(f"its port cannot be listened on: {error.strerror}") from error
        self._worker = await self._start()
        await self._worker.ready()

    async def keep(self) -> None:
        """Put another worker in the place of each that dies, for as long as the task lives."""
        while True:
            worker = self._worker
            assert worker is not None
            code = await worker.ended()
            if worker is not self._worker:
                continue
            self.deaths += 1
            pause = self._restarts.pause(worker.lived)
            _log.error("worker died", slot=self.number, code=code, restarting_in=pause)
            if pause:
                self._close()  # so that no connection waits for nobody
                await asyncio.sleep(pause)
                if worker is not self._worker:
                    continue
            self._worker = await self._start_at_last()

    async def renew(self) -> None:
        """Put a new worker in the place of the one that is there, which is drained. Raises WorkerFailed.

        The old one serves until the new one does, so that nobody waits.
        """
        successor = await self._start()
        await successor.ready()
        old, self._worker = self._worker, successor
        if old is not None:
            await old.stop()

    async def clear(self) -> None:
        """Let nobody in any more, and end the worker in order."""
        self._close()
        await asyncio.gather(*(worker.stop() for worker in self._processes))

    async def _start_at_last(self) -> Worker:
        """A new worker, as soon as the machine has what it takes to start a process."""
        while True:
            try:
                return await self._start()
            except WorkerFailed as error:
                _log.error("worker not started", slot=self.number, why=str(error))
                await asyncio.sleep(LONGEST_PAUSE)

    async def _start(self) -> Worker:
        """A new worker. Raises WorkerFailed where the machine cannot start one."""
        self._generation = (self._generation + 1) % GENERATIONS
        try:
            self._open()
            descriptors = [each.fileno() for each in self._sockets]
            worker = await self._spawn(self.number, self._generation, descriptors)
        except OSError as error:
            raise WorkerFailed(f"no process could be started: {error.strerror}") from error
        self._processes.add(worker)
        worker.when_ended(self._processes.discard)
        return worker

    def _open(self) -> None:
        """Have sockets. New ones get connections from when a worker listens on them."""
        if not self._sockets:
            self._sockets = self._port.sockets()

    def _close(self) -> None:
        for each in self._sockets:
            each.close()
        self._sockets = []
