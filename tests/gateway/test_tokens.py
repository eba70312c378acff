"""Tokens: what is refused, and what a valid one says. protocol.md, "Connecting"; RFC 8725."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.recognition import FRESH_SECONDS, RENEWED_SECONDS, Recognition, is_revoked
from gateway.auth.tokens import (
    LEEWAY_SECONDS,
    REMEMBERED_SECONDS,
    Claims,
    SharedKey,
    Verifier,
    user_id_of,
)
from handlers.actor import Role
from store.refusal import Refusal
from tests.waiting import until

NOW = 1_800_000_000
SECRET = "0123456789abcdef-0123456789abcdef"  # noqa: S105
ISSUER, AUDIENCE = "https://id.example.org", "gallery"
VERIFIER = Verifier("HS256", ISSUER, AUDIENCE, SharedKey(SECRET), clock=lambda: NOW)
RSA_KEY = rsa.generate_private_key(65_537, 2_048)
RSA_PEM = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


class FixedKey:
    """Keys of which there is only one."""

    def __init__(self, key: Any) -> None:
        self._key = key

    async def find(self, header: Any) -> Any:
        return self._key


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims with some changed; `...` takes one away."""
    base = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": NOW, "exp": NOW + 900}
    return {name: value for name, value in {**base, **changed}.items() if value is not ...}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: Any, payload: Any, secret: bytes = SECRET.encode()) -> str:
    """A token as no library would make it: any header and any payload, rightly signed (HS256)."""
    texts = [part if isinstance(part, str) else json.dumps(part) for part in (header, payload)]
    signing_input = ".".join(b64(text.encode("utf-8", "surrogatepass")) for text in texts)
    digest = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{b64(digest)}"


def token(header: dict[str, Any] | None = None, **changed: Any) -> str:
    return signed({"alg": "HS256", "typ": "JWT", **(header or {})}, claims(**changed))


async def accepted(shown: str, verifier: Verifier = VERIFIER) -> Claims:
    return await verifier.verify(shown)


async def refused(shown: str, verifier: Verifier = VERIFIER) -> str:
    """The code with which the token is refused; what it says is not told."""
    with pytest.raises(Refusal) as caught:
        await verifier.verify(shown)
    assert caught.value.details == {}
    return caught.value.code


async def test_a_good_token() -> None:
    """It says who its bearer is and how long it is good."""
    said = await accepted(token(jti="t1", name="Ada", tier="pro", role="moderator"))
    assert said == Claims(
        user_id=user_id_of("ada", ISSUER),
        subject="ada",
        expires_at=NOW + 900,
        issued_at=NOW,
        token_id="t1",  # noqa: S106
        role=Role.MODERATOR,
        name="Ada",
        picture=None,
        tier="pro",
    )


async def test_the_optional_claims_may_be_missing() -> None:
    """`iat`, `jti`, `name`, `picture`, `role` and `tier` are None where nothing is said."""
    said = await accepted(token(iat=...))
    assert (said.issued_at, said.token_id, said.role) == (None, None, None)
    assert (said.name, said.picture, said.tier) == (None, None, None)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, 5, ["HS256"], {}])
async def test_an_unsigned_token_is_refused(alg: Any) -> None:
    """`none` is no algorithm, however it is spelt, with and without a signature."""
    header = {"alg": alg, "typ": "JWT"}
    whole = signed(header, claims())
    assert await refused(whole) == "UNAUTHENTICATED"
    assert await refused(whole.rpartition(".")[0] + ".") == "UNAUTHENTICATED"
    assert await refused(whole.rpartition(".")[0]) == "UNAUTHENTICATED"


@pytest.mark.parametrize("alg", ["HS384", "HS512", "RS256", "ES256", "EdDSA", "PS256", "hs256"])
async def test_another_algorithm_is_refused(alg: str) -> None:
    """Exactly one algorithm is configured; the header chooses nothing."""
    assert await refused(token({"alg": alg})) == "UNAUTHENTICATED"
    if alg in ("HS384", "HS512"):
        assert await refused(jwt.encode(claims(), SECRET * 2, alg)) == "UNAUTHENTICATED"


async def test_a_public_key_is_no_secret() -> None:
    """A token signed by HMAC with the published RSA key is no RS256 token, whatever its header says."""
    verifier = Verifier("RS256", ISSUER, AUDIENCE, FixedKey(RSA_KEY.public_key()), lambda: NOW)
    for alg in ("HS256", "RS256"):
        forged = signed({"alg": alg, "typ": "JWT"}, claims(), RSA_PEM)
        assert await refused(forged, verifier) == "UNAUTHENTICATED"
    assert await accepted(jwt.encode(claims(), RSA_KEY, "RS256"), verifier)


