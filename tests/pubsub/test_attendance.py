"""Who is at a place over all nodes: each user once, every visitor, and nobody of a node that died."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from uuid import uuid4

import pytest
from redis.asyncio import Redis

import pubsub.attendance
from pubsub import Attendance, Away, Present, Share
from tests.proxy import Proxy
from tests.waiting import DEADLINE

nodes = (f"node{n}" for n in count())
Join = Callable[..., Attendance]


@pytest.fixture
async def join(redis_url: str) -> AsyncIterator[Join]:
    """Nodes of one installation."""
    async with joining(redis_url) as join:
        yield join


@pytest.fixture
async def join_either(either_url: str) -> AsyncIterator[Join]:
    """Nodes on one server, and on a cluster."""
    async with joining(either_url) as join:
        yield join


@asynccontextmanager
async def joining(redis_url: str) -> AsyncIterator[Join]:
    prefix = f"test-attendance:{uuid4()}:"
    async with AsyncExitStack() as stack:

        def opened(url: str = redis_url, share_seconds: float = 60.0) -> Attendance:
            attendance = Attendance(
                url, prefix=prefix, node=next(nodes), share_seconds=share_seconds
            )
            stack.push_async_callback(attendance.close)
            return attendance

        yield opened


@pytest.fixture
def place() -> str:
    return f"post:{uuid4()}"


def users(*names: str) -> dict[str, bytes]:
    return {name: name.upper().encode() for name in names}


async def said(node: Attendance, share: Share) -> Present:
    (present,) = await node.tell([share])
    assert present is not None
    return present


def seen(present: Present) -> tuple[int, set[bytes]]:
    return present.viewers, set(present.sample)


async def test_users_count_once_and_visitors_each(join_either: Join, place: str) -> None:
    """Over all nodes; elsewhere nobody is."""
    here, there = join_either(), join_either()
    assert seen(await said(here, Share(place, 2, came=users("ada", "ben")))) == (
        4,
        {b"ADA", b"BEN"},
    )
    all_told = await said(there, Share(place, 1, came=users("ada", "cid")))
    assert seen(all_told) == (6, {b"ADA", b"BEN", b"CID"})
    assert seen(await said(there, Share(f"{place}0", 0))) == (0, set())


async def test_only_what_changed_has_to_be_said(join_either: Join, place: str) -> None:
    """A user who leaves one node and is at another is still there."""
    here, there = join_either(), join_either()
    await said(here, Share(place, 0, came=users("ada", "ben")))
    await said(there, Share(place, 0, came=users("ada")))
    left = Share(place, 3, whole=False, came=users("cid"), left=["ada", "ben"])
    assert seen(await said(here, left)) == (5, {b"ADA", b"CID"})
    gone = await said(there, Share(place, 0, whole=False, left=["ada"]))
    assert seen(gone) == (4, {b"CID"})


async def test_what_is_said_whole_replaces_what_was_said_before(
    join_either: Join, place: str
) -> None:
    """Also where a node of nearly the same name is there."""
    here = join_either()
    await said(here, Share(place, 2, came=users("ada", "ben")))
    assert seen(await said(here, Share(place, 1, came=users("ben")))) == (2, {b"BEN"})


async def test_the_newest_are_told_of(join_either: Join, place: str) -> None:
    """At most five, whoever came last first."""
    here = join_either()
    names = ["fay", "ada", "gus", "ben", "eve", "cid", "dan"]
    for name in names:
        present = await said(here, Share(place, 0, whole=name == names[0], came=users(name)))
    assert present.viewers == 7
    assert present.sample == (b"DAN", b"CID", b"EVE", b"BEN", b"GUS")


async def test_a_node_that_says_nothing_more_fades(join_either: Join, place: str) -> None:
    """Its users and visitors count no more, unless others have them; whoever still speaks stays."""
    dying, living = join_either(share_seconds=0.15), join_either(share_seconds=60.0)
    await said(living, Share(place, 1, came=users("ada")))
    there = await said(dying, Share(place, 5, came=users("ada", "ben")))
    assert seen(there) == (8, {b"ADA", b"BEN"})
    async with asyncio.timeout(DEADLINE):
        while seen(await said(living, Share(place, 1, whole=False))) != (2, {b"ADA"}):
            pass
    # It lives after all: what it said is forgotten, and it is asked for all of it.
    assert await dying.tell([Share(place, 5, whole=False)]) == [None]


async def test_a_server_that_forgot_everything_is_told_anew(
    join: Join, place: str, redis_url: str
) -> None:
    """The script too."""
    here = join()
    await said(here, Share(place, 0, came=users("ada")))
    client = Redis.from_url(redis_url)
    await client.script_flush()
    keys = [key async for key in client.scan_iter(f"*{place}*")]
    await client.delete(*keys)
    assert await here.tell([Share(place, 0, whole=False)]) == [None]
    assert (await said(here, Share(place, 0, came=users("ada")))).viewers == 1
    await client.aclose()


async def test_nothing_is_left_of_a_place_that_everybody_left(
    join: Join, place: str, redis_url: str
) -> None:
    """And all that is kept of others runs out, in one slot of a cluster."""
    here = join()
    await said(here, Share(place, 1, came=users("ada")))
    client = Redis.from_url(redis_url)
    keys = [key.decode() async for key in client.scan_iter(f"*{place}*")]
    assert keys
    assert all(f"{{{place}}}" in key for key in keys)
    assert all([0 < await client.pttl(key) <= 60_000 for key in keys])
    await said(here, Share(place, 0, whole=False, left=["ada"]))
    assert [key async for key in client.scan_iter(f"*{place}*")] == []
    await client.aclose()


async def test_many_places_and_many_users_go_in_few_round_trips(
    join_either: Join, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5,000 users who come at once, in calls that hold Redis up for a moment only; 300 places besides."""
    here = join_either()
    trips = []
    evaluate = Attendance._evaluate

    async def counted(self: Attendance, calls: list[object]) -> object:
        trips.append(len(calls))
        return await evaluate(self, calls)  # type: ignore[arg-type]

    monkeypatch.setattr(Attendance, "_evaluate", counted)
    crowd = users(*(f"user{n}" for n in range(5_000)))
    shares = [Share(place, 7, came=crowd), *(Share(f"{place}:{n}", n + 1) for n in range(300))]
    present = await here.tell(shares)
    assert [each and each.viewers for each in present] == [5_007, *range(1, 301)]
    assert sum(trips) == 5_000 / pubsub.attendance.CHANGES_A_CALL + 300
    assert len(trips) == 2


async def test_one_who_cannot_be_asked_is_away(join: Join, place: str, redis_url: str) -> None:
    """It says so, and answers again once it is back."""
    async with Proxy.before(redis_url) as proxy:
        here = join(proxy.url)
        await said(here, Share(place, 1))
        await proxy.cut()
        with pytest.raises(Away):
            await here.tell([Share(place, 1, whole=False)])
        await proxy.mend()
        assert (await said(here, Share(place, 1))).viewers == 1
