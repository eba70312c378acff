"""A node goes, in order or not, and its clients come back to another and have lost nothing."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from store.database import Database
from tests.nodes import GENEROUS, STOP_SECONDS, Installation, Node
from tests.people import People, Person, client_id
from tests.proxy import Proxy
from tests.screens import (
    NODE_POLLING,
    NODE_UPGRADED,
    NODE_WEBSOCKET,
    Json,
    NodeScreen,
    Refused,
    Transport,
    collapsed,
)
from tests.store.audit import assert_sound

OFFICIAL = (NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED)
EXIT_CODES = {signal.SIGTERM: 0, signal.SIGKILL: -signal.SIGKILL}


class Place(NamedTuple):
    """A node that will go, one that stays, and the one address that clients know."""

    going: Node
    staying: Node
    door: Proxy

    async def goes(self, how: signal.Signals) -> int:
        """New connections are led to the other node, and the first one ends; its exit code."""
        self.door.turn_to(self.staying.url)
        return await self.going.stop(how)


@pytest.fixture
async def place(installation: Installation) -> AsyncIterator[Place]:
    going, staying = await asyncio.gather(
        installation.start(**GENEROUS), installation.start(**GENEROUS)
    )
    async with Proxy.before(going.url) as door:
        yield Place(going, staying, door)
    await staying.stop()


async def audience(people: People, place: Place, post: Json) -> list[Person]:
    """One watcher on each transport, behind the door, who comes back by itself."""
    watchers = people.named(*(str(over) for over in OFFICIAL))
    for watcher, over in zip(watchers, OFFICIAL, strict=True):
        await watcher.comes_to(place.door, over, comes_back=True)
        await watcher.watches(post)
    return watchers


async def comes_back(watcher: Person, post: Json) -> None:
    """The watcher's client has connected again by itself, and watches from where it was."""
    screen = watcher.screen
    assert isinstance(screen, NodeScreen)
    await screen.until(lambda: screen.connections == 2 or None, "the second connection")
    await screen.until(
        lambda: [event.name for event in screen.events].count("session:ready") == 2 or None,
        "the second greeting",
    )
    since = screen.position(post["topic"])
    answer = await watcher.watches(post, since)
    assert answer["recovered"] is True
    screen.remember(answer)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
async def test_clients_of_a_node_that_goes_come_back_to_another(
    place: Place, people: People, how: signal.Signals
) -> None:
    """By themselves, and they recover what was written meanwhile, on all their topics."""
    ada, stays = people.named("Ada", "Stays")
    await ada.comes_to(place.staying)
    await stays.comes_to(place.staying)
    post = await ada.shares()
    topic = post["topic"]
    await stays.watches(post)
    watchers = await audience(people, place, post)
    for watcher in watchers:
        await ada.follows(watcher)
        await watcher.sees("notification:created")
        own = watcher.screen.own_topic
        watcher.screen.shows_next_time(
            {"token": watcher.token(), "since": watcher.screen.position(own)}
        )

    started = time.monotonic()
    going = asyncio.create_task(place.goes(how))
    for number in range(10):
        await ada.comments(post, str(number))
        await (ada.likes(post) if number % 2 == 0 else ada.unlikes(post))
    for watcher in watchers:
        await ada.unfollows(watcher)
    assert await going == EXIT_CODES[how]
    assert time.monotonic() - started < STOP_SECONDS
    await stays.sees("post:unliked", like_count=0)
    await stays.screen.reaches(topic, 20)

    for watcher in watchers:
        await comes_back(watcher, post)
        await watcher.sees("user:unfollowed", follower_count=0)
        await watcher.screen.reaches(topic, 20)
        seqs = watcher.screen.seqs(topic)
        assert seqs == sorted(set(seqs))
        # What came live may hold states that were replaced meanwhile; no log entry is missing.
        assert collapsed(watcher.screen.told(topic)) == collapsed(stays.screen.told(topic))


async def writing(person: Person, post: Json, written: dict[str, bool]) -> None:
    """Comment without end; `written` has the id of each, and whether it was acknowledged."""
    while True:
        comment_id = client_id()
        written[comment_id] = False
        await person.comments(post, comment_id, id=comment_id)
        written[comment_id] = True


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
async def test_nothing_acknowledged_is_lost_with_a_node(
    place: Place, people: People, database: Database, how: signal.Signals
) -> None:
    """Each write was acknowledged and is there, or was not and may be; watchers elsewhere get them all."""
    stays, bob = people.named("Stays", "Bob")
    await stays.comes_to(place.staying)
    await bob.comes_to(place.staying)
    post = await bob.shares()
    await bob.watches(post)
    written: dict[str, bool] = {}
    writers = people.named(*(f"Writer {number}" for number in range(8)))
    for writer, over in zip(writers, (NODE_WEBSOCKET, NODE_POLLING) * 4, strict=True):
        await writer.comes_to(place.going, over)
    at_work = [asyncio.create_task(writing(writer, post, written)) for writer in writers]
    await bob.sees("comment:created", comment_count=40)

    code = await place.goes(how)

    assert code == EXIT_CODES[how]
    for writer in writers:
        await writer.screen.is_disconnected()
    for task in at_work:
        task.cancel()
    failed = [
        error
        for error in await asyncio.gather(*at_work, return_exceptions=True)
        if not isinstance(error, asyncio.CancelledError | Refused)
    ]
    assert failed == []
    rows = await database.fetch(
        "select id::text from community_comments where post_id = $1", post["id"]
    )
    stored = {row["id"] for row in rows}
    acknowledged = {comment_id for comment_id, acked in written.items() if acked}
    assert len(acknowledged) >= 40
    assert acknowledged <= stored <= written.keys()
    await assert_sound(database)
    await bob.screen.reaches(post["topic"], len(stored))
    assert bob.screen.seqs(post["topic"]) == list(range(1, len(stored) + 1))
    assert {event.data["comment"]["id"] for event in bob.screen.told(post["topic"])} == stored


async def test_a_broken_network_costs_nothing(place: Place, people: People) -> None:
    """Clients whose connections are reset come back and have everything, again and again."""
    (ada,) = people.named("Ada")
    await ada.comes_to(place.staying)
    post = await ada.shares()
    watchers = await audience(people, place, post)
    await place.door.reset()
    for number in range(5):
        await ada.comments(post, str(number))
    for watcher in watchers:
        await comes_back(watcher, post)
        await watcher.screen.reaches(post["topic"], 5)
        assert watcher.screen.seqs(post["topic"]) == [1, 2, 3, 4, 5]


async def test_a_node_takes_no_one_in_while_it_ends(place: Place, people: People) -> None:
    """After SIGTERM its port is closed for new connections, and no client hangs on it."""
    (bob,) = people.named("Bob")
    await bob.comes_to(place.going, NODE_POLLING)
    before: Transport = NODE_WEBSOCKET
    other = await people.open(place.going, before, {"token": bob.token()})
    assert await place.goes(signal.SIGTERM) == EXIT_CODES[signal.SIGTERM]
    for screen in (bob.screen, other):
        # Not a Socket.IO DISCONNECT: the official client is to come back by itself.
        assert await screen.is_disconnected() in ("transport close", "transport error")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*place.going.url.removeprefix("http://").split(":"))
