"""A PostgreSQL that does not answer: whoever waits for it is told soon, and one that is merely slow is left alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from store.database import Database, Transaction, open_database
from tests.proxy import Change, Proxy, Way
from tests.servers import FreshDatabase
from tests.store.refused import refused
from tests.waiting import DEADLINE, until

TOLD_SECONDS = 3.0
HEALTHY_SECONDS = 5.0
ADMIN_SHUTDOWN = b"57P01"


@asynccontextmanager
async def watched(url: str, connections: int = 4) -> AsyncIterator[Database]:
    """A database whose pulse is kept."""
    async with open_database(url, connections=connections) as database:
        keeping = asyncio.create_task(database.keep_pulse())
        try:
            yield database
        finally:
            assert keeping.cancel(), "the pulse has ended by itself"
            await asyncio.gather(keeping, return_exceptions=True)


def _stopping_after_last_words(proxy: Proxy) -> Change:
    """Passes on what the server answers until it says that it ends the session, and nothing after that."""

    def pass_on(data: bytes) -> bytes:
        if ADMIN_SHUTDOWN in data:
            proxy.stall(Way.BACK)
        return data

    return pass_on


@pytest.fixture(scope="module")
async def url(fresh_database: FreshDatabase) -> str:
    return await fresh_database()


async def _one(transaction: Transaction) -> Any:
    await transaction.fetchrow("select 1")
    return await transaction.fetchrow("select pg_sleep(60)")


async def test_silence_is_told_soon(url: str) -> None:
    """To those in the middle of a statement or a transaction within 3 s, and to all others at once."""
    async with Proxy.before(url) as proxy, watched(proxy.url) as database:
        await asyncio.gather(*(database.fetch("select pg_sleep(0.05)") for _ in range(4)))

        async def is_told(work: Any) -> float:
            with refused("UNAVAILABLE"):
                await work
            return time.monotonic()

        waiting = [
            asyncio.create_task(is_told(work))
            for work in (database.fetch("select pg_sleep(60)"), database.transaction(_one))
        ]
        await until(lambda: database.busy == 2, "both are under way")
        stalled = time.monotonic()
        proxy.stall()
        told = await asyncio.gather(*waiting, *(is_told(database.fetch("select 1")) for _ in "123"))
        assert max(told) - stalled < TOLD_SECONDS
        at_once = time.monotonic()
        for _ in range(50):
            await is_told(database.fetch("select 1"))
        assert time.monotonic() - at_once < 0.5

        proxy.go_on()
        await until(lambda: not database._pulse.lost, "it answers again", HEALTHY_SECONDS)
        await asyncio.gather(*(database.fetch("select 1") for _ in range(20)))


async def test_a_server_that_is_gone_and_back(url: str) -> None:
    """Refused connections are told at once; afterwards all is well within 5 s."""
    async with Proxy.before(url) as proxy, watched(proxy.url) as database:
        await database.fetch("select 1")
        await proxy.cut()
        with refused("UNAVAILABLE"):
            await asyncio.wait_for(database.fetch("select 1"), TOLD_SECONDS)
        await until(lambda: database._pulse.lost, "it is missed", TOLD_SECONDS)
        await proxy.mend()
        await until(lambda: not database._pulse.lost, "it answers again", HEALTHY_SECONDS)
        await database.fetch("select 1")


async def test_a_slow_statement_is_left_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where all connections are taken by such: the server answers."""
    monkeypatch.setattr("store.pulse.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("store.pulse.BEAT_SECONDS", 0.02)
    async with watched(url, connections=2) as database:
        await asyncio.gather(*(database.fetch("select pg_sleep(1)") for _ in range(2)))
        assert not database._pulse.lost


async def test_the_end_of_its_connection_alone_is_no_loss(
    url: str, superuser_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who ends sessions is no failure of the server."""
    monkeypatch.setattr("store.pulse.BEAT_SECONDS", 0.02)
    async with watched(url) as database, open_database(superuser_url, connections=1) as operator:

        async def sessions() -> list[int]:
            rows = await operator.fetch(
                "select pid from pg_stat_activity where application_name = 'vernissage pulse'"
                " and datname = $1",
                url.rpartition("/")[2],
            )
            return [row["pid"] for row in rows]

        async def session(other_than: int | None = None) -> int:
            async with asyncio.timeout(DEADLINE):
                while not (found := [pid for pid in await sessions() if pid != other_than]):
                    await asyncio.sleep(0.01)
            return found[0]

        lost: list[bool] = []

        async def when_lost() -> None:
            lost.append(True)

        monkeypatch.setattr(database._pulse, "_when_lost", when_lost)
        first = await session()
        await operator.fetch("select pg_terminate_backend($1)", first)
        assert await session(other_than=first) != first
        assert lost == []


async def test_a_session_that_is_ended_as_it_begins_is_no_loss(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chance decides whether an operator meets it there; here it does, once."""
    connects = asyncpg.connect
    ended: list[str] = []

    async def connect(url: str, **options: Any) -> Any:
        if not ended:
            ended.append(url)
            raise asyncpg.AdminShutdownError("terminating connection due to administrator command")
        return await connects(url, **options)

    monkeypatch.setattr("store.pulse.asyncpg.connect", connect)
    async with watched(url) as database:
        pulse = database._pulse
        await until(lambda: pulse.lost or pulse._connection is not None, "the first answer")
        assert ended == [url]
        assert not pulse.lost


async def test_the_last_words_of_its_connection_are_no_end_of_the_pulse(
    url: str, superuser_url: str
) -> None:
    """Also where only those have come, and not yet the end of the connection: a new one answers."""
    async with Proxy.before(url) as proxy:
        await proxy.change(lambda: _stopping_after_last_words(proxy))
        async with (
            watched(proxy.url) as database,
            open_database(superuser_url, connections=1) as operator,
        ):
            pulse = database._pulse
            await until(lambda: pulse._connection is not None, "the first question")
            first = pulse._connection
            await operator.fetch("select pg_terminate_backend($1, 5000)", first.get_server_pid())
            await until(lambda: pulse._connection is not first, "it is given up")
            proxy.go_on()
            await until(
                lambda: pulse._connection is not None and not pulse.lost,
                "it answers",
                HEALTHY_SECONDS,
            )


async def test_a_server_that_answers_others_is_there(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this process, or the machine, is too busy for the question, answers to others count."""
    monkeypatch.setattr("store.pulse.ANSWER_SECONDS", 0.1)
    async with Proxy.before(url) as proxy, open_database(url, connections=2) as database:
        monkeypatch.setattr(database._pulse, "_url", proxy.url)
        keeping = asyncio.create_task(database.keep_pulse())
        await until(lambda: database._pulse._connection is not None, "the first question")
        proxy.stall()
        begun = time.monotonic()
        while time.monotonic() - begun < 1.0:
            await database.fetch("select 1")
        assert not database._pulse.lost
        await until(lambda: database._pulse.lost, "the loss, once nobody is answered")
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_a_connection_that_the_server_has_ended_is_given_up(url: str) -> None:
    """Also where only its word has come, and not yet the end of the connection; the next one is good."""
    async with Proxy.before(url) as proxy:
        await proxy.change(lambda: _stopping_after_last_words(proxy))
        async with open_database(proxy.url, connections=1) as database:
            pid = (await database.fetch("select pg_backend_pid() as pid"))[0]["pid"]
            async with open_database(url, connections=1) as other:
                await other.fetch("select pg_terminate_backend($1, 5000)", pid)
            await until(lambda: not proxy.moves(Way.BACK), "the last words have come")
            with refused("UNAVAILABLE"):
                await database.fetch("select 1")
            proxy.go_on()
            assert await database.fetch("select 1")
