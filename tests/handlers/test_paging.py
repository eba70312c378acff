"""A list is asked for by cursor, or by a page that is not too deep."""

from typing import Any

import msgspec
import pytest

from handlers.paging import PageQuery
from store.refusal import Refusal


def ask(**query: Any) -> PageQuery:
    return msgspec.convert(query, PageQuery, strict=False)


def test_twenty_of_the_first_page_are_asked_for_by_default() -> None:
    """Nothing said is the beginning."""
    assert ask() == PageQuery(cursor=None, page=None, limit=20)


@pytest.mark.parametrize("query", [{"page": "200", "limit": "50"}, {"page": 500}, {"cursor": "x"}])
def test_what_can_be_asked_for(query: dict[str, Any]) -> None:
    """Up to 10,000 items deep by page, any cursor; as text too, as a URL has it."""
    assert ask(**query).limit in (20, 50)


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 51}, {"page": 0}, {"page": "one"}, {"offset": 3}]
)
def test_what_has_the_wrong_shape(query: dict[str, Any]) -> None:
    """Limits are 1 to 50, pages count from 1, and nothing else can be said."""
    with pytest.raises(msgspec.ValidationError):
        ask(**query)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"page": 201, "limit": 50}, "times limit must be at most 10000: go deeper by next_cursor"),
        ({"page": 1, "cursor": "x"}, "must not stand beside a cursor"),
    ],
)
def test_what_is_refused(query: dict[str, Any], why: str) -> None:
    """A page that is too deep, or one beside a cursor."""
    with pytest.raises(Refusal) as caught:
        ask(**query)
    assert (caught.value.code, caught.value.details) == ("VALIDATION_ERROR", {"page": why})
