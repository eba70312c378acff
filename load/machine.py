"""The machine that figures were taken on."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def machine() -> dict[str, str]:
    """What every figure depends on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": output("git", "describe", "--always", "--dirty"),
        "CPU": cpu,
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
    }


def place(facts: dict[str, str]) -> str:
    """The machine in a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", f"{facts['CPU']} {facts['cores']} cores".lower()).strip("-")


def output(*command: str, folder: Path = PROJECT) -> str:
    """What a program says of itself."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    return done.stdout.strip() or "unknown"
