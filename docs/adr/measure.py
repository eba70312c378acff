"""The measurements behind these decisions, small enough to repeat: `python docs/adr/measure.py`.

On PostgreSQL and Valkey of its own, with fsync on; some 15 seconds. Read the figures as ratios.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gateway.embedded import embedded_servers
from store.database import open_database
from store.gallery import Gallery
from store.gallery.assets import NewAsset
from store.gallery.feed import Feed, Order
from store.gallery.likes import Like
from store.gallery.posts import NewPost
from store.gallery.views import View
from store.identity import Claimed, Identity
from store.ids import new_id
from store.migrations import migrate
from store.replica import Replica
from store.viewer import Viewer

SECONDS = 3.0
HOLD_SECONDS = 0.004
"""How long a writer may hold its transaction open after writing, at most."""

APPEND = (
    "select * from journal_append(array['topic'], array['type'], array[null]::text[],"
    " array[null]::text[], array['{}'], array[null]::uuid[])"
)
LIKE_AND_UNLIKE = """
do $$
declare
    began timestamptz := clock_timestamp();
begin
    for turn in 1..{rounds} loop
        insert into community_likes (id, post_id, user_id, created_at)
        select gen_random_uuid(), '{post}', fan, clock_timestamp()
        from unnest(array{users}::uuid[]) as fan;
        update community_posts set like_count = like_count + 1 where id = '{post}';
        delete from community_likes where post_id = '{post}';
        update community_posts set like_count = like_count - 1 where id = '{post}';
    end loop;
    perform set_config(
        'measure.took', (extract(epoch from clock_timestamp() - began) * 1e6 / {rounds})::text, false
    );
end
$$
"""
TOOK = "select current_setting('measure.took')"
COMMENT = json.dumps(
    {
        "post_id": str(new_id()),
        "comment": {"id": str(new_id()), "content": "word " * 40, "author": {"id": str(new_id())}},
        "comment_count": 7,
    },
    separators=(",", ":"),
)


async def follow(url: str, write: str, read: str, writers: int) -> tuple[int, list[int]]:
    """Concurrent writers, and a reader that asks for what follows the last number it saw."""
    end = time.monotonic() + SECONDS
    written = 0

    async def writer() -> None:
        nonlocal written
        connection = await asyncpg.connect(url)
        while time.monotonic() < end:
            async with connection.transaction():
                await connection.execute(write)
                await asyncio.sleep(random.random() * HOLD_SECONDS)  # noqa: S311
            written += 1
        await connection.close()

    seen: list[int] = []

    async def reader() -> None:
        connection = await asyncpg.connect(url)
        while time.monotonic() < end + 0.5:
            rows = await connection.fetch(read, seen[-1] if seen else 0)
            seen.extend(row[0] for row in rows)
            await asyncio.sleep(0.002)
        await connection.close()

    await asyncio.gather(reader(), *(writer() for _ in range(writers)))
    return written, seen


async def journal(url: str) -> None:
    """0001: what a reader misses that goes by a sequence, and by the journal's heads."""
    connection = await asyncpg.connect(url)
    await connection.execute("create table naive (id bigserial primary key)")
    await connection.close()
    written, seen = await follow(
        url,
        "insert into naive default values",
        "select id from naive where id > $1 order by id",
        16,
    )
    print(f"by id:   {written} written, {100 * (1 - len(seen) / written):.1f} % never seen")
    written, seen = await follow(
        url, APPEND, "select seq from events where topic = 'topic' and seq > $1 order by seq", 8
    )
    whole = seen == list(range(1, written + 1))
    print(f"by head: {written} written, every one seen in order: {whole}")


async def json_or_jsonb(url: str) -> None:
    """0005: reading 500 entries back, of 100,000."""
    connection = await asyncpg.connect(url)
    for kind in ("json", "jsonb"):
        await connection.execute(f"create table {kind}s (n int primary key, data {kind})")
        began = time.perf_counter()
        await connection.execute(
            f"insert into {kind}s select n, $1::text::{kind} from generate_series(1, 100000) n",  # noqa: S608
            COMMENT,
        )
        wrote = time.perf_counter() - began
        reads = []
        for _ in range(20):
            began = time.perf_counter()
            rows = await connection.fetch(f"select data::text from {kind}s where n <= 500")  # noqa: S608
            reads.append(time.perf_counter() - began)
        print(
            f"{kind + ':':6} written in {wrote:.2f} s, 500 read in {min(reads) * 1000:.2f} ms, "
            f"the same bytes: {rows[0][0] == COMMENT}"
        )
    await connection.close()


