"""Who is here, as the screens of one node are told: at once, seldom, and of all nodes while that is known."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.delivery import presence as presence_module
from gateway.delivery.message import Message
from gateway.delivery.presence import RENEW_SECONDS, RETRY_SECONDS, Presence
from pubsub import Away, Present, Share
from tests.gateway.holders import VISITOR, Sitting, user
from tests.waiting import until

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
POST = "post:1"


class Elsewhere:
    """The other nodes: `others` watch each topic there."""

    def __init__(self) -> None:
        self.others = 0
        self.said: list[list[Share]] = []
        self.knows: dict[str, set[str]] = {}
        self.visitors: dict[str, int] = {}
        self.away = False
        self.at = NOON
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def tell(self, shares: Sequence[Share]) -> list[Present | None]:
        self.said.append(list(shares))
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            await meanwhile()
        if self.away:
            raise Away("no")
        return [self._answer(share) for share in shares]

    def _answer(self, share: Share) -> Present | None:
        if share.whole:
            self.knows[share.place] = set()
        elif share.place not in self.knows:
            return None
        users = self.knows[share.place]
        users.update(share.came)
        users.difference_update(share.left)
        self.at += timedelta(seconds=1)
        viewers = self.others + len(users) + share.visitors
        sample = tuple(b'{"id":"%b"}' % each.encode() for each in sorted(users))
        return Present(viewers, sample, self.at)


class Screens:
    def __init__(self) -> None:
        self.mentioned: list[Message] = []
        self.spreaded: list[Message] = []

    def mention(self, message: Message) -> None:
        self.mentioned.append(message)

    def spread(self, message: Message) -> None:
        self.spreaded.append(message)


class Node:
    """Presence on one node, whose clock goes as the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.elsewhere = Elsewhere()
        self.screens = Screens()
        self.presence = Presence(
            self.elsewhere,
            self.screens,
            told_by=lambda topic: "presence:changed" if topic.startswith("post:") else None,
            clock=lambda: self.now,
        )

    async def tells(self) -> tuple[list[int], list[int]]:
        """How many it tells to all nodes, and how many to this one alone."""
        await self.presence.tell()
        told = [
            [msgspec.json.decode(message.data)["viewers"] for message in messages]
            for messages in (self.screens.spreaded, self.screens.mentioned)
        ]
        self.screens.spreaded, self.screens.mentioned = [], []
        return told[0], told[1]


ADA, BEN = Sitting(user(1)), Sitting(user(2))
SOMEBODY = Sitting(VISITOR)


async def test_all_nodes_are_told_of_who_comes_and_goes() -> None:
    """With the count over all nodes and some of the users, under one key, by the clock of those who count."""
    node = Node()
    node.elsewhere.others = 3
    node.presence.joined(POST, ADA)
    node.presence.joined(POST, SOMEBODY)
    node.presence.joined("gallery", BEN)
    await node.presence.tell()
    (message,) = node.screens.spreaded
    assert message.topic == POST
    assert (message.header.name, message.header.seq) == ("presence:changed", None)
    assert (message.header.key, message.header.at) == ("presence:changed", node.elsewhere.at)
    assert msgspec.json.decode(message.data) == {
        "topic": POST,
        "viewers": 5,
        "sample": [{"id": str(ADA.actor.id)}],
    }
    node.screens.spreaded = []
    node.presence.left(POST, ADA)
    assert await node.tells() == ([4], [])
    (share,) = node.elsewhere.said[-1]
    assert (share.whole, share.left) == (False, [str(ADA.actor.id)])
    assert await node.tells() == ([], [])


async def test_a_user_counts_once() -> None:
    """On however many screens; a visitor's every screen does. A newcomer is told what is known already."""
    node = Node()
    for holder in (ADA, ADA, SOMEBODY, SOMEBODY):
        node.presence.joined(POST, holder)
    assert await node.tells() == ([3], [])
    node.presence.joined(POST, ADA)
    assert await node.tells() == ([], [3])
    for _ in range(2):
        node.presence.left(POST, ADA)
    assert await node.tells() == ([], [3])
    node.presence.left(POST, ADA)
    assert await node.tells() == ([2], [])


