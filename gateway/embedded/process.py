"""Child processes: started as another account, tied to us, stopped for certain."""

import asyncio
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.embedded.account import Account
from gateway.startup import CannotStart

if TYPE_CHECKING:
    import psutil

TETHER = Path(__file__).with_name("tether.py")
PORTS = range(20_000, 32_000)
"""Below those that Linux gives to outgoing connections, so that none of these takes one meanwhile."""
ATTEMPTS = 5
"""Ports that a server tries in turn."""

PATIENCE = 10.0
"""Seconds that a server has to start, and again to stop when asked, before it is made to."""


def free_port() -> int:
    """A loopback TCP port that nobody listens on; it may be taken by the time that it is used.

    Raises OSError where all are taken.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no port from {PORTS[0]} to {PORTS[-1]} is free")


def _tethered(
    account: Account, command: Sequence[str | Path], death_signal: signal.Signals
) -> list[str]:
    tether = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(int(death_signal))]
    return [*tether, str(account.uid), str(account.gid), *map(str, command)]


async def run_to_end(account: Account, command: Sequence[str | Path], script: str = "") -> None:
    """Run a program with `script` as its standard input; raises CannotStart with what it said."""
    process = await asyncio.create_subprocess_exec(
        *_tethered(account, command, signal.SIGKILL),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={},
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate(script.encode())
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0 or b"ERROR:" in said:
        raise CannotStart(f"{Path(command[0]).name} failed: {_last_line(said.decode())}")


class Child:
    """One running server, its output in `log`.

    It gets a session of its own, so that Ctrl-C in a terminal reaches the gateway alone, which
    stops its servers after its clients.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def spawn(
        cls,
        account: Account,
        command: Sequence[str | Path],
        *,
        death_signal: signal.Signals,
        log: Path,
    ) -> "Child":
        """Start the server; it gets `death_signal` should we be killed (on Linux)."""
        output = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *_tethered(account, command, death_signal),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={},
                start_new_session=True,
            )
        finally:
            os.close(output)
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def complaint(self) -> str:
        """The last line that it wrote."""
        return _last_line(self._log.read_text(errors="replace"))

    async def wait(self) -> None:
        """Until it has ended, whoever ended it."""
        await self._process.wait()

    async def stop(self, *signals: signal.Signals) -> None:
        """Stop it by the first of `signals` that works within PATIENCE, at last by SIGKILL."""
        for each in (*signals, signal.SIGKILL):
            if not self.alive:
                return
            self._process.send_signal(each)
            try:
                await asyncio.wait_for(self._process.wait(), PATIENCE)
            except TimeoutError:
                continue


def stop_stale(pid_file: Path, *signals: signal.Signals) -> None:
    """End the server that an earlier start of ours left running, by the pid in its file.

    It is known by the file's folder standing in its command line: its number alone could by now be
    anybody's, and PostgreSQL would not start for as long as that process lives.
    """
    import psutil  # of the extra `embedded`, which production does without

    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        ours = any(_names(argument, pid_file.parent) for argument in process.cmdline())
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        ours = False
    if ours:
        for each in (*signals, signal.SIGKILL):
            if _ended(process, each):
                break
    pid_file.unlink(missing_ok=True)


def _ended(process: "psutil.Process", by: signal.Signals) -> bool:
    """Whether the signal ended it. A zombie has ended too, though its new parent may never care."""
    import psutil

    deadline = time.monotonic() + PATIENCE
    try:
        process.send_signal(by)
        while time.monotonic() < deadline:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            time.sleep(0.01)
    except psutil.NoSuchProcess:
        return True
    return False


def _names(argument: str, folder: Path) -> bool:
    return folder in (Path(argument), Path(argument).parent)


def _last_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
