"""The page, its files, and the pictures: what is served from disk, and what never is."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.http.edge import Edge
from gateway.http.site import VIEWS, WEB, Site
from tests.gateway.wire import Wire
from tests.listening import listening

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'

FRIEND = "https://friend.example"


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A folder of pictures, with a secret beside it and a link that leads there."""
    media = tmp_path / "data" / "media"
    (media / "avatars").mkdir(parents=True)
    (media / "avatars" / "ada.svg").write_bytes(SVG)
    (tmp_path / "data" / "jwt-secret").write_text("secret")
    (media / "link").symlink_to(tmp_path / "data" / "jwt-secret")
    (media / "folder").symlink_to(tmp_path / "data")
    return media


@pytest.fixture
async def wire(media: Path) -> AsyncIterator[Wire]:
    app = Edge(origins=[FRIEND], trusted_proxies=[]).application()
    Site(media).attach(app)
    async with listening(app) as origin:
        yield Wire(int(origin.rpartition(":")[2]))


async def test_the_page(wire: Wire) -> None:
    """It may load what comes from here and nothing else, and nobody may frame it."""
    answer = await wire.ask("GET", "/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.body == (WEB / "gallery" / "index.html").read_bytes()
    policy = _directives(answer.headers["Content-Security-Policy"])
    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("view", VIEWS)
async def test_every_view_has_an_address(wire: Wire, view: str) -> None:
    """It answers the page, which finds out for itself what to show."""
    page = await wire.ask("GET", "/")
    answer = await wire.ask("GET", re.sub(r"{\w+}", "01a0c453-2b20-72f7-89a3-4501911504a0", view))
    assert (answer.status, answer.body) == (200, page.body)
    for name in ("Content-Security-Policy", "Cache-Control", "Referrer-Policy"):
        assert answer.headers[name] == page.headers[name]


async def test_the_page_needs_no_inline_script(wire: Wire) -> None:
    """Its policy forbids them, so there must be none: scripts are files, styles too."""
    page = (await wire.ask("GET", "/")).body.decode()
    for tag in page.split("<script")[1:]:
        assert "src=" in tag.partition(">")[0]
    assert "<style" not in page
    assert " style=" not in page


async def test_every_file_of_the_page_is_served(wire: Wire) -> None:
    """With a type that browsers take, under the same policy, and asked for anew each time."""
    files = [
        path
        for folder in ("gallery", "client", "docs", "vendor")
        for path in (WEB / folder).rglob("*")
        if path.is_file()
    ]
    assert files
    for path in files:
        answer = await wire.ask("GET", f"/{path.relative_to(WEB).as_posix()}")
        assert answer.status == 200
        assert answer.body == path.read_bytes()
        assert "Content-Security-Policy" in answer.headers
        assert answer.headers["Cache-Control"] == "no-cache"
        if path.suffix in (".js", ".mjs"):
            assert "javascript" in answer.headers["Content-Type"]


async def test_the_client_library_is_for_pages_that_are_named(wire: Wire) -> None:
    """A module of another origin is loaded under CORS: the browser gives it to those of the list."""
    for path in ("/client/index.js", "/vendor/socket.io-client/socket.io.esm.min.js"):
        friends = await wire.ask("GET", path, f"Origin: {FRIEND}")
        assert friends.headers["Access-Control-Allow-Origin"] == FRIEND
        strangers = await wire.ask("GET", path, "Origin: https://stranger.example")
        assert "Access-Control-Allow-Origin" not in strangers.headers
        for answer in (friends, strangers):
            assert "Origin" in answer.headers["Vary"]


async def test_a_file_that_did_not_change_is_not_sent_again(wire: Wire) -> None:
    """Asked for with its tag it is a 304."""
    first = await wire.ask("GET", "/")
    again = await wire.ask("GET", "/", f"If-None-Match: {first.headers['ETag']}")
    assert (again.status, again.body) == (304, b"")


async def test_text_comes_compressed_to_those_who_take_it(wire: Wire) -> None:
    """It shrinks to less than half; the tag is the same in either form."""
    path = "/gallery/main.js"
    plain = await wire.ask("GET", path, "Accept-Encoding: br, gzip;q=0")
    packed = await wire.ask("GET", path, "Accept-Encoding: br, gzip")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    assert "Accept-Encoding" in packed.headers["Vary"]
    tag = f"If-None-Match: {plain.headers['ETag']}"
    again = await wire.ask("GET", path, "Accept-Encoding: gzip", tag)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == packed.headers["ETag"]


async def test_a_picture(wire: Wire) -> None:
    """It is cached, and can run nothing even where it is opened by itself."""
    answer = await wire.ask("GET", "/media/avatars/ada.svg")
    assert (answer.status, answer.body) == (200, SVG)
    assert answer.headers["Content-Type"] == "image/svg+xml"
    policy = _directives(answer.headers["Content-Security-Policy"])
    assert policy["default-src"] == "'none'"
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "public, max-age=86400"


@pytest.mark.parametrize(
    "path",
    [
        "/media/nothing.svg",
        "/media/../jwt-secret",
        "/media/..%2fjwt-secret",
        "/media/%2e%2e/jwt-secret",
        "/media/%2e%2e%2fjwt-secret",
        "/media/..%252fjwt-secret",
        "/media/..%5cjwt-secret",
        "/media/avatars/../../jwt-secret",
        "/media//etc/passwd",
        "/media/%2fetc/passwd",
        "/media/%00",
        "/media/avatars/ada.svg%00.png",
        "/media/link",
        "/media/folder/jwt-secret",
        "/media/" + "x" * 5_000,
        "/gallery/../../pyproject.toml",
        "/gallery/..%2f..%2fpyproject.toml",
        "/vendor/%2e%2e/gallery/index.html",
    ],
)
async def test_nothing_else_is_served(wire: Wire, path: str) -> None:
    """No way leads out of the folders, and what is not there is not remembered as missing."""
    answer = await wire.ask("GET", path)
    assert (answer.status, answer.code) == (404, "NOT_FOUND")
    assert answer.headers["Cache-Control"] in ("no-cache", "no-store")


@pytest.mark.parametrize(
    "path", ["/media", "/media/", "/media/avatars", "/media/avatars/", "/gallery/"]
)
async def test_folders_are_not_listed(wire: Wire, path: str) -> None:
    """What is in them is nobody's business."""
    answer = await wire.ask("GET", path)
    assert (answer.status, answer.code) == (404, "NOT_FOUND")


def _directives(policy: str) -> dict[str, str]:
    split = (directive.strip().partition(" ") for directive in policy.split(";"))
    return {name: value for name, _, value in split}
