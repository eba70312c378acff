"""What an operator may set about the sockets."""

from collections.abc import Collection

import msgspec

from gateway.sockets.frame import ROOT
from gateway.sockets.peer import Network


class SocketOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in seconds, fractions allowed; sizes in bytes.

    `origins` are allowed besides the gateway's own. `trusted_proxies` may say in `X-Forwarded-*` whom
    they speak for. `address_cap` is the number of connections from one address, None for no cap;
    `connects_per_second` that of new ones from all of them, and as many at once.
    """

    ping_interval: float = 25.0
    ping_timeout: float = 10.0
    max_payload: int = 16 * 1024
    origins: Collection[str] = ()
    trusted_proxies: Collection[Network] = ()
    address_cap: int | None = None
    connects_per_second: float | None = None
    namespaces: frozenset[str] = frozenset({ROOT})
