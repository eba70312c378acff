"""Who may come in, what a connection is told first, and how it ends with its token."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

import jwt
import pytest

from store.database import Database
from tests.nodes import GENEROUS, JWT_SECRET, Installation, Node
from tests.people import People, Person, body_of, mint, problem_of, refused
from tests.screens import (
    NODE_POLLING,
    NODE_UPGRADED,
    NODE_WEBSOCKET,
    PYTHON_WEBSOCKET,
    TRANSPORTS,
    Transport,
)

Nodes = tuple[Node, Node]

LEEWAY_SECONDS = 5
each_transport = pytest.mark.parametrize("over", TRANSPORTS, ids=str)


async def test_whoever_asks_is_told_who_they_are(nodes: Nodes, people: People) -> None:
    """Over REST too, where nobody is greeted: oneself and one's own topic, or nobody."""
    (ada,) = people.named("Ada")
    for token, who in (
        (ada.token(), {"user": ada.summary, "topic": f"user:{ada.id}"}),
        (None, {"user": None, "topic": None}),
    ):
        answer = await people.rest.send(nodes[0], "GET", "/api/v1/session", token=token)
        assert (answer.status, answer.body) == (200, who)
    spent = ada.token(ttl=-60)
    with refused("TOKEN_EXPIRED"):
        body_of(await people.rest.send(nodes[0], "GET", "/api/v1/session", token=spent))


@each_transport
async def test_a_user_is_greeted_first(
    nodes: Nodes, people: People, database: Database, over: Transport
) -> None:
    """`session:ready` tells who one is, where one's own topic stands, and until when."""
    (ada,) = people.named("Ada")
    expires = int(time.time()) + 600
    token = ada.token(exp=expires, picture="https://example.org/ada.png", tier="pro")
    await ada.comes_to(nodes[0], over, token=token)
    (greeting,) = ada.screen.events
    assert greeting.name == "session:ready"
    ready = greeting.data
    node, expires_at = ready.pop("node"), ready.pop("expires_at")
    assert ready == {
        "user": {
            "id": ada.id,
            "display_name": "Ada",
            "avatar_url": "https://example.org/ada.png",
            "subscription_tier": "pro",
        },
        "epoch": ready["epoch"],
        "topic": f"user:{ada.id}",
        "seq": 0,
        "recovered": False,
    }
    assert isinstance(node, str)
    assert node
    assert datetime.fromisoformat(expires_at).timestamp() == expires
    assert greeting.meta["topic"] == f"user:{ada.id}"
    assert "seq" not in greeting.meta
    assert datetime.fromisoformat(greeting.meta["at"]).utcoffset().total_seconds() == 0
    row = await database.fetchrow("select * from users where id = $1", ada.id)
    assert (row["external_id"], row["display_name"]) == (ada.id, "Ada")


@each_transport
async def test_a_visitor_is_greeted_too(nodes: Nodes, people: People, over: Transport) -> None:
    """Without a token there is no user, no own topic and no expiry; the epoch is the gallery's."""
    visitor = people.visitor()
    await visitor.comes_to(nodes[0], over)
    ready = visitor.screen.ready
    assert ready["epoch"] == (await visitor.screen.watches("gallery"))["epoch"]
    assert {name: ready[name] for name in ready if name != "node"} == {
        "user": None,
        "epoch": ready["epoch"],
        "topic": None,
        "seq": None,
        "recovered": False,
        "expires_at": None,
    }


async def test_two_nodes_have_two_names(nodes: Nodes, people: People) -> None:
    names = set()
    for node in (*nodes, *nodes):
        visitor = people.visitor()
        names.add((await visitor.comes_to(node)).ready["node"])
    assert len(names) == 2


async def test_who_is_known_by_a_name_that_is_no_uuid(nodes: Nodes, people: People) -> None:
    """A `sub` of any text stands for the same user on every node."""
    (ada,) = people.named("Ada")
    token = mint(f"auth0|{ada.id}", name="Ada of Auth0")
    first = (await ada.comes_to(nodes[0], token=token)).ready["user"]
    second = (await ada.comes_to(nodes[1], token=token)).ready["user"]
    assert first == second
    assert first["display_name"] == "Ada of Auth0"
    assert first["id"] != ada.id