async def test_a_published_key_cannot_be_the_shared_secret() -> None:
    """Even if an operator gave a public key as the secret, it opens nothing."""
    verifier = Verifier("HS256", ISSUER, AUDIENCE, SharedKey(RSA_PEM.decode()), lambda: NOW)
    forged = signed({"alg": "HS256", "typ": "JWT"}, claims(), RSA_PEM)
    assert await refused(forged, verifier) == "UNAUTHENTICATED"


async def test_a_weak_secret_is_not_used() -> None:
    """A key shorter than the hash checks nothing, not even what it signed."""
    verifier = Verifier("HS256", ISSUER, AUDIENCE, SharedKey("short"), lambda: NOW)
    assert await refused(signed({"alg": "HS256"}, claims(), b"short"), verifier) == (
        "UNAUTHENTICATED"
    )


async def test_another_secret_or_a_changed_claim_is_refused() -> None:
    """The signature covers header and claims."""
    assert await refused(signed({"alg": "HS256"}, claims(), b"another" * 8)) == "UNAUTHENTICATED"
    header, _, signature = token().split(".")
    changed = b64(json.dumps(claims(role="admin")).encode())
    assert await refused(f"{header}.{changed}.{signature}") == "UNAUTHENTICATED"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "AT+JWT"])
async def test_access_tokens_are_welcome(typ: str) -> None:
    """Of type JWT, or an OAuth access token (RFC 9068)."""
    assert await accepted(token({"typ": typ}))


@pytest.mark.parametrize("typ", ["dpop+jwt", "logout+jwt", "JWE", "", None, 5, ["JWT"]])
async def test_a_token_of_another_type_is_refused(typ: Any) -> None:
    """A token made for something else is not taken for an access token."""
    assert await refused(token({"typ": typ})) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": None},
        {"b64": False, "crit": ["b64"]},
        {"b64": False},
        {"kid": 5},
        {"kid": ["a"]},
    ],
)
async def test_a_header_that_asks_for_more_is_refused(header: dict[str, Any]) -> None:
    """Critical extensions, detached payloads, a `kid` that is not text."""
    assert await refused(token(header)) == "UNAUTHENTICATED"


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp"])
@pytest.mark.parametrize("value", [..., None])
async def test_a_required_claim_is_missing(claim: str, value: Any) -> None:
    """Each of them is required, and null is not a value."""
    assert await refused(token(**{claim: value})) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example.org"},
        {"iss": [ISSUER]},
        {"iss": ISSUER + "/"},
        {"iss": 5},
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": []},
        {"aud": [AUDIENCE, 5]},
        {"aud": {"gallery": 1}},
        {"aud": 5},
        {"aud": AUDIENCE + " "},
    ],
)
async def test_another_issuer_or_audience_is_refused(wrong: dict[str, Any]) -> None:
    """A token for somebody else, or of somebody else."""
    assert await refused(token(**wrong)) == "UNAUTHENTICATED"


async def test_a_token_for_several_audiences() -> None:
    """One of them is this gateway."""
    assert await accepted(token(aud=["another", AUDIENCE]))


@pytest.mark.parametrize(
    "sub",
    [5, True, ["ada"], {"id": "ada"}, "", "x" * 256, "a\0b", "a\nb", "\u202eada", "\ud800", 1.5],
)
async def test_a_subject_that_names_nobody_is_refused(sub: Any) -> None:
    """It is text of 1 to 255 characters, without controls."""
    assert await refused(token(sub=sub)) == "UNAUTHENTICATED"


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value",
    ["1800000900", True, [], {}, -1, 1e300, "NaN", "Infinity", "-Infinity", 10**400, 1e11],
)
async def test_a_time_that_is_none_is_refused(claim: str, value: Any) -> None:
    """Times are seconds since 1970, and no text, infinity or number beyond all calendars."""
    payload = json.dumps(claims(**{claim: "HERE"}))
    special = isinstance(value, str) and "n" in value.lower()
    text = payload.replace('"HERE"', value if special else json.dumps(value))
    assert await refused(signed({"alg": "HS256"}, text)) == "UNAUTHENTICATED"


