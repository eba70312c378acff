"""The client library against real gateways: it comes back from everything, and has missed nothing."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from store.database import Database
from tests.nodes import GENEROUS, Installation, Node
from tests.people import People, Person, client_id, refused
from tests.proxy import Proxy
from tests.screens import Json
from tests.web.client.library import Firewall, LibraryClient, LibraryProcess

Nodes = tuple[Node, Node]


@pytest.fixture
async def machine(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Node]:
    """Two workers on the module's database; their deaths are no errors."""
    place = Installation(
        installation.database_url, installation.redis_url, tmp_path_factory.mktemp("machine")
    )
    yield await place.start(workers="2", **GENEROUS)
    await place.close()


WAYS = pytest.mark.parametrize(
    "transports",
    [("websocket",), ("polling",), ("polling", "websocket")],
    ids=["websocket", "polling", "upgraded"],
)


async def ada_shares(people: People, node: Node) -> tuple[Person, Person, Json]:
    """Ada and Bob have come, and Ada has shared a post."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(node)
    await bob.comes_to(node)
    return ada, bob, await ada.shares()


async def stored(database: Database, post: Json) -> tuple[int, int]:
    """The post's likes and comments, as the database counts them."""
    ((likes, comments),) = await database.fetch(
        "select (select count(*) from community_likes where post_id = $1), "
        "(select count(*) from community_comments where post_id = $1)",
        post["id"],
    )
    return likes, comments


@WAYS
async def test_it_follows_a_post_over_breaks(
    nodes: Nodes,
    people: People,
    link: Proxy,
    library: LibraryProcess,
    database: Database,
    transports: tuple[str, ...],
) -> None:
    """Live, away and back with what was missed, away for too long and reading afresh; nothing twice."""
    ada, bob, post = await ada_shares(people, nodes[0])
    client = library.open(link.url, bob.token(), transports=transports)
    client.watch(post["topic"], reads=post["id"])
    await client.is_watching()
    await client.is_live(transports[-1])
    assert (await client.tells(watch="it"))["refetch"]["before"] is None
    await ada.likes(post)
    await client.hears(1)
    liked = await client.asks("post:like", {"post_id": post["id"]})
    assert (liked["like_count"], liked["seq"]) == (2, 2)
    await client.hears(2)

    await link.cut()
    await client.is_live("offline")
    comment = await ada.comments(post)
    await ada.edits(comment, "Very nice.")
    await link.mend()
    await client.hears(4)
    await client.is_live(transports[-1])
    assert client.seqs() == [1, 2, 3, 4]

    await link.cut()
    await client.is_live("offline")
    await ada.deletes(comment)
    await database.fetch("delete from events where topic = $1", post["topic"])  # as time does
    link.turn_to(nodes[1].url)
    await link.mend()
    await client.tells(watch="it", refetch=refetched(client, 5, before=4))
    await client.is_live(transports[-1])
    await ada.unlikes(post)
    await client.hears(6)
    assert client.seqs() == [1, 2, 3, 4, 6]


def refetched(client: LibraryClient, seq: int, *, before: int) -> Json:
    """What a watch is told where events do not reach from `before` to `seq`."""
    epoch = next(told["refetch"]["position"]["epoch"] for told in client.told if "refetch" in told)
    return {
        "position": {"epoch": epoch, "seq": seq},
        "before": {"epoch": epoch, "seq": before},
    }


async def test_ones_own_topic_is_followed_over_breaks(
    nodes: Nodes, people: People, link: Proxy, library: LibraryProcess
) -> None:
    """Under whatever name it has; whoever is somebody else then follows theirs."""
    ada, bob, post = await ada_shares(people, nodes[0])
    client = library.open(link.url, ada.token())
    client.watch(None)
    await client.is_live("websocket")
    assert (await client.tells(greeted=ada.id))["greeted"]
    (start,) = [told["refetch"]["position"]["seq"] for told in client.told if "refetch" in told]
    await bob.likes(post)
    await client.hears(start + 1)
    await link.cut()
    await client.is_live("offline")
    await bob.follows(ada)
    await link.mend()
    await client.hears(start + 3)
    assert client.seqs() == [start + 1, start + 2, start + 3]
    client.send("identify", token=bob.token())
    await client.tells(greeted=bob.id)
    await ada.follows(bob)
    await client.until(lambda: len(client.seqs()) > 3 or None, "Bob's own events")
    client.send("identify", token=None)
    await client.tells(greeted=None)


