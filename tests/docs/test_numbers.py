"""The numbers in the documents are those of the code."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from gateway.auth import tokens
from gateway.composition import DATABASE_CONNECTIONS, MACHINE_CONNECTIONS
from gateway.delivery.hub import CHECK_SECONDS, CHECK_SECONDS_IN_DOUBT
from gateway.http.rest import BODY_BYTES
from gateway.http.runner import HEAD_LINE_BYTES
from gateway.limits import COMMANDS_AT_ONCE, COMMANDS_PER_SECOND
from gateway.logs import FLOOD_LINES
from gateway.protocol import TOPICS_PER_SOCKET
from gateway.sessions import EXPIRING_SECONDS
from gateway.settings import SECRET_BYTES, read_settings
from gateway.sockets.client import CONNECT_DEADLINE
from gateway.sockets.inbox import INBOX_BOUND
from gateway.sockets.packets import MAX_PACKETS, RESERVED_EVENTS
from gateway.sockets.server import CLOSED_PER_SECOND, DRAIN_WINDOW, HEED_SECONDS
from gateway.sockets.session import OUTBOX_BYTES, OUTBOX_PACKETS
from gateway.sockets.websocket import STALL_DEADLINE, WRITE_BUFFER_BYTES
from handlers.gallery.assets import PROMPT_MOST, URL_MOST
from handlers.gallery.comments import LONGEST
from handlers.gallery.operations import COMMENTS, FOLLOWS, LIKES, POSTS, REPORTS
from handlers.gallery.posts import DESCRIPTION_MOST, TAGS_MOST, TITLE_MOST
from handlers.paging import DEEPEST
from pubsub.line import HEARTBEAT_SECONDS
from store import pulse
from store.database import ACQUIRE_SECONDS
from store.gallery.comments import EDIT_WINDOW
from store.gallery.feed import COUNTED_MOST
from store.gallery.likes import LIKERS_SHOWN
from store.gallery.passing import RANKED_MOST
from store.gallery.trending import BEST
from store.idempotency import KEPT
from store.journal.partitions import RETENTION_DAYS
from store.journal.reading import REPLAY_ENTRIES
from tests.docs.inserts import DOCS

DEFAULTS = read_settings({})


def protocol() -> Iterator[str]:
    yield f"secret of at least {SECRET_BYTES} bytes"
    yield "text of 1 to 255 characters"
    yield f"at most {tokens.LONGEST_LIFE_SECONDS // 3600} hours after `iat`"
    yield f"cut to {tokens.NAME_CHARACTERS} characters"
    yield f"Clocks may differ by {tokens.LEEWAY_SECONDS} seconds"
    yield f"the end, plus {tokens.LEEWAY_SECONDS} seconds"
    assert EXPIRING_SECONDS == 60
    yield "Sixty seconds before the token expires"
    yield f"a list of those, at most {TOPICS_PER_SOCKET}"
    yield f"one socket may watch {TOPICS_PER_SOCKET} topics"
    yield f"more than {TOPICS_PER_SOCKET} topics"
    yield f"| {TOPICS_PER_SOCKET}, one's own included |"
    yield f"Up to {REPLAY_ENTRIES} events can be recovered, from the last {RETENTION_DAYS} days"
    assert OUTBOX_BYTES == WRITE_BUFFER_BYTES
    yield (
        f"({OUTBOX_BYTES // 1024} KiB, {OUTBOX_PACKETS} packets while polling, "
        f"or {STALL_DEADLINE:g} seconds without reading)"
    )
    yield f"after so many milliseconds, {HEED_SECONDS * 1000:g} or more"
    yield f"pings every {DEFAULTS.ping_interval:g} seconds"
    yield f"the answer within {DEFAULTS.ping_timeout:g}."
    yield f"has {CONNECT_DEADLINE:g} seconds to send its CONNECT"
    yield f"at most {BODY_BYTES // 1024} KiB when unpacked"
    yield f"| {BODY_BYTES // 1024} KiB |"
    yield f"each header may have {HEAD_LINE_BYTES:,} bytes"
    yield f"status and body, for {KEPT // timedelta(hours=1)} hours"
    yield f"`page` times `limit` may be {DEEPEST:,} at most"
    yield f"| {COMMANDS_PER_SECOND:g} a second, {COMMANDS_AT_ONCE} at once;"
    yield f"| {DEFAULTS.max_payload // 1024} KiB; the handshake"
    yield f"| {MAX_PACKETS} packets, and `maxPayload` bytes"
    yield f"the user has {DEFAULTS.sockets_per_user} sockets already"
    yield f"| sockets of one user | {DEFAULTS.sockets_per_user}"
    yield f"| {INBOX_BOUND}; after that"
    yield from (f"`{name}`" for name in sorted(RESERVED_EVENTS))


def gallery() -> Iterator[str]:
    yield f"A title has 1 to {TITLE_MOST} characters"
    yield f"a description up to {DESCRIPTION_MOST}"
    yield f"a comment 1 to {LONGEST:,}"
    yield f"a prompt up to {PROMPT_MOST:,}"
    yield f"at most {URL_MOST:,} characters"
    yield f"at most {TAGS_MOST} different ones"
    yield f"more than {TAGS_MOST} different tags"
    minutes = EDIT_WINDOW.total_seconds() / 60
    yield f"edited by their author for {minutes:g} minutes"
    yield f"older than {minutes:g} minutes"
    assert LIKERS_SHOWN == 3
    yield "The events name the newest three"
    yield f"the {BEST:,} best posts"
    yield f"Under filters counting stops at {COUNTED_MOST:,}"
    yield f"the newest {RANKED_MOST:,} are put into this order"
    yield (
        f"{POSTS.count} new posts, {COMMENTS.count} comments, "
        f"{LIKES.count} likes, {FOLLOWS.count} follows and {REPORTS.count} reports an hour"
    )


def operations() -> Iterator[str]:
    yield f"up to {DATABASE_CONNECTIONS} connections to PostgreSQL"
    yield f"all of a machine together {MACHINE_CONNECTIONS}"
    yield f"{CLOSED_PER_SECOND} a second, or more where the {DRAIN_WINDOW:g} seconds"
    yield f"lets in {DEFAULTS.connects_per_second} new connections a second"
    assert CHECK_SECONDS_IN_DOUBT == 0.5
    yield "with the journal twice a second"
    assert HEARTBEAT_SECONDS == 0.25
    yield "sends itself four times a second"
    assert pulse.BEAT_SECONDS == 0.5
    yield "a short question on a connection of its own every half second"
    yield f"answered for {pulse.ANSWER_SECONDS:g} seconds nor anything else"
    yield f"refused requests {FLOOD_LINES} of a kind are written in a second"
    yield f"at the last comparison, every {CHECK_SECONDS:g} seconds"
    yield f"after {ACQUIRE_SECONDS:g} seconds it is refused"


@pytest.mark.parametrize(
    ("page", "phrase"),
    [
        *(("protocol.md", phrase) for phrase in protocol()),
        *(("gallery.md", phrase) for phrase in gallery()),
        *(("operations.md", phrase) for phrase in operations()),
    ],
)
def test_a_number_is_what_the_code_says(page: str, phrase: str) -> None:
    """Whoever changes a limit is led to the sentence that tells of it."""
    text = re.sub(r"\s+", " ", (DOCS / page).read_text())
    assert phrase in text
