"""Secrets of endpoints, and signatures by them: https://www.standardwebhooks.com, symmetric, version 1."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "whsec_"
SECRET_BYTES = 32
"""Of an endpoint's secret; the standard asks for 24 to 64."""
NONCE_BYTES = 12
"""Of AES-GCM, new for each sealing."""


def new_secret() -> str:
    """A secret as its receiver is shown it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


class Seal:
    """Keeps secrets from whoever reads the database: AES-256-GCM by the installation's key, bound to the endpoint."""

    def __init__(self, key: str) -> None:
        digest = hashlib.sha256(b"vernissage webhook secrets\n" + key.encode()).digest()
        self._cipher = AESGCM(digest)

    def close(self, secret: str, endpoint: UUID) -> bytes:
        """The secret as the database may have it."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), endpoint.bytes)

    def open(self, sealed: bytes, endpoint: UUID) -> str:
        """What was sealed. Raises ValueError where it was sealed by another key, or for another endpoint."""
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, endpoint.bytes).decode()
        except InvalidTag:
            raise ValueError("the secret was sealed by another key") from None


def signature(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, with spaces between."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()
        for secret in secrets
    )


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))
