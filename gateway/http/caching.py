"""What a client keeps of an answer, and how it asks whether that still holds (RFC 9110, 9111).

Docs: docs/adr/0027-an-etag-is-a-hash-of-the-answer.md.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from aiohttp import hdrs
from aiohttp.web_request import Request

from handlers.actor import Actor

PERSONAL = "private, no-cache"
"""An answer to somebody with a token: kept by nobody else, and asked after each time."""
COMMON = "public, no-cache"
"""An answer to visitors: all get the same. It is asked after too, for what was hidden is gone at once."""

_TAG_BYTES = 12
_NUMBER = b"0123456789+-.eE"
_TAG = r'(?:W/)?"([^\x00-\x20\x7f"]*)"'
_TAGS = re.compile(rf"[ \t,]*{_TAG}[ \t]*(?:,[ \t]*(?:{_TAG}[ \t]*)?)*")
_EACH = re.compile(_TAG)


class Tagger:
    """Gives the answers of one operation their tags. `weak_fields` are numbers that do not count."""

    def __init__(self, weak_fields: Sequence[str]) -> None:
        self._weak = [b'"%b":' % name.encode() for name in weak_fields]

    def tag(self, body: bytes, actor: Actor) -> str:
        """The weak entity-tag of the answer `body` to this actor: another for any other answer."""
        told = body
        for name in self._weak:
            # Inside a text the quotes are escaped, so this is the name of a field and nothing else.
            before, *found = told.split(name)
            told = name.join([before, *(each.lstrip(_NUMBER) for each in found)])
        digest = sha256(told)
        if actor.id is not None:
            digest.update(actor.id.bytes)
        return f'W/"{urlsafe_b64encode(digest.digest()[:_TAG_BYTES]).decode()}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has the answer of this tag already: what `If-None-Match` says.

    Tags are compared weakly; a header that is no list of tags counts as none.
    """
    given = request.headers.getall(hdrs.IF_NONE_MATCH, ())
    if not given:
        return False
    listed = ",".join(given).strip(" \t")
    if listed == "*":
        return True
    if _TAGS.fullmatch(listed) is None:
        return False
    return _opaque(tag) in _EACH.findall(listed)


def cache_control(actor: Actor) -> str:
    """How an answer to this actor may be kept."""
    return COMMON if actor.id is None else PERSONAL


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/").strip('"')
