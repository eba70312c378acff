"""A token can be made worthless before it expires: nothing comes in or goes out by it any more, on any node."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from store.database import Database
from tests.nodes import GENEROUS, Installation, Node
from tests.people import People, Person, body_of, problem_of, refused
from tests.proxy import Proxy
from tests.screens import (
    NODE_POLLING,
    NODE_UPGRADED,
    NODE_WEBSOCKET,
    PYTHON_WEBSOCKET,
    Screen,
    Transport,
)

Nodes = tuple[Node, Node]

REVOKED_SECONDS = 2.0
REVOKED_SECONDS_WITHOUT_REDIS = 5.0
PATH = "/api/v1/session/revoke"
FEED = "/api/v1/community/posts/mine"
each_kind = pytest.mark.parametrize("everywhere", [False, True], ids=["jti", "everywhere"])
TRANSPORTS = (NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED, PYTHON_WEBSOCKET)


@pytest.fixture(scope="module")
async def deaf(
    fresh_database: Any, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Nodes]:
    """Two nodes whose Redis is gone."""
    async with Proxy.before(redis_url) as proxy:
        installation = Installation(
            await fresh_database(), proxy.url, tmp_path_factory.mktemp("deaf")
        )
        try:
            nodes = await asyncio.gather(*(installation.start(**GENEROUS) for _ in range(2)))
            await proxy.cut()
            yield nodes[0], nodes[1]
        finally:
            await installation.close()
            await proxy.mend()


def token(person: Person, **claims: Any) -> str:
    """One that can be told from the person's others, issued this moment."""
    return person.token(**{"jti": uuid4().hex, "iat": time.time(), **claims})


async def revoke(people: People, node: Node, token: str, **which: Any) -> Any:
    """Over REST; the answer's body. Raises Refused."""
    return body_of(await people.rest.send(node, "POST", PATH, token=token, json=which))


async def is_refused(people: People, node: Node, token: str) -> bool:
    answer = await people.rest.send(node, "GET", FEED, token=token)
    if answer.status == 200:
        return False
    assert problem_of(answer).code == "UNAUTHENTICATED"
    return True


async def ends(people: People, screens: list[Screen], nodes: Nodes, token: str) -> float:
    """How long it takes until nothing goes by that token any more, neither by sockets nor by REST."""
    begun = time.monotonic()

    async def refuses(node: Node) -> None:
        while not await is_refused(people, node, token):
            await asyncio.sleep(0.02)

    async def closes(screen: Screen) -> None:
        assert (await screen.sees("session:closing")).data == {"code": "token_revoked"}
        assert await screen.is_disconnected()

    await asyncio.gather(*map(closes, screens), *map(refuses, nodes))
    return time.monotonic() - begun


@each_kind
async def test_a_revocation_ends_sessions_on_every_node(
    nodes: Nodes, people: People, everywhere: bool
) -> None:
    """Over every transport and REST, within 2 s; then nothing goes in or out. Another token lives on, or not."""
    await revoked(nodes, people, everywhere=everywhere, within=REVOKED_SECONDS)


@each_kind
async def test_a_revocation_needs_no_redis(deaf: Nodes, people: People, everywhere: bool) -> None:
    """The nodes find it in the journal, within 5 s."""
    await revoked(deaf, people, everywhere=everywhere, within=REVOKED_SECONDS_WITHOUT_REDIS)


async def revoked(nodes: Nodes, people: People, *, everywhere: bool, within: float) -> None:
    ada, bob = people.named("Ada", "Bob")
    await bob.comes_to(nodes[0])
    post = await bob.shares()
    this, other = token(ada), token(ada)
    screens = []
    for node in nodes:
        for over in TRANSPORTS:
            screens.append(await ada.comes_to(node, over, token=this))
            await ada.watches(post)
        assert not await is_refused(people, node, this)  # and is remembered as good
    beside = await ada.comes_to(nodes[1], token=other)
    await ada.watches(post)

    which = {"everywhere": True} if everywhere else {}
    answer = await revoke(people, nodes[0], this, **which)
    assert await ends(people, screens, nodes, this) < within
    assert answer["user_id"] == ada.id
    assert (answer["jti"] is None) == everywhere == (answer["valid_after"] is not None)

    told = [len(screen.events) for screen in screens]
    await bob.likes(post)
    if everywhere:
        await beside.is_disconnected()
        with refused("UNAUTHENTICATED"):
            await ada.comes_to(nodes[1], token=other)
    else:
        await beside.sees("post:liked")
    assert [len(screen.events) for screen in screens] == told
    for screen in screens:
        assert screen.disconnected in ("io server disconnect", "server disconnect")
    for node, over in ((nodes[0], NODE_WEBSOCKET), (nodes[1], NODE_POLLING)):
        with refused("UNAUTHENTICATED"):
            await ada.comes_to(node, over, token=this)
    fresh = await ada.comes_to(nodes[1], token=token(ada))
    with refused("UNAUTHENTICATED"):
        await fresh.asks("auth:refresh", {"token": this})


