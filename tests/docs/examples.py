"""The documents' example programs, run as their readers would run them."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.programs import NODE_FOLDER

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "docs" / "examples"
DEADLINE = 20.0
"""Seconds in which an example has to print what it should; clients take up to 5 to come back."""


class Program:
    """A running example. `printed` are its lines so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.printed: list[str] = []
        self._process = process
        self._told = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def prints(self, line: str) -> str:
        """Wait for the next line that matches all of a pattern; lines before it are passed over."""
        try:
            async with asyncio.timeout(DEADLINE), self._told:
                seen = 0
                while True:
                    for number, printed in enumerate(self.printed[seen:], seen):
                        if number >= self._passed and re.fullmatch(line, printed, re.IGNORECASE):
                            self._passed = number + 1
                            return printed
                    seen = len(self.printed)
                    if self._reading.done():
                        pytest.fail(f"ended without printing {line!r}: {self.printed}")
                    await self._told.wait()
        except TimeoutError:
            pytest.fail(f"never printed {line!r}: {self.printed}")

    async def ends(self) -> list[str]:
        """Wait for its end, which is a good one; all that it printed."""
        try:
            assert await asyncio.wait_for(self._process.wait(), DEADLINE) == 0, self.printed
        except TimeoutError:
            pytest.fail(f"did not end: {self.printed}")
        await self._reading
        return self.printed

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading

    _passed = 0

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            async with self._told:
                self.printed.append(line.decode().rstrip("\r\n"))
                self._told.notify_all()
        async with self._told:
            self._told.notify_all()


class Run(Protocol):
    async def __call__(
        self, example: str | Path, *arguments: str, **environment: str | None
    ) -> Program: ...


@pytest.fixture
async def run(node: Path, tmp_path: Path) -> AsyncIterator[Run]:
    """Runs an example by its name; `environment` is what its first lines ask for."""
    programs = {".mjs": str(node), ".py": sys.executable, ".sh": shutil.which("sh") or "sh"}
    running: list[Program] = []
    # Node looks for packages beside a program.
    (tmp_path / "node_modules").symlink_to(NODE_FOLDER / "node_modules")

    async def run(example: str | Path, *arguments: str, **environment: str | None) -> Program:
        source = EXAMPLES / example
        file = Path(shutil.copy(source, tmp_path)) if source.parent != tmp_path else source
        process = await asyncio.create_subprocess_exec(
            *(programs[file.suffix], str(file), *arguments),
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                **{name: value for name, value in environment.items() if value is not None},
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        program = Program(process)
        running.append(program)
        return program

    yield run
    for program in running:
        await program.stop()
