"""The same operations over HTTP, for clients that have no socket, and together with those that have."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from store.database import Database
from tests.nodes import GENEROUS, Installation, Node
from tests.people import COMMUNITY, People, Rest, client_id, problem_of
from tests.screens import Json
from tests.store.audit import assert_sound

Nodes = tuple[Node, Node]

FRIEND = "https://friend.example"


async def test_each_operation_answers_what_its_ack_answers(
    nodes: Nodes, people: People, database: Database
) -> None:
    """201 for what is new, else 200, deleting too; bare JSON with the fields of the ack."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])

    async def does(method: str, path: str, status: int, **request: Any) -> Any:
        answer = await people.rest.send(
            *(nodes[0], method, COMMUNITY + path), token=ada.token(), **request
        )
        assert answer.status == status, answer.body
        assert answer.headers["Content-Type"].startswith("application/json")
        return answer.body

    asset = await does(
        *("POST", "/assets", 201),
        json={"asset_type": "overlay", "url": "https://example.org/a.png", "prompt": "dusk"},
    )
    assert asset.keys() == (await ada.makes()).keys()
    post = await does(
        *("POST", "/posts", 201),
        json={"asset_id": asset["id"], "title": "Dusk", "description": "At sea", "tags": ["Sea"]},
    )
    read = await does("GET", f"/posts/{post['id']}", 200)
    by_socket = await ada.asks("post:get", {"post_id": post["id"]})
    passing = {name: read[name] for name in ("trending_score", "view_count")}
    assert read == {**post, **passing}
    assert {**by_socket, **passing} == read

    bobs = await bob.shares()
    liked = await does("POST", f"/posts/{bobs['id']}/like", 200)
    assert liked == {**await ada.likes(bobs), "changed": True}
    unliked = await does("DELETE", f"/posts/{bobs['id']}/like", 200)
    assert unliked == {**await ada.unlikes(bobs), "changed": True}

    comment = await does("POST", f"/posts/{bobs['id']}/comments", 201, json={"content": "By REST"})
    page = await ada.asks("comment:page", {"post_id": bobs["id"]})
    assert page["items"] == [comment]
    assert await does("GET", f"/posts/{bobs['id']}/comments", 200) == page
    edited = await does("PUT", f"/comments/{comment['id']}", 200, json={"content": "Still"})
    assert (edited["content"], edited["is_edited"]) == ("Still", True)
    assert (await ada.asks("comment:page", {"post_id": bobs["id"]}))["items"] == [edited]
    gone = await does("DELETE", f"/comments/{comment['id']}", 200)
    assert gone == {"comment_id": comment["id"]}

    followed = await does("POST", f"/users/{bob.id}/follow", 200)
    assert followed == {**await ada.follows(bob), "changed": True}
    profile = await does("GET", f"/users/{bob.id}", 200)
    assert profile == await ada.asks("user:get", {"user_id": bob.id})
    assert profile["is_following"] is True
    unfollowed = await does("DELETE", f"/users/{bob.id}/follow", 200)
    assert unfollowed == {**await ada.unfollows(bob), "changed": True}

    for event, payload in (
        ("post:page", {"user_id": ada.id}),
        ("post:page", {"user_id": ada.id, "tags": "sea", "sort": "most_liked"}),
        ("feed:page", {"tags": "sea"}),
        ("feed:page", {"feed_type": "following"}),
    ):
        assert await ada.gets(event, payload) == await ada.asks(event, payload)
    await assert_sound(database)


async def test_what_is_done_over_rest_is_seen_on_screens(nodes: Nodes, people: People) -> None:
    """On whatever node, just as if it had been done over a socket."""
    ada, bob = people.named("Ada", "Bob")
    await bob.comes_to(nodes[1])
    post = await bob.shares()
    await bob.watches(post)
    answers = [
        await ada.gets(event, payload, node=nodes[0])
        for event, payload in (
            ("post:like", {"post_id": post["id"]}),
            ("comment:create", {"post_id": post["id"], "content": "By REST"}),
            ("user:follow", {"user_id": bob.id}),
        )
    ]
    like = await bob.sees("post:liked", like_count=1, actors=[ada.summary])
    assert like.seq == answers[0]["seq"]
    comment = await bob.sees("comment:created", comment_count=1)
    assert comment.data["comment"]["id"] == answers[1]["id"]
    await bob.sees("user:followed", actor=ada.summary, follower_count=1)


