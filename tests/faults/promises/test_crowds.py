"""Whoever does not read, all who come back at once, those who only pass by, and a deploy: P8, P14, P15, P16."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Sequence

import aiohttp

from tests.faults import checkers
from tests.faults.budget import BUDGET
from tests.faults.churn import Churn
from tests.faults.clients import Client
from tests.faults.crowd import GATHER_SECONDS, enter, gathered, shares
from tests.faults.place import OTHER_DESCRIPTORS, Place, Station
from tests.faults.promise import Promise
from tests.nodes import STOP_SECONDS
from tests.people import COMMUNITY

MIB = 1 << 20

SLOW_SHARE = 0.02
OTHER_READERS = 5
"""Who go on to read where the slow ones do not."""
LONG_COMMENT = "🎨" * 1_000
"""4,000 bytes, for as long as it stands."""
LONG_COMMENTS_PER_SECOND = 20.0
"""Of each who talks."""
TALKERS = 20
PHASE_SECONDS = 5.0
GONE_SECONDS = 10.0
SLOWER = 1.2
JITTER_SECONDS = 0.02
"""What a p99 may differ by from one phase to the next, on a machine that is busy with the clients, too."""
OTHER_MEMORY = 24 * MIB
"""What a worker's memory may differ by for other reasons than a slow reader."""

BACK_SECONDS = 30.0
BACK_SHARE = 0.99
CLIENTS_PER_QUERY = 100
QUIET_SECONDS = 15.0
"""For which it is looked at what nodes ask by themselves: in rounds, so that an average tells too little."""
SAMPLE_SECONDS = 0.05

LEAK_SHARE = 1.1
FORGET_SECONDS = 60.0
OTHER_TASKS = 12
"""What is under way at one time and not at another, for other reasons than connections."""


async def test_p8_a_slow_reader_harms_only_itself(place: Place, promise: Promise) -> None:
    """A slow reader harms only itself: it is gone within 10 s, and costs 1 MiB at the most.

    2 % of the clients stop to read while long comments are written to the post that they watch, and everything
    else goes on. What others see comes as soon as before: p99 × 1.2, and 20 ms (judged at full length).
    """
    (station, _) = place.stations
    slow_ones = max(round(BUDGET.watchers * SLOW_SHARE), 2)
    async with gathered(
        place, watch_at=[station.url], write_at=[station.url], faithful=True
    ) as crowd:
        post = await shares(crowd.writers[0])
        readers = [
            Client(f"Reader {at}", [station.url], [f"post:{post}"], receive_bytes=4096)
            for at in range(slow_ones + OTHER_READERS)
        ]
        talkers = [Client(f"Talker {at}", [station.url]) for at in range(TALKERS)]
        await enter([*readers, *talkers])
        crowd.begin_to_write()
        talking = [asyncio.create_task(_talks(each, post)) for each in talkers]
        before = station.descriptors
        phases: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        most_memory = 0
        for _ in range(BUDGET.cycles):
            begun = time.time()
            await asyncio.sleep(PHASE_SECONDS)
            phases[False].append((begun, time.time()))
            held = station.memory
            await _all_inside(readers)  # one may have lagged behind on a machine that is too busy
            closed = await _closed_as_slow(station)
            begun = time.time()
            for reader in readers[:slow_ones]:
                reader.stops_reading()
            promise.faults["readers stopped"] += slow_ones
            while await _closed_as_slow(station) < closed + slow_ones:
                most_memory = max(most_memory, station.memory - held)
                if time.time() - begun > 2 * GONE_SECONDS:
                    break
                await asyncio.sleep(0.05)
            gone = time.time() - begun
            phases[True].append((begun, time.time()))
            promise.worst("gone after, s", gone)
            promise.judge(slow_ones, [f"gone after {gone:.1f} s"] if gone > GONE_SECONDS else [])
            for reader in readers[:slow_ones]:
                reader.cut()
            await _all_inside(readers)
        for task in talking:
            task.cancel()
        await crowd.comes_to_rest()
        violations = []
        apart, together = [
            checkers.percentile(await crowd.delays(*phases[slow]), 0.99) for slow in (False, True)
        ]
        promise.figures["p99 before, s"] = apart
        promise.figures["p99 meanwhile, s"] = together
        if BUDGET.measures and together > apart * SLOWER + JITTER_SECONDS:
            violations.append(f"p99 was {together:.3f} s instead of {apart:.3f} s")
        promise.figures["MiB each"] = each = max(most_memory, 0) / slow_ones / MIB
        if most_memory > slow_ones * MIB + OTHER_MEMORY:
            violations.append(f"{each:.1f} MiB for each of them")
        if (left := station.descriptors) > before + OTHER_DESCRIPTORS:
            violations.append(f"{left} descriptors are open, of {before}")
        await crowd.judge(promise, violations)
        await asyncio.gather(*(each.leaves() for each in (*readers, *talkers)))
    promise.is_kept()


