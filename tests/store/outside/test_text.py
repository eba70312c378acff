"""What outsiders write is cleaned and refused as the gateway cleans and refuses it."""

from typing import Any

import asyncpg
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handlers.gallery.assets import check_url
from handlers.gallery.posts import clean_tags
from handlers.text import clean_text
from store.database import Database
from store.refusal import Refusal

MANY = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
REFUSED = object()
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    | st.sampled_from(
        "\u061c\u200e\u202e\u2066 \t\n\x0b\x1c\x1f\x85\xa0\u1680\u2009\u2028\u3000e\u0301"
    ),
    max_size=40,
)


async def by_sql(database: Database, statement: str, value: Any) -> Any:
    try:
        row = await database.fetchrow(statement, value)
    except asyncpg.CheckViolationError:
        return REFUSED
    assert row is not None
    return row[0]


def by_python(clean: Any, *args: Any, **how: Any) -> Any:
    try:
        return clean(*args, **how)
    except Refusal:
        return REFUSED


@MANY
@given(TEXT)
@example("\u202enice")
@example(" e\u0301 \x0b\x1c\u3000")
async def test_text_is_cleaned_as_by_the_gateway(database: Database, text: str) -> None:
    """NFC and trimmed, by the same idea of what a space is; bidirectional controls are refused."""
    found = await by_sql(database, "select outside.clean_text($1, 'title')", text)
    assert found == by_python(clean_text, text, "title", least=0, most=1000)


@MANY
@given(
    st.lists(
        st.from_regex(r"\s?[A-Za-z0-9-]{0,33}\s?", fullmatch=True)
        | st.sampled_from(["a b", "é", "-"]),
        max_size=5,
    )
)
@example([" Neon ", "neon", "NEON-2"])
@example(["a" * 30])
@example(["a" * 31])
async def test_tags_are_cleaned_as_by_the_gateway(database: Database, tags: list[str]) -> None:
    """Lower-cased, trimmed, each once; what has not the form is refused."""
    found = await by_sql(database, "select outside.clean_tags($1)", tags)
    known = by_python(clean_tags, tags)
    assert found == (known if known is REFUSED else list(known))


@MANY
@given(
    st.from_regex(r"(https?://|/media/|ftp:|)[a-z.:/\[\]@?#%\\\" é-]{0,20}", fullmatch=True)
    | st.from_regex(r"https?://[a-z.]{1,5}(:[0-9]{1,5})?/[!-~]{0,9}", fullmatch=True)
)
@example("http://a:65536/")
@example("/media/../x")
@example("/media/a/./b")
@example("/media/a")
async def test_what_an_asset_may_have_as_its_url_the_gateway_lets_through(
    database: Database, url: str
) -> None:
    """SQL is the stricter of the two."""
    found = await by_sql(database, "select outside.clean_url($1)", url)
    if found is not REFUSED:
        assert by_python(check_url, found) == found


async def test_urls_as_they_are_usually_pass(database: Database) -> None:
    """So the test before this one does not pass for want of any."""
    for url in (
        "https://example.org/picture.svg",
        "http://localhost:8080/a/b?c=d&e=%20#f",
        "https://cdn.example.org",
        "/media/demo/sunset-2.svg",
    ):
        assert await by_sql(database, "select outside.clean_url($1)", f" {url}\n") == url
