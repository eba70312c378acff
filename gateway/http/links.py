"""`Link` (RFC 8288): where the neighbours of a page of a list are."""

from urllib.parse import quote, urlencode

from aiohttp.web_request import Request

PLACE = ("cursor", "page")
"""The parameters of a list that say which page of it is meant; the others say which list."""


def links(request: Request, next_cursor: str | None, number: int) -> str | None:
    """The links of the page with that number that `request` asked for, None where it is the only one.

    They are absolute paths with all parameters of the request: no word of its `Host` is in them. What
    follows goes by cursor, and so at any depth; what came before only where pages are counted.
    """
    query = request.query
    kept = request.rel_url.raw_query_string
    if any(name in query for name in PLACE):
        kept = urlencode([(name, value) for name, value in query.items() if name not in PLACE])
    found = []
    if next_cursor is not None:
        found.append(_link(request, kept, f"cursor={quote(next_cursor, safe='')}", rel="next"))
    if "page" in query and number > 1:
        found.append(_link(request, kept, f"page={number - 1}", rel="prev"))
    if number > 1 or "cursor" in query:
        found.append(_link(request, kept, rel="first"))
    return ", ".join(found) or None


def _link(request: Request, *parameters: str, rel: str) -> str:
    query = "&".join(filter(None, parameters))
    path = request.rel_url.raw_path
    target = f"{path}?{query}" if query else path
    return f'<{target}>; rel="{rel}"'