async def _talks(talker: Client, post: str) -> None:
    while True:
        due = time.monotonic() + 1 / LONG_COMMENTS_PER_SECOND
        await talker.asks("comment:create", {"post_id": post, "content": LONG_COMMENT})
        await asyncio.sleep(max(due - time.monotonic(), 0.0))


async def _closed_as_slow(station: Station) -> float:
    return await station.metric("vernissage_connections_ended_total", reason="slow_consumer")


async def test_p14_a_reconnect_storm_is_a_non_event(place: Place, promise: Promise) -> None:
    """A reconnect storm is a non-event: 99 % are back within 30 s, by 1 query per 100 clients.

    All clients are reset at one moment, and come back to one node, while others write.
    """
    (station, _) = place.stations
    async with gathered(
        place,
        watchers=BUDGET.storm,
        watch_at=[station.url],
        write_at=place.doors[1:],
        faithful=True,
    ) as crowd:
        crowd.begin_to_write(BUDGET.per_second / 10)
        for _ in range(BUDGET.cycles if BUDGET.cycles < 2 else 2):
            quiet = await _pieces(station, QUIET_SECONDS)
            before, visits = station.database.pieces, [each.visits for each in crowd.watchers]
            begun = time.monotonic()
            for watcher in crowd.watchers:
                watcher.cut()
            promise.faults["clients reset at once"] += len(crowd.watchers)
            back = 0
            while back < BACK_SHARE * len(crowd.watchers) and time.monotonic() - begun < 60:
                await asyncio.sleep(0.05)
                back = sum(
                    each.visits > had for each, had in zip(crowd.watchers, visits, strict=True)
                )
            seconds = time.monotonic() - begun
            others = checkers.busiest(quiet, seconds)
            queries = station.database.pieces - before - others
            promise.worst("back after, s", seconds)
            promise.worst("queries per 100 clients", 100 * queries / len(crowd.watchers))
            promise.worst("beside, without a storm", others)
            violations = []
            if seconds > BACK_SECONDS:
                violations.append(
                    f"{back} of {len(crowd.watchers)} were back after {seconds:.1f} s"
                )
            if queries > len(crowd.watchers) / CLIENTS_PER_QUERY:
                violations.append(
                    f"{queries} queries for {len(crowd.watchers)} clients, beside {others}"
                )
            promise.judge(len(crowd.watchers), violations)
            await _all_inside(crowd.watchers)
        await crowd.comes_to_rest()
        await crowd.judge(promise)
    promise.is_kept()


async def _pieces(station: Station, seconds: float) -> list[tuple[float, int]]:
    """(time, round trips to PostgreSQL so far), again and again for so long."""
    begun = time.monotonic()
    counts = [(begun, station.database.pieces)]
    while counts[-1][0] < begun + seconds:
        await asyncio.sleep(SAMPLE_SECONDS)
        counts.append((time.monotonic(), station.database.pieces))
    return counts


