"""People who watch and people who write, all the while that something breaks, and what to make of it.

async with gathered(place) as crowd:
    crowd.begin_to_write()
    …  # faults
    await crowd.comes_to_rest()
    await crowd.judge(promise)
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from store.ids import new_id
from tests.faults import checkers
from tests.faults.budget import BUDGET
from tests.faults.clients import Client
from tests.faults.history import History, Operation, Written
from tests.faults.place import Place
from tests.faults.promise import Promise
from tests.store.audit import differences

AT_ONCE = 64
"""Clients that come in at the same time."""
GATHER_SECONDS = 180.0
REST_SECONDS = 60.0
"""Within which all screens show the head of all topics, once nobody writes any more."""

COMMENTS, LIKES = 0.4, 0.8
"""Of all commands: comments up to here, likes up to there, follows beyond."""


class Crowd:
    """Each watcher watches one of `posts`, and their own topic. Each writer sends one command at a time."""

    def __init__(
        self, place: Place, watchers: Sequence[Client], writers: Sequence[Client], posts: list[str]
    ) -> None:
        self.place = place
        self.watchers = watchers
        self.writers = writers
        self.posts = posts
        self.history = History()
        self._at_work: list[asyncio.Task[None]] = []
        self._writing = False
        self._waiting = [False] * len(writers)
        self._is_in: list[dict[str, bool]] = [{} for _ in writers]
        self._random = random.Random(1)  # noqa: S311

    @property
    def clients(self) -> list[Client]:
        return [*self.watchers, *self.writers]

    @property
    def heard(self) -> int:
        """Events that reached a screen."""
        return sum(
            len(stretch.heard)
            for client in self.clients
            for screen in client.screens.values()
            for stretch in screen
        )

    def begin_to_write(self, per_second: float = BUDGET.per_second) -> None:
        """Everybody writes from now on, so many commands a second together."""
        self._writing = True
        each = per_second / len(self.writers)
        self._at_work = [
            asyncio.create_task(self._writes(at, each, at / per_second))
            for at in range(len(self.writers))
        ]

    async def stops_writing(self) -> None:
        """Return once every command has its end."""
        self._writing = False
        await asyncio.gather(*self._at_work)
        self._at_work = []

    async def wrote(self, more: int) -> None:
        """Return once so many more commands have been acknowledged."""
        until = self.history.acknowledged + more
        async with asyncio.timeout(GATHER_SECONDS):
            while self.history.acknowledged < until:
                await asyncio.sleep(0.01)

    async def waits(self, commands: int, seconds: float) -> bool:
        """Whether, within so long, so many commands came to be without an answer at the same time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while sum(self._waiting) < commands:
            if loop.time() > until:
                return False
            await asyncio.sleep(0.002)
        return True

    async def comes_to_rest(self) -> None:
        """Nobody writes any more, and every screen shows all there is, or has had the time to."""
        await self.stops_writing()
        heads = await self._heads()
        loop = asyncio.get_running_loop()
        until = loop.time() + REST_SECONDS
        for client in self.clients:
            while loop.time() < until and not _shows(client, heads):
                await asyncio.sleep(0.01)

    async def judge(
        self, promise: Promise, found: Iterable[str] = (), *, operations: int = 0
    ) -> None:
        """Judge all that was written and heard, and what else was `found` in so many other operations."""
        promise.acknowledged += self.history.acknowledged
        promise.judge(
            operations + len(self.history) + self.heard, [*found, *await self.violations()]
        )

    async def violations(self) -> list[str]:
        """Against the database: what was lost, doubled, miscounted, or not told as it should be."""
        found = await self._wrong_rows()
        journal = await self.journal()
        for topic, entries in journal.items():
            found += [f"{topic}: {hole}" for hole in checkers.holes(entries)]
        for client in self.clients:
            for topic, screen in client.screens.items():
                told = checkers.missed(screen, journal[topic])
                found += [f"{client.name}, {topic}: {each}" for each in told]
        return found

    async def journal(self) -> dict[str, list[Written]]:
        """The entries of all topics that anybody watches."""
        rows = await self.place.fetch(
            "select topic, seq, type, key, subject, extract(epoch from created_at)::float8 as at"
            " from events where topic = any ($1) order by topic, seq",
            self._topics(),
        )
        journal = defaultdict(list)
        for row in rows:
            entry = Written(row["seq"], row["type"], row["key"], row["at"], row["subject"])
            journal[row["topic"]].append(entry)
        return journal

    async def delays(self, *spans: tuple[float, float]) -> list[float]:
        """Seconds until what was written in these spans was on the screens of each watcher."""

        def within(entry: Written) -> bool:
            return any(begun <= entry.at <= ended for begun, ended in spans)

        journal = await self.journal()
        return [
            delay
            for watcher in self.watchers
            for topic, screen in watcher.screens.items()
            for delay in checkers.delays(screen, journal[topic], within)
        ]

    async def _wrong_rows(self) -> list[str]:
        async with self.place.database() as database:
            comments = await database.fetch(
                "select id::text from community_comments where post_id = any ($1::uuid[])",
                self.posts,
            )
            likes = await database.fetch(
                "select user_id::text, post_id::text from community_likes"
                " where post_id = any ($1::uuid[]) and user_id = any ($2::uuid[])",
                self.posts,
                [writer.id for writer in self.writers],
            )
            follows = await database.fetch(
                "select follower_id::text, following_id::text from community_follows"
                " where follower_id = any ($1::uuid[])",
                [writer.id for writer in self.writers],
            )
            wrong = await differences(database)
        history = self.history
        return [
            *checkers.lost_writes(history.of("comment:create"), [row["id"] for row in comments]),
            *checkers.wrong_members(
                history.of("post:like", "post:unlike"),
                [tuple(row) for row in likes],
                joins="post:like",
                leaves="post:unlike",
            ),
            *checkers.wrong_members(
                history.of("user:follow", "user:unfollow"),
                [tuple(row) for row in follows],
                joins="user:follow",
                leaves="user:unfollow",
            ),
            *(str(difference) for difference in wrong),
        ]

    def _topics(self) -> list[str]:
        return sorted({topic for client in self.clients for topic in client.screens})

    async def _heads(self) -> dict[str, int]:
        rows = await self.place.fetch(
            "select topic, seq from topics where topic = any ($1)", self._topics()
        )
        return {row["topic"]: row["seq"] for row in rows}

    async def _writes(self, number: int, per_second: float, offset: float) -> None:
        writer = self.writers[number]
        loop = asyncio.get_running_loop()
        due = loop.time() + offset
        is_in = self._is_in[number]
        while self._writing:
            await asyncio.sleep(max(due - loop.time(), 0.0))
            due = max(due + 1 / per_second, loop.time() - 1.0)
            if writer.inside.is_set() and self._writing:
                self._waiting[number] = True
                await self._write(writer, is_in)
                self._waiting[number] = False

    async def _write(self, writer: Client, is_in: dict[str, bool]) -> Operation:
        chance, post = self._random.random(), self._random.choice(self.posts)
        if chance < COMMENTS:
            comment = str(new_id())
            payload = {"post_id": post, "content": comment, "id": comment}
            return await writer.does(self.history, "comment:create", comment, payload)
        if chance < LIKES:
            subject, field, ways = post, "post_id", ("post:like", "post:unlike")
        else:
            subject, field = self._random.choice(self.watchers).id, "user_id"
            ways = ("user:follow", "user:unfollow")
        what = ways[is_in.get(subject, False)]
        is_in[subject] = not is_in.get(subject, False)
        return await writer.does(self.history, what, subject, {field: subject})


