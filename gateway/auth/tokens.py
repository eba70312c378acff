"""Tokens: what is asked of one, and what it says of its bearer. Rules: protocol.md, "Connecting"."""

import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import jwt
import msgspec

from gateway.settings import SHARED_KEY, Settings
from handlers.actor import Role
from handlers.operation import Refusal

LEEWAY_SECONDS = 5
"""By how much the issuer's clock and ours may differ."""
LONGEST_LIFE_SECONDS = 24 * 3600
"""From a token's `iat`, or from now, to its `exp`."""
LONGEST_TOKEN_CHARACTERS = 8_192
"""A longer one is not looked at."""
REMEMBERED_SECONDS = 60.0
"""How long a good token counts as good without looking at its signature again."""
REMEMBERED_TOKENS = 20_000
"""Past it the oldest are checked anew."""
NAME_CHARACTERS = 100
"""To which a display name is cut."""

_TYPES = frozenset({"JWT", "AT+JWT"})
_UNSHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Controls, bidirectional ones too, and lone surrogates."""
_PICTURE = re.compile(r"(https?://|/media/)[!-~]{1,1990}")


class Claims(msgspec.Struct, frozen=True):
    """What a valid token says. `expires_at` and `issued_at` are Unix times in seconds."""

    user_id: UUID
    subject: str
    expires_at: float
    issued_at: float | None
    token_id: str | None
    role: Role | None
    name: str | None
    picture: str | None
    tier: str | None


class Keys(Protocol):
    """Where the key that checks a token comes from."""

    async def find(self, header: Mapping[str, Any]) -> Any:
        """The key that this header names; raises Refusal for one that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class SharedKey:
    """The one secret of HS256."""

    secret: str

    async def find(self, header: Mapping[str, Any]) -> str:
        return self.secret


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks tokens against one algorithm, one issuer and one audience."""

    algorithm: str
    issuer: str
    audience: str
    keys: Keys
    clock: Callable[[], float] = time.time
    _remembered: dict[str, tuple[Claims, float]] = field(default_factory=dict)

    async def verify(self, token: str) -> Claims:
        """The claims of a valid token. Raises Refusal: `TOKEN_EXPIRED`, else `UNAUTHENTICATED`.

        A token that was good within the last REMEMBERED_SECONDS is asked for its expiry alone.
        """
        now = self.clock()
        claims, checked_at = self._remembered.get(token, (None, 0.0))
        if claims is None or not 0 <= now - checked_at < REMEMBERED_SECONDS:
            claims = await self._check(token)
            while len(self._remembered) >= REMEMBERED_TOKENS:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[token] = claims, now
        elif claims.expires_at + LEEWAY_SECONDS <= now:
            raise _expired()
        return claims

    async def _check(self, token: str) -> Claims:
        if len(token) > LONGEST_TOKEN_CHARACTERS:
            raise unauthenticated(f"is longer than {LONGEST_TOKEN_CHARACTERS} characters")
        try:
            header = jwt.get_unverified_header(token)
            self._check_header(header)
            payload = jwt.decode(
                token,
                await self.keys.find(header),
                algorithms=[self.algorithm],
                issuer=self.issuer,
                audience=self.audience,
                leeway=LEEWAY_SECONDS,
                # Times are checked below, by this verifier's clock.
                options={
                    "require": ["iss", "aud", "sub", "exp"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "enforce_minimum_key_length": True,
                },
            )
        except jwt.MissingRequiredClaimError as error:
            raise unauthenticated(f"lacks the claim `{error.claim}`") from error
        except jwt.InvalidIssuerError as error:
            raise unauthenticated(f"has another issuer than `{self.issuer}`") from error
        except jwt.InvalidAudienceError as error:
            raise unauthenticated(f"has another audience than `{self.audience}`") from error
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise unauthenticated("is not a valid one") from error
        return self._claims(payload)

    def _check_header(self, header: Mapping[str, Any]) -> None:
        if header.get("alg") != self.algorithm:
            raise unauthenticated(f"is not signed with {self.algorithm}")
        if "crit" in header:
            raise unauthenticated("names critical extensions, and none is understood here")
        kind = header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.upper() not in _TYPES:
            raise unauthenticated("is not of type JWT")

    def _claims(self, payload: Mapping[str, Any]) -> Claims:
        now = self.clock()
        expires_at = _time(payload, "exp")
        assert expires_at is not None
        issued_at, not_before = _time(payload, "iat"), _time(payload, "nbf")
        if expires_at + LEEWAY_SECONDS <= now:
            raise _expired()
        if any(at is not None and at > now + LEEWAY_SECONDS for at in (issued_at, not_before)):
            raise unauthenticated("is not valid yet")
        if expires_at - (now if issued_at is None else issued_at) > LONGEST_LIFE_SECONDS + (
            LEEWAY_SECONDS if issued_at is None else 0
        ):
            raise unauthenticated(f"lives longer than {LONGEST_LIFE_SECONDS} seconds")
        subject = payload["sub"]
        if not isinstance(subject, str) or not is_subject(subject):
            raise unauthenticated(f"has no usable `sub`: {SUBJECT_RULE} is")
        return Claims(
            user_id=user_id_of(subject, self.issuer),
            subject=subject,
            expires_at=expires_at,
            issued_at=issued_at,
            token_id=_text(payload, "jti", 255),
            role=_role(payload.get("role")),
            name=_text(payload, "name", NAME_CHARACTERS),
            picture=_picture(payload),
            tier=_text(payload, "tier", 50),
        )


SUBJECT_RULE = "text of 1 to 255 characters"


def is_subject(name: str) -> bool:
    """Whether a token may name its user so."""
    return 0 < len(name) <= 255 and not _UNSHOWN.search(name)


def user_id_of(subject: str, issuer: str) -> UUID:
    """The user's id: the `sub` itself where it is a UUID, else one made from issuer and `sub`."""
    try:
        identifier = UUID(subject)
    except ValueError:
        return uuid5(uuid5(NAMESPACE_URL, issuer), subject)
    if str(identifier) == subject.lower():
        return identifier
    return uuid5(uuid5(NAMESPACE_URL, issuer), subject)


