"""Where requests to endpoints may go: to public addresses, and to networks that the operator allows.

Looked at when a connection is opened, after the name was resolved, so that a name whose address changes in between
leads nowhere else.
"""

import errno
import ipaddress
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any
from urllib.parse import urlsplit

LONGEST_URL = 2_048
"""Characters of an endpoint's URL."""

_NAT64 = IPv6Network("64:ff9b::/96")


class Guard:
    """Lets connections to public addresses and to `allowed` networks through."""

    def __init__(self, allowed: Sequence[IPv4Network | IPv6Network]) -> None:
        self._allowed = allowed

    def allows(self, address: str) -> bool:
        """Whether a connection to this IP address may be opened."""
        ip = _meant(ipaddress.ip_address(address.partition("%")[0]))
        if any(ip in network for network in self._allowed):
            return True
        return ip.is_global and not (ip.is_multicast or ip.is_reserved)

    def socket_to(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """A socket for what `getaddrinfo` answered. Raises PermissionError, an OSError, where it may not be."""
        family, kind, protocol, _, address = info
        if not self.allows(address[0]):
            raise PermissionError(errno.EACCES, f"{address[0]} is not a public address")
        return socket.socket(family, kind, protocol)


def _meant(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)


def checked_url(url: str, *, production: bool) -> str:
    """The URL of an endpoint. Raises ValueError where it cannot be one."""
    schemes = ("https",) if production else ("https", "http")
    try:
        parts = urlsplit(url)
        right = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not (right and url.isascii() and url.isprintable()) or " " in url or len(url) > LONGEST_URL:
        raise ValueError(f"{url!r} is no URL such as {schemes[0]}://example.org/hook")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("an endpoint's URL has no user, password or fragment")
    return url
