"""Who is reading: the little that a query needs to know of the person behind it."""

from uuid import UUID

import msgspec


class Viewer(msgspec.Struct, frozen=True):
    """`id` is None for a visitor; `moderates` opens what is hidden."""

    id: UUID | None = None
    moderates: bool = False

    def may_see_hidden_of(self, owner: UUID) -> bool:
        """Whether what `owner` made is shown to this viewer although it is hidden."""
        return self.moderates or self.id == owner
