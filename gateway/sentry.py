"""Errors told to Sentry: off unless there is a DSN, and only where the extra `sentry` is installed.

What goes there is what the log has: where an error came up, which release and worker, which request id. No
variables, no requests, no users.
"""

from importlib.metadata import version
from typing import Any

from structlog.typing import EventDict

from gateway.logs import Report
from gateway.redaction import redact
from gateway.settings import Settings
from gateway.startup import CannotStart

TAGS = ("request_id", "requests", "worker", "logger", "job", "slot")
"""What of a line in the log goes along."""


def reports(settings: Settings) -> Report | None:
    """Who is to be told of errors; None where nobody is. Raises CannotStart without the extra."""
    if not settings.sentry_dsn:
        return None
    try:
        import sentry_sdk
    except ImportError:
        raise CannotStart(
            "VERNISSAGE_SENTRY_DSN is given, and sentry-sdk is not installed:"
            " install vernissage[sentry], or drop the DSN"
        ) from None
    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        environment=settings.env,
        release=f"vernissage@{version('vernissage')}",
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        before_send=_redacted,
    )

    def told(event: EventDict) -> None:
        with sentry_sdk.new_scope() as scope:
            for name in TAGS:
                if name in event:
                    scope.set_tag(name, str(event[name]))
            error = _error(event.get("exc_info"))
            if error is not None:
                scope.set_tag("event", event["event"])
                scope.capture_exception(error)
            else:
                scope.capture_message(event["event"], level="error")

    return told


def _error(exc_info: Any) -> BaseException | None:
    """The exception that a line tells of, in whichever of its shapes."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def _redacted(event: Any, hint: Any) -> Any:
    for each in event.get("exception", {}).get("values", ()):
        each["value"] = redact(str(each.get("value", "")))
    return event
