"""Real clients on a machine with several workers: whichever worker a request reaches, it is answered."""

import asyncio
import os
import signal

import pytest

from tests.nodes import GENEROUS, Installation, Node
from tests.people import People, Person
from tests.screens import (
    NODE_POLLING,
    NODE_UPGRADED,
    NODE_WEBSOCKET,
    Json,
    NodeScreen,
    Transport,
)
from tests.waiting import until

OFFICIAL = (NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED)
WORKERS = 3
SESSIONS = 20


@pytest.fixture(scope="module")
async def machine(unsteady: Installation) -> Node:
    return await unsteady.start(workers=str(WORKERS), **GENEROUS)


def worker_of(person: Person) -> str:
    """The worker that has the person's session, as it says itself."""
    name: str = person.screen.ready["node"]
    return name


@pytest.mark.parametrize("over", [NODE_POLLING, NODE_UPGRADED], ids=str)
async def test_every_session_works(machine: Node, people: People, over: Transport) -> None:
    """Twenty of twenty: commands are answered and events arrive, on all workers."""
    ada, *others = people.named("Ada", *(f"Watcher {number}" for number in range(SESSIONS)))
    await ada.comes_to(machine, NODE_WEBSOCKET)
    post = await ada.shares()
    await asyncio.gather(*(other.comes_to(machine, over) for other in others))
    assert len({worker_of(other) for other in others}) == WORKERS
    await asyncio.gather(*(other.watches(post) for other in others))
    await asyncio.gather(*(other.comments(post, other.name) for other in others))
    for other in others:
        await other.screen.reaches(post["topic"], SESSIONS)
        assert other.screen.seqs(post["topic"]) == list(range(1, SESSIONS + 1))
        assert other.screen.disconnected is None


async def audience(people: People, machine: Node, post: Json, count: int) -> list[Person]:
    """Watchers on every transport of the official client, who come back by themselves."""
    watchers = people.named(*(f"Watcher {number}" for number in range(count)))
    for number, watcher in enumerate(watchers):
        await watcher.comes_to(machine, OFFICIAL[number % len(OFFICIAL)], comes_back=True)
        await watcher.watches(post)
    return watchers


async def comments(ada: Person, machine: Node, post: Json, count: int) -> None:
    """Over REST, one after the other; each is made."""
    for number in range(count):
        comment = {"post_id": post["id"], "content": str(number)}
        answer = await ada.requests("comment:create", comment, node=machine)
        assert answer.status == 201, answer


async def comes_back(watcher: Person, post: Json, connections: int) -> None:
    """The watcher's client has connected so often, and watches again from where it was."""
    screen = watcher.screen
    assert isinstance(screen, NodeScreen)
    await screen.until(
        lambda: (
            [event.name for event in screen.events].count("session:ready") >= connections or None
        ),
        f"greeting {connections}",
    )
    answer = await watcher.watches(post, screen.position(post["topic"]))
    assert answer["recovered"] is True
    screen.remember(answer)


async def test_after_a_worker_was_killed_its_clients_are_back(
    machine: Node, people: People
) -> None:
    """They have missed nothing and seen nothing twice; the sockets of others have noticed nothing.

    A poll of another worker's session may just have been on its way through the one that was killed: that
    client comes back, too.
    """
    (author,) = people.named("Author")
    await author.comes_to(machine, NODE_WEBSOCKET)
    post = await author.shares()
    watchers = await audience(people, machine, post, 12)
    victim = next(name for name in map(worker_of, watchers) if name != worker_of(author))
    lost = [watcher for watcher in watchers if worker_of(watcher) == victim]
    for number in range(5):
        await author.comments(post, str(number))
    before = machine.workers
    os.kill(machine.worker(victim), signal.SIGKILL)
    for number in range(20):
        await author.comments(post, str(number))
    for watcher in lost:
        await comes_back(watcher, post, 2)
    for watcher in watchers:
        if watcher not in lost:
            await reaches_or_returns(watcher, post, 25)
        await watcher.screen.reaches(post["topic"], 25)
        assert watcher.screen.seqs(post["topic"]) == list(range(1, 26))
    await until(lambda: len(machine.workers) == WORKERS, "another worker")
    assert len(machine.workers & before) == WORKERS - 1


async def reaches_or_returns(watcher: Person, post: Json, seq: int) -> None:
    """The watcher of a worker that lives gets there; whoever polls may have to connect anew before."""
    screen = watcher.screen
    assert isinstance(screen, NodeScreen)
    if screen.transport == "websocket":
        assert len(greetings(watcher)) == 1
        return
    await screen.until(
        lambda: len(greetings(watcher)) > 1 or screen.seqs(post["topic"])[-1:] == [seq] or None,
        f"entry {seq}, or another greeting",
    )
    if len(greetings(watcher)) > 1:
        await comes_back(watcher, post, 2)


def greetings(person: Person) -> list[str]:
    return [event.data["node"] for event in person.screen.events if event.name == "session:ready"]


async def test_a_rolling_restart_under_writes_loses_nothing(machine: Node, people: People) -> None:
    """No request fails, no entry is missed; every client was told, and is with a new worker."""
    ada, author = people.named("Ada", "Author")
    await author.comes_to(machine, NODE_WEBSOCKET)
    post = await author.shares()
    watchers = await audience(people, machine, post, 9)
    before = machine.workers
    names = {name for watcher in watchers for name in greetings(watcher)}
    machine.process.send_signal(signal.SIGHUP)
    written = 0
    returned: dict[Person, int] = dict.fromkeys(watchers, 1)
    while machine.workers & before or len(machine.workers) != WORKERS:
        await comments(ada, machine, post, 1)
        written += 1
        for watcher in watchers:
            if len(greetings(watcher)) > returned[watcher]:
                returned[watcher] = len(greetings(watcher))
                await comes_back(watcher, post, returned[watcher])
    for watcher in watchers:
        # One that came to a worker whose turn was still to come has moved twice or more.
        while greetings(watcher)[-1] in names:
            returned[watcher] += 1
            await comes_back(watcher, post, returned[watcher])
    await comments(ada, machine, post, 1)
    written += 1
    for watcher in watchers:
        if len(greetings(watcher)) > returned[watcher]:
            await comes_back(watcher, post, len(greetings(watcher)))
        await watcher.screen.reaches(post["topic"], written)
        assert watcher.screen.seqs(post["topic"]) == list(range(1, written + 1))
        await watcher.sees("server:draining")


async def test_sigterm_drains_all_workers(unsteady: Installation, people: People) -> None:
    """Each client is told and closed without a DISCONNECT; the machine exits with 0, in time."""
    node = await unsteady.start(workers="2", **GENEROUS)
    everybody = people.named(*(f"Guest {number}" for number in range(10)))
    for number, person in enumerate(everybody):
        await person.comes_to(node, OFFICIAL[number % len(OFFICIAL)])
    assert await node.stop() == 0  # within STOP_SECONDS
    for person in everybody:
        news = await person.sees("server:draining")
        assert news.topic is None
        assert 0 <= news.data["reconnect_in_ms"] <= 10_000
        assert await person.screen.is_disconnected() in ("transport close", "transport error")
