"""What goes to Sentry, and what never does: a real client of theirs, and a server that takes what it sends."""

import asyncio
import gzip
import json
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from aiohttp import web

from gateway.logs import configure_logs
from gateway.sentry import reports
from gateway.settings import read_settings
from gateway.startup import CannotStart
from tests.listening import listening


class Sentry:
    """Stands for the service: `events` are what came in."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        lines = (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).splitlines()
        self.events += [
            json.loads(line) for line in lines if b'"event_id"' in line and b'"level"' in line
        ]
        return web.json_response({})


@pytest.fixture
async def sentry() -> AsyncIterator[tuple[Sentry, str]]:
    """The service, and its DSN."""
    service, app = Sentry(), web.Application()
    app.router.add_post("/api/1/envelope/", service.take)
    handlers, level = logging.root.handlers, logging.root.level
    async with listening(app) as origin:
        yield service, origin.replace("http://", "http://key@") + "/1"
        await asyncio.to_thread(sentry_sdk.get_client().close, 2.0)
        sentry_sdk.get_global_scope().set_client(None)
        logging.root.handlers = handlers
        logging.root.setLevel(level)
        logging.captureWarnings(False)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


async def test_errors_are_told_and_nothing_else(sentry: tuple[Sentry, str]) -> None:
    """With their place and request id; without variables, contents, tokens, and what is no error."""
    service, dsn = sentry
    configure_logs("json", reports(read_settings({"VERNISSAGE_SENTRY_DSN": dsn})))
    structlog.contextvars.bind_contextvars(request_id="r-1", worker="w-1")
    log = structlog.get_logger("gateway.test")
    unspeakable = "Unspeakable"
    try:
        raise ValueError("postgresql://ada:hush@localhost\nDETAIL:  Failing row (Unspeakable)")
    except ValueError:
        log.exception("an operation failed", content=unspeakable)
    log.error("worker died", slot=1)
    log.warning("no error")
    logging.getLogger("some.library").error("said %s", unspeakable)
    await asyncio.to_thread(sentry_sdk.flush, 5.0)
    failed, died = service.events
    (error,) = failed["exception"]["values"]
    assert error["type"] == "ValueError"
    assert error["stacktrace"]["frames"][-1]["function"] == "test_errors_are_told_and_nothing_else"
    assert failed["tags"] | {"request_id": "r-1", "worker": "w-1"} == failed["tags"]
    assert failed["environment"] == "dev"
    assert died["message"] == "worker died"
    assert died["tags"]["slot"] == "1"
    written = json.dumps(service.events)
    for secret in ("Unspeakable", "hush", "vars"):
        assert secret not in written


def test_nobody_is_told_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a DSN nothing of it is loaded; with one and without the extra the start says what is missing."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    assert reports(read_settings({})) is None
    with pytest.raises(CannotStart, match=r"install vernissage\[sentry\]"):
        reports(read_settings({"VERNISSAGE_SENTRY_DSN": "https://key@sentry.example/1"}))
