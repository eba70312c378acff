"""The bus on a real Valkey."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from redis.asyncio import Redis

import pubsub.line
from gateway.embedded import embedded_servers
from pubsub import Bus
from tests.proxy import Proxy
from tests.waiting import DEADLINE, until


class Party:
    """One node's end of the bus, remembering all that reached it."""

    def __init__(self, url: str, prefix: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.reconnects = 0
        self.bus = Bus(url, prefix=prefix, on_message=self._hear, on_reconnect=self._reconnected)

    @property
    def line(self) -> pubsub.line.Line:
        """The line of its bus, which has but one."""
        (line,) = self.bus._lines.all
        return line

    def _hear(self, topic: str, message: bytes) -> None:
        self.heard.append((topic, message))

    def _reconnected(self) -> None:
        self.reconnects += 1

    async def hears(self, topic: str, message: bytes) -> None:
        await until(lambda: (topic, message) in self.heard, f"{message!r} on {topic}")

    async def loses_redis(self) -> None:
        await until(lambda: not self.bus.connected, "the bus is down")

    async def is_back(self, reconnects: int = 1) -> None:
        await until(lambda: self.reconnects >= reconnects, "the bus is back")
        assert self.bus.connected


Join = Callable[..., AbstractAsyncContextManager[Party]]


def joining(redis_url: str) -> Join:
    """How parties of one test come together, on a prefix of their own."""
    prefix = f"test-bus:{uuid4()}:"

    @asynccontextmanager
    async def joined(url: str = redis_url) -> AsyncIterator[Party]:
        party = Party(url, prefix)
        await party.bus.start()
        try:
            yield party
        finally:
            await party.bus.close()

    return joined


@pytest.fixture
def join(redis_url: str) -> Join:
    return joining(redis_url)


@pytest.fixture
def join_either(either_url: str) -> Join:
    """Parties on one server, and on a cluster."""
    return joining(either_url)


async def test_a_message_reaches_every_subscriber_and_nobody_else(join_either: Join) -> None:
    """Subscribers of the topic get it once each, the publisher too; others hear nothing."""
    async with join_either() as one, join_either() as two, join_either() as stranger:
        assert await one.bus.subscribe("post:1")
        assert await two.bus.subscribe("post:1")
        assert await stranger.bus.subscribe("post:2")
        one.bus.publish("post:1", b"hello\n\x00\xff")
        one.bus.publish("post:2", b"the end")
        for party in (one, two):
            await party.hears("post:1", b"hello\n\x00\xff")
            assert party.heard == [("post:1", b"hello\n\x00\xff")]
        await stranger.hears("post:2", b"the end")
        assert stranger.heard == [("post:2", b"the end")]


async def test_messages_come_in_the_order_of_publishing(join_either: Join) -> None:
    """More messages than one pipeline holds keep the order of each topic; on one server, over all topics."""
    sent = [(f"t:{n % 7}", b"%d" % n) for n in range(3 * pubsub.line.PIPELINE_MESSAGES + 1)]
    async with join_either() as one, join_either() as two:
        await asyncio.gather(*(two.bus.subscribe(f"t:{n}") for n in range(7)))
        for topic, message in sent:
            one.bus.publish(topic, message)
        for last in sent[-7:]:
            await two.hears(*last)
        for n in range(7):
            assert [each for each in two.heard if each[0] == f"t:{n}"] == sent[n::7]
        if len(one.bus._lines.all) == 1:
            assert two.heard == sent


async def test_a_confirmed_subscription_misses_nothing(join_either: Join) -> None:
    """Whatever is published once `subscribe` has answered True arrives."""
    async with join_either() as one, join_either() as two:
        for n in range(50):
            assert await two.bus.subscribe(f"t:{n}")
            one.bus.publish(f"t:{n}", b"!")
        for n in range(50):
            await two.hears(f"t:{n}", b"!")
        assert len(two.heard) == 50


async def test_an_unsubscribed_topic_is_heard_no_more(join_either: Join) -> None:
    """After `unsubscribe` nothing of that topic comes."""
    async with join_either() as one:
        await one.bus.subscribe("a")
        await one.bus.subscribe("b")
        await one.bus.unsubscribe("a")
        one.bus.publish("a", b"1")
        one.bus.publish("b", b"2")
        await one.hears("b", b"2")
        assert one.heard == [("b", b"2")]


async def test_subscribing_again_wins_over_unsubscribing_before(join_either: Join) -> None:
    """However fast a topic is left and taken up again, the last word counts, and True means heard."""
    async with join_either() as one, join_either() as two:
        for n in range(20):
            first = asyncio.create_task(two.bus.subscribe("t"))
            left = asyncio.create_task(two.bus.unsubscribe("t"))
            again = asyncio.create_task(two.bus.subscribe("t"))
            assert await again
            one.bus.publish("t", b"%d" % n)
            await two.hears("t", b"%d" % n)
            await asyncio.gather(first, left)


async def test_a_killed_connection_is_opened_again_with_all_subscriptions(
    join: Join, redis_url: str
) -> None:
    """After CLIENT KILL the bus reconnects, says so once, and hears its topics again."""
    async with join() as one, Redis.from_url(redis_url) as admin:
        await one.bus.subscribe("a")
        for killed in (1, 2):
            await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            await one.is_back(killed)
            one.bus.publish("a", b"%d" % killed)
            await one.hears("a", b"%d" % killed)
        assert one.reconnects == 2


async def test_a_connection_that_breaks_while_something_is_sent_is_noticed(
    join: Join, redis_url: str
) -> None:
    """However the line breaks while topics are subscribed to and left, `on_reconnect` is called."""
    async with Proxy.before(redis_url) as proxy, join(proxy.url) as one, join() as two:
        for n in range(1, 6):
            reset = asyncio.create_task(proxy.reset())
            await asyncio.gather(
                *(one.bus.subscribe(f"{n}:{m}") for m in range(20)),
                *(one.bus.unsubscribe(f"{n}:{m}") for m in range(10)),
            )
            await reset
            await one.is_back(n)
            two.bus.publish(f"{n}:0", b"left")
            two.bus.publish(f"{n}:19", b"kept")
            await one.hears(f"{n}:19", b"kept")
        assert [message for _, message in one.heard] == [b"kept"] * 5


async def test_messages_wait_for_a_redis_that_is_away(join: Join, redis_url: str) -> None:
    """What is published meanwhile goes out in order when Redis is back."""
    async with Proxy.before(redis_url) as proxy, join(proxy.url) as one, join() as two:
        await two.bus.subscribe("t")
        await proxy.cut()
        await one.loses_redis()
        for n in range(1_200):
            one.bus.publish("t", b"%d" % n)
        await proxy.mend()
        await two.hears("t", b"1199")
        assert [message for _, message in two.heard] == [b"%d" % n for n in range(1_200)]


async def test_a_full_outbox_drops_the_oldest(
    join: Join, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits is bounded; the newest messages stay."""
    monkeypatch.setattr(pubsub.line, "OUTBOX_MESSAGES", 1_000)
    async with Proxy.before(redis_url) as proxy, join(proxy.url) as one, join() as two:
        await two.bus.subscribe("t")
        await proxy.cut()
        await one.loses_redis()
        for n in range(5_000):
            one.bus.publish("t", b"%d" % n)
            if n % 500 == 0:
                await asyncio.sleep(0)  # so that batches fail and are put back meanwhile
        await proxy.mend()
        await two.hears("t", b"4999")
        assert [message for _, message in two.heard] == [b"%d" % n for n in range(4_000, 5_000)]
        await until(lambda: one.bus.counts.published == 1_000, "Redis has taken them")
        assert one.bus.counts.dropped == 4_000
        assert (one.bus.counts.broken, one.bus.counts.deaf) == (1, 0)


async def test_a_topic_subscribed_while_redis_is_away_is_heard_afterwards(
    join: Join, redis_url: str
) -> None:
    """`subscribe` answers False at once; the subscription stands when `on_reconnect` is called."""
    async with Proxy.before(redis_url) as proxy, join(proxy.url) as one, join() as two:
        await one.bus.subscribe("left")
        await proxy.cut()
        await one.loses_redis()
        assert not await asyncio.wait_for(one.bus.subscribe("t"), 0.1)
        await one.bus.unsubscribe("left")
        await proxy.mend()
        await one.is_back()
        two.bus.publish("left", b"1")
        two.bus.publish("t", b"2")
        await one.hears("t", b"2")
        assert one.heard == [("t", b"2")]


async def test_subscribing_while_the_line_is_being_opened(join: Join, redis_url: str) -> None:
    """Topics that come in the middle of a reconnection are neither lost nor forgotten."""
    async with Proxy.before(redis_url) as proxy, join(proxy.url) as one, join() as two:
        await asyncio.gather(*(one.bus.subscribe(f"old:{n}") for n in range(200)))
        await proxy.cut()
        await one.loses_redis()
        await proxy.mend()
        answers: list[bool] = []
        while not one.reconnects:
            topic = f"new:{len(answers)}"
            answers.append(await one.bus.subscribe(topic))
            await asyncio.sleep(0.001)  # topics come all the time, not all at once
        last = len(answers) - 1
        for n in (0, last // 2, last):
            two.bus.publish(f"new:{n}", b"!")
            await one.hears(f"new:{n}", b"!")


async def test_very_many_topics_come_back(join: Join, redis_url: str) -> None:
    """However long it takes to restore the subscriptions, all of them are there again."""
    async with Proxy.before(redis_url) as proxy, join(proxy.url) as one, join() as two:
        await proxy.cut()
        await one.loses_redis()
        await asyncio.gather(*(one.bus.subscribe(f"t:{n}") for n in range(20_000)))
        await proxy.mend()
        await one.is_back()
        for n in (0, 10_000, 19_999):
            two.bus.publish(f"t:{n}", b"!")
            await one.hears(f"t:{n}", b"!")


async def test_a_start_without_redis(join: Join, redis_url: str) -> None:
    """The bus starts although Redis is away, and joins it when it comes."""
    async with Proxy.before(redis_url) as proxy:
        await proxy.cut()
        async with join(proxy.url) as one:
            assert not one.bus.connected
            assert not await one.bus.subscribe("t")
            await proxy.mend()
            await one.is_back()
            one.bus.publish("t", b"at last")
            await one.hears("t", b"at last")


async def test_a_deaf_line_is_found_out(
    join: Join, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that swallows everything is noticed within seconds, and subscribing does not hang."""
    monkeypatch.setattr(pubsub.line, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(pubsub.line, "SOCKET_SECONDS", 0.2)
    monkeypatch.setattr(pubsub.line, "CONFIRM_SECONDS", 0.2)
    async with Proxy.before(redis_url) as proxy, join(proxy.url) as one:
        await one.bus.subscribe("t")
        proxy.stall()
        assert not await asyncio.wait_for(one.bus.subscribe("u"), DEADLINE)
        await one.loses_redis()
        proxy.go_on()
        await one.is_back()
        one.bus.publish("u", b"!")
        await one.hears("u", b"!")
        assert (one.bus.counts.deaf, one.bus.counts.reconnects) == (1, 1)


async def test_a_quiet_line_is_left_alone(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that has nothing to say but answers keeps its connection."""
    monkeypatch.setattr(pubsub.line, "QUIET_SECONDS", 0.01)
    async with join() as one:
        await one.bus.subscribe("t")
        asked = 0
        line = one.line
        send = line._send

        async def counting(*command: str) -> None:
            nonlocal asked
            asked += command == ("PING",)
            await send(*command)

        monkeypatch.setattr(line, "_send", counting)
        await until(lambda: asked >= 10, "ten pings")
        assert one.bus.connected
        assert one.reconnects == 0
        one.bus.publish("t", b"!")
        await one.hears("t", b"!")


async def test_a_message_that_cannot_be_taken_in_costs_nothing_else(
    join: Join, redis_url: str
) -> None:
    """An error in `on_message` is logged; the next message arrives."""
    prefix = f"test-bus:{uuid4()}:"
    heard: list[bytes] = []

    def hear(topic: str, message: bytes) -> None:
        if message == b"bad":
            raise ValueError(message)
        heard.append(message)

    bus = Bus(redis_url, prefix=prefix, on_message=hear, on_reconnect=lambda: None)
    await bus.start()
    try:
        await bus.subscribe("t")
        bus.publish("t", b"bad")
        bus.publish("t", b"good")
        await until(lambda: heard, "the good one")
        assert bus.connected
    finally:
        await bus.close()


async def test_closing_sends_what_waits(join_either: Join) -> None:
    """Messages published right before `close` still go out."""
    async with join_either() as two:
        await two.bus.subscribe("t")
        async with join_either() as one:
            for n in range(1_000):
                one.bus.publish("t", b"%d" % n)
        await two.hears("t", b"999")


async def test_closing_leaves_no_task(join_either: Join) -> None:
    """After `close`, with Redis or without, nothing of the bus runs any more."""
    before = asyncio.all_tasks()
    async with join_either() as one:
        await one.bus.subscribe("t")
    assert asyncio.all_tasks() == before


async def test_a_restart_of_redis(join: Join) -> None:
    """A Redis that knows of nothing any more gets all subscriptions again."""
    async with own_valkey() as first_url, Proxy.before(first_url) as proxy, join(proxy.url) as one:
        await one.bus.subscribe("t")
        async with own_valkey() as second_url, Redis.from_url(second_url) as admin:
            await admin.config_set("requirepass", urlsplit(first_url).password or "")
            proxy.turn_to(second_url)
            await proxy.reset()
            await one.is_back()
            one.bus.publish("t", b"!")
            await one.hears("t", b"!")


async def test_a_line_that_answers_and_delivers_nothing_is_found_out(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when whoever listens is left with a Redis to which nobody publishes any more."""
    monkeypatch.setattr(pubsub.line, "HEARTBEAT_SECONDS", 0.1)
    async with (
        own_valkey() as left_url,
        own_valkey() as new_url,
        Redis.from_url(new_url) as admin,
        Proxy.before(left_url) as proxy,
        join(proxy.url) as one,
        join(proxy.url) as other,
    ):
        await one.bus.subscribe("t")
        await other.bus.subscribe("t")
        await admin.config_set("requirepass", urlsplit(left_url).password or "")
        await until(lambda: one.line._heartbeat.sent >= 2, "the first heartbeat is taken")
        proxy.turn_to(new_url)
        for party in (one, other):
            await party.line.fall_silent()  # what is published next goes to the new one
        for party in (one, other):
            await party.is_back()
            assert (party.bus.counts.deaf, party.bus.counts.broken) == (1, 0)
        one.bus.publish("t", b"!")
        for party in (one, other):
            await party.hears("t", b"!")
        await until(lambda: one.line._heartbeat.sent >= 20, "twenty heartbeats")
        assert one.reconnects == 1


async def test_a_heartbeat_is_nobody_elses_business(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs no reconnection while Redis is there, and no subscriber hears it."""
    monkeypatch.setattr(pubsub.line, "HEARTBEAT_SECONDS", 0.01)
    async with join() as one, join() as two:
        await two.bus.subscribe("t")
        await until(lambda: one.line._heartbeat.sent >= 20, "twenty heartbeats")
        one.bus.publish("t", b"!")
        await two.hears("t", b"!")
        assert two.heard == [("t", b"!")]
        assert one.heard == []
        assert (one.reconnects, two.reconnects) == (0, 0)


@asynccontextmanager
async def own_valkey() -> AsyncIterator[str]:
    """The URL of a Valkey that no other test knows."""
    with tempfile.TemporaryDirectory(prefix="vernissage-") as folder:
        Path(folder).chmod(0o755)
        async with embedded_servers(Path(folder), postgres=False) as servers:
            assert servers.redis_url is not None
            yield servers.redis_url