async def test_expiry_has_five_seconds_of_leeway() -> None:
    """Up to there a token is good; from there on it has expired, and that is told apart."""
    assert await accepted(token(exp=NOW - 4.9, iat=NOW - 900))
    assert await refused(token(exp=NOW - 5, iat=NOW - 900)) == "TOKEN_EXPIRED"
    assert await refused(token(exp=0, iat=0)) == "TOKEN_EXPIRED"


@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_a_token_from_the_future_is_refused(claim: str) -> None:
    """Beyond the leeway it is not valid yet."""
    assert await accepted(token(**{claim: NOW + 5}))
    assert await refused(token(**{claim: NOW + 5.1})) == "UNAUTHENTICATED"


async def test_a_token_lives_a_day_at_most() -> None:
    """Counted from `iat`; without it from now, with the leeway."""
    day = 24 * 3600
    assert await accepted(token(exp=NOW + day))
    assert await refused(token(exp=NOW + day + 1)) == "UNAUTHENTICATED"
    assert await refused(token(iat=NOW - day, exp=NOW + 1)) == "UNAUTHENTICATED"
    assert await accepted(token(iat=..., exp=NOW + day + 5))
    assert await refused(token(iat=..., exp=NOW + day + 6)) == "UNAUTHENTICATED"
    assert await refused(token(iat=..., exp=9e10)) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("claimed", "role"),
    [
        ("user", Role.USER),
        ("moderator", Role.MODERATOR),
        ("admin", Role.ADMIN),
        ("ADMIN", Role.USER),
        ("superuser", Role.USER),
        ("", Role.USER),
        (5, Role.USER),
        (["admin"], Role.USER),
        ({"admin": True}, Role.USER),
        (True, Role.USER),
        (None, None),
    ],
)
async def test_roles(claimed: Any, role: Role | None) -> None:
    """Anything unknown counts as `user`; nothing said leaves it to the stored role."""
    assert (await accepted(token(role=claimed))).role == role


@pytest.mark.parametrize(
    ("claimed", "name"),
    [
        ("Ada", "Ada"),
        ("  Ada  ", "Ada"),
        ("A\u0000d\u202ea\u200f\x85", "Ada"),
        ("Ame\u0301lie", "Am\u00e9lie"),
        ("\ud83d", None),
        ("x" * 101, "x" * 100),
        ("x" * 99 + " y", "x" * 99),
        ("   ", None),
        ("", None),
        (5, None),
        (["Ada"], None),
    ],
)
async def test_names(claimed: Any, name: str | None) -> None:
    """Trimmed, in NFC, without controls, of 100 characters at most; what is left of nothing is None."""
    assert (await accepted(token(name=claimed))).name == name


@pytest.mark.parametrize(
    "picture",
    ["https://example.org/a.png?s=1", "http://example.org/a.png", "/media/avatars/ada.svg"],
)
async def test_pictures(picture: str) -> None:
    """An address on the web, or a picture of the gateway's own."""
    assert (await accepted(token(picture=picture))).picture == picture


@pytest.mark.parametrize(
    "picture",
    [
        "javascript:alert(1)",
        "data:text/html,<script>",
        "//example.org/a.png",
        "/etc/passwd",
        "https://example.org/a b",
        "https://example.org/\u202e",
        "https://example.org/\n",
        "https://example.org/" + "x" * 2_000,
        "",
        5,
        None,
    ],
)
async def test_what_is_no_picture_counts_as_not_said(picture: Any) -> None:
    """Nothing that a browser would run or misread becomes a portrait."""
    assert (await accepted(token(picture=picture))).picture is None


def test_a_subject_that_is_a_uuid_is_the_user() -> None:
    """Used as it is, in either case."""
    identifier = uuid4()
    assert user_id_of(str(identifier), ISSUER) == identifier
    assert user_id_of(str(identifier).upper(), ISSUER) == identifier


