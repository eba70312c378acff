"""Requests to endpoints go to public addresses only, however these are written."""

import socket
from ipaddress import ip_network

import pytest

from gateway.webhooks.guard import Guard, checked_url

PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::1",
    "::",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:0:0:0:0:80ff:fffe",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    """Loopback, private, link-local, shared, reserved, and IPv6 addresses that stand for such."""
    assert not Guard([]).allows(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(PermissionError, match="not a public address"):
        Guard([]).socket_to((family, socket.SOCK_STREAM, 6, "", (address, 443)))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_is_public_is_not(address: str) -> None:
    assert Guard([]).allows(address)


def test_an_operator_may_allow_networks() -> None:
    """And nothing besides."""
    guard = Guard([ip_network("10.1.0.0/16"), ip_network("::1")])
    assert guard.allows("10.1.2.3")
    assert guard.allows("::ffff:10.1.2.3")
    assert guard.allows("::1")
    assert not guard.allows("10.2.0.1")
    assert not guard.allows("127.0.0.1")


def test_a_url_is_one_that_can_be_asked() -> None:
    """With https in production; without a user, a fragment, or anything that is no URL."""
    for url in ("https://example.org", "https://example.org:8443/a/b?c=d"):
        assert checked_url(url, production=True) == url
    assert checked_url("http://127.0.0.1:9000/", production=False)
    for url in (
        "http://example.org",
        "ftp://example.org",
        "https://",
        "https://a b",
        "https://a:99999",
        "https://exämple.org",
        "https://a/\n",
        "https://user@example.org",
        "https://:word@example.org",
        "https://example.org/#x",
        "https://example.org/" + "x" * 2048,
        "",
    ):
        with pytest.raises(ValueError, match="URL"):
            checked_url(url, production=True)
