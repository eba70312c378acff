"""A worker process, as the launcher sees it."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from gateway.launcher.assignment import Assignment, assign, read_report

START_SECONDS = 60.0
"""Within which a worker has to serve, or it is killed."""

STOP_SECONDS = 28.0
"""Within which a worker has to end after SIGTERM, or it is killed: the machine has 30."""

COMMAND = (sys.executable, "-m", "gateway", "worker")


class WorkerFailed(Exception):
    """A worker ended before it was ready; the message says why."""


class Worker:
    """One process. It begins to serve by itself, and says so."""

    def __init__(
        self,
        assignment: Assignment,
        process: asyncio.subprocess.Process,
        reports: asyncio.StreamReader,
        channel: asyncio.StreamWriter,
    ) -> None:
        self.assignment = assignment
        self.is_ready = False
        self._process = process
        self._channel = channel
        self._started = time.monotonic()
        self._start = asyncio.create_task(self._begin(reports))
        self._end = asyncio.create_task(self._run())

    @classmethod
    async def spawn(cls, assignment: Assignment, environ: Mapping[str, str]) -> "Worker":
        """Start the process that is to be this worker."""
        ours, its = socket.socketpair()
        with its:
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                stdin=its.fileno(),
                pass_fds=assignment.listening,
                env=environ,
                # Ctrl-C in a terminal is for the launcher, which ends its workers in order.
                start_new_session=True,
            )
        reports, channel = await asyncio.open_connection(sock=ours)
        channel.write(assign(assignment))
        return cls(assignment, process, reports, channel)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def http_socket(self) -> Path:
        """Where it answers the launcher."""
        return self.assignment.owner.http_socket(self.assignment.folder)

    @property
    def lived(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    async def ready(self) -> None:
        """Until it serves. Raises WorkerFailed."""
        await asyncio.shield(self._start)

    async def ended(self) -> int:
        """Until the process is gone; its exit code, or the negative number of the signal."""
        return await asyncio.shield(self._end)

    def when_ended(self, act: Callable[["Worker"], object]) -> None:
        """Have `act` called once the process is gone."""
        self._end.add_done_callback(lambda _: act(self))

    async def stop(self) -> None:
        """End it in order, or not."""
        for each in (signal.SIGTERM, signal.SIGKILL):
            self._send(each)
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self.ended()
                    return

    async def _begin(self, reports: asyncio.StreamReader) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await reports.readline()
        except TimeoutError:
            self._send(signal.SIGKILL)
            raise WorkerFailed(f"it did not serve within {START_SECONDS:g} seconds") from None
        except ConnectionError:
            line = b""
        if not line:
            raise WorkerFailed(f"it ended with {await self.ended()} before it served")
        if (why := read_report(line).failed) is not None:
            raise WorkerFailed(why)
        self.is_ready = True

    async def _run(self) -> int:
        try:
            return await self._process.wait()
        finally:
            self.is_ready = False
            self._channel.close()
            self._start.add_done_callback(_noticed)
            self.http_socket.unlink(missing_ok=True)  # of a worker that could not do so itself

    def _send(self, each: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(each)


def _noticed(start: "asyncio.Task[None]") -> None:
    """Whoever does not ask how a start came out learns of its end; that is no complaint then."""
    if not start.cancelled():
        start.exception()