async def test_who_revokes_over_a_socket_is_answered_first(nodes: Nodes, people: People) -> None:
    """The ack, then `session:closing`, then the end; what was sent after the command is not carried out."""
    (ada,) = people.named("Ada")
    for over in TRANSPORTS:
        screen = await ada.comes_to(nodes[0], over, token=token(ada))
        revoking = asyncio.create_task(screen.asks("session:revoke", {}))
        answer = await revoking
        assert answer["user_id"] == ada.id
        await screen.sees("session:closing")
        assert await screen.is_disconnected()


async def test_a_token_that_does_not_say_when_it_was_issued(nodes: Nodes, people: People) -> None:
    """It is good until somebody signs out everywhere, and none of its kind is afterwards."""
    (ada,) = people.named("Ada")
    timeless = token(ada, iat=None)
    screen = await ada.comes_to(nodes[1], token=timeless)
    await revoke(people, nodes[0], token(ada), everywhere=True)
    await screen.sees("session:closing")
    for node in nodes:
        with refused("UNAUTHENTICATED"):
            await ada.comes_to(node, token=token(ada, iat=None))
    await ada.comes_to(nodes[0], token=token(ada))


async def test_who_may_revoke_what(nodes: Nodes, people: People) -> None:
    """One's own tokens; an admin anybody's; a moderator and others nobody else's."""
    ada, bob, mo, max_ = people.named("Ada", "Bob", "Mo", "Max")
    mo.role, max_.role = "moderator", "admin"
    first, second = token(ada, jti="first"), token(ada, jti="second")
    screens = [await ada.comes_to(nodes[1], token=each) for each in (first, second)]
    for person in (bob, mo):
        for which in ({"jti": "first"}, {"everywhere": True}, {}):
            with refused("FORBIDDEN", role="admin"):
                await revoke(people, nodes[0], token(person), user_id=ada.id, **which)
    with refused("UNAUTHENTICATED"):
        body_of(await people.rest.send(nodes[0], "POST", PATH, json={}))
    # A name is one user's: somebody else's token of that name is another.
    await revoke(people, nodes[0], token(bob), jti="first")
    await revoke(people, nodes[0], first, jti="second")
    await screens[1].sees("session:closing")
    assert screens[0].disconnected is None
    with refused("VALIDATION_ERROR"):
        await revoke(people, nodes[0], token(max_), user_id=ada.id)
    with refused("VALIDATION_ERROR"):
        await revoke(people, nodes[0], first, jti="x", everywhere=True)
    with refused(
        "VALIDATION_ERROR", jti="is required, or `everywhere`: the token that you show has no `jti`"
    ):
        await revoke(people, nodes[0], token(ada, jti=None))
    with refused("NOT_FOUND"):
        await revoke(people, nodes[0], token(max_), user_id=str(uuid4()), everywhere=True)
    for _ in range(2):  # a second time changes nothing
        answer = await revoke(people, nodes[0], token(max_), user_id=ada.id, jti="first")
        assert answer == {"user_id": ada.id, "jti": "first", "valid_after": None}
    await screens[0].sees("session:closing")


async def test_a_deleted_user_does_not_come_back_by_an_old_token(
    nodes: Nodes, people: People, database: Database
) -> None:
    """Whoever deletes a user, by whatever way, ends their sessions; nobody comes into being by the old token."""
    (ada,) = people.named("Ada")
    old = token(ada)
    screens = [await ada.comes_to(node, token=old) for node in nodes]
    await database.fetch("delete from users where id = $1", ada.id)
    # Nobody publishes what is done by SQL: the heads tell.
    assert await ends(people, screens, nodes, old) < REVOKED_SECONDS_WITHOUT_REDIS
    assert await database.fetch("select from users where id = $1", ada.id) == []
    await ada.comes_to(nodes[0], token=token(ada))


async def test_a_revocation_while_somebody_comes_in(nodes: Nodes, people: People) -> None:
    """However it falls: whoever came in is sent away again."""
    (ada,) = people.named("Ada")
    this = token(ada)
    coming = [
        asyncio.create_task(people.open(nodes[n % 2], PYTHON_WEBSOCKET, {"token": this}))
        for n in range(16)
    ]
    await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
    await revoke(people, nodes[0], token(ada), everywhere=True)
    came = await asyncio.gather(*coming, return_exceptions=True)
    screens = [each for each in came if isinstance(each, Screen)]
    assert screens
    for screen in screens:
        await screen.is_disconnected()


@pytest.mark.parametrize("over", [NODE_WEBSOCKET, NODE_POLLING], ids=str)
async def test_a_ban_ends_writes_without_redis_too(
    deaf: Nodes, people: People, over: Transport
) -> None:
    """From the moment that it is answered, on every node; the sockets stay."""
    ada, ben, mo = people.named("Ada", "Ben", "Mo")
    mo.role = "moderator"
    await mo.comes_to(deaf[0])
    await ada.comes_to(deaf[0])
    post = await ada.shares()
    screens = [await ben.comes_to(node, over) for node in deaf]
    await mo.asks("user:ban", {"user_id": ben.id, "banned": True})
    for screen in screens:
        with refused("COMMUNITY_USER_BANNED"):
            await screen.asks("comment:create", {"post_id": post["id"], "content": "But"})
        assert (await screen.asks("post:get", {"post_id": post["id"]}))["id"] == post["id"]
        assert screen.disconnected is None
