"""What PostgreSQL and a node spend on batches, heads of topics, those who connect, and pages."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import median
from uuid import UUID

import asyncpg

from load.costs.cost import Cost, listed
from load.feeds.generator import generate
from load.processes import Meter
from store.database import Database, open_database
from store.gallery import Gallery
from store.gallery.comments import Write
from store.gallery.feed import Order
from store.gallery.likes import Like
from store.gallery.views import View
from store.identity import Claimed, Identity
from store.ids import new_id
from store.journal import Journal
from store.viewer import Viewer

SCALE = 0.01
"""Of a generated gallery: 10,000 posts with 100,000 likes."""
NEWCOMERS = 20_000
"""Users who have done nothing yet."""
POSTS = 2_000
"""Of which so many are liked."""
HEADS = 100_000
BATCHES = (1, 10, 100, 500)
LOOKS = (10, 100, 1_000, 5_000)
COMERS = (1, 50, 500)
OPERATIONS = 40
"""Of each size, and three times as many of the smallest."""

Work = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Spent:
    """By one operation: CPU time of PostgreSQL and of this process (µs), and WAL (bytes)."""

    server: float
    client: float
    log: float


class Costs:
    """Measures on a database of its own, filled by `fill`."""

    def __init__(self, superuser_url: str, server: Meter, database: Database) -> None:
        self._superuser_url = superuser_url
        self._server = server
        self._database = database
        self._users = [new_id() for _ in range(NEWCOMERS)]
        self._posts: list[UUID] = []

    async def measure(self) -> list[Cost]:
        await self._fill()
        gallery, journal = Gallery(self._database), Journal(self._database)
        users = Identity(self._database).users
        numbers = {False: count(), True: count()}
        found: list[Cost] = []

        def viewer(n: int) -> Viewer:
            return Viewer(self._users[n % NEWCOMERS])

        def like(many: bool) -> Like:
            """The next one by somebody else; the second time round it is taken back."""
            number = next(numbers[many])
            post = self._posts[number % POSTS if many else 0]
            return Like(post, viewer(number), number // NEWCOMERS % 2 == 0)

        def likes(many: bool) -> Callable[[int], Work]:
            def sized(size: int) -> Work:
                async def work(turn: int) -> object:
                    return await gallery.likes.settle([like(many) for _ in range(size)])

                return work

            return sized

        def comments(size: int) -> Work:
            async def work(turn: int) -> object:
                return await gallery.comments.settle(
                    [
                        Write(
                            by=viewer(turn + n),
                            post_id=self._posts[(turn * size + n) % POSTS],
                            content="So good.",
                        )
                        for n in range(size)
                    ]
                )

            return work

        def views(size: int) -> Work:
            async def work(turn: int) -> object:
                return await gallery.views.settle(
                    [
                        View(
                            self._posts[(turn * size + n) % POSTS],
                            viewer(turn * size + n),
                            "192.0.2.1",
                        )
                        for n in range(size)
                    ]
                )

            return work

        def heads(size: int) -> Work:
            async def work(turn: int) -> object:
                first = turn * size
                return await journal.heads([f"user:{(first + n) % HEADS}" for n in range(size)])

            return work

        def comers(size: int) -> Work:
            async def work(turn: int) -> object:
                ids = [(turn * size + n) % NEWCOMERS for n in range(size)]
                return await users.recognize(
                    [Claimed(self._users[n], f"user-{n}", f"User {n}") for n in ids]
                )

            return work

        def pages(_: int) -> Work:
            async def work(turn: int) -> object:
                return await gallery.feed.page(Order.RECENT, viewer(turn))

            return work

        found += await self._lines("likes on one post", "like", BATCHES, likes(many=False))
        found += await self._lines("likes on many posts", "like", BATCHES, likes(many=True))
        found += await self._lines("comments on many posts", "comment", BATCHES[:-1], comments)
        found += await self._lines("views of many posts", "view", BATCHES[:-1], views)
        found += await self._lines("heads", "topic", LOOKS, heads, writes=False)
        found += await self._lines("those who connect", "user", COMERS, comers, writes=False)
        found += await self._lines("a feed page", "", (1,), pages, writes=False)
        return found

    async def _fill(self) -> None:
        await generate(self._superuser_url, scale=SCALE)
        connection = await asyncpg.connect(self._superuser_url)
        try:
            await connection.executemany(
                "insert into users (id, external_id, display_name) values ($1, $2, $3)",
                [(user, f"user-{n}", f"User {n}") for n, user in enumerate(self._users)],
            )
            await connection.execute(
                f"""insert into topics (topic, seq)
                    select 'user:' || n, 1 from generate_series(0, {HEADS - 1}) as n"""  # noqa: S608
            )
            rows = await connection.fetch(
                "select id from community_posts where not is_hidden order by id limit $1", POSTS
            )
            self._posts += [row["id"] for row in rows]
            await connection.execute("vacuum analyze")
        finally:
            await connection.close()
        await settled(self._server)

    async def _lines(
        self,
        name: str,
        per: str,
        sizes: Sequence[int],
        sized: Callable[[int], Work],
        *,
        writes: bool = True,
    ) -> list[Cost]:
        points: dict[str, list[tuple[float, float]]] = {"server": [], "client": [], "log": []}
        turn = 0
        for size in sizes:
            work = sized(size)
            spent = []
            for _ in range(3 if size > 1 else 9):  # runs
                spent.append(await self._run(work, turn, OPERATIONS // 3))
                turn += OPERATIONS // 3
            for what, so_far in points.items():
                so_far.append((float(size), median(getattr(each, what) for each in spent)))
        sizes_said = f", {listed(sizes)} at a time" if len(sizes) > 1 else ""
        how = f"{name}{sizes_said}, through the store, nobody else there"
        kinds = {"server": ("PostgreSQL", "µs"), "client": ("node", "µs")}
        if writes:
            kinds["log"] = ("WAL", "bytes")
        return [
            Cost.fitted(f"{where}: {name}", unit, how, per, points[what])
            if len(sizes) > 1
            else Cost(f"{where}: {name}", unit, how, points[what][0][1])
            for what, (where, unit) in kinds.items()
        ]

    async def _run(self, work: Work, turn: int, operations: int) -> _Spent:
        await work(turn)  # plans and caches
        log = await self._log()
        server, client = self._server.cpu(), time.process_time()
        for number in range(operations):
            await work(turn + 1 + number)
        own = time.process_time() - client
        spent = self._server.cpu() - server
        grown = await self._log() - log
        return _Spent(spent * 1e6 / operations, own * 1e6 / operations, float(grown) / operations)

    async def _log(self) -> int:
        row = await self._database.fetchrow("select pg_current_wal_insert_lsn() - '0/0' as at")
        assert row is not None
        return int(row["at"])


async def costs(url: str, superuser_url: str, server: Meter) -> list[Cost]:
    """Of a migrated database that is empty."""
    async with open_database(url, connections=2) as database:
        return await Costs(superuser_url, server, database).measure()


async def settled(meter: Meter) -> None:
    """Wait until the server has done what it puts off, as vacuuming a table that was just filled."""
    async with asyncio.timeout(30):
        while True:
            before = meter.cpu()
            await asyncio.sleep(0.5)
            if meter.cpu() - before < 0.02:
                return
