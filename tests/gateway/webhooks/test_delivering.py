"""A worker tells endpoints what happens: each topic in order, again where it was not taken, and not for ever."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from uuid import UUID, uuid4

import pytest

from gateway.webhooks import delivering, retrying
from gateway.webhooks.delivering import Deliveries
from gateway.webhooks.guard import Guard
from gateway.webhooks.sending import Sender
from gateway.webhooks.signing import Seal, new_secret
from pubsub import ended
from store.consumers import Consumers
from store.database import Database, open_database
from store.webhooks import Failed, Holds, Messages, Webhooks, consumer_of
from tests.receiver import Receiver, receiving
from tests.servers import FreshDatabase
from tests.waiting import until

LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is let alone is looked at all the time."""
    monkeypatch.setattr(delivering, "PAUSED_SECONDS", 0.05)


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    async with open_database(await fresh_database(), connections=8) as database:
        yield database


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


class Endpoint:
    """One that is told of everything."""

    def __init__(self, id: UUID, secret: str, database: Database) -> None:
        self.id = id
        self.secret = secret
        self._database = database
        self.webhooks = Webhooks(database)
        self.messages = Messages(database)

    async def happens(self, *topics: str) -> None:
        """Something, on each of these topics."""
        for topic in topics:
            await self._database.fetch(
                "select journal_append(array[$1], array['note:taken'], array[null::text],"
                " array['thing:' || $1], array['{\"n\": 1}'], array[null::uuid])",
                topic,
            )

    async def state(self) -> tuple[str, int, int]:
        (listed,) = await self.webhooks.all()
        return listed.state, listed.waiting, listed.dead

    async def comes_to(self, holds: Callable[[tuple[str, int, int]], bool]) -> None:
        """Wait until its state, and how many messages wait and are dead, are such."""
        async with asyncio.timeout(60):
            while not holds(await self.state()):
                await asyncio.sleep(0.02)

    async def due_now(self) -> None:
        """As if time had passed."""
        await self._database.fetch("update webhook_messages set due_at = now()")
        await self._database.fetch("update webhook_endpoints set paused_until = null")


@pytest.fixture
async def endpoint(database: Database, receiver: Receiver) -> Endpoint:
    return await added(database, receiver.url)


async def added(database: Database, url: str) -> Endpoint:
    id, secret = uuid4(), new_secret()
    sealed = Seal("key").close(secret, id)
    await Webhooks(database).add(id, url, ["*"], ["*"], sealed, "now")
    return Endpoint(id, secret, database)


@asynccontextmanager
async def telling(database: Database, guard: Guard | None = None) -> AsyncIterator[Deliveries]:
    """A worker."""
    sender = Sender(guard or Guard(LOOPBACK))
    deliveries = Deliveries(Holds(database), Failed, sender, Seal("key"))
    keeping = asyncio.create_task(deliveries.keep())
    try:
        yield deliveries
    finally:
        await ended(keeping)
        await sender.close()