async def batches(url: str) -> None:
    """0010 and 0016: likes on one post, one transaction for each and for many; and a lone one."""
    async with open_database(url, connections=8) as database:
        gallery = Gallery(database)
        users = await Identity(database).users.recognize(
            [Claimed(new_id(), f"user {number}") for number in range(1_501)]
        )
        author, *fans = (user.summary.id for user in users)
        asset = NewAsset(new_id(), author, "overlay", "https://example.org/a.svg", None)
        await gallery.assets.create([asset])
        post = NewPost(new_id(), Viewer(author), asset.id, "A post", None, (), True, None)
        await gallery.posts.create([post])

        async def timed(
            what: str, count: int, work: Callable[[list[Any]], Awaitable[None]]
        ) -> None:
            likes = [Like(post.id, Viewer(fan), True) for fan in fans[:count]]
            began = time.perf_counter()
            await work(likes)
            print(f"{what}: {count / (time.perf_counter() - began):,.0f} likes/s")
            await gallery.likes.settle([Like(like.post_id, like.by, False) for like in likes])

        async def one_by_one(likes: list[Any]) -> None:
            turn = asyncio.Semaphore(8)

            async def settle(like: Like) -> None:
                async with turn:
                    await gallery.likes.settle([like])

            await asyncio.gather(*(settle(like) for like in likes))

        async def gathered(likes: list[Any]) -> None:
            await asyncio.gather(*(gallery.likes.submit(like) for like in likes))

        await timed("a transaction for each, 8 at a time", 300, one_by_one)
        await timed("gathered while one is written", 1_500, gathered)
        began = time.perf_counter()
        for number in range(200):
            await gallery.likes.submit(Like(post.id, Viewer(fans[0]), number % 2 == 0))
        print(f"one at a time: {(time.perf_counter() - began) / 200 * 1000:.1f} ms each")


async def views(url: str) -> None:
    """0015: views of one post, by viewers who come for the first time and who come back."""
    async with open_database(url, connections=8) as database:
        gallery = Gallery(database)
        (user,) = await Identity(database).users.recognize([Claimed(new_id(), "author")])
        author = user.summary.id
        asset = NewAsset(new_id(), author, "overlay", "https://example.org/a.svg", None)
        await gallery.assets.create([asset])
        post = NewPost(new_id(), Viewer(author), asset.id, "A post", None, (), True, None)
        await gallery.posts.create([post])
        looks = [View(post.id, Viewer(), f"viewer {number}") for number in range(10_000)]
        for when in ("new", "known"):
            began = time.perf_counter()
            await asyncio.gather(*(gallery.views.submit(look) for look in looks))
            print(f"{when} viewers: {len(looks) / (time.perf_counter() - began):,.0f} views/s")
        began = time.perf_counter()
        for look in looks[:200]:
            await gallery.views.submit(look)
        print(f"one at a time: {(time.perf_counter() - began) / 200 * 1000:.1f} ms each")


async def marks(url: str) -> None:
    """0031: a like and an unlike with their counts, as the gateway's, with and without the triggers."""
    async with open_database(url, connections=1) as database:
        claims = [Claimed(new_id(), f"fan {number}") for number in range(501)]
        fans = await Identity(database).users.recognize(claims)
        author = fans[0].summary.id
        gallery = Gallery(database)
        asset = NewAsset(new_id(), author, "overlay", "https://example.org/a.svg", None)
        await gallery.assets.create([asset])
        post = NewPost(new_id(), Viewer(author), asset.id, "A post", None, (), True, None)
        await gallery.posts.create([post])
    connection = await asyncpg.connect(url, server_settings={"vernissage.gateway": "on"})
    for likes, rounds in ((1, 20), (500, 2)):
        block = LIKE_AND_UNLIKE.format(
            post=post.id, users=[str(fan.summary.id) for fan in fans[:likes]], rounds=rounds
        )
        took: dict[str, list[float]] = {"disable": [], "enable": []}
        for turn in range(60):
            for how in sorted(took, reverse=turn % 2 == 0):
                for table in ("community_likes", "community_posts"):
                    await connection.execute(f"alter table {table} {how} trigger user")
                    await connection.execute(f"vacuum {table}")
                await connection.execute(block)  # with cold caches
                await connection.execute(block)
                took[how].append(float(await connection.fetchval(TOOK)))
        for how, each in took.items():
            print(f"{likes} likes, {how}d triggers: {min(each):.0f} µs at best")
    await connection.close()


