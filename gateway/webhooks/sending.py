"""One request to an endpoint, and what became of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import aiohttp
import msgspec
from aiohttp import hdrs

from gateway.webhooks.guard import Guard
from gateway.webhooks.signing import signature

SEND_SECONDS = 10.0
"""Within which an endpoint has to answer."""
CONNECT_SECONDS = 5.0
"""Within which a connection to it has to be open."""
READ_BYTES = 16_384
"""Of an answer that are read, so that the connection can be used again; nothing is done with them."""
RETRY_AFTER_SECONDS = 3_600.0
"""The longest time for which an endpoint may put us off."""
WHY_CHARACTERS = 200
"""Of what is kept of a failure."""

_encode = msgspec.json.Encoder().encode


class Outcome(Enum):
    """What became of a request."""

    TAKEN = "taken"
    """Answered with a 2xx."""
    REFUSED = "refused"
    """Answered with something that is about the message: a 4xx, or a redirect, which is not followed."""
    UNANSWERED = "unanswered"
    """No answer in time, or one that is about the endpoint: 408, 425, 429, 5xx."""
    GONE = "gone"
    """Answered with 410: it wants to hear nothing any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint said; `retry_after` is in seconds, where it asked for that."""

    outcome: Outcome
    why: str = ""
    retry_after: float | None = None


class Sender:
    """Sends entries to endpoints, by one pool of connections."""

    def __init__(self, guard: Guard) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=guard.socket_to),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=SEND_SECONDS, sock_connect=CONNECT_SECONDS),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def send(self, url: str, secrets: Sequence[str], entry: Any) -> Answer:
        """Tell an endpoint of an entry (a store's `Told`), signed by each of the secrets."""
        body, now = body_of(entry), int(time.time())
        headers = {
            hdrs.CONTENT_TYPE: "application/json",
            hdrs.USER_AGENT: "Vernissage",
            "webhook-id": entry.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(secrets, entry.id, now, body),
        }
        try:
            async with self._http.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                await answer.content.read(READ_BYTES)
                return _judged(answer.status, answer.headers.get(hdrs.RETRY_AFTER, ""))
        except TimeoutError:
            return Answer(Outcome.UNANSWERED, f"no answer within {SEND_SECONDS:g} seconds")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            return Answer(Outcome.UNANSWERED, why[:WHY_CHARACTERS])


def body_of(entry: Any) -> bytes:
    """The entry as its receiver gets it: its moment is called `timestamp`, as the standard has it."""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return _encode({"type": fields.pop("type"), "timestamp": fields.pop("at"), **fields})


def _judged(status: int, retry_after: str) -> Answer:
    if 200 <= status < 300:
        return Answer(Outcome.TAKEN)
    if status == 410:
        return Answer(Outcome.GONE, "answered 410: it wants to hear nothing any more")
    seconds = None
    if retry_after.isascii() and retry_after.isdigit():
        seconds = min(float(retry_after), RETRY_AFTER_SECONDS)
    about_itself = status >= 500 or status in (408, 425, 429)
    outcome = Outcome.UNANSWERED if about_itself else Outcome.REFUSED
    return Answer(outcome, f"answered {status}", seconds)
