"""`RateLimit` and `RateLimit-Policy`: how a client stands with its limits.

As draft-ietf-httpapi-ratelimit-headers has it: structured fields (RFC 9651), an item for each limit.
"""

import math
from collections.abc import MutableMapping

from aiohttp import web

from gateway.limits import Admission

ADMISSION = web.RequestKey("admission", Admission)
"""Of a request that was brought before the limits."""


def tell_quotas(admission: Admission, headers: MutableMapping[str, str]) -> None:
    """Add the fields: `q` in `w` seconds are the limit, `r` remain, and `t` seconds later there is one more."""
    policies, rooms = [], []
    for each in admission.standings():
        policies.append(f'"{each.name}";q={each.count};w={math.ceil(each.window_seconds)}')
        rooms.append(f'"{each.name}";r={each.left};t={math.ceil(each.more_in)}')
    if policies:
        headers["RateLimit-Policy"] = ", ".join(policies)
        headers["RateLimit"] = ", ".join(rooms)