@pytest.mark.parametrize(
    "subject",
    [
        "ada",
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "{0190c7a2-1111-7000-8000-000000000000}",
        "urn:uuid:0190c7a2-1111-7000-8000-000000000000",
        "0190c7a2111170008000000000000000",
        " 0190c7a2-1111-7000-8000-000000000000",
        "0190c7a2-1111-7000-8000-00000000000\u0660",
        "\u00c5ngstr\u00f6m",
    ],
)
def test_any_other_subject_makes_one(subject: str) -> None:
    """One for each issuer and subject: uuid5(uuid5(NAMESPACE_URL, iss), sub)."""
    assert user_id_of(subject, ISSUER) == uuid5(uuid5(NAMESPACE_URL, ISSUER), subject)
    assert user_id_of(subject, ISSUER) != user_id_of(subject, "another")


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        ".",
        "..",
        "...",
        "garbage",
        "a.b.c",
        "é.é.é",
        "\ud800.\udfff.x",
        "eyJ.eyJ.eyJ",
        "A" * 8_193,
        "A" * 1_000_000,
        "\0",
        f" {token()}",
        f"{token()}\n",
        f"{token()}.{token()}",
        f"Bearer {token()}",
    ],
)
async def test_garbage_is_refused(garbage: str) -> None:
    """Whatever is no token, however long."""
    assert await refused(garbage) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ("[]", "{}"),
        ("null", "{}"),
        ("{", "{}"),
        ("[" * 3_000, "{}"),
        ('{"alg":"HS256","x":' + "[" * 3_000, "{}"),
        ('{"alg":"HS256"}', "[]"),
        ('{"alg":"HS256"}', "null"),
        ('{"alg":"HS256"}', ""),
        ('{"alg":"HS256"}', "[" * 3_000),
        ('{"alg":"HS256"}', '{"exp":' + "9" * 5_000 + "}"),
        ('{"alg":"HS256","alg":"none"}', "{}"),
    ],
)
async def test_a_token_that_is_no_jwt_inside_is_refused(header: str, payload: str) -> None:
    """Rightly signed nonsense: no object, too deep, too large a number."""
    assert await refused(signed(header, payload)) == "UNAUTHENTICATED"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
NAMES = ("iss", "aud", "sub", "exp", "iat", "nbf", "jti", "name", "picture", "role", "tier")


@given(
    st.fixed_dictionaries(
        {},
        optional={"alg": st.just("HS256") | anything, "typ": anything, "kid": anything},
    ),
    st.dictionaries(st.sampled_from(NAMES), anything, max_size=6),
)
async def test_no_claims_do_harm(header: dict[str, Any], changed: dict[str, Any]) -> None:
    """Whatever a signed token says, it is accepted or refused, and what is accepted is sound."""
    code = ""
    try:
        said = await accepted(token(header, **changed))
    except Refusal as refusal:
        code = refusal.code
    if code:
        assert code in ("UNAUTHENTICATED", "TOKEN_EXPIRED")
        return
    assert isinstance(said.user_id, UUID)
    assert NOW - 5 < said.expires_at <= NOW + 24 * 3600 + 5
    for text in (said.name, said.picture, said.tier, said.token_id, said.subject):
        assert text is None or text.encode()


@given(st.text(max_size=200) | st.lists(st.text(max_size=30), min_size=3, max_size=3).map(".".join))
async def test_no_text_does_harm(text: str) -> None:
    """Any text at all is refused, and by nothing else than a Refusal."""
    assert await refused(text) == "UNAUTHENTICATED"


# Whom a token belongs to


class Identities:
    """Counts how often the database is asked."""

    def __init__(self) -> None:
        self.asked: list[Claims] = []

    async def __call__(self, claims: Claims) -> str:
        self.asked.append(claims)
        return f"user {len(self.asked)}"


