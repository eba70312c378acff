"""The program that a consumer hands its batches to: run once for each, with the entries on its standard input."""

import asyncio
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from gateway.startup import CannotStart

STOP_SECONDS = 10.0
"""Within which a program that is told to end has to, or it is killed."""

_LEASH = Path(__file__).with_name("leash.py")

_log = structlog.get_logger(__name__)


class Program:
    """A command with its arguments, as a shell would take them apart; there is no shell."""

    def __init__(self, command: str, *, seconds: float, environ: Mapping[str, str]) -> None:
        """`seconds` is how long it may take for a batch. Raises CannotStart for what is no command."""
        try:
            self._command: Sequence[str] = shlex.split(command)
        except ValueError as error:
            raise CannotStart(f"--exec {command!r}: {error}") from None
        if not self._command:
            raise CannotStart("--exec is empty: it takes a program and its arguments")
        self._seconds = seconds
        self._environ = environ

    async def takes(self, lines: bytes) -> bool:
        """Run it with `lines` on its standard input; whether it ended with 0 in time.

        If the task is cancelled, the program is ended first.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), *self._command),
            stdin=asyncio.subprocess.PIPE,
            env=self._environ,
            start_new_session=True,  # Ctrl-C in a terminal is for the consumer, which ends it in order
        )
        try:
            async with asyncio.timeout(self._seconds):
                await process.communicate(lines)
        except TimeoutError:
            _log.warning("the program takes too long", seconds=self._seconds)
        finally:
            await _end(process)
        if process.returncode:
            _log.warning("the program failed", exit_code=process.returncode)
        return process.returncode == 0


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
