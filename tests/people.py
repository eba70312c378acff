"""People who use the gallery from outside, over sockets and REST, as the subjects of sentences.

    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(node)
    post = await ada.shares("Dusk")
    await bob.comes_to(other_node, over=NODE_POLLING)
    await bob.watches(post)
    await ada.likes(post)
    await bob.sees("post:liked", like_count=1)

What the gateway refuses is raised as `Refused`, whichever way it was asked.
"""

import math
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import jwt
import pytest

from store.ids import new_id
from tests.drift import DRIFT
from tests.nodes import JWT_SECRET, Node
from tests.screens import (
    DEADLINE,
    NODE_WEBSOCKET,
    Event,
    Json,
    NodeClients,
    PythonScreen,
    Refused,
    Screen,
    Transport,
)

COMMUNITY = "/api/v1/community"
TOKEN_SECONDS = 900

ROUTES = {
    "asset:create": ("POST", "/assets"),
    "asset:page": ("GET", "/assets/mine"),
    "post:create": ("POST", "/posts"),
    "post:get": ("GET", "/posts/{post_id}"),
    "post:update": ("PUT", "/posts/{post_id}"),
    "post:delete": ("DELETE", "/posts/{post_id}"),
    "post:page": ("GET", "/posts"),
    "post:view": ("POST", "/posts/{post_id}/view"),
    "post:page_featured": ("GET", "/posts/featured"),
    "post:page_trending": ("GET", "/posts/trending"),
    "post:search": ("GET", "/posts/search"),
    "post:page_mine": ("GET", "/posts/mine"),
    "post:page_liked": ("GET", "/posts/liked"),
    "post:page_following": ("GET", "/posts/following"),
    "post:page_of_user": ("GET", "/users/{user_id}/posts"),
    "post:get_engagement": ("GET", "/posts/{post_id}/engagement"),
    "user:page_likers": ("GET", "/posts/{post_id}/likes"),
    "feed:page": ("GET", "/feed"),
    "post:like": ("POST", "/posts/{post_id}/like"),
    "post:unlike": ("DELETE", "/posts/{post_id}/like"),
    "comment:page": ("GET", "/posts/{post_id}/comments"),
    "comment:create": ("POST", "/posts/{post_id}/comments"),
    "comment:update": ("PUT", "/comments/{comment_id}"),
    "comment:delete": ("DELETE", "/comments/{comment_id}"),
    "notification:page": ("GET", "/notifications"),
    "notification:see": ("PUT", "/notifications/seen"),
    "post:report": ("POST", "/posts/{post_id}/report"),
    "user:get": ("GET", "/users/{user_id}"),
    "user:page_followers": ("GET", "/users/{user_id}/followers"),
    "user:page_following": ("GET", "/users/{user_id}/following"),
    "user:follow": ("POST", "/users/{user_id}/follow"),
    "user:unfollow": ("DELETE", "/users/{user_id}/follow"),
}
"""The commands' REST routes, as gallery.md has them."""

MODERATORS_ROUTES = {
    "report:page": ("GET", "/admin/reports"),
    "report:review": ("PUT", "/admin/reports/{report_id}"),
    "post:feature": ("PUT", "/admin/posts/{post_id}/feature"),
    "post:hide": ("PUT", "/admin/posts/{post_id}/hide"),
    "user:ban": ("PUT", "/admin/users/{user_id}/ban"),
}
"""Those that only moderators may call."""


class Answer:
    """A REST answer, whole."""

    def __init__(self, response: aiohttp.ClientResponse, body: Any) -> None:
        self.status = response.status
        self.headers = response.headers
        self.links = {rel: str(link["url"].relative()) for rel, link in response.links.items()}
        """The targets in `Link`, as paths, by their relation."""
        self.body = body


class Rest:
    """HTTP requests to any node."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def send(
        self,
        node: Node,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        **request: Any,
    ) -> Answer:
        """Make a request; `request` is what aiohttp's takes, such as `json` and `params`."""
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._http.request(
            method, node.url + path, headers={**authorization, **(headers or {})}, **request
        ) as response:
            json = response.content_type.endswith("json")
            body = await (response.json(content_type=None) if json else response.text())
            DRIFT.answered(
                *(method, str(response.url), response.status, response.headers, body),
                sent=request.get("json"),
            )
            return Answer(response, body)


def body_of(answer: Answer) -> Any:
    """What was asked for; raises Refused, having checked the problem's shape."""
    if answer.status < 400:
        return answer.body
    raise problem_of(answer)


def problem_of(answer: Answer) -> Refused:
    """The refusal that an answer tells of, which has the whole shape of RFC 9457."""
    problem, headers = answer.body, answer.headers
    assert headers["Content-Type"] == "application/problem+json"
    assert problem.keys() - {"retry_after"} == {
        *("type", "title", "status", "detail"),
        *("code", "details", "request_id"),
    }
    assert problem["status"] == answer.status
    assert problem["request_id"] == headers["X-Request-Id"]
    error = {"code": problem["code"], "message": problem["detail"], "details": problem["details"]}
    assert ("retry_after" in problem) == ("Retry-After" in headers)
    if "retry_after" in problem:
        error["retry_after"] = problem["retry_after"]
        assert math.ceil(problem["retry_after"]) == int(headers["Retry-After"])
    return Refused(error, answer.status)


@contextmanager
def refused(code: str, **details: Any) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """The block is refused with this code and, where some are given, exactly these details."""
    with pytest.raises(Refused) as caught:
        yield caught
    assert caught.value.code == code
    assert caught.value.message
    if details:
        assert caught.value.details == details


