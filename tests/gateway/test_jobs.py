"""Jobs: on several nodes, one does what is due."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from gateway import jobs as jobs_module
from gateway.jobs import Outcomes, Scheduled, keep_running
from store.database import Database, open_database
from store.jobs import run_if_due
from store.refusal import Refusal
from tests.proxy import Proxy
from tests.servers import FreshDatabase
from tests.waiting import until

HOURLY = timedelta(hours=1)


@pytest.fixture(scope="module")
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


@pytest.fixture
async def nodes(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    """Two nodes on one database."""
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(open_database(database_url, connections=2))
            for _ in range(2)
        ]
        yield one, other


@pytest.fixture
def name() -> str:
    return f"job-{uuid4()}"


class Work:
    """Something to do, and how often it was done."""

    def __init__(self) -> None:
        self.done = 0
        self.failures: list[Exception] = []
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self) -> None:
        self.begun.set()
        await self.may_end.wait()
        if self.failures:
            raise self.failures.pop()
        self.done += 1


async def test_a_due_job_is_done_once(nodes: tuple[Database, Database], name: str) -> None:
    """Whichever node comes first; the others find it done."""
    work = Work()
    answers = await asyncio.gather(*(run_if_due(each, name, HOURLY, work) for each in nodes * 3))
    assert sorted(answers) == [False] * 5 + [True]
    assert work.done == 1


async def test_a_job_is_due_again_after_its_time(
    nodes: tuple[Database, Database], name: str
) -> None:
    """And not before."""
    work = Work()
    one, other = nodes
    assert await run_if_due(one, name, HOURLY, work)
    assert not await run_if_due(other, name, HOURLY, work)
    await one.fetch(
        "update job_runs set done_at = done_at - interval '61 minutes' where name = $1", name
    )
    assert await run_if_due(other, name, HOURLY, work)
    assert work.done == 2


async def test_nobody_else_begins_while_one_is_at_it(
    nodes: tuple[Database, Database], name: str
) -> None:
    """However long it takes; other jobs go on beside it."""
    one, other = nodes
    work = Work()
    work.may_end.clear()
    doing = asyncio.create_task(run_if_due(one, name, HOURLY, work))
    await work.begun.wait()
    assert not await run_if_due(other, name, HOURLY, work)
    assert await run_if_due(other, f"{name}-2", HOURLY, Work())
    work.may_end.set()
    assert await doing
    assert work.done == 1


async def test_a_job_that_fails_is_due_at_once(nodes: tuple[Database, Database], name: str) -> None:
    """On any node: the lead is given up with it."""
    one, other = nodes
    work = Work()
    work.failures = [RuntimeError("a bug")]
    with pytest.raises(RuntimeError):
        await run_if_due(one, name, HOURLY, work)
    assert await run_if_due(other, name, HOURLY, work)


async def test_a_job_that_is_cancelled_leaves_the_lead(
    nodes: tuple[Database, Database], name: str
) -> None:
    """A node that stops in the middle hands it on, and its connection is free again."""
    one, other = nodes
    work = Work()
    work.may_end.clear()
    doing = asyncio.create_task(run_if_due(one, name, HOURLY, work))
    await work.begun.wait()
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    work.may_end.set()
    assert await run_if_due(other, name, HOURLY, work)
    await asyncio.gather(*(one.fetch("select pg_sleep(0)") for _ in range(one.pool_size * 3)))
    assert await _locks(one) == 0


async def test_a_lost_connection_gives_up_the_lead(database_url: str, name: str) -> None:
    """If the database is cut off in the middle, the job is not taken for done, and another node does it."""
    async with (
        Proxy.before(database_url) as proxy,
        open_database(proxy.url, connections=2) as one,
        open_database(database_url, connections=2) as other,
    ):
        work = Work()
        work.may_end.clear()
        doing = asyncio.create_task(run_if_due(one, name, HOURLY, work))
        await work.begun.wait()
        await proxy.cut()
        work.may_end.set()
        with capture_logs(), pytest.raises(Refusal):
            await doing

        async def done() -> bool:
            return await run_if_due(other, name, HOURLY, work)

        async with asyncio.timeout(5.0):
            while not await done():
                await asyncio.sleep(0.01)


async def test_the_clock_keeps_going(
    nodes: tuple[Database, Database], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals and bugs are logged, and the job is tried again; one job's failure stops no other."""
    monkeypatch.setattr(jobs_module, "ASK_SECONDS", 0.01)
    failing, steady = Work(), Work()
    failing.failures = [RuntimeError("a bug"), Refusal("UNAVAILABLE", "Not now.")]
    one, _ = nodes
    scheduled = [
        Scheduled(
            each,
            HOURLY,
            lambda each=each, work=work: run_if_due(one, each, HOURLY, work),  # type: ignore[misc]
        )
        for each, work in ((name, failing), (f"{name}-2", steady))
    ]
    outcomes: Outcomes = Counter()
    with capture_logs() as logs:
        running = asyncio.create_task(keep_running(scheduled, outcomes))
        await until(lambda: [log["event"] for log in logs].count("job done") == 2, "both are done")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    told = [(log["event"], log.get("job")) for log in logs]
    assert [each for each in told if each[1] == name] == [
        ("job put off", name),
        ("job failed", name),
        ("job done", name),
    ]
    assert outcomes[name, "put_off"] == outcomes[name, "failed"] == outcomes[name, "done"] == 1
    assert (failing.done, steady.done) == (1, 1)


async def _locks(database: Database) -> int:
    """Advisory locks that anybody holds in this database."""
    row = await database.fetchrow(
        "select count(*) as held from pg_locks join pg_database on pg_database.oid = database "
        "where locktype = 'advisory' and datname = current_database()"
    )
    assert row is not None
    held: int = row["held"]
    return held