async def test_one_reads_what_one_wrote_on_any_node(nodes: Nodes, people: People) -> None:
    """Right after an ack from one node the other one answers what was acknowledged."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[0])
    post = await bob.shares()
    for turn in range(10):
        liked = await (ada.likes(post) if turn % 2 == 0 else ada.unlikes(post))
        read = await ada.gets("post:get", {"post_id": post["id"]}, node=nodes[1])
        assert (read["like_count"], read["is_liked"]) == (liked["like_count"], liked["liked"])
        assert read["seq"] == liked["seq"]
        comment = await ada.comments(post, str(turn))
        page = await ada.gets("comment:page", {"post_id": post["id"]}, node=nodes[1])
        assert page["items"][-1] == comment
        assert page["total"] == turn + 1
        followed = await (ada.follows(bob) if turn % 2 == 0 else ada.unfollows(bob))
        profile = await ada.gets("user:get", {"user_id": bob.id}, node=nodes[1])
        assert profile["is_following"] == followed["following"]
        assert profile["stats"]["follower_count"] == followed["follower_count"]


async def test_pages_are_walked_over_nodes(nodes: Nodes, people: People) -> None:
    """A cursor of one node is good on the other; nothing is skipped or repeated meanwhile."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[0])
    post = await bob.shares()
    comments = [await ada.comments(post, str(number)) for number in range(7)]
    query: Json = {"post_id": post["id"], "limit": 3}
    seen: list[Json] = []
    for turn in range(4):
        page = await ada.gets("comment:page", query, node=nodes[turn % 2])
        seen += page["items"]
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        query["cursor"] = page["next_cursor"]
        if turn == 0:
            # What has been read already may go; the walk goes on from where it was.
            await ada.deletes(comments[2])
    assert seen == comments


async def test_times_are_utc(nodes: Nodes, people: People) -> None:
    """RFC 3339 with the offset said."""
    (ada,) = people.named("Ada")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    comment = await ada.comments(post)
    for at in (post["created_at"], post["updated_at"], comment["created_at"]):
        assert datetime.fromisoformat(at).utcoffset() == timedelta(0)


async def test_a_post_made_again_is_the_first_one(nodes: Nodes, people: People) -> None:
    """A client-made id makes creating things repeatable: 201, then 200 with the same answer."""
    (ada,) = people.named("Ada")
    await ada.comes_to(nodes[0])
    asset = {"asset_type": "overlay", "url": "https://example.org/a.png", "id": client_id()}
    post = {"asset_id": asset["id"], "title": "Dusk", "id": client_id()}
    comment = {"post_id": post["id"], "content": "Mine", "id": client_id()}
    for event, payload in (
        ("asset:create", asset),
        ("post:create", post),
        ("comment:create", comment),
    ):
        first = await ada.requests(event, payload)
        again = await ada.requests(event, payload, node=nodes[1])
        assert (first.status, again.status) == (201, 200)
        assert first.body["id"] == payload["id"]
        assert first.body == again.body == await ada.asks(event, payload)


@pytest.mark.parametrize("read_on", [0, 1], ids=["ring", "journal"])
async def test_a_topic_is_read_without_a_socket(nodes: Nodes, people: People, read_on: int) -> None:
    """`GET /topics/{topic}/events` answers what watching would answer."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[0])
    post = await bob.shares()
    epoch = (await bob.watches(post))["epoch"]
    await ada.likes(post)
    await ada.comments(post, "one")
    await ada.unlikes(post)
    await ada.follows(bob)
    await bob.sees("post:unliked")
    await bob.sees("user:followed")

    async def read(topic: str, **query: Any) -> Any:
        answer = await people.rest.send(
            *(nodes[read_on], "GET", f"/api/v1/topics/{topic}/events"),
            params=query,
            token=bob.token(),
        )
        assert answer.status == 200, answer.body
        return answer.body

    for seq in (0, 1, 3):
        told = await read(post["topic"], epoch=epoch, seq=seq)
        watched = await bob.watches(post, {"epoch": epoch, "seq": seq})
        assert told == watched
        assert told["recovered"] is True
    assert [name for name, *_ in (await read(post["topic"], epoch=epoch, seq=0))["events"]] == [
        "comment:created",
        "post:unliked",
    ]
    for query in ({}, {"epoch": "another", "seq": 0}, {"epoch": epoch, "seq": 99}):
        told = await read(post["topic"], **query)
        assert (told["recovered"], told["events"], told["seq"]) == (False, [], 3)
    own = await read(bob.screen.own_topic, epoch=epoch, seq=0)
    assert "user:followed" in [name for name, *_ in own["events"]]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"epoch": "x", "seq": "many"}, "seq"), ({"epoch": "x", "seq": 1, "surprise": 1}, "surprise")],
)
async def test_a_malformed_position_is_refused(
    nodes: Nodes, people: People, query: Json, field: str
) -> None:
    answer = await people.rest.send(nodes[0], "GET", "/api/v1/topics/gallery/events", params=query)
    problem = problem_of(answer)
    assert (problem.code, problem.status) == ("VALIDATION_ERROR", 422)
    assert list(problem.details) == [field]


async def test_a_request_has_an_id(nodes: Nodes, people: People) -> None:
    """The caller's where it is a plain one, else one of ours; in the answer, the problem and the log."""
    path = f"{COMMUNITY}/posts/{client_id()}"

    async def get(given: str | None) -> str:
        headers = {} if given is None else {"X-Request-Id": given}
        answer = await people.rest.send(nodes[0], "GET", path, headers=headers)
        assert problem_of(answer).code == "COMMUNITY_POST_NOT_FOUND"
        return answer.headers["X-Request-Id"]

    mine = f"test.{client_id()}"
    assert await get(mine) == mine
    assert await get(None) != await get(None)
    for odd in ("with blanks", "x" * 65, 'quo"te', "é"):
        assert await get(odd) not in (odd, "")
    (logged,) = [record for record in nodes[0].log if record.get("request_id") == mine]
    assert (logged["event"], logged["path"], logged["status"]) == ("request", path, 404)


