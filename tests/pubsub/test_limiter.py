"""One suite for the limiter in Redis and for its twin in the process's memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import count
from typing import Any, Protocol
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from structlog.testing import capture_logs

import pubsub.limiter
from pubsub import Ask, Bucket, Limiter, LocalLimiter, Verdict, Window
from tests.proxy import Proxy
from tests.waiting import until


class Decider(Protocol):
    async def take(self, asks: Sequence[Ask]) -> list[Verdict]: ...

    async def give_back(self, windows: Sequence[Window]) -> None: ...

    async def renew(self, windows: Sequence[Window]) -> None: ...


class Local:
    """The local limiter, asked as the other one is."""

    def __init__(self) -> None:
        self._limiter = LocalLimiter()

    async def take(self, asks: Sequence[Ask]) -> list[Verdict]:
        return self._limiter.take(asks)

    async def give_back(self, windows: Sequence[Window]) -> None:
        self._limiter.give_back(windows)

    async def renew(self, windows: Sequence[Window]) -> None:
        self._limiter.renew(windows)


OpenLimiter = Callable[..., AbstractAsyncContextManager[Limiter]]
tickets = (f"ticket {n}" for n in count())


@pytest.fixture
def open_limiter(redis_url: str) -> OpenLimiter:
    return opening(redis_url)


@pytest.fixture
def open_either(either_url: str) -> OpenLimiter:
    """Limiters on one server, and on a cluster."""
    return opening(either_url)


def opening(redis_url: str) -> OpenLimiter:
    """How limiters of one test are opened, on a prefix of their own; on a cluster all keys are of one slot."""
    prefix = f"test-limiter:{{{uuid4()}}}:"

    @asynccontextmanager
    async def opened(url: str = redis_url, prefix: str = prefix) -> AsyncIterator[Limiter]:
        limiter = Limiter(url, prefix=prefix)
        try:
            yield limiter
        finally:
            await limiter.close()

    return opened


@pytest.fixture(params=["redis", "cluster", "local"])
def decider_url(request: pytest.FixtureRequest) -> str | None:
    fixture = {"redis": "redis_url", "cluster": "valkey_cluster"}.get(request.param)
    found = fixture and request.getfixturevalue(fixture)
    return getattr(found, "url", found)


@pytest.fixture
async def limiter(decider_url: str | None) -> AsyncIterator[Decider]:
    if decider_url is None:
        yield Local()
    else:
        async with opening(decider_url)() as limiter:
            yield limiter


def window(key: str = "likes", most: int = 3, seconds: float = 60.0) -> Window:
    return Window(key, most, seconds, next(tickets))


async def take(limiter: Decider, *asks: Ask) -> list[bool]:
    return [verdict.allowed for verdict in await limiter.take(asks)]


async def test_nothing_asked_is_allowed(limiter: Decider) -> None:
    """A command without limits may go on."""
    assert await limiter.take([Ask()]) == [Verdict()]
    assert await limiter.take([]) == []


async def test_a_window_allows_its_count(limiter: Decider) -> None:
    """The one past the count is refused, and told by which window and for how long."""
    asks = [Ask(window=window()) for _ in range(4)]
    *allowed, refused = await limiter.take(asks)
    assert [verdict.allowed for verdict in allowed] == [True] * 3
    assert refused.refused_by == asks[3].window
    assert 59 < refused.retry_after <= 60


async def test_a_window_slides(limiter: Decider) -> None:
    """Each place is free again when its own time is over, and not before."""
    short = 0.2
    asks = [Ask(window=window(most=2, seconds=short)) for _ in range(2)]
    assert await take(limiter, *asks) == [True, True]
    (refused,) = await limiter.take([Ask(window=window(most=2, seconds=short))])
    assert 0 < refused.retry_after <= short
    await asyncio.sleep(refused.retry_after)  # the waiting itself is what is promised here
    assert await take(limiter, Ask(window=window(most=2, seconds=short))) == [True]


async def test_windows_count_apart(limiter: Decider) -> None:
    """One user's likes say nothing of their comments, nor of another's likes."""
    assert await take(limiter, *(Ask(window=window("ada:likes")) for _ in range(4))) == [
        *(True, True, True, False)
    ]
    assert await take(limiter, Ask(window=window("ada:comments")), Ask(window=window("bob"))) == [
        *(True, True)
    ]


async def test_what_is_given_back_can_be_taken_again(limiter: Decider) -> None:
    """Exactly one more is allowed for each; giving back twice, or what was never taken, gives nothing."""
    windows = [window() for _ in range(3)]
    assert await take(limiter, *(Ask(window=each) for each in windows)) == [True] * 3
    await limiter.give_back([windows[1]])
    await limiter.give_back([windows[1], window(), window("never")])
    assert await take(limiter, Ask(window=window()), Ask(window=window())) == [True, False]


async def test_what_is_renewed_counts_on(limiter: Decider) -> None:
    """It keeps its place for another whole window, and takes no second one."""
    kept, left = window(seconds=0.4, most=2), window(seconds=0.4, most=2)
    assert await take(limiter, Ask(window=kept), Ask(window=left)) == [True, True]
    await repeat_until(
        partial(_renewed_and_free, limiter, kept), "the end of the window that nobody renews"
    )
    assert await take(limiter, Ask(window=window(seconds=0.4, most=2))) == [False]


async def _renewed_and_free(limiter: Decider, kept: Window) -> bool:
    await limiter.renew([kept])
    (free,) = await take(limiter, Ask(window=window(seconds=0.4, most=2)))
    return free


async def test_a_bucket_allows_its_burst_then_its_pace(limiter: Decider) -> None:
    """The burst at once; afterwards one for each interval, and `retry_after` is the time to the next."""
    bucket = Bucket("pace", per_second=10.0, burst=3)
    assert await take(limiter, *(Ask(bucket) for _ in range(3))) == [True] * 3
    (refused,) = await limiter.take([Ask(bucket)])
    assert refused.refused_by == bucket
    assert 0 < refused.retry_after <= 0.1
    await asyncio.sleep(refused.retry_after)  # the waiting itself is what is promised here
    assert await take(limiter, Ask(bucket), Ask(bucket)) == [True, False]


async def test_a_refusal_costs_nothing_of_a_bucket(limiter: Decider) -> None:
    """Whoever keeps asking does not wait longer for it."""
    bucket = Bucket("pace", per_second=1.0, burst=1)
    assert await take(limiter, Ask(bucket)) == [True]
    verdicts = await limiter.take([Ask(bucket)] * 50)
    assert not any(verdict.allowed for verdict in verdicts)
    assert verdicts[-1].retry_after <= 1.0


async def test_the_bucket_is_asked_before_the_window(limiter: Decider) -> None:
    """What the bucket refuses takes nothing of the window."""
    bucket = Bucket("pace", per_second=0.1, burst=2)
    asks = [Ask(bucket, window(most=3)) for _ in range(4)]
    verdicts = await limiter.take(asks)
    assert [verdict.refused_by for verdict in verdicts] == [None, None, bucket, bucket]
    assert await take(limiter, *(Ask(window=window(most=3)) for _ in range(2))) == [True, False]


async def test_what_is_left_of_a_bucket(limiter: Decider) -> None:
    """So many more go on now, and one more than that after an interval, or what is left of it."""
    bucket = Bucket("pace", per_second=0.1, burst=4)
    rooms = [verdict.bucket for verdict in await limiter.take([Ask(bucket)] * 6)]
    assert [room.left for room in rooms if room is not None] == [3, 2, 1, 0, 0, 0]
    assert all(9 < room.seconds <= 10 for room in rooms if room is not None)
    (verdict,) = await limiter.take([Ask(bucket)])
    assert verdict.bucket is not None
    assert verdict.retry_after == verdict.bucket.seconds


async def test_what_is_left_of_a_window(limiter: Decider) -> None:
    """So many more go on now, and one more than that once the oldest is over."""
    asks = [Ask(window=window(most=3)) for _ in range(5)]
    verdicts = await limiter.take(asks)
    rooms = [verdict.window for verdict in verdicts]
    assert [room.left for room in rooms if room is not None] == [2, 1, 0, 0, 0]
    assert all(59 < room.seconds <= 60 for room in rooms if room is not None)
    assert verdicts[4].window is not None
    assert verdicts[4].retry_after == verdicts[4].window.seconds
    assert asks[0].window is not None
    await limiter.give_back([asks[0].window])
    (verdict,) = await limiter.take([Ask(window=window(most=9))])
    assert verdict.window is not None
    assert verdict.window.left == 6


async def test_what_is_left_of_both(limiter: Decider) -> None:
    """A command that the window refuses has taken of the bucket; what the bucket refuses asks no window."""
    bucket = Bucket("pace", per_second=0.1, burst=3)
    verdicts = await limiter.take([Ask(bucket, window(most=1)) for _ in range(4)])
    left = [
        (verdict.bucket and verdict.bucket.left, verdict.window and verdict.window.left)
        for verdict in verdicts
    ]
    assert left == [(2, 0), (1, 0), (0, 0), (0, None)]


async def test_raised_ceilings(limiter: Decider) -> None:
    """With the ceilings of a load test the limiter works and does not stand in the way."""
    bucket = Bucket("pace", per_second=2e9, burst=20_000_000_000)
    assert await take(limiter, *(Ask(bucket) for _ in range(500))) == [True] * 500


async def test_limits_are_exact_under_concurrency(limiter: Decider) -> None:
    """Three times the limit at once: exactly the limit is accepted."""

    async def one() -> bool:
        (allowed,) = await take(limiter, Ask(window=window(most=100)))
        return allowed

    assert sum(await asyncio.gather(*(one() for _ in range(300)))) == 100


async def test_limits_are_exact_across_nodes(open_either: OpenLimiter) -> None:
    """Two nodes that take turns and overlap accept the limit between them."""

    async def one(limiter: Limiter) -> bool:
        (allowed,) = await take(limiter, Ask(window=window(most=100)))
        return allowed

    async with open_either() as here, open_either() as there:
        accepted = await asyncio.gather(*(one(each) for _ in range(150) for each in (here, there)))
    assert sum(accepted) == 100


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "take", "take", "give back", "wait"]),
            st.integers(0, 2),
            st.floats(0.0, 30.0),
        ),
        max_size=60,
    )
)
def test_a_sliding_window_of_any_history(steps: list[tuple[str, int, float]]) -> None:
    """Never more than the count in any window, and never a refusal while there is room."""
    now = 1_000.0
    limiter = LocalLimiter(clock=lambda: now)
    held: dict[int, list[tuple[float, Window]]] = {0: [], 1: [], 2: []}
    for step, who, seconds in steps:
        if step == "wait":
            now += seconds
        elif step == "give back" and held[who]:
            limiter.give_back([held[who].pop()[1]])
        elif step == "take":
            ask = Ask(window=window(f"user {who}", most=2, seconds=20.0))
            (verdict,) = limiter.take([ask])
            live = [at for at, _ in held[who] if at + 20.0 > now]
            assert verdict.allowed == (len(live) < 2)
            if verdict.allowed:
                assert ask.window is not None
                held[who].append((now, ask.window))
            else:
                assert verdict.retry_after == pytest.approx(min(live) + 20.0 - now)


@given(st.lists(st.floats(0.0, 3.0), max_size=20), st.floats(0.1, 1e6), st.integers(1, 40))
def test_the_room_in_a_bucket_is_what_it_lets_through(
    pauses: list[float], per_second: float, burst: int
) -> None:
    """After any history exactly `left` more go on at once, and one more when it says so."""
    now = 1_000.0
    bucket = Bucket("pace", per_second, burst)
    limiter = LocalLimiter(clock=lambda: now)
    verdict = limiter.take([Ask(bucket)])[0]
    for pause in pauses:
        now += pause / per_second
        verdict = limiter.take([Ask(bucket)])[0]
    assert verdict.bucket is not None
    left, seconds = verdict.bucket
    due = limiter._due.copy()
    allowed = [each.allowed for each in limiter.take([Ask(bucket)] * (left + 1))]
    assert allowed == [True] * left + [False]
    limiter._due = due
    now += seconds + 1e-9
    assert all(each.allowed for each in limiter.take([Ask(bucket)] * (left + 1)))


def test_the_local_limiter_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has run out leaves no trace in memory."""
    monkeypatch.setattr(pubsub.limiter, "FORGET_EVERY", 10)
    now = 0.0
    limiter = LocalLimiter(clock=lambda: now)
    for n in range(95):
        limiter.take([Ask(Bucket(f"address {n}", 2.0, 20), window(f"user {n}", seconds=5.0))])
        now += 1.0
    assert len(limiter._due) <= 15
    assert len(limiter._taken) <= 15