async def test_users_are_remembered_for_a_minute() -> None:
    """The same words of the same user ask once a minute; other words ask at once."""
    now = 0.0
    identities = Identities()
    recognize = Recognition(identities, clock=lambda: now)
    ada, renamed = await accepted(token()), await accepted(token(name="Ada L."))
    assert await recognize(ada) == await recognize(ada) == "user 1"
    assert await recognize(renamed) == "user 2"
    now = FRESH_SECONDS
    assert await recognize(ada) == "user 3"
    assert len(identities.asked) == 3


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound the oldest is asked for again."""
    monkeypatch.setattr("gateway.auth.recognition.REMEMBERED_USERS", 2)
    identities = Identities()
    recognize = Recognition(identities)
    people = [await accepted(token(sub=name)) for name in ("ada", "bob", "cleo")]
    for person in people:
        await recognize(person)
    await recognize(people[1])
    await recognize(people[2])
    assert len(identities.asked) == 3
    await recognize(people[0])
    assert len(identities.asked) == 4


async def test_whoever_was_here_until_now_comes_back_unasked() -> None:
    """For a minute after they left; but not for ever, however often they come and go."""
    now = 0.0
    identities = Identities()
    recognize = Recognition(identities, clock=lambda: now)
    ada = await accepted(token())
    recognize.renew(ada)  # nothing is known of her yet
    assert await recognize(ada) == "user 1"
    now = RENEWED_SECONDS - 1
    recognize.renew(ada)
    now += FRESH_SECONDS - 1
    assert await recognize(ada) == "user 1"
    recognize.renew(ada)
    now += 1
    assert await recognize(ada) == "user 2"
    recognize.renew(ada)
    recognize.forget(ada.user_id)
    recognize.renew(ada)
    assert await recognize(ada) == "user 3"


class _Revocation(msgspec.Struct):
    user_id: UUID
    token_id: str | None = None
    valid_after: datetime | None = None


async def test_a_user_is_asked_for_anew_once_they_are_forgotten() -> None:
    """And what was asked before that, and is answered after it, does not count."""
    identities = Identities()
    answers = asyncio.Semaphore(0)

    async def slowly(claims: Claims) -> str:
        user = await identities(claims)
        await answers.acquire()
        return user

    recognize = Recognition(slowly)
    ada, bob = await accepted(token(sub="ada")), await accepted(token(sub="bob"))
    asking = [asyncio.create_task(recognize(each)) for each in (ada, bob)]
    await until(lambda: len(identities.asked) == 2, "both are asked for")
    recognize.forget(ada.user_id)
    answers.release()
    answers.release()
    answers.release()
    assert await asyncio.gather(*asking) == ["user 3", "user 2"]
    assert [await recognize(each) for each in (ada, bob)] == ["user 3", "user 2"]
    recognize.forget(bob.user_id)
    answers.release()
    assert await recognize(bob) == "user 4"
    recognize.forget_all()
    answers.release()
    assert await recognize(ada) == "user 5"


async def test_what_a_revocation_is_of() -> None:
    """Of one token, or of those that were issued before a moment, or do not say when."""
    now = datetime.fromtimestamp(NOW, UTC)
    ada = await accepted(token(sub="ada", jti="this", iat=NOW - 1))
    for claims, revocation, hit in (
        (ada, {"token_id": "this"}, True),
        (ada, {"token_id": "other"}, False),
        (ada, {"valid_after": now}, True),
        (ada, {"valid_after": now - timedelta(seconds=1)}, False),
        (await accepted(token(sub="ada", iat=...)), {"valid_after": now}, True),
        (await accepted(token(sub="bob", jti="this", iat=NOW - 1)), {"token_id": "this"}, False),
        (await accepted(token(sub="bob", iat=NOW - 1)), {"valid_after": now}, False),
    ):
        assert is_revoked(claims, _Revocation(ada.user_id, **revocation)) is hit, revocation


class CountingKey(SharedKey):
    """A secret that counts how often it was asked for."""

    asked = 0

    async def find(self, header: Mapping[str, Any]) -> str:
        CountingKey.asked += 1
        return await super().find(header)


async def test_a_good_token_is_remembered_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signature is checked once; it expires in time all the same; a bad one is never remembered."""
    monkeypatch.setattr(CountingKey, "asked", 0)
    now = NOW
    verifier = Verifier("HS256", ISSUER, AUDIENCE, CountingKey(SECRET), clock=lambda: now)
    good = token(exp=NOW + 50)
    said = await verifier.verify(good)
    assert await verifier.verify(good) == said
    assert CountingKey.asked == 1
    now = NOW + 50 + LEEWAY_SECONDS
    with pytest.raises(Refusal) as caught:
        await verifier.verify(good)
    assert caught.value.code == "TOKEN_EXPIRED"
    longer = token(exp=NOW + 3600)
    await verifier.verify(longer)
    now += REMEMBERED_SECONDS
    await verifier.verify(longer)
    assert CountingKey.asked == 3
    forged = longer[:-4] + ("AAAA" if longer[-4:] != "AAAA" else "BBBB")
    for _ in range(2):
        with pytest.raises(Refusal):
            await verifier.verify(forged)
    assert CountingKey.asked == 5


async def test_only_so_many_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten first."""
    monkeypatch.setattr(CountingKey, "asked", 0)
    monkeypatch.setattr("gateway.auth.tokens.REMEMBERED_TOKENS", 2)
    verifier = Verifier("HS256", ISSUER, AUDIENCE, CountingKey(SECRET), clock=lambda: NOW)
    tokens = [token(sub=f"user {number}") for number in range(3)]
    for shown in (*tokens, tokens[2], tokens[1]):
        await verifier.verify(shown)
    assert CountingKey.asked == 3
    await verifier.verify(tokens[0])
    assert CountingKey.asked == 4
