"""What is told to all reaches single users of a node, with one question for many events."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.delivery import relay as relay_module
from gateway.delivery.message import Header, Message
from gateway.delivery.relay import Relaying
from handlers.domain import Relay
from store.journal import EventType, Kind
from store.refusal import Refusal
from tests.waiting import until

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ADA, BEN = UUID(int=1), UUID(int=2)


class Made(msgspec.Struct, frozen=True):
    n: int


MADE = EventType("made", Kind.LOG, Made)
NEWS = EventType("news", Kind.EPHEMERAL, Made)


def made(n: int, name: str = "made", data: bytes | None = None) -> Message:
    return Message("all", Header(n, name, NOON, None, None), data or b'{"n":%d}' % n)


class Store:
    """Who is to be told of what; each question waits for `answers`."""

    def __init__(self) -> None:
        self.questions: list[tuple[list[int], list[UUID]]] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.fails: Exception | None = None
        self.chosen = {BEN}

    async def who(self, datas: Sequence[Made], connected: Sequence[UUID]) -> list[set[UUID]]:
        self.questions.append(([data.n for data in datas], list(connected)))
        await self.answers.wait()
        if self.fails is not None:
            raise self.fails
        return [self.chosen for _ in datas]


class Screens:
    def __init__(self) -> None:
        self.here = [ADA, BEN]
        self.told: list[Message] = []

    def watched(self, prefix: str) -> list[str]:
        return [f"{prefix}{user_id}" for user_id in self.here]

    def mention(self, message: Message) -> None:
        self.told.append(message)


def relaying(store: Store, screens: Screens) -> Relaying:
    return Relaying(Relay("all", MADE, NEWS, Store.who), store, screens)


async def test_those_chosen_are_told() -> None:
    """With the same data, under its own name and without a seq; what else is told there is passed over."""
    store, screens = Store(), Screens()
    passing = relaying(store, screens)
    passing.heard(made(1, "other"))
    passing.heard(made(2))
    await until(lambda: screens.told, "the news")
    (news,) = screens.told
    assert (news.topic, news.header) == (f"user:{BEN}", Header(None, "news", NOON, None, None))
    assert news.data == b'{"n":2}'
    assert store.questions == [([2], [ADA, BEN])]


async def test_while_one_question_is_asked_the_next_gathers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A burst is two questions; past the bound the oldest are passed on to nobody."""
    monkeypatch.setattr(relay_module, "WAITING_MESSAGES", 3)
    store, screens = Store(), Screens()
    passing = relaying(store, screens)
    store.answers.clear()
    passing.heard(made(1))
    await until(lambda: store.questions, "a question")
    for n in range(2, 7):
        passing.heard(made(n))
    store.answers.set()
    await until(lambda: len(screens.told) == 4, "the news")
    assert [numbers for numbers, _ in store.questions] == [[1], [4, 5, 6]]
    await passing.close()


async def test_nobody_here_is_no_question() -> None:
    """Nor is what tells of nothing any more, or what another release has written."""
    store, screens = Store(), Screens()
    passing = relaying(store, screens)
    screens.here = []
    passing.heard(made(1))
    await until(lambda: passing._task is None, "the end")
    screens.here = [BEN]
    with capture_logs() as log:
        passing.heard(made(2, data=b"null"))
        passing.heard(made(3, data=b'{"m":1}'))
    assert [record["event"] for record in log] == ["not passed on"]
    assert (store.questions, passing._task) == ([], None)


async def test_a_question_that_fails_is_passed_over() -> None:
    """It is in the log, and the next is asked all the same."""
    store, screens = Store(), Screens()
    passing = relaying(store, screens)
    for n, error in enumerate((Refusal("UNAVAILABLE", "Not now."), RuntimeError("no"))):
        store.fails = error
        with capture_logs() as log:
            passing.heard(made(n))
            await until(lambda: passing._task is None, "the end")
        assert [record["log_level"] for record in log] == [("warning", "error")[n]]
    store.fails = None
    passing.heard(made(3))
    await until(lambda: screens.told, "the news")
