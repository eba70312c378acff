"""Assets: what a creator made and may share."""

import re
from typing import Annotated
from urllib.parse import unquote, urlsplit

import msgspec

from handlers.operation import Call
from handlers.paging import PageQuery
from handlers.text import clean_text, written
from handlers.validation import ClientId, check_client_id, invalid
from store.cursors import Page
from store.gallery import Gallery
from store.gallery.assets import NewAsset
from store.gallery.shapes import Asset, AssetType
from store.ids import new_id
from store.refusal import Refusal

URL_MOST = 2_000
"""Characters of an asset's address."""
PROMPT_MOST = 4_000
"""Characters of an asset's prompt."""
MEDIA = "/media/"

_STEP = r"[A-Za-z0-9_~-][A-Za-z0-9._~!$&'()*+,;=:@-]*"
_AN_URL = (
    r"^\s*(https?://([A-Za-z0-9._~!$&'()*+,;=:%-]*@)?[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]{1,4})?"
    rf"([/?#][!#-;=?-\[\]_a-z~]*)?|{MEDIA}{_STEP}(/{_STEP})*)\s*$"
)
"""The URLs of the usual forms; `check_url` has the last word."""
_NOT_IN_A_URL = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")


Url = Annotated[
    str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": URL_MOST, "pattern": _AN_URL})
]
Prompt = Annotated[str, written(most=PROMPT_MOST)]


class CreateAsset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url` is an http(s) URL, or a path of this gateway's own below `/media/`.

    A prompt of nothing is none. `id` is the client's own, a UUIDv7: then a retry makes no second asset.
    """

    asset_type: AssetType
    url: Url
    prompt: Prompt | None = None
    id: ClientId | None = None

    def __post_init__(self) -> None:
        url = check_url(clean_text(self.url, "url", least=1, most=URL_MOST))
        prompt = clean_text(self.prompt or "", "prompt", least=0, most=PROMPT_MOST)
        msgspec.structs.force_setattr(self, "url", url)
        msgspec.structs.force_setattr(self, "prompt", prompt or None)
        if self.id is not None:
            check_client_id(self.id)


async def create(call: Call[Gallery], command: CreateAsset) -> Asset:
    """The actor keeps something that they made."""
    asset = NewAsset(
        id=command.id or new_id(),
        user_id=call.actor.user_id,
        asset_type=command.asset_type,
        url=command.url,
        prompt=command.prompt,
    )
    (answer,) = await call.store.assets.create([asset])
    if isinstance(answer, Refusal):
        raise answer
    call.changed = answer.changed
    return answer.asset


async def mine(call: Call[Gallery], query: PageQuery) -> Page[Asset]:
    """What the actor made, newest first, shared or not."""
    return await call.store.assets.of_user(call.actor.user_id, **query.paging)


def check_url(url: str) -> str:
    """`url` as it is; raises VALIDATION_ERROR unless an asset may have it."""
    if _NOT_IN_A_URL.search(url):
        raise invalid("url", "must be a URL: other characters than RFC 3986's are percent-encoded")
    if url.startswith(MEDIA):
        return _check_media_path(url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise invalid("url", "must be a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise invalid("url", f"must be an http or https URL, or a path below {MEDIA}")
    return url


def _check_media_path(path: str) -> str:
    plain = unquote(path)
    segments = plain.removeprefix(MEDIA).split("/")
    if not {"", ".", ".."}.isdisjoint(segments) or not plain.isprintable() or "\\" in plain:
        raise invalid("url", f"must be a plain path below {MEDIA}, without empty or dotted steps")
    return path
