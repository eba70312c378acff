"""Whoever may not, or may no longer, does not: P9, P10, P11."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import aiohttp

from tests.faults import checkers
from tests.faults.budget import BUDGET
from tests.faults.clients import Client, Refused, Unanswered
from tests.faults.crowd import Crowd, enter, gathered, shares
from tests.faults.history import History, Outcome, Told
from tests.faults.place import Place
from tests.faults.polling import Poller
from tests.faults.promise import Promise
from tests.people import COMMUNITY, mint

END_SECONDS = 2.0
END_SECONDS_WITHOUT_REDIS = 5.0
LATER_SECONDS = 2.0
"""For which it is looked whether anything comes in or goes out after that."""
VICTIMS = 5
"""Users whose sessions end at the same time, each with sockets of all kinds."""

TTL = 10.0
LEEWAY_SECONDS = 5.0
TIMER_SECONDS = 0.5
"""By which a busy node may be late to notice that a token has expired."""
SIGNED_IN = 30 if BUDGET.cycles > 1 else 9

Acts = Callable[[Client], Any]


async def test_p9_a_revocation_ends_sessions_a_ban_ends_writes(
    place: Place, promise: Promise
) -> None:
    """A revocation ends sessions, a ban ends writes: within 2 s, and within 5 s without Redis.

    Over WebSockets on both nodes, one of which does not read, and over long-polling; all of them act and are
    told things all the while, and try to come back. (Where a node did not act on what it heard of revocations,
    there were 1,160 violations.)
    """
    async with gathered(place, watchers=2) as crowd:
        admin = Client("Admin", place.doors, role="admin")
        await enter([admin])
        crowd.begin_to_write()

        async def revoked(victim: Client) -> Any:
            return await admin.asks("session:revoke", {"user_id": victim.id, "everywhere": True})

        async def banned(victim: Client) -> Any:
            return await admin.asks("user:ban", {"user_id": victim.id, "banned": True})

        for _ in range(BUDGET.cycles):
            for without_redis in (False, True):
                seconds = END_SECONDS_WITHOUT_REDIS if without_redis else END_SECONDS
                if without_redis:
                    for station in place.stations:
                        station.bus.stall()
                    await place.is_well(status="degraded")
                await asyncio.gather(
                    _ended(crowd, revoked, seconds, promise, silenced=True),
                    _ended(crowd, banned, seconds, promise, silenced=False),
                )
                how = "without Redis" if without_redis else "with Redis"
                promise.faults[f"users revoked, and banned, {how}"] += VICTIMS
                for station in place.stations:
                    await station.mend()
                await place.is_well()
        await crowd.comes_to_rest()
        await crowd.judge(promise)
        await admin.leaves()
    promise.is_kept()


async def _ended(
    crowd: Crowd, end: Acts, seconds: float, promise: Promise, *, silenced: bool
) -> None:
    """End what some users may do, and look at what they can do and hear later."""
    doors, post = crowd.place.doors, crowd.posts[0]
    topic = f"post:{post}"
    history = History()
    users = [str(uuid4()) for _ in range(VICTIMS)]
    sockets = [
        Client(f"Victim {at}", [door], [topic], user=user)
        for user in users
        for at, door in enumerate((*doors, doors[1]))
    ]
    stalled = sockets[2::3]
    await enter(sockets)
    async with (
        _polling(sockets[1::3], doors[1], topic) as pollers,
        _acting([each for each in sockets if each not in stalled], post, history),
    ):
        for each in stalled:
            each.stops_reading()
        await asyncio.gather(*(end(each) for each in sockets[::3]))
        deadline = time.time() + seconds
        await asyncio.sleep(seconds + LATER_SECONDS)
        for each in stalled:
            each.reads_on()
        await asyncio.sleep(0.1)
    written = {entry.seq: entry.at for entry in (await crowd.journal()).get(topic, ())}
    violations = [
        f"{each.what} was accepted {each.ended - deadline:.2f} s too late"
        for each in history
        if each.outcome is Outcome.OK and each.ended is not None and each.ended > deadline
    ]
    if silenced:
        violations += [
            f"{client.name} was told {written[heard.seq] - deadline:.2f} s too late"
            for client in (*sockets, *pollers)
            for heard in client.heard(topic)
            if heard.seq in written and written[heard.seq] > deadline
        ]
    heard = sum(len(each.heard(topic)) for each in (*sockets, *pollers))
    if not heard or not history.acknowledged:
        violations.append("nothing was told or accepted before")
    promise.judge(len(history) + heard, violations)
    await asyncio.gather(*(each.leaves() for each in sockets))


@asynccontextmanager
async def _polling(
    likewise: Sequence[Client], door: str, topic: str
) -> AsyncIterator[list[Poller]]:
    """The same users once more, over long-polling."""
    async with aiohttp.ClientSession() as http:
        pollers = [Poller(each.name, http, door, each.token, topic) for each in likewise]
        await asyncio.gather(*(each.enters() for each in pollers))
        yield pollers
        for each in pollers:
            await each.leaves()


@asynccontextmanager
async def _acting(clients: Sequence[Client], post: str, history: History) -> AsyncIterator[None]:
    """All of them like and unlike the post, as often as they get an answer."""

    async def acts(client: Client) -> None:
        likes = True
        while True:
            what = "post:like" if likes else "post:unlike"
            await client.does(history, what, post, {"post_id": post})
            likes = not likes
            await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(acts(client)) for client in clients]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_p10_an_expired_token_ends_a_session(place: Place, promise: Promise) -> None:
    """An expired token ends a session, at its expiry and leeway; a good refresh keeps the connection.

    Of the clients with tokens of 10 s some do nothing, some refresh in time, and some at the last moment. Issuers'
    clocks go wrong by as much as the leeway.
    """
    async with gathered(place, watchers=1) as crowd:
        crowd.begin_to_write()
        post = crowd.posts[0]
        topic = f"post:{post}"
        history = History()
        skews = (-LEEWAY_SECONDS + 1, 0.0, LEEWAY_SECONDS - 1)
        signed_in = [
            Client(f"Client {at}", [place.doors[at % 2]], [topic], faithful=True)
            for at in range(SIGNED_IN)
        ]
        expiries = {}
        for at, client in enumerate(signed_in):
            skew = skews[at // 3 % 3]
            client.token = mint(client.id, ttl=TTL, iat=time.time() + skew)
            expiries[client] = time.time() + TTL
        await enter(signed_in)
        idle, early, late = signed_in[::3], signed_in[1::3], signed_in[2::3]

        async def refreshes(client: Client, at: float) -> None:
            await asyncio.sleep(at - time.time())
            token = mint(client.id, ttl=600)
            try:
                await client.asks("auth:refresh", {"token": token})
            except (Refused, Unanswered):
                return
            client.token = token
            expiries[client] = time.time() + 600

        async with _acting(signed_in, post, history):
            await asyncio.gather(
                *(refreshes(client, expiries[client] - TTL / 2) for client in early),
                *(refreshes(client, expiries[client] + LEEWAY_SECONDS - 0.05) for client in late),
            )
            await asyncio.sleep(LEEWAY_SECONDS + LATER_SECONDS)
        promise.faults["tokens expired"] = len(idle)
        promise.faults["tokens refreshed in time"] = len(early)
        promise.faults["tokens refreshed at the last moment"] = len(late)
        await crowd.comes_to_rest()
        ends = {
            client.id: expires + LEEWAY_SECONDS + TIMER_SECONDS
            for client, expires in expiries.items()
        }
        written = {entry.seq: entry.at for entry in (await crowd.journal())[topic]}
        violations = [
            f"{each.what} was accepted {each.ended - ends[each.who]:.2f} s too late"
            for each in history
            if each.outcome is Outcome.OK and each.ended is not None and each.ended > ends[each.who]
        ]
        violations += [
            f"{client.name} was told {written[heard.seq] - ends[client.id]:.2f} s too late"
            for client in signed_in
            for heard in client.heard(topic)
            if written[heard.seq] > ends[client.id]
        ]
        violations += [
            f"{client.name} lost its connection: {client.ends}" for client in early if client.ends
        ]
        violations += [
            f"{client.name} was not told why: {client.told_to_go}"
            for client in idle
            if client.told_to_go != ["token_expired"]
        ]
        heard = sum(len(client.heard(topic)) for client in signed_in)
        await crowd.judge(promise, violations, operations=len(history) + heard)
        await asyncio.gather(*(client.leaves() for client in signed_in))
    promise.is_kept()


async def test_p11_what_is_hidden_stays_hidden(place: Place, promise: Promise) -> None:
    """What is hidden stays hidden: nothing of it live, replayed, over REST, by search, or counted.

    Posts are hidden and deleted, and comments are, while everybody watches and writes. (Where watchers were not
    parted from a topic at its end, 9 violations; where the journal was not blanked, 6.)
    """
    told: list[Told] = []

    def overhears(client: Client, name: str, data: Any, meta: Mapping[str, Any]) -> None:
        at = datetime.fromisoformat(meta["at"])
        told.append(Told(client.name, name, meta.get("seq") is not None, at, json.dumps(data)))

    async with gathered(place) as crowd, aiohttp.ClientSession() as http:
        moderator = Client("Moderator", place.doors, role="moderator")
        ears = [Client(f"Ear {at}", [door], ["gallery"]) for at, door in enumerate(place.doors)]
        await enter([moderator, *ears])
        for client in (*ears, *crowd.watchers):
            client.witness = overhears
        crowd.begin_to_write()
        gone: dict[str, tuple[str, str]] = {}
        author = crowd.writers[0]
        for turn in range(BUDGET.burst):
            secret = f"secret{uuid4().hex}"
            here = ears[0].position("gallery") or 0
            post = await shares(author, secret)
            comment = await author.asks("comment:create", {"post_id": post, "content": "Look!"})
            other = crowd.posts[turn % len(crowd.posts)]
            watching = next(each for each in crowd.watchers if each.topics == [f"post:{other}"])
            before = {
                "epoch": watching.epochs[watching.own_topic],
                "seq": str(watching.position(f"post:{other}")),
            }
            regretted = await author.asks("comment:create", {"post_id": other, "content": secret})
            watcher = Client(f"Late {turn}", place.doors, [f"post:{post}"])
            watcher.witness = overhears
            await enter([watcher])
            talking = asyncio.create_task(_talks_on(author, post))
            if turn % 2:
                await author.asks("post:delete", {"post_id": post})
            else:
                hidden = {"post_id": post, "hidden": True}
                await moderator.asks("post:hide", hidden)
            await author.asks("comment:delete", {"comment_id": regretted["id"]})
            talking.cancel()
            promise.faults["posts deleted" if turn % 2 else "posts hidden"] += 1
            promise.faults["comments deleted"] += 1
            gone[post] = (secret, comment["id"])
            gone[regretted["id"]] = (secret, regretted["id"])
            violations = await _found(http, place, post, secret, watcher, here)
            violations += await _found_comment(http, place, other, secret, before)
            kept = await place.fetch(
                "select topic from events where data::text like $1 and topic <> $2",
                f"%{secret}%",
                f"post:{post}",
            )
            violations += [f"the journal keeps it on {row['topic']}" for row in kept]
            promise.judge(9, violations)
            await watcher.leaves()
        await crowd.comes_to_rest()
        rows = await place.fetch(
            "select subject, min(created_at) as at from events"
            " where type in ('post:hidden', 'post:deleted', 'comment:deleted') group by subject"
        )
        since = {row["subject"].partition(":")[2]: row["at"] for row in rows}
        late = [
            found
            for what in gone
            for found in checkers.told_late(told, what, since[what], crossing=END_SECONDS)
        ]
        await crowd.judge(promise, late, operations=len(told))
        await asyncio.gather(*(client.leaves() for client in (moderator, *ears)))
    promise.is_kept()


async def _talks_on(author: Client, post: str) -> None:
    """Comments on it for as long as that goes."""
    while True:
        try:
            await author.asks("comment:create", {"post_id": post, "content": "More."})
        except Refused:
            return


async def _found(
    http: aiohttp.ClientSession, place: Place, post: str, secret: str, watcher: Client, here: int
) -> list[str]:
    """Where an ordinary user still finds a post that is gone; the gallery was `here` before it."""
    violations = []
    token = {"Authorization": f"Bearer {mint(str(uuid4()))}"}
    for door in place.doors:
        for path in (f"posts/{post}", f"posts/{post}/comments", f"posts/{post}/engagement"):
            async with http.get(f"{door}{COMMUNITY}/{path}", headers=token) as answer:
                if answer.status != 404:
                    violations.append(f"{path}: {answer.status}")
        for path in (f"posts/search?q={secret}", "posts?limit=50", "feed?limit=50"):
            async with http.get(f"{door}{COMMUNITY}/{path}", headers=token) as answer:
                if secret in await answer.text():
                    violations.append(f"{path} tells of it")
        async with http.get(f"{door}/api/v1/topics/post:{post}/events", headers=token) as answer:
            if answer.status != 404:
                violations.append(f"its events can be read: {answer.status}")
        since = {"epoch": watcher.epochs[watcher.own_topic], "seq": str(here)}
        async with http.get(
            f"{door}/api/v1/topics/gallery/events", headers=token, params=since
        ) as answer:
            if answer.status != 200 or secret in await answer.text():
                violations.append("the gallery's events tell of it")
    with_rights = watcher.epochs.keys() & {f"post:{post}"}
    if with_rights and watcher.inside.is_set():
        try:
            await watcher.asks("topic:watch", {"topic": f"post:{post}"})
            violations.append("it can be watched")
        except Refused:
            pass
    return violations


async def _found_comment(
    http: aiohttp.ClientSession, place: Place, post: str, secret: str, since: Mapping[str, str]
) -> list[str]:
    """Where an ordinary user still finds a comment that is gone; its post's topic was at `since` before."""
    violations = []
    for door in place.doors:
        async with http.get(f"{door}{COMMUNITY}/posts/{post}/comments?limit=50") as answer:
            if secret in await answer.text():
                violations.append("its post's comments tell of it")
        async with http.get(f"{door}/api/v1/topics/post:{post}/events", params=since) as answer:
            if answer.status != 200 or secret in await answer.text():
                violations.append("its post's events tell of it")
    return violations
