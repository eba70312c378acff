"""Documents that are made once, at start, and served as they are."""

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256

from aiohttp import hdrs, web
from aiohttp.web_request import Request


class Documents:
    """Serves JSON documents, each at its path."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self._documents = documents

    def attach(self, app: web.Application) -> None:
        """Add the routes."""
        for path, body in self._documents.items():
            app.router.add_get(path, _serve(body))


def _serve(body: bytes) -> Callable[[Request], Awaitable[web.Response]]:
    tag = f'"{sha256(body).hexdigest()[:16]}"'
    headers = {hdrs.ETAG: tag, hdrs.CACHE_CONTROL: "public, no-cache"}

    async def serve(request: Request) -> web.Response:
        if tag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type="application/json", headers=headers)

    return serve
