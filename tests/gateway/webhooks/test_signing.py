"""Signatures are those of Standard Webhooks, and secrets are sealed by a key that is not in the database."""

from uuid import uuid4

import pytest

from gateway.webhooks.signing import Seal, new_secret, signature


def test_a_signature_is_that_of_the_standard() -> None:
    """The example of its reference libraries; each secret makes one of its own."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105
    body = b'{"test": 2432232314}'
    made = signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    both = signature([secret, new_secret()], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert both.split()[0] == made
    assert len(both.split()) == 2


def test_a_secret_is_read_by_whoever_has_the_key() -> None:
    """By nobody else, and not for another endpoint."""
    endpoint, secret = uuid4(), new_secret()
    sealed = Seal("a key").close(secret, endpoint)
    assert secret.encode() not in sealed
    assert Seal("a key").open(sealed, endpoint) == secret
    for seal, other in ((Seal("another key"), endpoint), (Seal("a key"), uuid4())):
        with pytest.raises(ValueError, match="another key"):
            seal.open(sealed, other)
    assert len(new_secret()) == len("whsec_") + 44
