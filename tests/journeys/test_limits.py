"""How much one user may do, however many nodes they do it on."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Any, NamedTuple

import pytest

from tests.nodes import GENEROUS, Installation, Node
from tests.people import People, Person, client_id, problem_of, refused
from tests.screens import Json, Refused

AT_ONCE = 20
PER_SECOND = 2


class Nodes(NamedTuple):
    """Two nodes with the limits as they are by default, and one on which to prepare things."""

    one: Node
    other: Node
    generous: Node


@pytest.fixture(scope="module")
async def nodes(installation: Installation) -> Nodes:
    return Nodes(
        *await asyncio.gather(
            installation.start(), installation.start(), installation.start(**GENEROUS)
        )
    )


async def on_all(person: Person, nodes: Nodes) -> list[Any]:
    """The person's screens on the two nodes with limits, and the generous one."""
    return [await person.comes_to(node) for node in nodes]


async def verdict(asking: Awaitable[Any]) -> str:
    try:
        await asking
    except Refused as refusal:
        return refusal.code
    return "accepted"


async def test_a_burst_of_commands_is_cut_off_over_all_nodes(nodes: Nodes, people: People) -> None:
    """20 at once are accepted, then 2 a second; the rest hear when it is worth trying again."""
    (ada,) = people.named("Ada")
    one, other, _ = await on_all(ada, nodes)
    user = {"user_id": ada.id}
    started = time.monotonic()
    verdicts = await asyncio.gather(
        *(verdict(screen.asks("user:get", user)) for screen in [one, other] * 20)
    )
    most = AT_ONCE + math.ceil((time.monotonic() - started) * PER_SECOND)
    assert AT_ONCE <= verdicts.count("accepted") <= most
    assert set(verdicts) == {"accepted", "RATE_LIMITED"}

    with refused("RATE_LIMITED", limit=AT_ONCE, window_seconds=10) as caught:
        while True:
            await one.asks("user:get", user)
    assert 0 < caught.value.retry_after <= 1 / PER_SECOND
    answer = await ada.requests("user:get", user, node=nodes.other)
    assert answer.status == 429
    problem = problem_of(answer)
    assert problem.code == "RATE_LIMITED"
    assert 0 < problem.retry_after <= 1 / PER_SECOND
    assert problem.details == {"limit": AT_ONCE, "window_seconds": 10}

    await asyncio.sleep(caught.value.retry_after)  # as the client that it was told
    await other.asks("user:get", user)


async def test_what_cannot_be_carried_out_does_not_slow_one_down(
    nodes: Nodes, people: People
) -> None:
    """Malformed and forbidden commands, and those of the sockets themselves, are outside the pace."""
    (ada,) = people.named("Ada")
    visitor = people.visitor()
    one, _, _ = await on_all(ada, nodes)
    await visitor.comes_to(nodes.one)
    for _ in range(AT_ONCE + 5):
        with refused("VALIDATION_ERROR"):
            await one.asks("user:get", {"user_id": "7"})
        with refused("UNKNOWN_COMMAND"):
            await one.asks("user:cook", {})
        with refused("UNAUTHENTICATED"):
            await visitor.asks("user:follow", {"user_id": ada.id})
        await one.watches("gallery")
    for _ in range(AT_ONCE):
        await one.asks("user:get", {"user_id": ada.id})


async def test_visitors_share_the_pace_of_their_address(nodes: Nodes, people: People) -> None:
    """Over sockets and REST together."""
    (ada,) = people.named("Ada")
    await ada.comes_to(nodes.generous)
    visitors = [people.visitor() for _ in range(3)]
    for visitor in visitors:
        await visitor.comes_to(nodes.one)
    with refused("RATE_LIMITED", limit=AT_ONCE, window_seconds=10):
        for visitor in cycle(visitors):
            await visitor.asks("user:get", {"user_id": ada.id})
    assert (await visitors[0].requests("user:get", {"user_id": ada.id})).status == 429


class Limit(NamedTuple):
    """An hourly limit, and a person's way of using it up."""

    name: str
    count: int
    prepare: Callable[[Person, Person], Awaitable[list[tuple[str, Json]]]]
    """Commands that the first person can send one after another, each changing something."""


async def likes(person: Person, other: Person) -> list[tuple[str, Json]]:
    post = {"post_id": (await other.shares())["id"]}
    return [("post:like", post), ("post:unlike", post)] * 251


async def follows(person: Person, other: Person) -> list[tuple[str, Json]]:
    user = {"user_id": other.id}
    return [("user:follow", user), ("user:unfollow", user)] * 51


async def comments(person: Person, other: Person) -> list[tuple[str, Json]]:
    post_id = (await other.shares())["id"]
    return [("comment:create", {"post_id": post_id, "content": str(n)}) for n in range(101)]


