import contextlib
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from gateway.logs import FLOOD_LINES, Floods, configure_logs


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_line_is_json_with_its_context(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and the libraries' alike: one object per line on stderr, with request id and UTC time."""
    configure_logs("json")
    structlog.contextvars.bind_contextvars(request_id="r-1")
    structlog.get_logger("gateway.test").info("liked", post="p-1")
    logging.getLogger("some.library").warning("slow: %d ms", 7)
    ours, theirs = logged(capsys)
    assert (ours["event"], ours["post"], ours["level"]) == ("liked", "p-1", "info")
    assert (theirs["event"], theirs["logger"]) == ("slow: 7 ms", "some.library")
    assert ours["request_id"] == theirs["request_id"] == "r-1"
    age = datetime.now(UTC) - datetime.fromisoformat(ours["timestamp"])
    assert timedelta(0) <= age < timedelta(minutes=1)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_secrets_stay_out(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    """Passwords of URLs and tokens are masked, in values, messages and tracebacks."""
    configure_logs(log_format)
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"  # noqa: S105
    log = structlog.get_logger("gateway.test")
    log.info("connecting", url="redis://:hush@localhost/0")
    log.info("asking", url="redis+sentinel://a,b/main?sentinel_password=hush&x=1")
    logging.getLogger("some.library").error("bad token %s", token)
    try:
        raise ValueError(f"postgresql://ada:hush@localhost with {token}")
    except ValueError:
        log.exception("failed")
    written = capsys.readouterr().err
    assert "redis://:***@localhost/0" in written
    assert "main?sentinel_password=***&x=1" in written
    assert "ValueError" in written
    assert "hush" not in written
    assert token not in written


def test_what_postgresql_tells_of_a_row_stays_out(capsys: pytest.CaptureFixture[str]) -> None:
    """The details of an error may be somebody's words; what went wrong is told all the same."""
    configure_logs("json")
    error = ValueError(
        'violates check constraint "title"\nDETAIL:  Failing row contains (1, Dusk).'
    )
    structlog.get_logger("gateway.test").error("failed", exc_info=error)
    structlog.get_logger("gateway.test").warning("failed", error=repr(error))
    written = capsys.readouterr().err
    assert written.count("violates check constraint") == 2
    assert "Dusk" not in written


class Clock:
    """Stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_flood_is_sampled() -> None:
    """A few lines of each kind in a second; how many more there were is told with the next one."""
    clock = Clock()
    floods = Floods(clock)

    def lines(method: str, times: int, **event: Any) -> list[dict[str, Any]]:
        written = []
        for _ in range(times):
            with contextlib.suppress(structlog.DropEvent):
                written.append(dict(floods(None, method, dict(event))))
        return written

    assert len(lines("warning", 1000, event="down", error="a")) == FLOOD_LINES
    assert lines("warning", 1, event="down", error="b") == []
    assert len(lines("error", 1, event="another")) == 1
    assert len(lines("info", 1000, event="request", status=200)) == 1000
    assert len(lines("info", 1000, event="request", status=429)) == FLOOD_LINES
    clock.now = 1.0
    assert [line.get("left_out") for line in lines("warning", 2, event="down")] == [981, None]
    assert [line["left_out"] for line in lines("info", 1, event="request", status=401)] == [980]


def test_a_librarys_flood_is_sampled(capsys: pytest.CaptureFixture[str]) -> None:
    """By module and gravity, whatever the words; what is no complaint is not."""
    configure_logs("json")
    floods = Floods(Clock())
    for handler in logging.root.handlers:
        handler.filters = [floods.filter]
    for number in range(100):
        logging.getLogger("some.library").warning("slow: %d ms", number)
        logging.getLogger("some.library").info("number %d", number)
    levels = [line["level"] for line in logged(capsys)]
    assert (levels.count("warning"), levels.count("info")) == (FLOOD_LINES, 100)