async def test_a_like_shows_at_once_and_goes_back_where_it_is_refused(
    nodes: Nodes, people: People, library: LibraryProcess, database: Database
) -> None:
    """Of what is shown no number jumps; changing one's mind in between ends where one wanted it."""
    ada, bob, post = await ada_shares(people, nodes[0])
    client = library.open(nodes[1].url, bob.token())
    await client.is_live("websocket")
    client.send("show", post=post["id"])
    await client.shows(post, 0, False, 0)
    await client.likes(post)
    await ada.likes(post)
    await client.shows(post, 2, True, 0)
    shown = [likes for _, likes, _, _ in client.shown(post)]
    assert shown == sorted(shown)
    # Of three wishes in one moment the last counts.
    await asyncio.gather(*(client.likes(post, liked) for liked in (False, True, False)))
    await client.shows(post, 1, False, 0)
    assert await stored(database, post) == (1, 0)

    ban = "update community_user_stats set is_banned = $2 where user_id = $1"
    await database.fetch(ban, bob.id, True)
    with refused("COMMUNITY_USER_BANNED"):
        await client.likes(post)
    await client.shows(post, 1, False, 0)
    assert [post["id"], 2, True, 0] == client.shown(post)[-2]
    await database.fetch(ban, bob.id, False)


async def test_a_follow_shows_at_once(
    nodes: Nodes, people: People, library: LibraryProcess
) -> None:
    """And goes back where it is refused."""
    ada, bob = people.named("Ada", "Bob")
    for person in (ada, bob):
        await person.comes_to(nodes[0])
    client = library.open(nodes[1].url, bob.token())
    await client.is_live("websocket")
    await client.follows(ada.id)
    with refused("COMMUNITY_SELF_FOLLOW"):
        await client.follows(bob.id)
    told = [told["follows"] for told in client.told if "follows" in told]
    assert told == [[True, 1], [True, 1], [True, 1], [False, 0]]


async def test_what_is_no_more_is_gone(
    nodes: Nodes, people: People, library: LibraryProcess
) -> None:
    """It is said once, and the other topics are live."""
    _, bob, post = await ada_shares(people, nodes[0])
    client = library.open(nodes[0].url, bob.token())
    client.watch("post:00000000-0000-7000-8000-000000000000", name="nothing")
    client.watch(post["topic"], reads=post["id"])
    await client.tells(watch="nothing", gone="NOT_FOUND")
    await client.is_live("websocket")


async def test_a_gateway_that_is_restarted_is_caught_up_with(
    installation: Installation,
    nodes: Nodes,
    people: People,
    library: LibraryProcess,
    database: Database,
) -> None:
    """The post shows what the database holds, also of what happened while nobody served."""
    ada, bob, post = await ada_shares(people, nodes[0])
    node = await installation.start(**GENEROUS)
    client = library.open(node.url, bob.token())
    await client.is_live("websocket")
    client.send("show", post=post["id"])
    await client.likes(post)
    await node.stop()
    await client.is_live("offline")
    await ada.likes(post)
    await ada.comments(post)
    await installation.start(port=str(urlsplit(node.url).port), **GENEROUS)
    await client.is_live("websocket")
    await client.shows(post, 2, True, 1)
    assert await stored(database, post) == (2, 1)


async def test_a_worker_that_dies_is_caught_up_with(
    machine: Node, people: People, library: LibraryProcess
) -> None:
    """Its clients come back to another one, over whatever transport, and have every event once."""
    ada, bob, post = await ada_shares(people, machine)
    clients = {
        transports[-1]: library.open(machine.url, bob.token(), transports=transports)
        for transports in (("polling",), ("polling", "websocket"))
    }
    for way, client in clients.items():
        client.watch(post["topic"], reads=post["id"])
        await client.is_watching()
        await client.is_live(way)
    for seq, pid in enumerate(machine.workers, 1):
        os.kill(pid, signal.SIGKILL)
        await ada.comes_to(machine)
        await ada.comments(post)
        for client in clients.values():
            await client.hears(seq)
    for way, client in clients.items():
        await client.is_live(way)
        assert client.seqs() == [1, 2]


