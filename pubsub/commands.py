"""The connection for commands: one that fails soon, for there is another way without Redis."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def open_redis(url: str, seconds: float) -> Redis:
    """A client that gives up on a command after so many seconds, and tries none again."""
    return Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )
