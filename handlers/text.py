"""The one rule for all text that users write: gallery.md, "Rules"."""

import re
import unicodedata

import msgspec

from handlers.validation import invalid

_SURROGATE = re.compile("[\ud800-\udfff]")
_BIDI_CONTROL = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""All that has Unicode's property Bidi_Control: it can make text read as what it is not."""
_REFUSED = r"\u0000\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""NUL and the same controls, as patterns in JSON Schema spell them."""


def written(*, least: int = 0, most: int) -> msgspec.Meta:
    """What a JSON Schema can say of text for `clean_text`, which counts after normalising and trimming."""
    pattern = rf"^[^{_REFUSED}]*[^\s{_REFUSED}][^{_REFUSED}]*$" if least else rf"^[^{_REFUSED}]*$"
    limits = {"minLength": least} if least else {}
    return msgspec.Meta(extra_json_schema={**limits, "maxLength": most, "pattern": pattern})


def clean_text(value: str, field: str, *, least: int, most: int) -> str:
    """`value` in NFC and trimmed, with `least` to `most` code points.

    Raises VALIDATION_ERROR naming `field`; also for NUL, lone surrogates, bidirectional controls.
    """
    if "\0" in value:
        raise invalid(field, "must not contain NUL")
    if _SURROGATE.search(value):
        raise invalid(field, "must be valid Unicode, contains a lone surrogate")
    if control := _BIDI_CONTROL.search(value):
        raise invalid(
            field, f"must not contain bidirectional controls, contains U+{ord(control[0]):04X}"
        )
    text = unicodedata.normalize("NFC", value).strip()
    if not least <= len(text) <= most:
        raise invalid(field, f"must have {least} to {most} characters, has {len(text)}")
    return text