def _shows(client: Client, heads: dict[str, int]) -> bool:
    return all(client.position(topic) == heads.get(topic, 0) for topic in client.screens)


async def enter(clients: Sequence[Client]) -> None:
    """All of them come, and are in when this returns."""
    async with asyncio.timeout(GATHER_SECONDS):
        for first in range(0, len(clients), AT_ONCE):
            some = clients[first : first + AT_ONCE]
            for client in some:
                client.comes()
            await asyncio.gather(*(client.inside.wait() for client in some))


async def shares(author: Client, title: str = "A picture") -> str:
    """The author shares a post; its id."""
    asset = {"asset_type": "overlay", "url": "https://example.org/picture.svg"}
    made = await author.asks("asset:create", asset)
    post = await author.asks("post:create", {"asset_id": made["id"], "title": title})
    return str(post["id"])


@asynccontextmanager
async def gathered(
    place: Place,
    *,
    watchers: int = BUDGET.watchers,
    writers: int = BUDGET.writers,
    topics: int = BUDGET.topics,
    watch_at: Sequence[str] | None = None,
    write_at: Sequence[str] | None = None,
    faithful: bool = False,
) -> AsyncIterator[Crowd]:
    """A crowd that is in; `watch_at` and `write_at` are the doors of the two kinds, both nodes' if not given."""
    doors = place.doors
    writing = [
        Client(f"Writer {at}", write_at or doors, faithful=faithful) for at in range(writers)
    ]
    await enter(writing)
    posts = await asyncio.gather(*(shares(writing[at % writers]) for at in range(topics)))
    watching = [
        Client(
            f"Watcher {at}",
            watch_at or doors,
            [f"post:{posts[at % topics]}"],
            faithful=faithful,
        )
        for at in range(watchers)
    ]
    await enter(watching)
    crowd = Crowd(place, watching, writing, list(posts))
    try:
        yield crowd
    finally:
        await crowd.stops_writing()
        await asyncio.gather(*(client.leaves() for client in crowd.clients))
