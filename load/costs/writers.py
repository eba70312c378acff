"""How long likes of one post take when many workers write them: each has a batcher, and all wait for the post's row."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg

from load.feeds.generator import SMALLEST, generate
from load.latency import Spread
from store.cursors import CursorKey
from store.database import Database, open_database
from store.gallery.likes import Like, Likes
from store.ids import new_id
from store.refusal import Refusal
from store.viewer import Viewer

WRITERS = (1, 4, 16, 64)
RATE = 200.0
"""Likes a second, from all writers together."""
SECONDS = 6.0
ALONE = 60
"""Likes one after the other, to see how long a batch holds the row."""


@dataclass(frozen=True, slots=True)
class Contention:
    """What `writers` made of `rate` likes a second on one post, where a lone batch takes `hold`; seconds."""

    writers: int
    rate: float
    seconds: float
    hold: float
    p50: float
    p99: float
    refused: float
    """The share of all likes."""

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 6) for name, value in asdict(self).items()}


async def contention(url: str, superuser_url: str) -> list[Contention]:
    """Of a migrated database that is empty; writers share this process, and the machine with PostgreSQL."""
    await generate(superuser_url, scale=SMALLEST)
    users = [new_id() for _ in range(round(RATE * SECONDS) + ALONE)]
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.executemany(
            "insert into users (id, external_id, display_name) values ($1, $2, $3)",
            [(user, f"user-{n}", f"User {n}") for n, user in enumerate(users)],
        )
        rows = await connection.fetch(
            "select id from community_posts where not is_hidden limit $1", len(WRITERS)
        )
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()
    found = []
    for count, row in zip(WRITERS, rows, strict=True):
        async with open_database(url, connections=count + 2) as database:
            found.append(await _write(database, count, row["id"], users))
    return found


async def _write(database: Database, count: int, post: UUID, users: Sequence[UUID]) -> Contention:
    writers = [Likes(database, CursorKey(database)) for _ in range(count)]
    alone = []
    for user in users[:ALONE]:
        began = time.perf_counter()
        await writers[0].submit(Like(post, Viewer(user), True))
        alone.append(time.perf_counter() - began)
    acks: list[float] = []
    refused = 0

    async def one(writer: Likes, user: UUID) -> None:
        nonlocal refused
        began = time.perf_counter()
        try:
            await writer.submit(Like(post, Viewer(user), True))
        except Refusal:
            refused += 1
        else:
            acks.append(time.perf_counter() - began)

    chance = random.Random(1)  # noqa: S311 (a load, no secret)
    due = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for user in users[ALONE:]:
            due += chance.expovariate(RATE)
            await asyncio.sleep(max(due - time.perf_counter(), 0.0))
            group.create_task(one(chance.choice(writers), user))
    spread, total = Spread.of(acks), len(users) - ALONE
    return Contention(
        count, RATE, SECONDS, median(alone), spread.at(0.5), spread.at(0.99), refused / total
    )
