"""What processes of this machine cost: CPU time and memory, as the kernel counts them (Linux)."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, at = [pid], 0
    while at < len(found):
        found += children.get(found[at], ())
        at += 1
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that these processes have used so far.

    From `schedstat` of each thread, in nanoseconds, where the kernel has it; else from `stat`, in ticks.
    """
    total = 0.0
    for pid in pids:
        try:
            total += (
                sum(
                    int((task / "schedstat").read_text().split()[0])
                    for task in (PROC / str(pid) / "task").iterdir()
                )
                / 1e9
            )
        except OSError:
            total += _ticks(pid)
    return total


def _ticks(pid: int) -> float:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_seconds() -> float:
    """CPU time that all processes of this machine, and its host, have taken so far."""
    fields = [int(field) for field in (PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = fields
    return (user + nice + system + interrupts + soft + stolen) / TICKS


def memory_bytes(pids: Iterable[int]) -> int:
    """The memory that these processes alone hold (private pages)."""
    total = 0
    for pid in pids:
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
    return total


@dataclass(frozen=True, slots=True)
class Meter:
    """The processes of one server: `pids`, and their descendants unless they are meant `alone`."""

    pids: tuple[int, ...]
    alone: bool = False

    def cpu(self) -> float:
        """Seconds of CPU time that they have used so far."""
        return cpu_seconds(self._all())

    def memory(self) -> int:
        """Bytes that nobody else holds."""
        return memory_bytes(self._all())

    def pin(self, cores: Iterable[int]) -> None:
        """Keep them on these cores from now on."""
        for pid in self._all():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                for task in (PROC / str(pid) / "task").iterdir():
                    os.sched_setaffinity(int(task.name), cores)

    def _all(self) -> set[int]:
        if self.alone:
            return set(self.pids)
        return {pid for root in self.pids for pid in family(root)}
