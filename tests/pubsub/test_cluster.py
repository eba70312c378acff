"""On a Valkey cluster of three shards, each with a replica: shards fail, and slots move."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest
from redis.crc import key_slot

import pubsub.limiter
import pubsub.line
import pubsub.shards
from pubsub import Ask, Attendance, Away, Bucket, Limiter, Present, Share, Window
from tests.pubsub.test_bus import Party
from tests.valkeys import SHARDS, ValkeyCluster, ValkeyNode
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("patient")

TOPICS = [f"post:{n}" for n in range(60)]
USERS = [f"user {n}" for n in range(100)]


@pytest.fixture
def prefix() -> str:
    return f"test-cluster:{uuid4()}:"


@asynccontextmanager
async def parties(cluster: ValkeyCluster, prefix: str, n: int = 2) -> AsyncIterator[list[Party]]:
    """So many nodes' ends of the bus, all of which hear TOPICS."""
    async with AsyncExitStack() as stack:
        joined = []
        for _ in range(n):
            party = Party(cluster.url, prefix)
            await party.bus.start()
            stack.push_async_callback(party.bus.close)
            assert all(await asyncio.gather(*(party.bus.subscribe(topic) for topic in TOPICS)))
            joined.append(party)
        yield joined


async def settled(*parties: Party) -> None:
    for party in parties:
        await until(lambda party=party: not party.bus.in_doubt, "the bus is settled", 20.0)


async def test_a_cluster_is_formed(valkey_cluster: ValkeyCluster) -> None:
    """Every shard has a primary and a replica of its own, and together they have all slots."""
    primaries = [await valkey_cluster.primary_of(topic) for topic in TOPICS]
    replicas = [await valkey_cluster.replica_of(topic) for topic in TOPICS]
    assert len(set(primaries)) == len(set(replicas)) == SHARDS
    assert {*primaries, *replicas} == {*valkey_cluster.nodes}


async def test_a_channel_is_its_shards_alone(valkey_cluster: ValkeyCluster, prefix: str) -> None:
    """Nobody else hears of it: each shard has the channels of its slots, and one for heartbeats."""
    async with parties(valkey_cluster, prefix, 1):
        there = {}
        for node in valkey_cluster.nodes:
            for channel in await node.ask("PUBSUB", "SHARDCHANNELS", f"{prefix}*"):
                there[channel] = node
        assert len(there) == len(TOPICS) + SHARDS
        for channel, node in there.items():
            assert node is await valkey_cluster.primary_of(channel)


@asynccontextmanager
async def publishing(party: Party) -> AsyncIterator[dict[str, int]]:
    """Numbers on all TOPICS all the time; the last that was published on each."""
    published = dict.fromkeys(TOPICS, 0)

    async def publish() -> None:
        while True:
            for topic in TOPICS:
                published[topic] += 1
                party.bus.publish(topic, b"%d" % published[topic])
            await asyncio.sleep(0.01)

    task = asyncio.create_task(publish())
    try:
        yield published
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_topics_follow_their_slots(valkey_cluster: ValkeyCluster, prefix: str) -> None:
    """A slot goes to another shard, and back: its topics go along, in order, and nothing reconnects."""
    topic = TOPICS[0]
    slot = key_slot((prefix + topic).encode())
    here = await valkey_cluster.primary_of(prefix + topic)
    there = await other_primary(valkey_cluster, here)
    async with parties(valkey_cluster, prefix) as (one, two), publishing(one) as published:
        for times, (source, target) in enumerate([(here, there), (there, here)], 1):
            await move_slot(valkey_cluster, slot, source, target)
            await until(lambda times=times: two.reconnects >= times, "the topics have moved")
            await settled(one, two)
            await two.hears(topic, b"%d" % (published[topic] + 1))
        assert two.bus.counts.broken == two.bus.counts.deaf == 0
    heard = [int(message) for where, message in two.heard if where == topic]
    assert heard == sorted(heard)
    await valkey_cluster.is_whole()


