"""Public keys from a JWKS (RFC 7517), in a file or behind a URL: cached, fetched once at a time."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway.auth.tokens import unauthenticated
from handlers.operation import Refusal

FRESH_SECONDS = 600.0
"""How long a fetched set is good without asking again."""
COOLDOWN_SECONDS = 10.0
"""The least time between two fetches, however many unknown `kid`s are shown."""
FETCH_SECONDS = 5.0
"""Within which the set has to be there."""
LARGEST_SET_BYTES = 256 * 1024
"""Of a set; past it the fetch has failed."""

_KINDS = {"RS256": RSAPublicKey, "ES256": EllipticCurvePublicKey, "EdDSA": Ed25519PublicKey}

_log = structlog.get_logger(__name__)


class _Published(msgspec.Struct):
    """RFC 7517 § 5."""

    keys: list[dict[str, Any]]


class KeySet:
    """The keys that `source` (a path or a URL) publishes for one algorithm.

    A `kid` that is not known makes it look again, so that keys can be rotated; while the source cannot be
    read, the last set that could goes on being used.
    """

    def __init__(
        self, source: str, algorithm: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._algorithm = algorithm
        self._clock = clock
        self._keys: Mapping[str | None, Any] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, header: Mapping[str, Any]) -> Any:
        """The public key that a token's header names. Raises Refusal where there is none."""
        kid = header.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise unauthenticated("has a `kid` that is not text")
        if self._pick(kid) is None:
            if (fetching := self._fetch_soon()) is not None:
                await asyncio.shield(fetching)
        elif self._is_stale():
            self._fetch_soon()  # meanwhile the key that is known will do
        if self._fetched_at is None:
            raise Refusal(
                "UNAVAILABLE", "The keys that check tokens cannot be had just now.", retry_after=5.0
            )
        key = self._pick(kid)
        if key is None:
            raise unauthenticated("is signed with a key that is not known here")
        return key

    def _pick(self, kid: str | None) -> Any:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _is_stale(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at > FRESH_SECONDS

    def _fetch_soon(self) -> "asyncio.Task[None] | None":
        """The one fetch that is under way; None where the last one is too short a time ago."""
        if self._fetching is None:
            if self._tried_at is not None and self._clock() - self._tried_at < COOLDOWN_SECONDS:
                return None
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            published = msgspec.json.decode(await self._read(), type=_Published)
            keys = {
                member.get("kid"): key
                for member in published.keys
                if (key := self._public_key(member)) is not None
            }
            if not keys:
                raise ValueError(f"no public key for {self._algorithm}")
        except Exception as error:  # whatever stands there, the keys known so far stay good
            _log.warning("the JWKS cannot be used", source=self._source, error=repr(error))
        else:
            self._keys = keys
            self._fetched_at = self._clock()
        finally:
            self._fetching = None

    def _public_key(self, member: Mapping[str, Any]) -> Any:
        """The key, if it is one to check signatures of this algorithm with; a set may hold others."""
        alg, use, kid = member.get("alg"), member.get("use"), member.get("kid")
        if alg not in (None, self._algorithm) or use not in (None, "sig"):
            return None
        if not isinstance(kid, str | None):
            return None
        try:
            key = jwt.PyJWK(dict(member), self._algorithm).key
        except Exception:  # of another type, or not a key at all
            return None
        if not isinstance(key, _KINDS[self._algorithm]):
            _log.error("a key in the JWKS is not a public one", source=self._source, kid=kid)
            return None
        if isinstance(key, EllipticCurvePublicKey) and not isinstance(key.curve, SECP256R1):
            return None
        return key

    async def _read(self) -> bytes:
        if not self._source.startswith(("http://", "https://")):
            return await asyncio.to_thread(Path(self._source).read_bytes)
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self._source, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > LARGEST_SET_BYTES:
                    raise ValueError(f"more than {LARGEST_SET_BYTES} bytes")
            return bytes(body)
