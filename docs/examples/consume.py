"""Follow the journal: how often each post was liked, kept in a file of SQLite beside it.

DATABASE_URL=postgresql://… python consume.py likes.db
"""

import asyncio
import os
import sqlite3
import sys

import msgspec

from store.consumers import consume


async def main(path):
    kept = sqlite3.connect(path)
    kept.execute("create table if not exists likes (post text primary key, likes int, seq int)")
    async with consume(os.environ["DATABASE_URL"], "likes", topics=["post:*"]) as batches:
        async for batch in batches:
            for entry in batch.entries:
                if entry.type in ("post:liked", "post:unliked") and entry.data is not None:
                    likes = msgspec.json.decode(entry.data)["like_count"]
                    # After a crash an entry may come again: the same, or an older one, changes nothing.
                    kept.execute(
                        "insert into likes values (?, ?, ?) on conflict (post) do update"
                        " set likes = excluded.likes, seq = excluded.seq where excluded.seq > seq",
                        (entry.topic, likes, entry.seq),
                    )
                elif entry.type == "post:deleted":
                    kept.execute("delete from likes where post = ?", (entry.topic,))
            kept.commit()  # what was done is safe first,
            await batch.commit()  # and then it is told
            print(f"{len(batch.entries)} entries, up to {batch.entries[-1].topic}", flush=True)


asyncio.run(main(sys.argv[1]))
