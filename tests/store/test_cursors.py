"""Cursors give back the position they were made of, and nothing else passes for one."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.cursors import LONGEST, CursorKey, Listing
from store.database import open_database
from store.refusal import Refusal
from tests.servers import FreshDatabase

KEY = bytes(range(32))
RECENT = Listing("recent", tuple[datetime, UUID])
OTHER = Listing("other", tuple[datetime, UUID])

positions = st.tuples(
    st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)),
    st.uuids(),
)
filters = st.lists(
    st.one_of(
        st.none(), st.text(max_size=20), st.uuids(), st.integers(0, 100), st.lists(st.text())
    ),
    max_size=3,
)


def refuses(cursor: str, listing: Listing[tuple[datetime, UUID]] = RECENT, **how: object) -> bool:
    with pytest.raises(Refusal) as caught:
        listing.position(how.get("key", KEY), cursor, how.get("filters", ()))  # type: ignore[arg-type]
    return caught.value.code == "INVALID_CURSOR"


@given(positions, filters)
def test_a_cursor_gives_back_its_position(
    position: tuple[datetime, UUID], by: list[object]
) -> None:
    """A cursor read by its own listing, filters and key is the position to the microsecond."""
    cursor = RECENT.cursor(KEY, position, by)  # type: ignore[arg-type]
    assert len(cursor) <= LONGEST
    assert RECENT.position(KEY, cursor, by) == position  # type: ignore[arg-type]


@given(positions, filters, filters)
def test_a_cursor_of_other_filters_is_refused(
    position: tuple[datetime, UUID], by: list[object], others: list[object]
) -> None:
    """A cursor is valid under exactly the filters it was given out for."""
    cursor = RECENT.cursor(KEY, position, by)  # type: ignore[arg-type]
    if by != others:
        assert refuses(cursor, filters=others)


@given(positions)
def test_a_cursor_of_another_listing_or_key_is_refused(position: tuple[datetime, UUID]) -> None:
    """Neither another listing nor another database's key accepts a cursor."""
    cursor = RECENT.cursor(KEY, position)
    assert refuses(cursor, OTHER)
    assert refuses(cursor, key=KEY[::-1])


@given(positions, st.data())
def test_a_changed_cursor_is_refused(position: tuple[datetime, UUID], data: st.DataObject) -> None:
    """Changing, adding or leaving out any character makes a cursor invalid."""
    cursor = RECENT.cursor(KEY, position)
    at = data.draw(st.integers(0, len(cursor) - 1))
    put = data.draw(st.text("ABCabc019-_=+/ \n\0é", max_size=2))
    forged = cursor[:at] + put + cursor[at + 1 :]
    if forged != cursor:
        assert refuses(forged)


@given(st.text(max_size=300))
def test_what_never_was_a_cursor_is_refused(text: str) -> None:
    """Any other text is INVALID_CURSOR, whatever it is made of."""
    assert refuses(text)


@given(st.text())
def test_a_position_of_another_shape_is_refused(text: str) -> None:
    """A cursor that an older release signed over another kind of position is refused, not misread."""
    assert refuses(Listing("recent", str).cursor(KEY, text[:50]))


async def test_the_key_is_the_databases(fresh_database: FreshDatabase) -> None:
    """Two nodes on one database sign alike, with 32 bytes."""
    url = await fresh_database()
    async with (
        open_database(url, connections=1) as one,
        open_database(url, connections=1) as other,
    ):
        key = await CursorKey(one).get()
        assert key == await CursorKey(other).get()
    assert len(key) == 32
