"""Cursors: where a reader stands in a listing, opaque and signed.

A cursor is base64url of a truncated HMAC-SHA256 and the position in MessagePack. The signature covers
the listing's name and its filters too, so a cursor works for the listing that gave it and no other.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

import msgspec

from store.fields import Count
from store.journal import Journal
from store.refusal import Refusal

if TYPE_CHECKING:
    from store.database import Database

P = TypeVar("P")
T = TypeVar("T")

Filter = str | int | bool | UUID | None | Sequence[str]

LONGEST = 256
"""Characters; no cursor of ours is longer."""

_SIGNATURE_BYTES = 12
_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a listing. `total` may be up to a minute old; `page` counts from 1.

    `next_cursor` is there exactly when `has_more` is true.
    """

    items: list[T]
    total: Count
    page: int
    limit: int
    has_more: bool
    next_cursor: str | None


class Listing(Generic[P]):
    """A listing in one order, and the cursors into it; `P` is the keyset position of a row."""

    def __init__(self, name: str, position: type[P]) -> None:
        self.name = name
        self._decode = msgspec.msgpack.Decoder(position).decode

    def cursor(self, key: bytes, position: P, filters: Sequence[Filter] = ()) -> str:
        """The cursor for what follows `position` in this listing under these filters."""
        packed = _encode(position)
        return urlsafe_b64encode(self._sign(key, packed, filters) + packed).decode().rstrip("=")

    def position(self, key: bytes, cursor: str, filters: Sequence[Filter] = ()) -> P:
        """The position that `cursor` stands for.

        Raises INVALID_CURSOR for whatever this listing did not give out under the same filters.
        """
        raw = _bytes_of(cursor)
        signature, packed = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(key, packed, filters)):
            raise invalid_cursor()
        try:
            return self._decode(packed)
        except msgspec.DecodeError:  # given out by a release whose positions looked different
            raise invalid_cursor() from None

    def _sign(self, key: bytes, packed: bytes, filters: Sequence[Filter]) -> bytes:
        scope = _encode((self.name, filters))
        signed = len(scope).to_bytes(4, "big") + scope + packed
        code = _keyed(key).copy()
        code.update(signed)
        return code.digest()[:_SIGNATURE_BYTES]


class CursorKey:
    """The secret that signs cursors: kept in the database, so the same on every node; read once."""

    def __init__(self, database: "Database") -> None:
        self._journal = Journal(database)
        self._key: bytes | None = None

    async def get(self) -> bytes:
        """The key; the first call asks the database."""
        if self._key is None:
            self._key = await self._journal.cursor_key()
        return self._key


@lru_cache(maxsize=8)
def _keyed(key: bytes) -> hmac.HMAC:
    """The code with its key worked in, of which each signature takes a copy: half of what it costs."""
    return hmac.new(key, digestmod=hashlib.sha256)


def invalid_cursor() -> Refusal:
    """The cursor was not given out by this listing, or what it points into is gone."""
    return Refusal(
        "INVALID_CURSOR",
        "This cursor is not valid here, or not any more: begin again without one.",
    )


def _bytes_of(cursor: str) -> bytes:
    if len(cursor) > LONGEST:
        raise invalid_cursor()
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (Base64Error, ValueError):
        raise invalid_cursor() from None
    # Python's decoder skips foreign characters: only the one spelling that we gave out counts.
    if urlsafe_b64encode(raw).decode().rstrip("=") != cursor:
        raise invalid_cursor()
    return raw
