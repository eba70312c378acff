"""A launcher and its workers, as processes: who dies comes back, and whoever connects is served."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import psutil
import pytest

from tests.nodes import GENEROUS, Installation, Node
from tests.servers import FreshDatabase
from tests.waiting import until

DEADLINE = aiohttp.ClientTimeout(total=10)
WORKERS = 2


@pytest.fixture(scope="module")
async def shared(unsteady: Installation) -> Node:
    return await unsteady.start(workers=str(WORKERS), **GENEROUS)


@pytest.fixture
async def machine(shared: Node, http: aiohttp.ClientSession) -> Node:
    """One machine for all tests here, all its workers up."""
    await all_ready(shared, http)
    return shared


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Every request comes over a new connection, to whichever worker."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(timeout=DEADLINE, connector=connector) as http:
        yield http


async def readiness(node: Node, http: aiohttp.ClientSession) -> tuple[int, Any]:
    async with http.get(f"{node.admin_url}/readyz") as answer:
        return answer.status, await answer.json()


async def all_ready(node: Node, http: aiohttp.ClientSession) -> None:
    try:
        async with asyncio.timeout(30):
            while (await readiness(node, http))[0] != 200:
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"the machine did not become ready: {node.log[-5:]}")


async def answering(node: Node, http: aiohttp.ClientSession, requests: int = 40) -> set[str]:
    """The workers that answer handshakes, each over a connection of its own."""
    sids = set()
    for _ in range(requests):
        async with http.get(f"{node.url}/socket.io/?EIO=4&transport=polling") as answer:
            assert answer.status == 200
            sids.add((await answer.text())[len('0{"sid":"') :][:6])
    return sids


async def test_the_kernel_spreads_connections_over_all_workers(
    machine: Node, http: aiohttp.ClientSession
) -> None:
    """Each takes some of them, and each names itself."""
    assert len(machine.workers) == WORKERS
    assert len(await answering(machine, http)) == WORKERS


async def test_the_operators_port_speaks_for_all(
    machine: Node, http: aiohttp.ClientSession
) -> None:
    """It is one for the machine, and says how many workers there are."""
    status, told = await readiness(machine, http)
    assert status == 200
    assert told == {
        "status": "ready",
        "database": True,
        "redis": True,
        "schema": True,
        "draining": False,
        "workers": WORKERS,
        "workers_ready": WORKERS,
    }
    async with http.get(f"{machine.admin_url}/healthz") as answer:
        assert await answer.json() == {"status": "alive"}


async def test_a_worker_that_is_killed_comes_back_to_its_slot(
    machine: Node, http: aiohttp.ClientSession
) -> None:
    """Nobody who connects meanwhile is refused: they wait in its socket, and are served."""
    before = await answering(machine, http)
    killed, *others = machine.workers
    os.kill(killed, signal.SIGKILL)
    connecting = [asyncio.create_task(answering(machine, http, 10)) for _ in range(8)]
    seen = set().union(*await asyncio.gather(*connecting))
    await until(lambda: len(machine.workers) == WORKERS, "another worker")
    await all_ready(machine, http)
    assert killed not in machine.workers
    assert set(others) < machine.workers
    after = await answering(machine, http)
    assert len(after) == WORKERS
    assert len(after & before) == WORKERS - 1
    assert seen <= before | after
    assert any(record["event"] == "worker died" for record in machine.log)


async def test_sighup_renews_all_workers_one_at_a_time(
    machine: Node, http: aiohttp.ClientSession
) -> None:
    """Every request meanwhile is answered, and never is a slot without a worker."""
    before, names = machine.workers, await answering(machine, http)
    machine.process.send_signal(signal.SIGHUP)
    while machine.workers & before:
        await answering(machine, http, 4)
        assert (await readiness(machine, http))[0] == 200
        assert len(machine.workers) <= WORKERS + 1
    await until(lambda: len(machine.workers) == WORKERS, "the last of the old workers to end")
    assert not names & await answering(machine, http)


async def test_a_worker_that_dies_again_soon_backs_off(unsteady: Installation) -> None:
    """Its socket is closed meanwhile, so that all who connect come to the others."""
    node = await unsteady.start(workers=str(WORKERS), **GENEROUS)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        (staying,) = {min(node.workers)}
        pauses: list[float] = []
        while not pauses or pauses[-1] < 1.0:
            await until(lambda: node.workers - {staying}, "a worker to kill")
            os.kill(*(node.workers - {staying}), signal.SIGKILL)
            deaths = len(pauses)

            def died(deaths: int = deaths) -> bool:
                pauses[:] = [
                    record["restarting_in"]
                    for record in node.log
                    if record["event"] == "worker died"
                ]
                return len(pauses) > deaths

            await until(died, "the news of its death")
        assert pauses == [0.0, 0.5, 1.0]
        assert len(await answering(node, http)) == 1
        status, told = await readiness(node, http)
        assert (status, told["workers_ready"]) == (503, WORKERS - 1)
        await all_ready(node, http)
        assert len(await answering(node, http)) == WORKERS
    assert await node.stop() == 0


async def test_workers_end_with_their_launcher(unsteady: Installation) -> None:
    """However that ends: after `kill -9` the port is free for the next one."""
    node = await unsteady.start(workers=str(WORKERS), **GENEROUS)
    workers = [psutil.Process(pid) for pid in node.workers]
    await node.stop(signal.SIGKILL)
    await until(lambda: not any(map(alive, workers)), "the end of the workers")
    again = await unsteady.start(port=node.url.rpartition(":")[2], workers=str(WORKERS), **GENEROUS)
    assert await again.stop() == 0


def alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_a_start_that_fails_says_why_once(
    fresh_database: FreshDatabase, redis_url: str, unsteady: Installation
) -> None:
    """However many workers find the same thing wrong."""
    environ = unsteady.environment(port="0", admin_port="0", workers="3")
    environ["DATABASE_URL"] = await fresh_database(migrated=False)
    code, err = await serve_in_vain(environ)
    assert code == 1
    (line,) = err.splitlines()
    assert "run `vernissage migrate`" in line


async def test_a_port_that_is_in_use_stops_the_start(machine: Node, unsteady: Installation) -> None:
    """A second start does not share the first one's port."""
    port = machine.url.rpartition(":")[2]
    code, err = await serve_in_vain(unsteady.environment(port=port, admin_port="0", workers="2"))
    assert code == 1
    assert f"port {port} on 127.0.0.1 is in use" in err


async def serve_in_vain(environ: dict[str, str]) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve"),
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, err.decode()


async def test_nobody_else_becomes_a_worker(unsteady: Installation) -> None:
    """The hidden command needs a launcher at the other end of its standard input."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "worker"),
        env=unsteady.environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert err.decode() == "vernissage: a worker is started by `vernissage serve`, not by hand\n"
