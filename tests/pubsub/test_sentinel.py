"""A master that sentinels watch over: it is found, and so is whoever takes its place."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

import pubsub.limiter
from pubsub import Ask, Attendance, Away, Limiter, Present, Share, Window
from tests.pubsub.test_acl import ONE, PASSWORD, SENTINELS, known, let_in, uses_everything
from tests.pubsub.test_bus import Party
from tests.servers import data_folder
from tests.valkeys import Watched, open_watched
from tests.waiting import DEADLINE, until

pytestmark = pytest.mark.usefixtures("patient")

FAILOVER_SECONDS = 20.0


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """A master with a replica and three sentinels."""
    with data_folder() as folder:
        async with open_watched(folder) as watched:
            yield watched


def window() -> Window:
    return Window("likes", 100, 60.0, str(uuid4()))


async def test_sentinels_want_to_know_who_asks(watched: Watched) -> None:
    """Their password is one of its own; without it nobody is told where the master is, and the log says why."""
    party = Party(watched.url.partition("?")[0], "test-sentinel:")
    with capture_logs() as logs:
        await party.bus.start()
    assert not party.bus.connected
    await party.bus.close()
    assert any("uthenticat" in log.get("error", "") for log in logs)


async def test_an_account_of_our_own(watched: Watched) -> None:
    """The sentinels have accounts of their own, which need no more than docs/operations.md says."""
    await let_in([watched.master, watched.replica], ONE)
    await let_in(watched.sentinels, SENTINELS)
    url, _, _ = known(watched.url).partition("?")
    account = f"sentinel_username=vernissage&sentinel_password={quote(PASSWORD)}"
    await uses_everything(f"{url}?{account}")


async def test_a_failover_is_followed(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The master is killed: limits go on, and all is well again with the replica."""
    monkeypatch.setattr(pubsub.limiter, "AWAY_SECONDS", 0.1)
    prefix = f"test-sentinel:{uuid4()}:"
    one, two = Party(watched.url, prefix), Party(watched.url, prefix)
    limiter = Limiter(watched.url, prefix=prefix)
    attendance = Attendance(watched.url, prefix=prefix, node="node")
    for party in (one, two):
        await party.bus.start()
        assert await party.bus.subscribe("t")
    one.bus.publish("t", b"before")
    await two.hears("t", b"before")
    assert (await limiter.take([Ask(window=window())]))[0].allowed
    assert not limiter.away
    assert (await told(attendance)).viewers == 1

    await watched.master.kill()
    assert (await limiter.take([Ask(window=window())]))[0].allowed
    one.bus.publish("t", b"meanwhile")
    for party in (one, two):
        await until(lambda party=party: party.reconnects, "the bus is back", FAILOVER_SECONDS)
    assert await watched.replica.ask("PUBSUB", "NUMSUB", f"{prefix}t") == [f"{prefix}t", 2]
    one.bus.publish("t", b"after")
    await two.hears("t", b"after")
    await until(lambda: not limiter.away, "limits are counted over all nodes", FAILOVER_SECONDS)
    assert (await told(attendance)).viewers == 1

    # What was published before the other one listened again is lost, as its reconnection tells it.
    heard = [message for _, message in two.heard if message != b"meanwhile"]
    assert heard == [b"before", b"after"]
    for each in (one.bus, two.bus, limiter, attendance):
        await each.close()


async def told(attendance: Attendance) -> Present:
    """Who is there, once there is a master."""
    async with asyncio.timeout(2 * DEADLINE):
        while True:
            try:
                (present,) = await attendance.tell([Share("place", 1)])
            except Away:
                await asyncio.sleep(0.05)
            else:
                assert present is not None
                return present
