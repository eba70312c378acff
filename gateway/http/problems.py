"""Refusals over HTTP: `application/problem+json` (RFC 9457), with the codes of the acks."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import hdrs, web

from handlers.operation import Refusal

_encode = msgspec.json.Encoder().encode

_OF_STATUS = {
    400: "VALIDATION_ERROR",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMITED",
    503: "UNAVAILABLE",
}


def problem(
    refusal: Refusal,
    statuses: Mapping[str, int],
    request_id: str,
    headers: Mapping[str, str] = {},
    *,
    status: int | None = None,
) -> web.Response:
    """The answer that tells of a refusal; a code that no domain gave a status counts as a 500.

    `status` is HTTP's own word, where that is more exact than the code's.
    """
    status = status or statuses.get(refusal.code, 500)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": refusal.message,
        "code": refusal.code,
        "details": refusal.details,
        "request_id": request_id,
    }
    if refusal.retry_after is not None:
        body["retry_after"] = refusal.retry_after
    response = web.Response(
        status=status,
        body=_encode(body),
        content_type="application/problem+json",
        headers=headers,
    )
    response.headers["Cache-Control"] = "no-store"
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(refusal.retry_after))
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def of_framework(error: web.HTTPException) -> Refusal:
    """The refusal behind an error that the framework answers by itself."""
    code = _OF_STATUS.get(error.status, "VALIDATION_ERROR" if error.status < 500 else "INTERNAL")
    usual = f"{error.status}: {error.reason}"
    said = error.text if error.text and error.text != usual else HTTPStatus(error.status).phrase
    wait = error.headers.get(hdrs.RETRY_AFTER)
    return Refusal(code, f"{said.rstrip('.')}.", retry_after=None if wait is None else float(wait))