@pytest.fixture(scope="module")
async def friendly(installation: Installation) -> AsyncIterator[Node]:
    """A node whose answers pages of one other site may read."""
    return await installation.start(cors_origins=FRIEND, **GENEROUS)


FEED = f"{COMMUNITY}/feed"
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


@pytest.mark.parametrize("path", [FEED, HANDSHAKE], ids=["rest", "sockets"])
async def test_pages_of_listed_sites_may_read(friendly: Node, rest: Rest, path: str) -> None:
    """The listed origin and the node's own, exactly, and without credentials."""
    for origin in (FRIEND, friendly.url):
        answer = await rest.send(friendly, "GET", path, headers={"Origin": origin})
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        *("https://foe.example", "http://friend.example", "https://friend.example:8443"),
        *("https://friend.example.foe.example", "https://sub.friend.example", "null"),
    ],
)
async def test_pages_of_other_sites_may_not(friendly: Node, rest: Rest, origin: str) -> None:
    """REST answers without leave to read; a socket is not opened at all."""
    answer = await rest.send(friendly, "GET", FEED, headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    answer = await rest.send(friendly, "GET", HANDSHAKE, headers={"Origin": origin})
    assert answer.status == 400
    assert "Access-Control-Allow-Origin" not in answer.headers
    answer = await rest.send(
        *(friendly, "GET", "/socket.io/?EIO=4&transport=websocket"),
        headers={
            "Origin": origin,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    )
    assert answer.status == 400


async def test_a_preflight_is_answered(friendly: Node, rest: Rest) -> None:
    """With what listed sites may send, and with nothing for others."""

    async def ask(origin: str) -> Any:
        return await rest.send(
            *(friendly, "OPTIONS", f"{COMMUNITY}/posts"),
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )

    allowed = await ask(FRIEND)
    assert allowed.status == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == FRIEND
    assert {"GET", "POST", "PUT", "DELETE"} <= set(
        allowed.headers["Access-Control-Allow-Methods"].split(", ")
    )
    assert {"authorization", "content-type", "x-request-id"} <= set(
        allowed.headers["Access-Control-Allow-Headers"].lower().split(", ")
    )
    refused = await ask("https://foe.example")
    assert not [name for name in refused.headers if name.startswith("Access-Control")]


async def test_a_node_tells_of_its_health(nodes: Nodes, rest: Rest) -> None:
    """It lives, and it has what it needs."""
    assert (await rest.send(nodes[0], "GET", "/healthz")).status == 200
    ready = await rest.send(nodes[0], "GET", "/readyz")
    assert ready.status == 200
    assert ready.body["status"] == "ready"


async def test_many_at_once_are_all_answered(
    nodes: Nodes, people: People, database: Database
) -> None:
    """Likes of one post by 30 users over both nodes at once make 30 likes, and a dense journal."""
    (bob,) = people.named("Bob")
    await bob.comes_to(nodes[0])
    post = await bob.shares()
    await bob.watches(post)
    answers = await asyncio.gather(
        *(
            fan.gets("post:like", {"post_id": post["id"]}, node=nodes[number % 2])
            for number, fan in enumerate(people.named(*(f"Fan {n}" for n in range(30))))
        )
    )
    assert all(answer["changed"] for answer in answers)
    last = await bob.sees("post:liked", like_count=30)
    assert last.seq == max(answer["seq"] for answer in answers)
    await assert_sound(database)
