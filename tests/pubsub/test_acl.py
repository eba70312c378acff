"""The accounts that docs/operations.md gives for Redis let the gateway do all it does, and no more."""

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from gateway.embedded.home import home_of
from pubsub import Ask, Attendance, Bucket, Limiter, Share, Window
from tests.pubsub.test_bus import Party
from tests.servers import data_folder
from tests.valkeys import ValkeyCluster, ValkeyNode
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("patient")

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
PASSWORD = "of the test"  # noqa: S105


ONE, CLUSTER, SENTINELS = range(3)
"""The accounts, in the order in which the page has them."""


def account(kind: int) -> list[str]:
    """The rules of an account, as the page has them."""
    lines = re.findall(r"^user vernissage (.+)$", PAGE.read_text(), re.MULTILINE)
    assert len(lines) == 3
    return [f">{PASSWORD}" if rule.startswith(">") else rule for rule in lines[kind].split()]


def granted(kind: int) -> set[str]:
    """The commands that it may."""
    return {rule.removeprefix("+") for rule in account(kind) if rule.startswith("+")}


def known(url: str) -> str:
    """The URL of servers, for the account."""
    return re.sub(r"//.*@", f"//vernissage:{quote(PASSWORD)}@", url)


async def let_in(nodes: Sequence[ValkeyNode], kind: int) -> None:
    for node in nodes:
        await node.ask("ACL", "SETUSER", "vernissage", "reset", *account(kind))
        await node.ask("ACL", "LOG", "RESET")
        if kind != SENTINELS:
            await node.ask("CONFIG", "RESETSTAT")


async def used(nodes: Sequence[ValkeyNode]) -> set[str]:
    """The commands that were carried out, but for those that the test and the servers send."""
    found = set()
    for node in nodes:
        assert await node.ask("ACL", "LOG") == []
        told = await node.ask("INFO", "commandstats")
        found |= {name.removeprefix("cmdstat_") for name in told}
    return found


async def uses_everything(url: str) -> None:
    """All that the gateway does with Redis."""
    prefix = f"vernissage:{uuid4()}:"
    party = Party(url, prefix)
    limiter = Limiter(url, prefix=prefix)
    attendance = Attendance(url, prefix=prefix, node="node")
    await party.bus.start()
    for n in range(9):
        assert await party.bus.subscribe(f"t:{n}")
        party.bus.publish(f"t:{n}", b"!")
        await party.hears(f"t:{n}", b"!")
        await party.bus.unsubscribe(f"t:{n}")
    beats = [line._heartbeat for line in party.bus._lines.all]
    await until(lambda: all(beat._due for beat in beats), "heartbeats are heard")
    assert not party.bus.in_doubt
    for n in range(9):
        bucket, window = (
            Bucket(f"pace:{{{n}}}", 1.0, 9),
            Window(f"likes:{{{n}}}", 9, 60.0, "ticket"),
        )
        for verdict in await limiter.take([Ask(bucket, window), Ask(bucket, window), Ask()]):
            assert verdict.allowed
        await limiter.renew([window])
        await limiter.give_back([window])
        for share in (
            Share(f"place:{n}", 1, came={"ada": b"Ada", "ben": b"Ben"}),
            Share(f"place:{n}", 1, whole=False, left=["ada"]),
            Share(f"place:{n}", 0, came={}),
        ):
            assert (await attendance.tell([share]))[0] is not None
    assert not limiter.away
    for each in (party.bus, limiter, attendance):
        await each.close()


async def test_one_server() -> None:
    """Nothing that the account may is left unused, and nothing is asked for that it may not."""
    with data_folder() as folder:
        server = ValkeyNode(home_of(folder), "of-the-operator", {})
        await server.start()
        try:
            await let_in([server], ONE)
            await uses_everything(known(server.url))
            assert granted(ONE) <= await used([server])
        finally:
            await server.kill()


async def test_a_cluster(valkey_cluster: ValkeyCluster) -> None:
    """The same, but for what follows a slot that is on its way."""
    await let_in(valkey_cluster.nodes, CLUSTER)
    try:
        await uses_everything(known(valkey_cluster.url))
        assert granted(CLUSTER) <= await used(valkey_cluster.nodes) | {"asking"}
    finally:
        for node in valkey_cluster.nodes:
            await node.ask("ACL", "DELUSER", "vernissage")
