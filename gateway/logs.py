"""The log: one line per event on stderr, JSON or for the eye, in UTC, without secrets or contents.

Our own events go straight there: by way of the standard library a request's line cost a sixth of a page.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from datetime import UTC, datetime

import msgspec
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError
from structlog.contextvars import STRUCTLOG_KEY_PREFIX
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.redaction import redact

FLOOD_LINES = 20
"""Of one kind in a second, where a client or an outage may cause any number of them."""
REFUSED = 400
"""The HTTP status from which on a request counts as one of these."""

request_id: ContextVar[object] = ContextVar(f"{STRUCTLOG_KEY_PREFIX}request_id")
"""The request or command in hand, as `repr` or text: it stands in every line that comes of it."""

_encode = msgspec.json.Encoder(enc_hook=repr).encode


Report = Callable[[EventDict], None]
"""Is told of errors. It must not raise, and what it gets is not redacted yet."""


def configure_logs(log_format: str, report: Report | None = None) -> None:
    """Send structlog's and the standard library's events to stderr, as `json` or for a `console`.

    What is bound to the context (`structlog.contextvars`), such as `request_id`, is in each line. Of a flood
    a few lines a second are written; the next one of its kind says how many were `left_out`.
    """
    floods = Floods()
    told: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _stamped,
        structlog.processors.StackInfoRenderer(),
    ]
    shown: list[Processor] = [
        *([] if report is None else [_reporting(report)]),
        structlog.processors.format_exc_info,
        _redacted,
        _as_json if log_format == "json" else _console(),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(floods.filter)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=told,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
        )
    )
    logging.captureWarnings(True)
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.INFO)
    logging.getLogger("aiohttp.server").addFilter(_no_fault_of_ours)
    structlog.configure(
        processors=[floods, *told, *shown],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )


class Floods:
    """Lets a few lines of each kind through in a second: warnings, errors, and requests that are refused.

    A kind is what our own code says, or how gravely a library's module says it; never a client's words.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[Hashable, _Kind] = {}

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """For events of ours. Raises DropEvent."""
        if method in ("debug", "info") and event.get("status", 0) < REFUSED:
            return event
        left_out = self._take(event["event"])
        if left_out is None:
            raise structlog.DropEvent
        if left_out:
            event["left_out"] = left_out
        return event

    def filter(self, record: logging.LogRecord) -> bool:
        """For events of the standard library."""
        return record.levelno < logging.WARNING or (
            self._take((record.name, record.levelno)) is not None
        )

    def _take(self, kind: Hashable) -> int | None:
        """How many were left out since the last that was let through; None to leave out this one."""
        second = int(self._clock())
        known = self._kinds.get(kind)
        if known is None:
            known = self._kinds[kind] = _Kind(second)
        if known.second != second:
            known.second, known.lines = second, 0
        if known.lines == FLOOD_LINES:
            known.left_out += 1
            return None
        known.lines += 1
        left_out, known.left_out = known.left_out, 0
        return left_out


class _Kind:
    """Lines of one kind."""

    __slots__ = ("left_out", "lines", "second")

    def __init__(self, second: int) -> None:
        self.second = second
        self.lines = 0
        self.left_out = 0


def _reporting(report: Report) -> Processor:
    """Reports our own errors, and whatever a library tells with an exception: its words may be anybody's."""

    def reported(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if method in ("error", "critical", "exception"):
            if event.get("exc_info") is True:
                event["exc_info"] = sys.exc_info()
            if event.get("exc_info") or isinstance(logger, _Lines):
                report(event)
        return event

    return reported


class _Lines:
    """Writes lines to stderr; `name` is that of the module they come from."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._write = sys.stderr.write

    def msg(self, line: str) -> None:
        self._write(line + "\n")

    debug = info = warning = error = critical = exception = msg


def _as_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    try:
        line: bytes = _encode(event)
        if line.isascii():
            return line.decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # half a surrogate pair, say, for which Python's own encoder has a spelling
    return json.dumps(event, default=repr)


def _console() -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def _stamped(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["timestamp"] = datetime.now(UTC).isoformat()
    return event


def _redacted(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redact(value)
    return event


def _no_fault_of_ours(record: logging.LogRecord) -> bool:
    """aiohttp tells of requests that are no HTTP, or whose body is broken, as errors with a traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError | RequestPayloadError):
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg, record.args, record.exc_info = "a malformed request", (), None
    return True
