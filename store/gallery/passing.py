"""Which posts pass filters: the newest of them, read from an index that has them in that order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from store.cursors import Filter
from store.database import Reader
from store.gallery.shapes import AssetType
from store.queries import queries
from store.totals import count
from store.viewer import Viewer

_SQL = queries("gallery/passing")

RANKED_MOST = 1_000
"""Of the posts with some words the newest so many are put into another order: by likes, by rank, or the best first.

Where the words are a phrase, these are of the newest three times as many that have all of its words.
"""

Position = tuple[datetime, UUID]

NOW: Position = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))
"""Before which there is everything."""


class Filters(msgspec.Struct, frozen=True):
    """What a listing leaves out; None lets everything through. `search` is in the words of a web search."""

    asset_type: AssetType | None = None
    any_tags: tuple[str, ...] | None = None
    all_tags: tuple[str, ...] | None = None
    user_id: UUID | None = None
    search: str | None = None

    def values(self) -> tuple[Filter, ...]:
        """The filters in the order of the parameters in `passing.sql`."""
        return (self.asset_type, self.any_tags, self.all_tags, self.user_id, self.search)

    def simplified(self) -> "Filters":
        """The same, with one tag of all as one of any."""
        if self.any_tags or not self.all_tags or len(self.all_tags) > 1:
            return self
        return msgspec.structs.replace(self, any_tags=self.all_tags, all_tags=None)

    def given(self) -> dict[str, Filter]:
        """The filters that there are, by name."""
        named = zip(self.__struct_fields__, self.values(), strict=True)
        return {name: value for name, value in named if value is not None}


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Passing:
    """The posts that pass some filters, newest first.

    `given` are the parameters of its queries between the reader and the position, `more` those at the end.
    """

    query: str
    count_query: str
    given: Sequence[Filter]
    more: Sequence[Filter] = ()

    async def newest(
        self, reader: Reader, viewer: Viewer, before: Position, most: int, passed: int = 0
    ) -> list[UUID]:
        """At most `most` of those that the viewer may see before a position, newest first."""
        rows = await reader.fetch(self.query, *self._arguments(viewer, before, most, passed))
        return [row["id"] for row in rows]

    async def count(self, reader: Reader, viewer: Viewer, most: int) -> int:
        """How many there are that the viewer may see; whatever is more than `most` is `most`."""
        return await count(reader, self.count_query, *self._arguments(viewer, NOW, most, 0))

    def _arguments(
        self, viewer: Viewer, before: Position, most: int, passed: int
    ) -> tuple[Any, ...]:
        return (viewer.id, viewer.moderates, *self.given, *before, most, passed, *self.more)


def passing(filters: Filters, *, followed: bool = False) -> Passing:
    """How to find what passes these filters; `followed`: only those whose authors the viewer follows.

    What is asked for by type, author and tags is read from an index that has it in order; what has words, and
    combinations that nobody asks for, from the index of keys, one span of time after the other.
    """
    filters = filters.simplified()
    kind, user = filters.asset_type, filters.user_id
    tags, all_tags = filters.any_tags, filters.all_tags
    mixed = all_tags and (tags or user)
    strange = followed and (user or len(tags or ()) > 1)
    if filters.search is not None or mixed or strange:
        return _of_keys(filters, followed)
    if all_tags:
        query, counting = _SQL["of_all_tags"], _SQL["count_of_all_tags"]
        return Passing(query, counting, [kind], [all_tags, followed])
    if followed:
        return _of_followed(kind, tags)
    if user is not None:
        return _of_user(user, kind, tags)
    if tags and kind:
        return Passing(_SQL["of_tags_and_type"], _SQL["count_of_tags_and_type"], [kind], [tags])
    if tags:
        return Passing(_SQL["of_tags"], _SQL["count_of_tags"], [tags])
    if kind:
        return Passing(_SQL["of_type"], _SQL["count_of_type"], [kind])
    return Passing(_SQL["of_all"], _SQL["count_of_all"], [])


def newest_with_keys(
    filters: Filters, viewer: Viewer, *, until: datetime | None = None
) -> tuple[Any, ...]:
    """$1 to $12 of what puts the newest `RANKED_MOST` that pass, none newer than `until`, into another order."""
    before = (until or NOW[0], NOW[1])
    return (viewer.id, viewer.moderates, *filters.values(), False, *before, RANKED_MOST, 0)


def _of_user(user: UUID, kind: AssetType | None, tags: Sequence[str] | None) -> Passing:
    if tags:
        query, counting = _SQL["of_user_and_tags"], _SQL["count_of_user_and_tags"]
        return Passing(query, counting, [kind], [tags, user])
    if kind:
        return Passing(_SQL["of_user_and_type"], _SQL["count_of_user_and_type"], [kind], [user])
    return Passing(_SQL["of_user"], _SQL["count_of_user"], [user])


def _of_followed(kind: AssetType | None, tags: Sequence[str] | None) -> Passing:
    if tags:
        query, counting = _SQL["of_tag_by_followed"], _SQL["count_of_tag_by_followed"]
        return Passing(query, counting, [kind], [*tags])
    if kind:
        return Passing(_SQL["of_type_by_followed"], _SQL["count_of_type_by_followed"], [kind])
    return Passing(_SQL["of_followed"], _SQL["count_of_followed"], [])


def _of_keys(filters: Filters, followed: bool) -> Passing:
    return Passing(_SQL["of_keys"], _SQL["count_of_keys"], [*filters.values(), followed])
