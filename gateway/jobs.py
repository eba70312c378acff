"""The clock behind the jobs that domains declare: every node asks, one of all does the work."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from handlers.operation import Refusal

ASK_SECONDS = 60.0
"""The longest time between two looks at whether a job is due."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A job, and how to do it if it is due: `run_if_due` answers whether it was done."""

    name: str
    every: timedelta
    run_if_due: Callable[[], Awaitable[bool]]


Outcomes = Counter[tuple[str, str]]
"""How often a job, by name, was `done`, `put_off` or `failed`."""


async def keep_running(jobs: Sequence[Scheduled], outcomes: Outcomes) -> None:
    """Do what is due, now and for as long as the task lives, and note how it came out."""
    await asyncio.gather(*(_keep(job, outcomes) for job in jobs))


async def _keep(job: Scheduled, outcomes: Outcomes) -> None:
    pause = min(job.every.total_seconds() / 4, ASK_SECONDS)
    while True:
        try:
            if await job.run_if_due():
                outcomes[job.name, "done"] += 1
                _log.info("job done", job=job.name)
        except Refusal as refusal:
            outcomes[job.name, "put_off"] += 1
            _log.warning("job put off", job=job.name, code=refusal.code)
        except Exception:
            outcomes[job.name, "failed"] += 1
            _log.exception("job failed", job=job.name)
        await asyncio.sleep(pause)