async def test_a_storm_is_one_question() -> None:
    """5,000 who come to one topic, and 200 topics besides."""
    node = Node()
    for n in range(5_000):
        node.presence.joined(POST, Sitting(user(n)))
    for n in range(200):
        node.presence.joined(f"{POST}:{n}", SOMEBODY)
    told, alone = await node.tells()
    assert sorted(told) == [1] * 200 + [5_000]
    assert alone == []
    assert len(node.elsewhere.said) == 1
    assert len(node.elsewhere.said[0]) == 201


async def test_it_tells_at_most_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first at once, and what comes meanwhile with the next."""
    monkeypatch.setattr(presence_module, "TELL_SECONDS", 0.05)
    node = Node()
    keeping = asyncio.create_task(node.presence.keep())
    await asyncio.sleep(0)
    node.presence.joined(POST, ADA)
    await until(lambda: node.elsewhere.said, "the first")
    for n in range(100):
        node.presence.joined(POST, Sitting(user(n + 10)))
    assert len(node.elsewhere.said) == 1
    await until(lambda: len(node.elsewhere.said) == 2, "the next")
    assert len(node.elsewhere.said[1][0].came) == 100
    keeping.cancel()


async def test_what_does_not_change_is_renewed() -> None:
    """In time, telling this node what it may have missed; one who forgot is told it whole."""
    node = Node()
    node.presence.joined(POST, ADA)
    await node.presence.tell()
    node.now = RENEW_SECONDS - 0.1
    before = len(node.elsewhere.said)
    await node.presence.tell()
    assert len(node.elsewhere.said) == before
    node.now = RENEW_SECONDS
    node.screens.spreaded = []
    node.elsewhere.others = 2
    assert await node.tells() == ([], [3])
    node.now *= 2
    node.elsewhere.knows.clear()
    assert await node.tells() == ([], [])
    assert [share.whole for shares in node.elsewhere.said[-2:] for share in shares] == [False, True]
    assert list(node.elsewhere.said[-1][0].came) == [str(ADA.actor.id)]


async def test_while_nobody_can_be_asked_this_node_counts_alone() -> None:
    """It says so in the log once, tells only its own screens, and says all of it once that is possible."""
    node = Node()
    node.elsewhere.others = 5
    node.presence.joined(POST, ADA)
    await node.presence.tell()
    node.screens.spreaded = []
    node.elsewhere.away = True
    with capture_logs() as log:
        node.presence.joined(POST, BEN)
        assert await node.tells() == ([], [2])
        node.presence.joined(POST, SOMEBODY)
        assert await node.tells() == ([], [3])
    assert [record["log_level"] for record in log] == ["warning"]
    node.elsewhere.away = False
    assert await node.tells() == ([], [])
    node.now += RETRY_SECONDS
    assert await node.tells() == ([], [8])
    (share,) = node.elsewhere.said[-1]
    assert (share.whole, len(share.came), share.visitors) == (True, 2, 1)


async def test_who_comes_or_goes_while_it_asks_is_said_next() -> None:
    """Nobody is lost or stays behind."""
    node = Node()
    node.presence.joined(POST, ADA)

    async def meanwhile() -> None:
        node.presence.left(POST, ADA)
        node.presence.joined(POST, BEN)
        node.presence.joined(POST, SOMEBODY)
        node.presence.left(POST, SOMEBODY)

    node.elsewhere.meanwhile = meanwhile
    await node.presence.tell()
    assert await node.tells() == ([1, 1], [])
    assert node.elsewhere.knows[POST] == {str(BEN.actor.id)}
    node.presence.left(POST, BEN)
    await node.presence.tell()
    assert node.presence._crowds == {}


async def test_a_node_that_ends_says_so() -> None:
    """Nobody is there of it any more."""
    node = Node()
    node.presence.joined(POST, ADA)
    node.presence.joined(POST, SOMEBODY)
    await node.presence.tell()
    await node.presence.close()
    (share,) = node.elsewhere.said[-1]
    assert share == Share(POST, 0)
    assert node.presence._crowds == {}
