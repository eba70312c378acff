"""The pages: the live gallery and the documents, their scripts, and the pictures that the gateway keeps itself."""

import asyncio
import gzip
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from aiohttp import hdrs, web
from aiohttp.web_request import Request

from gateway.http.caching import is_known

_GATEWAY = Path(__file__).resolve().parent.parent
WEB = next(folder / "web" for folder in (_GATEWAY, _GATEWAY.parent) if (folder / "web").is_dir())
"""In an installed package within the gateway, in a checkout beside it."""

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' https: http: data:; connect-src 'self' ws: wss:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
OWN_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
"""For documents and the operator's page: nothing that is not of this gateway."""
PICTURE_SECONDS = 24 * 3600
"""How long a browser may keep a picture."""
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
VIEWS = (
    "/",
    "/trending",
    "/following",
    "/liked",
    "/search",
    "/posts/{post_id}",
    "/creators/{user_id}",
    "/creators/{user_id}/followers",
    "/creators/{user_id}/following",
    "/share",
    "/moderation",
)
"""The addresses of the gallery's views, as in web/gallery/addresses.js: each answers the same page."""
_PAGES = {*VIEWS, "/docs"}
_TEXTS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
"""What is compressed, by the end of its name. Most of the rest is so already."""
_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))")
_TAG_DIGITS = 24
_FOLDERS = ("/gallery/", "/client/", "/docs/", "/vendor/")


class _Text(NamedTuple):
    plain: bytes
    packed: bytes
    tag: str


class Site:
    """Serves the views and `/docs`, the files below `web/`, and `/media/` from a folder of pictures."""

    def __init__(self, media: Path) -> None:
        self._media = media

    def attach(self, app: web.Application) -> None:
        """Add the routes."""
        self._media.mkdir(parents=True, exist_ok=True)
        for view in VIEWS:
            app.router.add_get(view, _page(WEB / "gallery" / "index.html"))
        app.router.add_get("/docs", _page(WEB / "docs" / "index.html"))
        for prefix, folder in (
            ("/gallery/", WEB / "gallery"),
            ("/client/", WEB / "client"),
            ("/docs/", WEB / "docs"),
            ("/vendor/", WEB / "vendor"),
            ("/media/", self._media),
        ):
            app.router.add_get(prefix + "{name:.+}", _files(folder))
        app.on_response_prepare.append(self._protect)

    async def _protect(self, request: Request, response: web.StreamResponse) -> None:
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.path.startswith("/media/"):
            response.headers["Content-Security-Policy"] = PICTURE_POLICY
            if response.status < 400:
                response.headers[hdrs.CACHE_CONTROL] = f"public, max-age={PICTURE_SECONDS}"
        elif _route(request) in _PAGES or request.path.startswith(_FOLDERS):
            policy = OWN_POLICY if request.path.startswith("/docs") else PAGE_POLICY
            response.headers["Content-Security-Policy"] = policy
            response.headers["Referrer-Policy"] = "same-origin"
            response.headers[hdrs.CACHE_CONTROL] = "no-cache"


class OperatorSite:
    """Serves the operator's page at `/`, with the files that it is made of; it loads nothing else."""

    def attach(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/", _page(WEB / "operator" / "index.html"))
        for name in ("operator", "gallery", "vendor"):
            app.router.add_get(f"/{name}/{{name:.+}}", _files(WEB / name))
        app.on_response_prepare.append(self._protect)

    async def _protect(self, request: Request, response: web.StreamResponse) -> None:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = OWN_POLICY
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers[hdrs.CACHE_CONTROL] = "no-cache"


def _route(request: Request) -> str | None:
    """The address that the request was matched with, its parameters in braces."""
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical


def _page(file: Path) -> Callable[[Request], Awaitable[web.StreamResponse]]:
    async def serve(request: Request) -> web.StreamResponse:
        return await _sent(request, file)

    return serve


def _files(folder: Path) -> Callable[[Request], Awaitable[web.StreamResponse]]:
    """Serves the files below a folder. aiohttp's own way answers some missing ones with plain text."""
    root = folder.resolve()

    async def serve(request: Request) -> web.StreamResponse:
        return await _sent(
            request, await asyncio.to_thread(_find, root, request.match_info["name"])
        )

    return serve


async def _sent(request: Request, path: Path) -> web.StreamResponse:
    """A file; text is compressed for those who take it, and its tag stands for both forms."""
    if path.suffix not in _TEXTS:
        return web.FileResponse(path)
    text = await asyncio.to_thread(lambda: _read(path, path.stat().st_mtime_ns))
    headers = {hdrs.ETAG: text.tag, hdrs.VARY: hdrs.ACCEPT_ENCODING}
    if is_known(request, text.tag):
        return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = _TEXTS[path.suffix]
    if not _GZIP.search(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
        return web.Response(body=text.plain, headers=headers)
    headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(body=text.packed, headers=headers)


@lru_cache(maxsize=256)
def _read(path: Path, changed: int) -> _Text:
    """The file as it has been since `changed`: read and compressed once."""
    plain = path.read_bytes()
    digest = sha256(plain).hexdigest()[:_TAG_DIGITS]
    return _Text(plain, gzip.compress(plain, mtime=0), f'W/"{digest}"')


def _find(root: Path, name: str) -> Path:
    """The file of that name, wherever its links lead. Raises HTTPNotFound unless it lies below `root`."""
    try:
        path = (root / name).resolve(strict=True)
        if path.is_relative_to(root) and path.is_file():
            return path
    except (OSError, ValueError):  # no such file, and no name that one could have
        pass
    raise web.HTTPNotFound
