"""What was acknowledged is there, once and in order: P1, P2, P6, P7."""

import asyncio
import random
import signal
from typing import Any

import aiohttp

from store.database import Database
from tests.faults import checkers
from tests.faults.budget import BUDGET
from tests.faults.clients import Client
from tests.faults.crowd import Crowd, enter, gathered, shares
from tests.faults.place import Place
from tests.faults.promise import Promise
from tests.people import COMMUNITY
from tests.proxy import Way
from tests.store.audit import differences

HELD_SECONDS = 0.2
"""For which the replies to commits are held before the connections are reset."""
BURST_COMMANDS = 100
BURSTING = 5
"""Clients that do so at the same time."""
READING = 30
"""Clients that write and read at the same time."""


async def test_p1_an_acknowledged_write_survives(place: Place, promise: Promise) -> None:
    """An acknowledged write survives.

    Workers, whole nodes, PostgreSQL, and all of them at once are killed under load, with SIGKILL. (With
    `synchronous_commit = off` in PostgreSQL, acknowledged comments were not there afterwards.)
    """
    postgres = place.servers.postgres
    one, other = place.stations

    async def workers() -> None:
        one.kill_worker()

    async def node() -> None:
        await other.kill()
        await other.begin_again()

    async def database() -> None:
        await place.restart(postgres, how=signal.SIGKILL)

    async def both() -> None:
        await asyncio.gather(one.kill(), other.kill())
        await place.restart(postgres, how=signal.SIGKILL)
        await asyncio.gather(one.begin_again(), other.begin_again())

    async with gathered(place) as crowd:
        crowd.begin_to_write()
        for _ in range(BUDGET.cycles):
            for fault in (workers, node, database, both):
                await crowd.wrote(int(BUDGET.per_second))
                await fault()
                promise.faults[f"SIGKILL of {fault.__name__}"] += 1
        await crowd.wrote(int(BUDGET.per_second))
        await crowd.comes_to_rest()
        await crowd.judge(promise)
    promise.is_kept()


