"""What the journal has, as the events that it makes: the measure of what screens were told."""

from datetime import UTC
from typing import Any

import msgspec

from store.database import Database
from tests.screens import Event


async def journal_of(database: Database, topic: str, after: int = 0) -> list[Event]:
    """All entries of a topic after a position, in order."""
    rows = await database.fetch(
        "select type, data, seq, created_at from events where topic = $1 and seq > $2 order by seq",
        topic,
        after,
    )
    return [
        Event(row["type"], _decoded(row["data"]), {"topic": topic, "seq": row["seq"], "at": at})
        for row in rows
        for at in [row["created_at"].astimezone(UTC).isoformat().replace("+00:00", "Z")]
    ]


def _decoded(data: str | None) -> Any:
    return None if data is None else msgspec.json.decode(data)