async def test_heartbeats_follow_their_slots(valkey_cluster: ValkeyCluster, prefix: str) -> None:
    """The slot of a line's own channel goes: it takes another one, and is heard there."""
    async with parties(valkey_cluster, prefix, 1) as (one,):
        line = one.bus._lines.of(prefix + TOPICS[0])
        own = line.own
        here = await valkey_cluster.primary_of(own)
        there = await other_primary(valkey_cluster, here)
        await move_slot(valkey_cluster, key_slot(own.encode()), here, there)
        await until(lambda: line.own != own, "it has another channel")
        assert await valkey_cluster.primary_of(line.own) is here
        sent = line._heartbeat.sent
        await until(lambda: line._heartbeat._due > sent + 1, "heartbeats are taken")
        await settled(one)
        assert one.bus.counts.broken == one.bus.counts.deaf == 0
        await move_slot(valkey_cluster, key_slot(own.encode()), there, here)
    await valkey_cluster.is_whole()


async def other_primary(cluster: ValkeyCluster, than: ValkeyNode) -> ValkeyNode:
    owners = [await cluster.primary_of(topic) for topic in TOPICS]
    return next(owner for owner in owners if owner is not than)


async def move_slot(
    cluster: ValkeyCluster, slot: int, source: ValkeyNode, target: ValkeyNode
) -> None:
    """As a resharding does, key by key and then the slot."""
    source_id, target_id = [await node.ask("CLUSTER", "MYID") for node in (source, target)]
    await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    for key in await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1_000):
        await source.ask(
            *("MIGRATE", "127.0.0.1", target.port, key, 0, 5_000, "AUTH", cluster.password)
        )
    for node in (target, source):
        await node.ask("CLUSTER", "SETSLOT", slot, "NODE", target_id)