# In Redis


async def test_keys_expire_by_themselves(open_limiter: OpenLimiter, redis_url: str) -> None:
    """Nothing stays in Redis longer than it can matter."""
    prefix = f"test-limiter:{uuid4()}:"
    async with open_limiter(prefix=prefix) as limiter, Redis.from_url(redis_url) as redis:
        bucket = Bucket("pace", per_second=2.0, burst=20)
        await limiter.take([Ask(bucket, window(seconds=60.0)) for _ in range(4)])
        assert 1_500 < await redis.pttl(f"{prefix}pace") <= 2_002
        assert 59_000 < await redis.pttl(f"{prefix}likes") <= 60_000


async def test_a_restarted_redis_learns_the_script_again(
    open_limiter: OpenLimiter, redis_url: str
) -> None:
    """After SCRIPT FLUSH decisions go on, and each is counted once."""
    async with open_limiter() as limiter, Redis.from_url(redis_url) as redis:
        assert await take(limiter, Ask(window=window())) == [True]
        for _ in range(2):
            await redis.script_flush()
            with capture_logs() as logs:
                assert await take(limiter, *(Ask(window=window(f"{_}")) for __ in range(4))) == [
                    *(True, True, True, False)
                ]
            assert logs == []


async def test_commands_at_the_same_time_share_a_round_trip(
    open_limiter: OpenLimiter, redis_url: str
) -> None:
    """A thousand at once cost a few round trips on one connection."""
    async with Proxy.before(redis_url) as proxy, open_limiter(proxy.url) as limiter:
        await limiter.take([Ask()])
        verdicts = await asyncio.gather(
            *(limiter.take([Ask(window=window(most=999))]) for _ in range(1_000))
        )
        assert sum(verdict.allowed for (verdict,) in verdicts) == 999
        assert proxy.connections == 1