async def test_messages_come_signed_and_each_topic_in_order(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """As Standard Webhooks has it; what happened before the endpoint was added is not told."""
    topics = ["a:1", "b:1", "a:1", "c:1", "b:1", "a:1"]
    await endpoint.happens(*topics)
    async with telling(database) as deliveries:
        messages = await receiver.gets(6)
        await endpoint.comes_to(lambda state: state == ("active", 0, 0))
        assert deliveries.counts.outcomes == {"delivered": 6}
    for topic in set(topics):
        seqs = [seq for told, seq in (message.place for message in messages) if told == topic]
        assert seqs == list(range(1, topics.count(topic) + 1))
    assert len({message.id for message in messages}) == 6
    assert all(message.signed_by(endpoint.secret) for message in messages)
    body = messages[0].body
    assert (body["type"], body["data"], body["id"]) == ("note:taken", {"n": 1}, messages[0].id)
    assert body["timestamp"].endswith("Z")


async def test_a_message_that_is_not_taken_keeps_its_topic_waiting_and_no_other(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """It comes again, by the same id, and those after it then."""
    receiver.answers = lambda message: 400 if message.place == ("a:1", 2) else 204
    await endpoint.happens("a:1", "a:1", "a:1", "b:1", "b:1")
    async with telling(database):
        await receiver.gets(3)
        await endpoint.comes_to(lambda state: state == ("active", 2, 0))
        assert ("a:1", 3) not in [message.place for message in receiver.came]
        receiver.answers = lambda _: 200
        await endpoint.due_now()
        messages = await receiver.gets(5)
    assert [m.place for m in messages if m.place[0] == "a:1"] == [("a:1", n) for n in (1, 2, 3)]
    assert len({m.id for m in receiver.came if m.place == ("a:1", 2)}) == 1


async def test_a_message_is_dead_after_so_many_attempts(
    database: Database, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its topic goes on. It may be sent after all, or forgotten."""
    monkeypatch.setattr(retrying, "ATTEMPTS", 2)
    bad = {("a:1", 1), ("b:1", 1)}
    receiver.answers = lambda message: 422 if message.place in bad else 204
    await endpoint.happens("a:1", "a:1", "b:1")
    async with telling(database) as deliveries:
        await endpoint.comes_to(lambda state: state[1] == 3)
        await until(lambda: len(receiver.came) >= 2, "the first attempts", 60)
        while (await endpoint.state())[2] < 2:
            await endpoint.due_now()
            await asyncio.sleep(0.05)
        assert [message.place for message in await receiver.gets(1)] == [("a:1", 2)]
        assert deliveries.counts.outcomes["dead"] == 2
        letters = await endpoint.messages.dead(endpoint.id)
        assert {(each.topic, each.seq) for each in letters} == bad
        assert {(each.attempts, each.failed_because) for each in letters} == {(2, "answered 422")}
        receiver.answers = lambda _: 204
        assert await endpoint.messages.revive(endpoint.id, "a:1", None) == 1
        assert (await receiver.gets(2))[1].place == ("a:1", 1)
        assert await endpoint.messages.discard(endpoint.id, None, None) == 1
        assert await endpoint.messages.dead(None) == []


async def test_an_endpoint_that_answers_nobody_is_let_alone(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """After some failures it is tried with one message now and then, and messages do not die of that."""
    receiver.answers = lambda _: 503
    await endpoint.happens(*(f"t:{n}" for n in range(60)))
    async with telling(database):
        await endpoint.comes_to(lambda state: state == ("failing", 60, 0))
        found = None
        while found is None or found.paused_seconds <= 0:
            found = await endpoint.webhooks.find(endpoint.id)
        assert found.failures == retrying.PAUSE_AFTER
        came = len(receiver.came)
        await endpoint.due_now()
        await until(lambda: len(receiver.came) > came, "a try", 60)
        rows = await database.fetch("select max(attempts) as most from webhook_messages")
        assert rows[0]["most"] <= retrying.PAUSE_AFTER
        receiver.answers = lambda _: 200
        while len(receiver.taken) < 60:
            await endpoint.due_now()
            await asyncio.sleep(0.05)
        await endpoint.comes_to(lambda state: state == ("active", 0, 0))


async def test_an_endpoint_is_given_up_in_the_end(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """After three days of failures, or at once where it says that it is gone; enabled, it goes on where it stood."""
    receiver.answers = lambda _: 410
    await endpoint.happens("a:1")
    async with telling(database) as deliveries:
        await endpoint.comes_to(lambda state: state[0] == "disabled")
        await endpoint.happens("a:1")
        receiver.answers = lambda _: 500
        await endpoint.webhooks.enable(endpoint.id)
        await endpoint.due_now()
        await endpoint.comes_to(lambda state: state[0] == "failing")
        await database.fetch(
            "update webhook_endpoints set failing_since = now() - interval '4 days'"
        )
        while (await endpoint.state())[0] != "disabled":
            await endpoint.due_now()
            await asyncio.sleep(0.05)
        (listed,) = await endpoint.webhooks.all()
        assert listed.disabled_because == "it failed for 3 days: answered 500"
        assert deliveries.counts.disabled == 2
        receiver.answers = lambda _: 200
        await endpoint.webhooks.enable(endpoint.id)
        await endpoint.due_now()
        assert [message.place for message in await receiver.gets(2)] == [("a:1", 1), ("a:1", 2)]


async def test_a_redirect_leads_nowhere(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """It counts as a refusal."""
    receiver.answers = lambda _: 307
    await endpoint.happens("a:1")
    async with telling(database):
        await until(lambda: len(receiver.came) == 1, "a request", 60)
        await endpoint.comes_to(lambda state: state[0] == "failing")
        (row,) = await database.fetch("select failed_because from webhook_messages")
        assert row["failed_because"] == "answered 307"


async def test_nothing_goes_to_private_addresses(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Neither by number nor by name, unless the operator allows it."""
    await added(database, receiver.url.replace("127.0.0.1", "localhost"))
    await endpoint.happens("a:1")
    async with telling(database, Guard([])) as deliveries:
        await until(lambda: deliveries.counts.outcomes["failed"] >= 2, "two failures", 60)
        async with asyncio.timeout(60):
            whys: list[str] = []
            while len(whys) < 2:
                rows = await database.fetch("select failed_because as why from webhook_messages")
                whys = [row["why"] for row in rows if row["why"] is not None]
        assert all("not a public address" in why for why in whys), whys
    assert receiver.came == []


async def test_what_was_deleted_meanwhile_is_blank(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """In what waits, too: the queue holds places, not data."""
    receiver.answers = lambda _: 400
    await endpoint.happens("a:1")
    async with telling(database):
        await endpoint.comes_to(lambda state: state == ("failing", 1, 0))
        await database.transaction(lambda transaction: transaction.blank(["thing:a:1"]))
        receiver.answers = lambda _: 200
        await endpoint.due_now()
        (message,) = await receiver.gets(1)
    assert receiver.came[0].body["data"] == {"n": 1}
    assert (message.body["data"], message.body["subject"]) == (None, "thing:a:1")


async def test_a_worker_that_ends_leaves_its_endpoints_to_others(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Of two workers one tells; when it ends, the other goes on from there, and each message comes."""
    async with telling(database):
        async with telling(database):
            await endpoint.happens("a:1")
            await receiver.gets(1)
            await endpoint.comes_to(lambda state: state == ("active", 0, 0))
        await endpoint.happens("a:1")
        await receiver.gets(2)
        await endpoint.comes_to(lambda state: state == ("active", 0, 0))
    assert [message.place for message in receiver.came] == [("a:1", 1), ("a:1", 2)]


async def test_a_new_secret_signs_beside_the_former_one(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """For a day, so that the receiver has time to change."""
    secret = new_secret()
    assert await endpoint.webhooks.rotate(endpoint.id, Seal("key").close(secret, endpoint.id))
    await endpoint.happens("a:1")
    async with telling(database):
        (message,) = await receiver.gets(1)
    assert message.signed_by(secret)
    assert message.signed_by(endpoint.secret)
    assert not message.signed_by(new_secret())


async def test_a_secret_of_another_key_disables_its_endpoint(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """It could not be signed; the list says what to do."""
    await endpoint.webhooks.rotate(endpoint.id, Seal("another").close(endpoint.secret, endpoint.id))
    async with telling(database):
        await endpoint.comes_to(lambda state: state[0] == "disabled")
    (listed,) = await endpoint.webhooks.all()
    assert "webhooks rotate" in (listed.disabled_because or "")


async def test_an_endpoint_that_is_removed_is_forgotten(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    """With its position and its messages, also while it is told things."""
    receiver.answers = lambda _: 400
    async with telling(database):
        await endpoint.happens("a:1")
        await endpoint.comes_to(lambda state: state[1] == 1)
        assert await endpoint.webhooks.remove(endpoint.id)
        assert not await endpoint.webhooks.remove(endpoint.id)
        names = [each.name for each in await Consumers(database).list()]
        assert consumer_of(endpoint.id) not in names
    assert await database.fetch("select from webhook_messages") == []