BAD_TOKENS: dict[str, Callable[[Person], str]] = {
    "no token at all": lambda ada: "token",
    "empty": lambda ada: "",
    "another secret": lambda ada: mint(ada.id, secret="x" * 32),
    "another audience": lambda ada: ada.token(aud="somebody else"),
    "another issuer": lambda ada: ada.token(iss="somebody else"),
    "no audience": lambda ada: ada.token(aud=None),
    "no issuer": lambda ada: ada.token(iss=None),
    "no subject": lambda ada: mint(None),
    "no expiry": lambda ada: ada.token(exp=None),
    "a life of two days": lambda ada: mint(ada.id, ttl=2 * 24 * 3600),
    "not valid yet": lambda ada: ada.token(nbf=time.time() + 60),
    "not signed": lambda ada: jwt.encode(
        {"iss": "vernissage", "aud": "vernissage", "sub": ada.id, "exp": time.time() + 60},
        None,
        "none",
    ),
    "another algorithm": lambda ada: jwt.encode(
        {"iss": "vernissage", "aud": "vernissage", "sub": ada.id, "exp": time.time() + 60},
        JWT_SECRET * 2,
        "HS512",
    ),
}


@pytest.mark.parametrize("which", BAD_TOKENS)
async def test_a_bad_token_is_refused_and_never_downgraded(
    nodes: Nodes, people: People, which: str
) -> None:
    """Over sockets as a `connect_error`, over REST as 401, also where visitors may come in."""
    (ada,) = people.named("Ada")
    token = BAD_TOKENS[which](ada)
    for over in (NODE_WEBSOCKET, NODE_POLLING, PYTHON_WEBSOCKET):
        with refused("UNAUTHENTICATED"):
            await people.open(nodes[0], over, {"token": token})
    answer = await people.rest.send(
        *(nodes[0], "GET", "/api/v1/community/feed"), headers={"Authorization": f"Bearer {token}"}
    )
    assert (problem_of(answer).code, answer.status) == ("UNAUTHENTICATED", 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert token[-20:] not in answer.body["detail"] or len(token) < 20


@each_transport
async def test_an_expired_token_is_told_from_a_bad_one(
    nodes: Nodes, people: People, over: Transport
) -> None:
    """So that the client knows that a fresh one will do."""
    (ada,) = people.named("Ada")
    token = mint(ada.id, ttl=-LEEWAY_SECONDS - 1)
    with refused("TOKEN_EXPIRED"):
        await ada.comes_to(nodes[0], over, token=token)
    answer = await people.rest.send(nodes[0], "GET", "/api/v1/community/feed", token=token)
    assert (problem_of(answer).code, answer.status) == ("TOKEN_EXPIRED", 401)
    # Clocks differ: a token that has only just expired is still good.
    await ada.comes_to(nodes[0], over, token=mint(ada.id, ttl=-1))


@pytest.mark.parametrize(
    "auth",
    [
        {"token": 7},
        {"token": None, "since": {"epoch": "x"}},
        {"since": "now"},
        {"token": ["x"]},
    ],
)
async def test_malformed_credentials_are_refused(
    nodes: Nodes, people: People, auth: dict[str, object]
) -> None:
    with refused("VALIDATION_ERROR"):
        await people.open(nodes[0], NODE_WEBSOCKET, auth)


@pytest.mark.parametrize("header", ["Basic YWRhOmFkYQ==", "Bearer", "Bearer ", "token"])
async def test_another_authorization_is_no_visit(nodes: Nodes, people: People, header: str) -> None:
    """Who tries to say who they are, and fails, is not taken for a visitor."""
    answer = await people.rest.send(
        *(nodes[0], "GET", "/api/v1/community/feed"), headers={"Authorization": header}
    )
    assert (problem_of(answer).code, answer.status) == ("UNAUTHENTICATED", 401)


async def test_visitors_can_be_kept_out(installation: Installation, people: People) -> None:
    """With VERNISSAGE_ANONYMOUS=deny nobody comes in without a token, over sockets or REST."""
    node = await installation.start(anonymous="deny", **GENEROUS)
    (ada,) = people.named("Ada")
    for over in (NODE_WEBSOCKET, NODE_POLLING):
        with refused("UNAUTHENTICATED"):
            await people.visitor().comes_to(node, over)
    answer = await people.rest.send(node, "GET", "/api/v1/community/feed")
    assert (problem_of(answer).code, answer.status) == ("UNAUTHENTICATED", 401)
    answer = await people.rest.send(node, "GET", "/api/v1/topics/gallery/events")
    assert (problem_of(answer).code, answer.status) == ("UNAUTHENTICATED", 401)
    await ada.comes_to(node)
    assert (await ada.screen.watches("gallery"))["topic"] == "gallery"
    assert (await people.rest.send(node, "GET", "/healthz")).status == 200
    await node.stop()


async def test_sessions_end_with_their_tokens(nodes: Nodes, people: People) -> None:
    """`auth:expiring` in time, a good refresh keeps the connection, and without one it ends.

    All of it at once, as it takes a token's life and the leeway in real time.
    """
    ada, bob, carol, dora = people.named("Ada", "Bob", "Carol", "Dora")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    forgetful = {}
    for over in (NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED, PYTHON_WEBSOCKET):
        (person,) = people.named("Somebody")
        forgetful[over] = await person.comes_to(nodes[0], over, token=mint(person.id, ttl=1))
        await person.watches(post)
    await bob.comes_to(nodes[0], token=mint(bob.id, ttl=1))
    await carol.comes_to(nodes[0])
    await dora.comes_to(nodes[1], token=mint(dora.id, ttl=1))
    await dora.watches(post)
    await carol.watches(post)
    second = await people.open(nodes[0], NODE_WEBSOCKET, {"token": bob.token()})

    # 60 seconds before the end is at once, with tokens that live for one.
    expiring = await bob.sees("auth:expiring")
    assert expiring.data["expires_at"] == bob.screen.ready["expires_at"]
    assert "seq" not in expiring.meta
    with refused("FORBIDDEN"):
        await bob.asks("auth:refresh", {"token": carol.token()})
    with refused("UNAUTHENTICATED"):
        await bob.asks("auth:refresh", {"token": "token"})
    with refused("TOKEN_EXPIRED"):
        await bob.asks("auth:refresh", {"token": mint(bob.id, ttl=-60)})
    with refused("VALIDATION_ERROR"):
        await bob.asks("auth:refresh", {})
    # Refused refreshes leave things as they are: Dora's session will end nevertheless.
    with refused("FORBIDDEN"):
        await dora.asks("auth:refresh", {"token": carol.token()})
    expires = int(time.time()) + 600
    refreshed = await bob.asks("auth:refresh", {"token": bob.token(exp=expires)})
    assert datetime.fromisoformat(refreshed["expires_at"]).timestamp() == expires

    for screen in (*forgetful.values(), dora.screen):
        closing = await screen.sees("session:closing")
        assert closing.data == {"code": "token_expired"}
        assert await screen.is_disconnected()
        # Nothing of what happens from now on.
        told = len(screen.events)
        await ada.likes(post)
        await carol.sees("post:liked")
        await ada.unlikes(post)
        await carol.sees("post:unliked")
        assert len(screen.events) == told
    for over in (NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED):
        # A Socket.IO DISCONNECT, so that the official client does not come back with the same token.
        assert forgetful[over].disconnected == "io server disconnect"
        assert forgetful[over].connections == 1

    for screen in (bob.screen, second, carol.screen, ada.screen):
        assert (await screen.asks("user:get", {"user_id": ada.id}))["user"]["id"] == ada.id
        assert screen.disconnected is None
    # Bob's fresh token is far from its end.
    assert [event.name for event in bob.screen.events].count("auth:expiring") == 1
    await ada.follows(bob)
    await bob.sees("user:followed")


async def test_a_session_does_not_outlive_its_token_by_much(nodes: Nodes, people: People) -> None:
    """It ends at expiry plus the leeway of 5 seconds: not before, and soon after."""
    ada, bob = people.named("Ada", "Bob")
    expires = time.time() + 1.5 - LEEWAY_SECONDS
    await asyncio.gather(
        ada.comes_to(nodes[0], token=ada.token(exp=expires)),
        bob.comes_to(nodes[1], NODE_POLLING, token=bob.token(exp=expires)),
    )
    for person in (ada, bob):
        await person.screen.is_disconnected()
        assert 0 <= time.time() - expires - LEEWAY_SECONDS < 3
        with refused("TOKEN_EXPIRED"):
            await person.comes_to(nodes[0], token=person.token(exp=expires))


async def test_a_role_of_the_token_holds_until_it_is_refreshed_away(
    nodes: Nodes, people: People, database: Database
) -> None:
    """A moderator sees what is hidden; with a plain token again, no more."""
    ada, grace = people.named("Ada", "Grace")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    await database.fetch("update community_posts set is_hidden = true where id = $1", post["id"])
    await grace.comes_to(nodes[1], token=grace.token(role="moderator"))
    assert (await grace.asks("post:get", {"post_id": post["id"]}))["is_hidden"] is True
    await grace.asks("auth:refresh", {"token": grace.token(role="emperor")})
    with refused("COMMUNITY_POST_NOT_FOUND"):
        await grace.asks("post:get", {"post_id": post["id"]})


async def test_who_leaves_and_who_stays(nodes: Nodes, people: People) -> None:
    """One screen's end, by whatever way, is nothing to the other screens of the same user."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    kept = await bob.comes_to(nodes[1])
    for over in TRANSPORTS:
        screen = await bob.comes_to(nodes[1], over)
        await (screen.cut() if over.client == "node" else screen.close())
        await ada.follows(bob)
        await kept.sees("user:followed")
        await ada.unfollows(bob)
        await kept.sees("user:unfollowed")