def mint(settings: Settings, user: str, role: str, ttl: int) -> str:
    """A token for development, signed with the shared secret; `ttl` is in seconds."""
    now = time.time()
    claims: dict[str, Any] = {
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "sub": user,
        "jti": uuid4().hex,
        "iat": now,  # in fractions, so that whoever signs out everywhere may sign in again at once
        "exp": int(now) + ttl,
    }
    if role != Role.USER:
        claims["role"] = role
    return jwt.encode(claims, settings.jwt_secret, SHARED_KEY)


def _expired() -> Refusal:
    return Refusal("TOKEN_EXPIRED", "The token has expired: get a new one.")


def unauthenticated(why: str) -> Refusal:
    """The token is no good; what is wrong with it is told, never what is in it."""
    return Refusal("UNAUTHENTICATED", f"The token {why}.")


def _time(payload: Mapping[str, Any], claim: str) -> float | None:
    value = payload.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise unauthenticated(f"has a `{claim}` that is not a time in seconds")
    return float(value)


def _text(payload: Mapping[str, Any], claim: str, most: int) -> str | None:
    """An optional claim as text; what cannot be used counts as not said."""
    value = payload.get(claim)
    if not isinstance(value, str):
        return None
    return unicodedata.normalize("NFC", _UNSHOWN.sub("", value)).strip()[:most].strip() or None


def _picture(payload: Mapping[str, Any]) -> str | None:
    """The address of a picture, on the web or among the gateway's own; anything else counts as not said."""
    value = payload.get("picture")
    return value if isinstance(value, str) and _PICTURE.fullmatch(value) else None


def _role(value: object) -> Role | None:
    if value is None:
        return None
    try:
        return Role(value)  # type: ignore[arg-type]
    except ValueError:
        return Role.USER