async def test_a_token_that_runs_out_is_replaced(
    nodes: Nodes, people: People, library: LibraryProcess
) -> None:
    """In time, and the session goes on; or too late, and another one begins where the first ended."""
    ada, bob, post = await ada_shares(people, nodes[0])
    in_time = library.open(nodes[0].url, bob.token(ttl=61), tokens=[bob.token()])
    # Its application has no token when it is asked first, and the session ends.
    too_late = library.open(nodes[0].url, bob.token(ttl=-2), tokens=[None, bob.token()])
    for client in (in_time, too_late):
        client.watch(post["topic"], reads=post["id"])
        await client.tells(asked=client is in_time)
    await ada.likes(post)
    await too_late.tells(status="offline")
    await ada.unlikes(post)
    await too_late.is_live("websocket")
    for client in (in_time, too_late):
        await client.hears(2)
        assert client.seqs()[-1] == 2
    assert in_time.statuses == ["catching-up", "websocket"]
    # One that starts with a token that is spent already never shows anything else.
    spent = library.open(nodes[0].url, bob.token(ttl=-60), tokens=[bob.token()])
    await spent.is_live("websocket")
    assert "ended" not in {name for told in spent.told for name in told}


async def test_a_token_that_is_no_good_ends_it(
    nodes: Nodes, people: People, library: LibraryProcess
) -> None:
    """Also one that has run out where there is no other; and it stays out until it is told who it is."""
    (ada,) = people.named("Ada")
    bad = library.open(nodes[0].url, "nonsense", tokens=[])
    await bad.tells(ended="UNAUTHENTICATED")
    spent = library.open(nodes[0].url, ada.token(ttl=-60))
    await spent.tells(ended="TOKEN_EXPIRED")
    spent.send("identify", token=ada.token())
    await spent.tells(greeted=ada.id)


async def test_who_signs_out_is_a_visitor_and_their_token_worth_nothing(
    nodes: Nodes, people: People, firewall: Firewall, library: LibraryProcess
) -> None:
    """Another client that lives on the token ends, over whatever it is connected, and stays out."""
    (ada,) = people.named("Ada")
    token = ada.token(jti=client_id(), iat=time.time())
    here, there, without = [
        library.open(url, token) for url in (nodes[0].url, nodes[1].url, firewall.url)
    ]
    for client, way in ((here, "websocket"), (there, "websocket"), (without, "rest")):
        client.watch(None)
        await client.is_live(way)
        await client.tells(greeted=ada.id)
    await here.signs_out()
    await here.tells(greeted=None)
    await there.tells(ended="token_revoked")
    await without.tells(ended="UNAUTHENTICATED")
    assert [there.statuses[-1], without.statuses[-1]] == ["offline", "offline"]
    there.send("identify", token=token)
    await there.tells(ended="UNAUTHENTICATED")


async def test_without_a_socket_it_asks_over_rest(
    nodes: Nodes,
    people: People,
    firewall: Firewall,
    library: LibraryProcess,
    database: Database,
) -> None:
    """Topics in turns, commands as requests; and when there is a socket after all it goes on with that."""
    ada, bob, post = await ada_shares(people, nodes[0])
    client = library.open(firewall.url, bob.token())
    client.watch(post["topic"], reads=post["id"])
    client.watch(None, name="own")
    await client.is_live("rest")
    await ada.follows(bob)
    await client.until(lambda: client.seqs("own") or None, "what is Bob's own")
    client.send("show", post=post["id"])
    await ada.likes(post)
    await client.hears(1)
    await client.likes(post)
    comment = await client.asks("comment:create", {"post_id": post["id"], "content": "Nice."})
    assert comment["content"] == "Nice."
    await client.hears(3)
    await client.shows(post, 2, True, 1)
    with refused("COMMUNITY_POST_NOT_FOUND"):
        await client.asks("post:get", {"post_id": "00000000-0000-7000-8000-000000000000"})

    firewall.closed = False
    await client.is_live("polling")
    await ada.comments(post)
    await client.hears(4)
    assert client.seqs() == [1, 2, 3, 4]
    assert await stored(database, post) == (2, 2)