async def test_each_caller_gets_its_own_verdicts(open_either: OpenLimiter) -> None:
    """Callers that share a round trip are answered one by one, whatever the others asked."""
    async with open_either() as limiter:
        full, free = Ask(window=window("full", most=1)), Ask()
        assert await take(limiter, full) == [True]
        answers = await asyncio.gather(
            take(limiter, full),
            take(limiter, free, full, free),
            take(limiter),
            take(limiter, free),
        )
    assert answers == [[False], [True, False, True], [], [True]]


async def test_a_caller_that_goes_takes_nobody_with_it(open_limiter: OpenLimiter) -> None:
    """One that is cancelled while it waits does not keep the others from their verdicts."""
    async with open_limiter() as limiter:
        tasks = [asyncio.create_task(take(limiter, Ask(window=window()))) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        assert await asyncio.gather(*tasks[1:]) == [[True], [True]]


async def test_without_redis_each_process_counts_for_itself(
    open_limiter: OpenLimiter, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It decides on, says so once, is not slowed down, and counts over all nodes again afterwards."""
    monkeypatch.setattr(pubsub.limiter, "AWAY_SECONDS", 0.1)
    async with (
        Proxy.before(redis_url) as proxy,
        open_limiter(proxy.url) as here,
        open_limiter() as there,
    ):
        assert await take(here, *(Ask(window=window()) for _ in range(2))) == [True, True]
        await proxy.cut()
        with capture_logs() as logs:
            assert await take(here, *(Ask(window=window()) for _ in range(4))) == [
                *(True, True, True, False)
            ]
            for _ in range(20):
                await here.give_back([window()])
                await take(here, Ask(window=window()))
        assert [log["log_level"] for log in logs] == ["warning"]
        await proxy.mend()

        async def is_back() -> bool:
            await take(here, Ask())
            return not here._away

        await repeat_until(is_back, "Redis decides again")
        assert await take(there, Ask(window=window()), Ask(window=window())) == [True, False]
        assert await take(here, Ask(window=window())) == [False]


async def test_a_dead_redis_slows_down_those_who_find_out_and_nobody_else(
    open_limiter: OpenLimiter, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it swallows everything, no caller waits to find out whether it is back."""
    monkeypatch.setattr(pubsub.limiter, "SOCKET_SECONDS", 0.2)
    monkeypatch.setattr(pubsub.limiter, "AWAY_SECONDS", 0.01)
    async with Proxy.before(redis_url) as proxy, open_limiter(proxy.url) as limiter:
        await limiter.take([Ask()])
        proxy.stall()
        await limiter.take([Ask()])
        looking = asyncio.Event()
        send = limiter._redis.send

        async def sending(commands: Sequence[Any]) -> list[Any]:
            looking.set()
            return await send(commands)

        monkeypatch.setattr(limiter._redis, "send", sending)
        await looking.wait()  # and from here on Redis is waited for, in the background
        looking.clear()
        await limiter.take([Ask()])
        await limiter.give_back([window()])
        await limiter.renew([window()])
        assert not looking.is_set()
        assert limiter.away
        proxy.go_on()
        await until(lambda: not limiter.away, "Redis decides again")


def hold_up(seconds: float) -> None:
    """Keep this process from everything else."""
    time.sleep(seconds)


async def test_a_process_that_is_held_up_does_not_take_redis_for_dead(
    open_limiter: OpenLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer came in time; that nobody could look at it meanwhile is not Redis's fault."""
    monkeypatch.setattr(pubsub.limiter, "SOCKET_SECONDS", 0.1)
    async with open_limiter() as limiter:
        await limiter.take([Ask()])
        for turns in range(20):  # in some of which Redis is being asked
            taking = asyncio.create_task(limiter.take([Ask()]))
            for _ in range(turns):
                await asyncio.sleep(0)
            hold_up(0.15)
            assert (await taking)[0].allowed
            assert not limiter.away


async def test_an_error_of_redis_is_as_good_as_its_absence(
    open_limiter: OpenLimiter, redis_url: str
) -> None:
    """A key of another type, memory that is full: the process decides for itself."""
    prefix = f"test-limiter:{uuid4()}:"
    async with open_limiter(prefix=prefix) as limiter, Redis.from_url(redis_url) as redis:
        await redis.set(f"{prefix}likes", "not a sorted set")
        with capture_logs() as logs:
            assert await take(limiter, *(Ask(window=window()) for _ in range(4))) == [
                *(True, True, True, False)
            ]
        assert [log["log_level"] for log in logs] == ["warning"]


async def repeat_until(attempt: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with asyncio.timeout(10.0):
            while not await attempt():
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"it did not come to this: {what}")
