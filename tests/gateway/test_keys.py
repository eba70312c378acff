"""Public keys from a JWKS, in a file and behind a real HTTP server."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from structlog.testing import capture_logs

from gateway.auth import keys as keys_module
from gateway.auth.keys import COOLDOWN_SECONDS, FRESH_SECONDS, KeySet
from gateway.auth.tokens import Verifier
from store.refusal import Refusal
from tests.listening import listening
from tests.waiting import DEADLINE, until

NOW = 1_800_000_000
CLAIMS = {"iss": "me", "aud": "you", "sub": "ada", "iat": NOW, "exp": NOW + 900}
MAKERS: dict[str, Callable[[], Any]] = {
    "RS256": lambda: rsa.generate_private_key(65_537, 2_048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
PRIVATE = {name: make() for name, make in MAKERS.items()}


def jwk(key: Any, kid: str | None = "k1", **more: Any) -> dict[str, Any]:
    """A key as a JWKS has it; None leaves a member out."""
    algorithms = jwt.algorithms.get_default_algorithms()
    name = {"R": "RS256", "E": "ES256", "_": "ES256"}.get(type(key).__name__[0], "EdDSA")
    if "25519" in type(key).__name__:
        name = "EdDSA"
    members = {**algorithms[name].to_jwk(key, as_dict=True), "kid": kid, **more}
    return {member: value for member, value in members.items() if value is not None}


def published(*members: dict[str, Any]) -> str:
    return json.dumps({"keys": members})


def token(algorithm: str, kid: str | None = "k1", key: Any = None) -> str:
    headers = None if kid is None else {"kid": kid}
    return jwt.encode(CLAIMS, key or PRIVATE[algorithm], algorithm, headers=headers)


def verifier(keys: KeySet, algorithm: str) -> Verifier:
    return Verifier(algorithm, "me", "you", keys, clock=lambda: NOW)


async def refused(checking: Verifier, shown: str) -> str:
    with pytest.raises(Refusal) as caught:
        await checking.verify(shown)
    return caught.value.code


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """An identity provider's JWKS endpoint, and how often it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = self.publish()

    def publish(self, *members: dict[str, Any]) -> Callable[..., Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(text=published(*members), content_type="application/json")

        self.answer = answer
        return answer

    def says(self, **response: Any) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(**response)

        self.answer = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        return await self.answer(request)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/jwks.json", issuer.handle)
    async with listening(app) as origin:
        issuer.url = f"{origin}/jwks.json"
        yield issuer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("algorithm", list(MAKERS))
async def test_a_file_of_keys(algorithm: str, tmp_path: Path) -> None:
    """Tokens signed by the private half of a key in the file are good, others are not."""
    path = tmp_path / "jwks.json"
    path.write_text(published(jwk(PRIVATE[algorithm].public_key())))
    checking = verifier(KeySet(str(path), algorithm), algorithm)
    assert (await checking.verify(token(algorithm))).subject == "ada"
    assert await refused(checking, token(algorithm, key=MAKERS[algorithm]())) == "UNAUTHENTICATED"
    assert await refused(checking, token(algorithm, kid="k2")) == "UNAUTHENTICATED"


@pytest.mark.parametrize("algorithm", list(MAKERS))
async def test_a_url_of_keys(algorithm: str, issuer: Issuer) -> None:
    """The same behind a URL, asked once for many tokens."""
    issuer.publish(jwk(PRIVATE[algorithm].public_key()))
    checking = verifier(KeySet(issuer.url, algorithm), algorithm)
    for _ in range(10):
        assert (await checking.verify(token(algorithm))).subject == "ada"
    assert issuer.asked == 1


async def test_the_only_key_needs_no_name(issuer: Issuer) -> None:
    """A token without `kid` is checked with the only key there is, and refused where there are two."""
    public = PRIVATE["ES256"].public_key()
    issuer.publish(jwk(public, kid=None))
    assert await verifier(KeySet(issuer.url, "ES256"), "ES256").verify(token("ES256", kid=None))
    issuer.publish(jwk(public, "k1"), jwk(MAKERS["ES256"]().public_key(), "k2"))
    two = verifier(KeySet(issuer.url, "ES256"), "ES256")
    assert await refused(two, token("ES256", kid=None)) == "UNAUTHENTICATED"
    assert await two.verify(token("ES256", kid="k1"))


async def test_many_tokens_at_once_fetch_once(issuer: Issuer) -> None:
    """Whoever comes while the keys are fetched waits for the same fetch."""
    gate = asyncio.Event()
    answer = issuer.publish(jwk(PRIVATE["ES256"].public_key()))

    async def slow(request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return await answer(request)

    issuer.answer = slow
    checking = verifier(KeySet(issuer.url, "ES256"), "ES256")
    waiting = [asyncio.create_task(checking.verify(token("ES256"))) for _ in range(50)]
    await until(lambda: issuer.asked, "the issuer is asked")
    waiting[0].cancel()  # one that goes takes nobody with it
    gate.set()
    assert len(await asyncio.gather(*waiting[1:])) == 49
    assert issuer.asked == 1


async def test_a_new_key_is_found_by_its_name(issuer: Issuer, clock: Clock) -> None:
    """Keys are rotated without a restart: an unknown `kid` makes it look again."""
    old, new = MAKERS["ES256"](), MAKERS["ES256"]()
    issuer.publish(jwk(old.public_key(), "old"))
    checking = verifier(KeySet(issuer.url, "ES256", clock=clock), "ES256")
    assert await checking.verify(token("ES256", "old", old))
    issuer.publish(jwk(new.public_key(), "new"))
    clock.now += COOLDOWN_SECONDS
    assert await checking.verify(token("ES256", "new", new))
    assert await refused(checking, token("ES256", "old", old)) == "UNAUTHENTICATED"


async def test_unknown_names_do_not_flood_the_issuer(issuer: Issuer, clock: Clock) -> None:
    """However many `kid`s are made up, it is asked once in the cooldown."""
    issuer.publish(jwk(PRIVATE["ES256"].public_key()))
    checking = verifier(KeySet(issuer.url, "ES256", clock=clock), "ES256")
    for n in range(100):
        assert await refused(checking, token("ES256", f"made up {n}")) == "UNAUTHENTICATED"
    assert await checking.verify(token("ES256"))
    assert issuer.asked == 1
    clock.now += COOLDOWN_SECONDS
    await refused(checking, token("ES256", "made up"))
    assert issuer.asked == 2


async def test_a_key_that_was_withdrawn_is_forgotten(issuer: Issuer, clock: Clock) -> None:
    """After a while the set is fetched anew, in the background: nobody waits for it."""
    issuer.publish(jwk(PRIVATE["ES256"].public_key(), "k1"))
    checking = verifier(KeySet(issuer.url, "ES256", clock=clock), "ES256")
    assert await checking.verify(token("ES256"))
    gate = asyncio.Event()
    answer = issuer.publish(jwk(MAKERS["ES256"]().public_key(), "k2"))

    async def slow(request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return await answer(request)

    issuer.answer = slow
    clock.now += FRESH_SECONDS + 1
    assert await checking.verify(token("ES256"))  # does not wait for the issuer
    await until(lambda: issuer.asked == 2, "the issuer is asked again")
    gate.set()
    await until(lambda: checking.keys._fetching is None, "the new set is there")  # type: ignore[attr-defined]
    assert await refused(checking, token("ES256")) == "UNAUTHENTICATED"


async def test_without_any_keys_tokens_cannot_be_checked(issuer: Issuer, clock: Clock) -> None:
    """Until the first set could be fetched the answer is UNAVAILABLE, with a time to wait; then it heals."""
    issuer.says(status=503)
    checking = verifier(KeySet(issuer.url, "ES256", clock=clock), "ES256")
    with pytest.raises(Refusal) as caught:
        await checking.verify(token("ES256"))
    assert (caught.value.code, caught.value.retry_after) == ("UNAVAILABLE", 5.0)
    assert await refused(checking, token("ES256")) == "UNAVAILABLE"
    assert issuer.asked == 1
    issuer.publish(jwk(PRIVATE["ES256"].public_key()))
    clock.now += COOLDOWN_SECONDS
    assert await checking.verify(token("ES256"))


@pytest.mark.parametrize(
    "response",
    [
        {"status": 500},
        {"status": 404, "text": published(jwk(PRIVATE["ES256"].public_key(), "k2"))},
        {"status": 302, "headers": {"Location": "/jwks.json"}},
        {"text": ""},
        {"text": "<html>"},
        {"text": "null"},
        {"text": "[]"},
        {"text": "{}"},
        {"text": '{"keys": []}'},
        {"text": '{"keys": {}}'},
        {"text": '{"keys": "k1"}'},
        {"text": '{"keys": [5, null, [], "k"]}'},
        {"text": '{"keys": [{}, {"kty": "EC", "crv": 5}]}'},
        {"text": '{"keys": [{"kty": ["EC"], "crv": "P-256", "x": 5, "y": {}}]}'},
        {"text": '{"keys": ' + "[" * 50_000},
        {"body": b"\xff\xfe\x00"},
        {"text": published(jwk(PRIVATE["RS256"].public_key(), "k2"))},
        {"text": published(jwk(PRIVATE["ES256"].public_key(), "k2")) + " " * (256 * 1024)},
        {"body": gzip.compress(b" " * (1 << 24)), "headers": {"Content-Encoding": "gzip"}},
    ],
)
async def test_what_is_no_set_of_keys_changes_nothing(
    response: dict[str, Any], issuer: Issuer, clock: Clock
) -> None:
    """Errors, redirects, nonsense, other kinds of key, too much: the last good set stays in use."""
    issuer.publish(jwk(PRIVATE["ES256"].public_key(), "k1"))
    checking = verifier(KeySet(issuer.url, "ES256", clock=clock), "ES256")
    assert await checking.verify(token("ES256"))
    issuer.says(**response)
    clock.now += FRESH_SECONDS + 1
    with capture_logs() as logs:
        assert await refused(checking, token("ES256", "k2")) == "UNAUTHENTICATED"
    assert [log["event"] for log in logs] == ["the JWKS cannot be used"]
    assert await checking.verify(token("ES256"))
    assert issuer.asked == 2


async def test_an_issuer_that_does_not_answer(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for a bounded time."""
    monkeypatch.setattr(keys_module, "FETCH_SECONDS", 0.1)

    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    issuer.answer = silent
    checking = verifier(KeySet(issuer.url, "ES256", clock=clock), "ES256")
    assert await asyncio.wait_for(refused(checking, token("ES256")), DEADLINE) == "UNAVAILABLE"


async def test_a_file_that_is_away(tmp_path: Path, clock: Clock) -> None:
    """While a file is being replaced the keys known so far stay good."""
    path = tmp_path / "jwks.json"
    path.write_text(published(jwk(PRIVATE["ES256"].public_key())))
    checking = verifier(KeySet(str(path), "ES256", clock=clock), "ES256")
    assert await checking.verify(token("ES256"))
    path.unlink()
    clock.now += COOLDOWN_SECONDS
    assert await refused(checking, token("ES256", "k2")) == "UNAUTHENTICATED"
    assert await checking.verify(token("ES256"))


def oct_key(secret: bytes, **members: Any) -> dict[str, Any]:
    return {"kty": "oct", "k": base64.urlsafe_b64encode(secret).decode(), "kid": "k1", **members}


def private_jwk(algorithm: str) -> dict[str, Any]:
    return jwk(PRIVATE[algorithm])


@pytest.mark.parametrize("algorithm", list(MAKERS))
@pytest.mark.parametrize(
    "unfit",
    [
        lambda algorithm: oct_key(b"s" * 32),
        lambda algorithm: oct_key(b"s" * 32, alg=algorithm),
        lambda algorithm: private_jwk(algorithm),
        lambda algorithm: jwk(PRIVATE[algorithm].public_key(), use="enc"),
        lambda algorithm: jwk(PRIVATE[algorithm].public_key(), alg="HS256"),
        lambda algorithm: jwk(PRIVATE[algorithm].public_key(), alg="none"),
        lambda algorithm: jwk(PRIVATE[algorithm].public_key(), alg=["RS256"]),
        lambda algorithm: jwk(PRIVATE[algorithm].public_key(), ["k1"]),
        lambda algorithm: jwk(PRIVATE[algorithm].public_key(), kty=["EC"]),
        lambda algorithm: jwk(PRIVATE[algorithm].public_key(), x=5, n=5),
    ],
)
async def test_a_key_that_is_no_public_one_checks_nothing(
    algorithm: str, unfit: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    """Secrets, private keys, keys for something else: not used, whatever they are called."""
    path = tmp_path / "jwks.json"
    fit = MAKERS[algorithm]()
    path.write_text(published(unfit(algorithm), jwk(fit.public_key(), "fit")))
    checking = verifier(KeySet(str(path), algorithm), algorithm)
    assert await refused(checking, token(algorithm)) == "UNAUTHENTICATED"
    forged = jwt.encode(CLAIMS, "s" * 32, "HS256", headers={"kid": "k1"})
    assert await refused(checking, forged) == "UNAUTHENTICATED"
    assert await checking.verify(token(algorithm, "fit", fit))


async def test_a_published_private_key_is_reported(tmp_path: Path) -> None:
    """It is not used, and the log says so: somebody has to know."""
    path = tmp_path / "jwks.json"
    path.write_text(published(private_jwk("RS256")))
    with capture_logs() as logs:
        assert (
            await refused(verifier(KeySet(str(path), "RS256"), "RS256"), token("RS256"))
            == "UNAVAILABLE"
        )
    assert logs[0]["event"] == "a key in the JWKS is not a public one"
    assert "d" not in logs[0]


async def test_a_key_of_another_curve_checks_nothing(tmp_path: Path) -> None:
    """ES256 is P-256 and nothing else, even where a P-384 key is called ES256."""
    path = tmp_path / "jwks.json"
    other = ec.generate_private_key(ec.SECP384R1())
    path.write_text(published(jwk(other.public_key(), alg="ES256", crv="P-384")))
    checking = verifier(KeySet(str(path), "ES256"), "ES256")
    assert await refused(checking, token("ES256")) == "UNAVAILABLE"


async def test_a_weak_rsa_key_checks_nothing(tmp_path: Path) -> None:
    """RFC 7518 § 3.3: 2,048 bits or more."""
    weak = rsa.generate_private_key(65_537, 1_024)  # noqa: S505
    path = tmp_path / "jwks.json"
    path.write_text(published(jwk(weak.public_key())))
    checking = verifier(KeySet(str(path), "RS256"), "RS256")
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        shown = token("RS256", key=weak)
    assert await refused(checking, shown) == "UNAUTHENTICATED"


def test_keys_are_written_as_the_world_does() -> None:
    """The sets of these tests are real: PEM and JWK tell of the same key."""
    key = PRIVATE["RS256"].public_key()
    again = jwt.PyJWK(jwk(key)).key
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    assert again.public_bytes(*form) == key.public_bytes(*form)