async def replica(url: str, replica_url: str) -> None:
    """0039: pages of a feed of 2,000 posts while others like them, from the primary and from a replica."""
    async with (
        open_database(url, connections=8) as writing,
        open_database(url, connections=8) as database,
        open_database(replica_url, connections=8, server="replica") as standby,
    ):
        claims = [Claimed(new_id(), f"reader {number}") for number in range(50)]
        fans = [user.summary.id for user in await Identity(writing).users.recognize(claims)]
        gallery = Gallery(writing)
        assets = [
            NewAsset(new_id(), fans[0], "overlay", "https://example.org/a.svg", None)
            for _ in range(2_000)
        ]
        await gallery.assets.create(assets)
        posts = [
            NewPost(new_id(), Viewer(fans[0]), asset.id, "A post", None, ("a", "b"), True, None)
            for asset in assets
        ]
        await gallery.posts.create(posts)
        counts = Counts()
        reader = Replica(standby, database)
        reader.measured_by(counts)
        keeping = asyncio.create_task(reader.keep())
        while not reader.fit:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for likes_a_second in (0, 500):
            for readers in (1, 16):
                for where, reads in (("primary", database), ("replica", reader)):
                    database.read_from(reads)
                    counts.clear()
                    feed = Gallery(database).feed
                    writer = asyncio.create_task(_likes(gallery, posts, fans, likes_a_second))
                    took: list[float] = []
                    before, began = _primarys_cpu(), time.perf_counter()
                    await asyncio.gather(*(_walk(feed, fans, took) for _ in range(readers)))
                    seconds = time.perf_counter() - began
                    cpu = _primarys_cpu() - before
                    writer.cancel()
                    took.sort()
                    share = counts["replica"] / max(counts.total(), 1)
                    print(
                        f"{likes_a_second} likes/s, {readers} readers, {where}:"
                        f" {len(took) / seconds:,.0f} pages/s,"
                        f" p50 {took[len(took) // 2] * 1000:.1f} ms,"
                        f" p99 {took[len(took) * 99 // 100] * 1000:.1f} ms,"
                        f" {cpu / len(took) * 1e6:.0f} µs of the primary's CPU a page,"
                        f" {share:.0%} by the replica"
                    )
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


class Counts(Counter[str]):
    """Counts where was read."""

    def read(self, server: str) -> None:
        self[server] += 1

    def caught_up(self, seconds: float) -> None: ...


async def _likes(gallery: Gallery, posts: list[NewPost], fans: list[UUID], a_second: int) -> None:
    turns = zip(cycle(posts), cycle(fans), cycle((True, True, False)), strict=False)
    while a_second:
        await asyncio.sleep(1 / a_second)
        post, fan, liked = next(turns)
        await gallery.likes.submit(Like(post.id, Viewer(fan), liked))


async def _walk(feed: Feed, fans: list[UUID], took: list[float]) -> None:
    until = time.perf_counter() + SECONDS
    turns = zip(cycle(fans), cycle(range(1, 6)), strict=False)
    while (began := time.perf_counter()) < until:
        fan, number = next(turns)
        await feed.page(Order.RECENT, Viewer(fan), page=number)
        took.append(time.perf_counter() - began)


def _primarys_cpu() -> float:
    """Seconds that all processes of the primary have used so far."""
    (server,) = (
        each for each in psutil.Process().children() if each.cmdline()[2].endswith("/postgres")
    )
    return sum(sum(each.cpu_times()[:2]) for each in (server, *server.children(recursive=True)))


async def main(folder: Path) -> None:
    for which in ("first", "second"):
        began = time.perf_counter()
        async with embedded_servers(folder) as servers:
            print(f"0004: {which} start of both servers: {time.perf_counter() - began:.2f} s")
            if which == "first":
                assert servers.database_url is not None
                await migrate(servers.database_url)
                for measure in (journal, json_or_jsonb, batches, views, marks):
                    print(measure.__doc__)
                    await measure(servers.database_url)
    async with embedded_servers(folder, valkey=False, replica=True) as servers:
        assert servers.database_url is not None
        assert servers.replica_url is not None
        print(replica.__doc__)
        await replica(servers.database_url, servers.replica_url)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="vernissage-") as temporary:
        Path(temporary).chmod(
            0o755
        )  # so that the servers' account reaches it when this runs as root
        asyncio.run(main(Path(temporary)))