async def test_p15_a_deploy_is_a_non_event(place: Place, promise: Promise) -> None:
    """A deploy is a non-event: nothing is lost, missed or refused while each node is restarted in turn.

    Clients move when they are told that their server drains; requests go where somebody listens.
    """
    async with gathered(place) as crowd:
        outcomes: Counter[str] = Counter()
        requesting = asyncio.create_task(_requests(place, crowd.posts, outcomes))
        crowd.begin_to_write()
        for _ in range(BUDGET.cycles):
            for station in place.stations:
                await crowd.wrote(int(BUDGET.per_second))
                begun = time.monotonic()
                code = await station.node.stop(signal.SIGTERM)
                seconds = time.monotonic() - begun
                promise.worst("exit after, s", seconds)
                promise.judge(
                    1,
                    [f"exit {code} after {seconds:.1f} s"]
                    if code or seconds > STOP_SECONDS
                    else [],
                )
                await station.begin_again()
                promise.faults["nodes restarted"] += 1
        requesting.cancel()
        await crowd.comes_to_rest()
        answered = outcomes.pop("200")
        promise.figures["requests"] = answered
        violations = [f"{count} requests: {outcome}" for outcome, count in outcomes.items()]
        violations += checkers.failed(crowd.history)
        await crowd.judge(promise, violations, operations=answered)
    promise.is_kept()


async def _requests(place: Place, posts: Sequence[str], outcomes: Counter[str]) -> None:
    """Ask one node after the other, and the next one where nobody listens."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as http:
        turn = 0
        while True:
            turn += 1
            door = place.doors[turn % len(place.doors)]
            try:
                async with http.get(
                    f"{door}{COMMUNITY}/posts/{posts[turn % len(posts)]}"
                ) as answer:
                    await answer.read()
                    outcomes[str(answer.status)] += 1
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.002)
                continue
            except aiohttp.ClientError as error:
                outcomes[repr(error)] += 1
            await asyncio.sleep(0.01)


async def test_p16_nothing_leaks(place: Place, promise: Promise) -> None:
    """Nothing leaks: connections that come and go leave no topic, task, descriptor or memory behind.

    Half of them end in the middle of the handshake, the others after it, while they watch. Memory: + 10 %.
    """
    (station, _) = place.stations
    async with gathered(place, watchers=1, writers=1, watch_at=place.doors[1:]) as crowd:
        churn = Churn(station, crowd.posts)
        topics = await station.metric("vernissage_topics")
        tasks = await station.metric("vernissage_worker_tasks")
        await churn.run(min(BUDGET.churn, 2_000))  # so that what is made once is there
        descriptors, memory = station.descriptors, station.memory
        await churn.run(BUDGET.churn)
        promise.faults["connections reset"] = BUDGET.churn
        await _forgotten(station, topics)
        violations = []
        for what, now, then in (
            ("topics", await station.metric("vernissage_topics"), topics),
            ("connections", await station.metric("vernissage_connections"), 1),
            ("tasks", await station.metric("vernissage_worker_tasks"), tasks + OTHER_TASKS),
            ("descriptors", station.descriptors, descriptors + OTHER_DESCRIPTORS),
            ("bytes of memory", station.memory, memory * LEAK_SHARE),
        ):
            promise.figures[what] = now
            promise.figures[f"{what} allowed"] = then
            if now > then:
                violations.append(f"{now:,.0f} {what} where {then:,.0f} were right")
        promise.judge(BUDGET.churn, violations)
    promise.is_kept()


async def _forgotten(station: Station, topics: float) -> None:
    """Return once the node follows no more topics than that, or has had the time to forget them."""
    loop = asyncio.get_running_loop()
    until = loop.time() + FORGET_SECONDS
    while loop.time() < until and (
        await station.metric("vernissage_topics") > topics
        or await station.metric("vernissage_connections") > 1
    ):
        await asyncio.sleep(0.2)


async def _all_inside(clients: Sequence[Client]) -> None:
    async with asyncio.timeout(GATHER_SECONDS):
        for client in clients:
            await client.inside.wait()
