"""Secrets that must not be shown, taken out of text that will be."""

import re

_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^/@\s]+@")
_PARAMETER = re.compile(r"(?<=[?&]sentinel_password=)[^&\s]+")
_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_DETAIL = re.compile(r"(?<=DETAIL:)  ?.*")
_ARGUMENT = re.compile(r"(?<=query argument )(\$\d+): .*")
HIDDEN = "***"


def redact(text: str) -> str:
    """`text` without the passwords of its URLs and without JSON Web Tokens.

    And without a row or an argument that PostgreSQL or its driver tells of in an error.
    """
    if "DETAIL:" in text:
        text = _DETAIL.sub(f"  {HIDDEN}", text)
    if "query argument " in text:
        text = _ARGUMENT.sub(rf"\1: {HIDDEN}", text)
    if "://" in text:
        text = _PASSWORD.sub(rf"\1:{HIDDEN}@", text)
        text = _PARAMETER.sub(HIDDEN, text)
    return _TOKEN.sub(HIDDEN, text) if "eyJ" in text else text