async def test_a_shard_that_swallows_everything_is_missed(
    valkey_cluster: ValkeyCluster, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line has its own heartbeat: one that hears nothing is in doubt, and opened anew."""
    monkeypatch.setattr(pubsub.line, "HEARTBEAT_SECONDS", 0.1)
    async with parties(valkey_cluster, prefix, 1) as (one,):
        (line, *others) = one.bus._lines.all
        with monkeypatch.context() as swallowing:
            swallowing.setattr(line._heartbeat, "heard", lambda message: None)
            await one.loses_redis()
        await one.is_back()
        assert (one.bus.counts.deaf, one.bus.counts.broken) == (1, 0)
        assert all(other.connected for other in others)


async def test_heartbeats_are_bounded(
    valkey_cluster: ValkeyCluster, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many shards each gets fewer, and silence is doubted later."""
    monkeypatch.setattr(pubsub.shards, "BEATS_PER_SECOND", 5.0)
    async with parties(valkey_cluster, prefix, 1) as (one,):
        assert [line.beat_seconds for line in one.bus._lines.all] == [0.6] * SHARDS
        await settled(one)


def ask(who: str, most: int = 3) -> Ask:
    """Of one user, whose keys are of one slot as the gateway's are."""
    bucket = Bucket(f"pace:{{{who}}}", per_second=0.01, burst=1_000)
    return Ask(bucket, Window(f"likes:{{{who}}}", most, 60.0, str(uuid4())))


async def test_users_of_all_shards_are_asked_for_together(
    valkey_cluster: ValkeyCluster, prefix: str
) -> None:
    """Each gets its own verdict, over two nodes, in order; what is given back may be taken again."""
    limiters = [Limiter(valkey_cluster.url, prefix=prefix) for _ in range(2)]
    for n in range(4):
        asks = [ask(user) for user in USERS for _ in (1, 2)][:: 2 if n else 1]
        verdicts = await limiters[n % 2].take(asks)
        allowed = [verdict.allowed for verdict in verdicts]
        assert allowed == [n < 2] * len(asks)
        if n == 1:
            windows = [each.window for each in asks if each.window is not None]
    assert not any(limiter.away for limiter in limiters)
    await limiters[0].give_back(windows)
    await limiters[0].renew(windows[:1])
    verdicts = await limiters[1].take([ask(user) for user in USERS])
    assert [verdict.allowed for verdict in verdicts] == [False] + [True] * 99
    for limiter in limiters:
        await limiter.close()


async def test_limits_are_exact_while_a_slot_moves(
    valkey_cluster: ValkeyCluster, prefix: str
) -> None:
    """Commands go on to whoever has the keys, also between two servers that both have some."""
    here = await valkey_cluster.primary_of("ada")
    there = await other_primary(valkey_cluster, here)
    slot = key_slot(b"ada")
    limiter = Limiter(valkey_cluster.url, prefix=prefix)
    accepted = 0

    async def take() -> None:
        nonlocal accepted
        window = Window("likes:{ada}", 100, 60.0, str(uuid4()))
        for verdict in await limiter.take([Ask(window=window)]):
            accepted += verdict.allowed

    async def taking() -> None:
        for _ in range(200):
            await take()

    task = asyncio.create_task(taking())
    await move_slot(valkey_cluster, slot, here, there)
    await task
    assert not limiter.away
    assert accepted == 100
    await move_slot(valkey_cluster, slot, there, here)
    await take()
    assert accepted == 100
    await limiter.close()


async def test_a_shard_fails_over_under_load(
    valkey_cluster: ValkeyCluster, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its primary is killed, and its replica takes over. The other shards do not notice.

    Meanwhile whoever is counted there is counted by each process. Then its topics are heard again, each in
    order; what was lost on the way is asked for when all of them are: `on_reconnect`.
    """
    monkeypatch.setattr(pubsub.limiter, "AWAY_SECONDS", 0.1)
    topic = TOPICS[0]
    dead = await valkey_cluster.primary_of(prefix + topic)
    heir = await valkey_cluster.replica_of(prefix + topic)
    others = [each for each in TOPICS if not await valkey_cluster.shares_shard(prefix + each, dead)]
    counted_there = [user for user in USERS if await valkey_cluster.shares_shard(user, dead)]
    here, there = (Limiter(valkey_cluster.url, prefix=prefix) for _ in range(2))
    attendance = Attendance(valkey_cluster.url, prefix=prefix, node="node")
    place = counted_there[0]
    async with parties(valkey_cluster, prefix) as (one, two), publishing(one) as published:
        assert all(each.allowed for each in await here.take([ask(user, 1) for user in USERS]))
        assert (await attendance.tell([Share(place, 1)]))[0] is not None
        await dead.kill()
        verdicts = await here.take([ask(user, 1) for user in USERS])
        allowed = [user for user, each in zip(USERS, verdicts, strict=True) if each.allowed]
        assert allowed == counted_there  # this process by itself had not counted them
        with pytest.raises(Away):
            await attendance.tell([Share(place, 1)])
        await until(lambda: one.bus.in_doubt and two.bus.in_doubt, "both are in doubt")
        await two.hears(others[0], b"%d" % (published[others[0]] + 1))
        await until(lambda: one.reconnects and two.reconnects, "both are back", 20.0)
        assert await valkey_cluster.primary_of(prefix + topic) is heir
        await settled(one, two)
        assert await two.bus.subscribe(topic)
        await two.hears(topic, b"%d" % (published[topic] + 1))
        await until(lambda: not here.away, "limits are counted over all nodes", 20.0)
    for each in TOPICS:
        heard = [int(message) for where, message in two.heard if where == each]
        if each in others:
            assert heard == list(range(1, heard[-1] + 1))
        else:  # what was under way when it died may come twice, or never
            assert [*dict.fromkeys(heard)] == sorted({*heard})
    await there.take([ask(user, 5) for user in USERS for _ in range(5)])
    verdicts = await here.take([ask(user, 5) for user in USERS])
    assert not any(each.allowed for each in verdicts)
    assert (await told_again(attendance, place)).viewers == 1
    await dead.start()
    await valkey_cluster.is_whole()
    for user in (here, there, attendance):
        await user.close()


async def told_again(attendance: Attendance, place: str) -> Present:
    """What is told once the shard of the place answers."""
    async with asyncio.timeout(20.0):
        while True:
            try:
                (present,) = await attendance.tell([Share(place, 1)])
            except Away:
                await asyncio.sleep(0.05)
            else:
                assert present is not None
                return present
