"""Text that users write is normalised, trimmed and bounded in one way."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.text import clean_text
from store.refusal import Refusal

BIDI = [
    chr(code)
    for code in range(0x110000)
    if unicodedata.bidirectional(chr(code))
    in {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
] + ["\u061c", "\u200e", "\u200f"]


def clean(text: str, least: int = 1, most: int = 10) -> str:
    return clean_text(text, "title", least=least, most=most)


def why(text: str, least: int = 1, most: int = 10) -> str:
    with pytest.raises(Refusal) as caught:
        clean(text, least, most)
    assert caught.value.code == "VALIDATION_ERROR"
    (field, reason), *others = caught.value.details.items()
    assert (field, others) == ("title", [])
    return str(reason)


def test_text_is_trimmed_and_composed() -> None:
    """Spaces of all kinds go from both ends; letters and their marks become one where there is one."""
    assert clean("\u2003\n Cafe\u0301 \t") == "Café"


@pytest.mark.parametrize(("text", "length"), [("", 0), (" \u3000\n", 0), ("x" * 11, 11)])
def test_text_is_counted_after_that(text: str, length: int) -> None:
    """In code points; the refusal says what would be right and what was there."""
    assert why(text) == f"must have 1 to 10 characters, has {length}"


def test_a_character_beyond_the_basic_plane_counts_once() -> None:
    """Ten pictures are ten characters, and so are ten letters that came with marks apart."""
    assert clean("🎨" * 10) == "🎨" * 10
    assert clean("e\u0301" * 10) == "é" * 10
    assert clean("", least=0) == ""


def test_nul_is_refused() -> None:
    """Also at the ends, where it would not be trimmed."""
    assert why("a\0") == "must not contain NUL"


@pytest.mark.parametrize("surrogate", ["\ud800", "\ude00\ud83d"])
def test_a_lone_surrogate_is_refused(surrogate: str) -> None:
    """It is no Unicode, and no UTF-8 can carry it."""
    assert why(f"a{surrogate}b") == "must be valid Unicode, contains a lone surrogate"


@pytest.mark.parametrize("control", BIDI, ids=lambda control: f"U+{ord(control):04X}")
def test_a_bidirectional_control_is_refused(control: str) -> None:
    """Each of them, by its name; even at the ends."""
    assert why(f"a{control}") == (
        f"must not contain bidirectional controls, contains U+{ord(control):04X}"
    )


@given(st.text(max_size=20))
def test_clean_text_is_clean(text: str) -> None:
    """Whatever is accepted stays as it is when it is cleaned again, and can be encoded."""
    try:
        cleaned = clean(text, 0, 20)
    except Refusal:
        return
    assert clean(cleaned, 0, 20) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert cleaned.encode().decode().strip() == cleaned
