"""Who is at the other end of a request: the client's address, and the page it comes from."""

from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from aiohttp import hdrs, web

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

REMEMBERED_ADDRESSES = 4_096
"""Texts of which it is remembered what address they are: a client's next request has the same."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


def client_address(request: web.BaseRequest, trusted: Collection[Network]) -> str:
    """The client's IP address: the peer's, or behind trusted proxies the one they vouch for.

    Of `X-Forwarded-For` the right-most entry that is not itself a trusted proxy counts: what stands
    left of it may be made up by the client. Empty if the peer has no IP address.
    """
    peer = _parsed(request.remote or "")
    if peer is None:
        return ""
    if _within(peer, trusted):
        hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        for hop in reversed(hops):
            address = _parsed(hop.strip())
            if address is None:
                break
            peer = address
            if not _within(peer, trusted):
                break
    return str(peer)


def is_allowed_origin(
    request: web.BaseRequest, origins: Collection[str], trusted: Collection[Network]
) -> bool:
    """Whether the page that made this request may use the gateway.

    It may if it comes from the gateway's own origin, or from one of `origins` (exactly: scheme, host
    and port); so may what is no page at all and sends no `Origin`. Behind a proxy that ends TLS
    the own origin is known only if the proxy is trusted.
    """
    sent = request.headers.get(hdrs.ORIGIN)
    if sent is None:
        return True
    origin = _origin(sent)
    if origin is None:
        return False
    return origin == _own_origin(request, trusted) or any(
        origin == _origin(allowed) for allowed in origins
    )


def _own_origin(
    request: web.BaseRequest, trusted: Collection[Network]
) -> tuple[str, str, int] | None:
    scheme, host = request.scheme, request.headers.get(hdrs.HOST, "")
    peer = _parsed(request.remote or "")
    if peer is not None and _within(peer, trusted):
        scheme = _last(request.headers.get("X-Forwarded-Proto")) or scheme
        host = _last(request.headers.get("X-Forwarded-Host")) or host
    return _origin(f"{scheme}://{host}")


def _origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a serialised origin; None for `null` and whatever else is none."""
    try:
        parts = urlsplit(text)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port


def _last(header: str | None) -> str:
    return header.rpartition(",")[2].strip() if header else ""


@lru_cache(maxsize=REMEMBERED_ADDRESSES)
def _parsed(text: str) -> Address | None:
    """The address in `1.2.3.4`, `1.2.3.4:80`, `::1` or `[::1]:80`; IPv4 in IPv6 clothes is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _within(address: Address, networks: Collection[Network]) -> bool:
    return any(address in network for network in networks)
