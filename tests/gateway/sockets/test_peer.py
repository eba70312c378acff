"""Whose request it is, and which pages may make one."""

from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.sockets.peer import client_address, is_allowed_origin

PROXIES = (ip_network("10.0.0.0/8"), ip_network("192.168.1.1/32"), ip_network("fd00::/8"))


def request(remote: str, *headers: tuple[str, str]) -> Any:
    made = make_mocked_request("GET", "/socket.io/", CIMultiDict(headers))
    return made.clone(remote=remote, scheme="http")


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 192.168.1.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ("10.0.0.1", ["1.1.1.1, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("fd00::1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_address_is_the_nearest_that_can_be_trusted(
    remote: str, forwarded: list[str], address: str
) -> None:
    """The peer, unless it is a trusted proxy: then the right-most hop that is not one itself."""
    headers = [("X-Forwarded-For", value) for value in forwarded]
    assert client_address(request(remote, *headers), PROXIES) == address


def test_nobody_is_trusted_by_default() -> None:
    """Without trusted proxies X-Forwarded-For means nothing."""
    forwarded = ("X-Forwarded-For", "198.51.100.1")
    assert client_address(request("10.0.0.1", forwarded), ()) == "10.0.0.1"


ALLOWED = ("https://gallery.example", "http://localhost:3000")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://door.example:8080", True),
        ("http://DOOR.example:8080", True),
        ("https://gallery.example", True),
        ("https://gallery.example:443", True),
        ("http://localhost:3000", True),
        ("https://door.example:8080", False),
        ("http://door.example", False),
        ("http://door.example:8081", False),
        ("http://gallery.example", False),
        ("https://gallery.example:8443", False),
        ("https://sub.gallery.example", False),
        ("https://gallery.example.evil.example", False),
        ("https://evil.example/https://gallery.example", False),
        ("https://user@gallery.example", False),
        ("http://localhost", False),
        ("null", False),
        ("", False),
        ("*", False),
        ("file://", False),
        ("http://[", False),
        ("http://localhost:port", False),
    ],
)
def test_an_origin_is_allowed_exactly_or_not_at_all(origin: str | None, allowed: bool) -> None:
    """Scheme, host and port must be the gateway's own or one of the list."""
    headers = [("Host", "door.example:8080")]
    if origin is not None:
        headers.append(("Origin", origin))
    assert is_allowed_origin(request("203.0.113.7", *headers), ALLOWED, PROXIES) is allowed


@pytest.mark.parametrize(
    ("remote", "forwarded", "allowed"),
    [
        ("10.0.0.1", [("X-Forwarded-Proto", "https")], True),
        ("203.0.113.7", [("X-Forwarded-Proto", "https")], False),
        ("10.0.0.1", [], False),
        (
            "10.0.0.1",
            [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "other.example")],
            False,
        ),
    ],
)
def test_behind_a_proxy_that_ends_tls(
    remote: str, forwarded: list[tuple[str, str]], allowed: bool
) -> None:
    """The gateway's own origin is what a trusted proxy says that the client asked for."""
    sent = request(remote, ("Host", "door.example"), ("Origin", "https://door.example"), *forwarded)
    assert is_allowed_origin(sent, (), PROXIES) is allowed