async def posts(person: Person, other: Person) -> list[tuple[str, Json]]:
    assets = [await person.makes() for _ in range(11)]
    return [("post:create", {"asset_id": asset["id"], "title": "Dusk"}) for asset in assets]


LIMITS = [
    Limit("likes", 500, likes),
    Limit("follows", 100, follows),
    Limit("comments", 100, comments),
    Limit("posts", 10, posts),
]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
async def test_an_hours_worth_is_counted_over_all_nodes(
    nodes: Nodes, people: People, limit: Limit
) -> None:
    """What undoes counts too; the last one allowed is accepted, on whatever node, and the next is not."""
    ada, bob = people.named("Ada", "Bob")
    await bob.comes_to(nodes.generous)
    one, other, generous = await on_all(ada, nodes)
    commands = await limit.prepare(ada, bob)
    *most, last, one_too_many = commands[: limit.count + 1]
    for answer in await asyncio.gather(*(generous.asks(*command) for command in most)):
        assert answer.get("changed", True)
    await other.asks(*last)
    for screen in (one, other):
        with refused("RATE_LIMITED", limit=limit.count, window_seconds=3600) as caught:
            await screen.asks(*one_too_many)
        assert 3500 < caught.value.retry_after <= 3600
    answer = await ada.requests(*one_too_many, node=nodes.one)
    assert (answer.status, problem_of(answer).code) == (429, "RATE_LIMITED")
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    # Reading goes on.
    await one.asks("user:get", {"user_id": bob.id})


async def test_what_changed_nothing_is_not_counted(nodes: Nodes, people: People) -> None:
    """Refused posts, and a post sent again, leave the hour's ten as they were."""
    (ada,) = people.named("Ada")
    one, other, generous = await on_all(ada, nodes)
    assets = [await ada.makes() for _ in range(11)]
    shared = {"asset_id": assets[0]["id"], "title": "Dusk", "id": client_id()}
    await one.asks("post:create", shared)
    for screen in (one, other, generous):
        with refused("COMMUNITY_ALREADY_SHARED"):
            await screen.asks("post:create", {"asset_id": assets[0]["id"], "title": "Again"})
        with refused("COMMUNITY_INVALID_TAG"):
            await screen.asks("post:create", {**shared, "tags": ["no tag"]})
        assert (await screen.asks("post:create", shared))["id"] == shared["id"]
    for asset in assets[1:10]:
        await generous.asks("post:create", {"asset_id": asset["id"], "title": "Dusk"})
    with refused("RATE_LIMITED", limit=10, window_seconds=3600):
        await other.asks("post:create", {"asset_id": assets[10]["id"], "title": "Dusk"})


async def test_the_21st_socket_of_a_user_is_refused(nodes: Nodes, people: People) -> None:
    """On whichever nodes the others are, until one has gone; other users and visitors come in."""
    ada, bob = people.named("Ada", "Bob")
    where = [nodes.one, nodes.other] * 10
    screens = await asyncio.gather(*(ada.comes_to(node) for node in where))
    with refused("RATE_LIMITED") as caught:
        await ada.comes_to(nodes.one)
    assert caught.value.details["limit"] == 20
    await bob.comes_to(nodes.one)
    await people.visitor().comes_to(nodes.one)
    await screens[0].close()
    deadline = time.monotonic() + 5
    while True:
        try:
            await ada.comes_to(nodes.one)
            break
        except Refused:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
    assert all(screen.disconnected is None for screen in screens[1:])


async def test_a_socket_watches_100_topics(nodes: Nodes, people: People) -> None:
    """The 101st is refused, in one command or in many; leaving one makes room for another."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes.generous)
    await bob.comes_to(nodes.generous)
    topics = [post["topic"] for post in await asyncio.gather(*(ada.shares() for _ in range(100)))]
    with refused("TOO_MANY_TOPICS", count=101, max_count=100):
        await bob.asks(
            "topic:watch", {"topics": [{"topic": each} for each in [*topics, "gallery"]]}
        )
    # What cannot be watched takes no room.
    nothing = [{"topic": f"post:{client_id()}"} for _ in range(99)]
    await bob.asks("topic:watch", {"topics": nothing})
    # One's own topic is one of the hundred.
    answer = await bob.asks("topic:watch", {"topics": [{"topic": each} for each in topics[:99]]})
    assert [each["topic"] for each in answer["topics"]] == topics[:99]
    with refused("TOO_MANY_TOPICS", count=101, max_count=100):
        await bob.screen.watches(topics[99])
    await bob.screen.watches(topics[0])
    await bob.asks("topic:unwatch", {"topic": topics[0]})
    await bob.screen.watches(topics[99])