async def test_p2_likes_and_follows_are_sets(place: Place, promise: Promise) -> None:
    """Likes and follows are sets: acknowledged ⊆ stored ⊆ attempted, and counters equal the rows.

    Every command is sent 1–3 times, at the same time and on both nodes, while replies to commits are cut.
    """
    chance = random.Random(2)  # noqa: S311
    async with gathered(place, watchers=BUDGET.writers) as crowd:
        twins = [
            [Client(writer.name, [door], user=writer.id) for door in place.doors]
            for writer in crowd.writers
        ]
        await enter([client for pair in twins for client in pair])
        wishes = [("post:like", "post_id", post) for post in crowd.posts]
        wishes += [("user:follow", "user_id", watcher.id) for watcher in crowd.watchers]

        async def wants_all(pair: list[Client]) -> None:
            for what, field, subject in chance.sample(wishes, len(wishes) // 2):
                await asyncio.gather(
                    *(
                        chance.choice(pair).does(crowd.history, what, subject, {field: subject})
                        for _ in range(chance.randint(1, 3))
                    )
                )

        async def cut_replies() -> None:
            while True:
                for station in place.stations:
                    station.database.stall(Way.BACK)
                    await asyncio.sleep(HELD_SECONDS)
                    await station.database.reset()
                    await station.mend()
                    promise.faults["replies to commits cut"] += 1
                    await asyncio.sleep(10 * HELD_SECONDS)

        cutting = asyncio.create_task(cut_replies())
        await asyncio.gather(*map(wants_all, twins))
        cutting.cancel()
        await place.is_well()
        likes = await place.fetch(
            "select user_id::text, post_id::text from community_likes"
            " where post_id = any ($1::uuid[])",
            crowd.posts,
        )
        follows = await place.fetch(
            "select follower_id::text, following_id::text from community_follows"
            " where following_id = any ($1::uuid[])",
            [watcher.id for watcher in crowd.watchers],
        )
        violations = checkers.outside_of_attempts(
            crowd.history, [tuple(row) for row in (*likes, *follows)]
        )
        async with place.database() as database:
            violations += map(str, await differences(database))
        promise.judge(len(crowd.history), violations)
        promise.acknowledged += crowd.history.acknowledged
        await asyncio.gather(*(client.leaves() for pair in twins for client in pair))
    promise.is_kept()


async def test_p6_one_reads_what_one_wrote(place: Place, promise: Promise) -> None:
    """One reads what one wrote, by REST from another node, right after the ack."""
    one, other = place.stations
    async with (
        gathered(place, watchers=1, write_at=[one.url]) as crowd,
        aiohttp.ClientSession(f"{other.url}{COMMUNITY}/") as http,
    ):
        await asyncio.gather(
            *(_writes_and_reads(crowd, each, http, promise) for each in crowd.writers[:READING])
        )
    promise.is_kept()


async def _writes_and_reads(
    crowd: Crowd, writer: Client, http: aiohttp.ClientSession, promise: Promise
) -> None:
    """All kinds of writes, in rounds, each read as soon as it is acknowledged."""

    async def reads(path: str) -> Any:
        headers = {"Authorization": f"Bearer {writer.token}"}
        async with http.get(path, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    def judge(what: str, read: Any, wrote: Any) -> None:
        promise.judge(1, [] if read == wrote else [f"{what}: wrote {wrote}, read {read}"])

    mine = await shares(writer)
    for turn in range(BUDGET.burst):
        post = crowd.posts[turn % len(crowd.posts)]
        liked = turn % 2 == 0
        await writer.asks("post:like" if liked else "post:unlike", {"post_id": mine})
        read = await reads(f"posts/{mine}")
        judge("like", (read["is_liked"], read["like_count"]), (liked, int(liked)))
        wrote = await writer.asks("comment:create", {"post_id": post, "content": str(turn)})
        read = await reads(f"posts/{post}/comments?limit=50")
        judge("comment", wrote["id"] in [each["id"] for each in read["items"]], True)
        await writer.asks("comment:delete", {"comment_id": wrote["id"]})
        read = await reads(f"posts/{post}/comments?limit=50")
        judge("deletion", wrote["id"] in [each["id"] for each in read["items"]], False)
        await writer.asks("post:update", {"post_id": mine, "title": f"Title {turn}"})
        judge("title", (await reads(f"posts/{mine}"))["title"], f"Title {turn}")
        followed = crowd.watchers[0].id
        await writer.asks("user:follow" if liked else "user:unfollow", {"user_id": followed})
        judge("follow", (await reads(f"users/{followed}"))["is_following"], liked)


async def test_p7_a_clients_commands_keep_their_order(place: Place, promise: Promise) -> None:
    """A client's commands keep their order: bursts of 100 likes and unlikes, sent without waiting."""
    async with gathered(place, watchers=1) as crowd:

        async def bursts(database: Database, writer: Client, at: int) -> None:
            chance = random.Random(at)  # noqa: S311
            for _ in range(BUDGET.burst):
                post = chance.choice(crowd.posts)
                sent = [chance.random() < 0.5 for _ in range(BURST_COMMANDS)]
                answers = [
                    writer.sends("post:like" if like else "post:unlike", {"post_id": post})
                    for like in sent
                ]
                told = [answer["data"]["liked"] for answer in await asyncio.gather(*answers)]
                stored = await database.fetch(
                    "select from community_likes where post_id = $1::uuid and user_id = $2::uuid",
                    post,
                    writer.id,
                )
                promise.acknowledged += len(told)
                promise.judge(len(sent), checkers.out_of_order(sent, told, bool(stored)))

        async with place.database() as database:
            bursting = enumerate(crowd.writers[:BURSTING])
            await asyncio.gather(*(bursts(database, writer, at) for at, writer in bursting))
    promise.is_kept()