def mint(sub: str, *, ttl: float = TOKEN_SECONDS, secret: str = JWT_SECRET, **claims: Any) -> str:
    """A token as the gateway's issuer would make it; a claim of None is left out."""
    now = time.time()
    said = {
        "iss": "vernissage",
        "aud": "vernissage",
        "sub": sub,
        "iat": int(now),
        "exp": now + ttl,
        **claims,
    }
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(said, secret, "HS256")


class Visitor:
    """Whoever has no token."""

    id: str | None = None

    def __init__(self, people: "People") -> None:
        self._people = people
        self._node: Node | None = None
        self._screen: Screen | None = None

    def token(self) -> str | None:
        return None

    @property
    def node(self) -> Node:
        assert self._node is not None, "nobody has come to a node yet"
        return self._node

    @property
    def screen(self) -> Screen:
        """The latest one."""
        assert self._screen is not None, "nobody has come yet"
        return self._screen

    async def comes_to(
        self,
        node: Node,
        over: Transport = NODE_WEBSOCKET,
        *,
        token: str | None = None,
        since: Mapping[str, Any] | None = None,
        **how: Any,
    ) -> Screen:
        """Connect, and wait for `session:ready`. Raises Refused."""
        auth: Json = {"token": token or self.token(), "since": since}
        auth = {name: value for name, value in auth.items() if value is not None}
        self._screen = await self._people.open(node, over, auth, **how)
        self._node = node
        return self._screen

    async def leaves(self) -> None:
        await self.screen.close()

    async def watches(self, post: Json, since: Mapping[str, Any] | None = None) -> Any:
        return await self.screen.watches(post["topic"], since)

    async def sees(self, name: str, **expected: Any) -> Event:
        return await self.screen.sees(name, **expected)

    async def asks(self, event: str, payload: Any = None) -> Any:
        """Send a command over the socket; the data of its ack."""
        return await self.screen.asks(event, payload)

    async def requests(
        self,
        event: str,
        payload: Json,
        *,
        node: Node | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send the command of that name over REST; the answer, whatever it is."""
        method, path = (ROUTES | MODERATORS_ROUTES)[event]
        rest = {name: value for name, value in payload.items() if f"{{{name}}}" not in path}
        there = {name: quote(value, safe="") for name, value in payload.items() if name not in rest}
        given = {"params": rest} if method in ("GET", "DELETE") else {"json": rest}
        return await self._people.rest.send(
            *(node or self.node, method, COMMUNITY + path.format_map(there)),
            token=self.token(),
            headers=headers,
            **given if rest else {},
        )

    async def gets(self, event: str, payload: Json, *, node: Node | None = None) -> Any:
        """Send the command over REST; the body of its answer. Raises Refused."""
        return body_of(await self.requests(event, payload, node=node))


class Person(Visitor):
    """A user. What they do goes over their socket."""

    def __init__(self, people: "People", name: str) -> None:
        super().__init__(people)
        self.name = name
        self.id: str = str(uuid4())
        self.role: str | None = None

    def token(self, **claims: Any) -> str:
        return mint(self.id, **{"name": self.name, "role": self.role, **claims})

    @property
    def summary(self) -> Json:
        """Their UserSummary."""
        return {
            "id": self.id,
            "display_name": self.name,
            "avatar_url": None,
            "subscription_tier": "free",
        }

    async def makes(self, **fields: Any) -> Any:
        """An asset."""
        asset = {"asset_type": "overlay", "url": "https://example.org/picture.svg", **fields}
        return await self.asks("asset:create", asset)

    async def shares(self, title: str = "A picture", **fields: Any) -> Any:
        """A post with an asset made for it."""
        asset_id = fields.pop("asset_id", None) or (await self.makes())["id"]
        return await self.asks("post:create", {"asset_id": asset_id, "title": title, **fields})

    async def likes(self, post: Json) -> Any:
        return await self.asks("post:like", {"post_id": post["id"]})

    async def unlikes(self, post: Json) -> Any:
        return await self.asks("post:unlike", {"post_id": post["id"]})

    async def comments(self, post: Json, content: str = "Nice.", **fields: Any) -> Any:
        return await self.asks(
            "comment:create", {"post_id": post["id"], "content": content, **fields}
        )

    async def edits(self, comment: Json, content: str) -> Any:
        return await self.asks("comment:update", {"comment_id": comment["id"], "content": content})

    async def deletes(self, comment: Json) -> Any:
        return await self.asks("comment:delete", {"comment_id": comment["id"]})

    async def follows(self, other: "Person") -> Any:
        return await self.asks("user:follow", {"user_id": other.id})

    async def unfollows(self, other: "Person") -> Any:
        return await self.asks("user:unfollow", {"user_id": other.id})


class People:
    """Makes people, each a stranger to all before, and closes their screens after the test."""

    def __init__(self, rest: Rest, node_clients: NodeClients) -> None:
        self.rest = rest
        self._node_clients = node_clients
        self._screens: list[Screen] = []

    def named(self, *names: str) -> list[Person]:
        return [Person(self, name) for name in names]

    def visitor(self) -> Visitor:
        return Visitor(self)

    async def open(self, node: Node, over: Transport, auth: Json, **how: Any) -> Screen:
        screen = self._node_clients.new() if over.client == "node" else PythonScreen()
        screen.at_a_gateway = True
        self._screens.append(screen)
        await screen.open(node.url, over.transports, auth, **how)
        return screen

    async def close(self) -> None:
        for screen in self._screens:
            await screen.close()


@pytest.fixture(scope="session")
async def rest() -> AsyncIterator[Rest]:
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        yield Rest(http)


@pytest.fixture
async def people(rest: Rest, node_clients: NodeClients) -> AsyncIterator[People]:
    people = People(rest, node_clients)
    yield people
    await people.close()


def client_id() -> str:
    """An id as a client makes it: a UUIDv7."""
    return str(new_id())
