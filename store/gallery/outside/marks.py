"""Marks: what triggers note of rows that were written past the gateway."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

FRESH = timedelta(minutes=1)
"""What was made no longer before it was noted is news; older times were given by hand, as by an import."""

_decode_was = msgspec.json.Decoder(dict[str, Any]).decode


class Fate(msgspec.Struct):
    """What all marks about one row come to.

    `net` is by how much it changes the number of rows: what came and went meanwhile is 0. `made_at` is the
    row's own time, and `is_fresh` says that it was given by the clock. `was` tells of a post that is gone.
    """

    noun: str
    row_id: UUID
    user_id: UUID
    parent_id: UUID | None
    made_at: datetime
    actor_id: UUID
    is_fresh: bool
    net: int = 0
    changed: bool = False
    was: dict[str, Any] | None = None


def fates(marks: Iterable[Mapping[str, Any]]) -> Sequence[Fate]:
    """What became of each row, in the order in which the rows were touched last."""
    found: dict[UUID, Fate] = {}
    for mark in marks:
        before = found.pop(mark["row_id"], None)
        fate = Fate(
            noun=mark["noun"],
            row_id=mark["row_id"],
            user_id=mark["user_id"],
            parent_id=mark["parent_id"],
            made_at=mark["made_at"],
            actor_id=mark["actor_id"] or mark["user_id"],
            is_fresh=mark["is_fresh"] and (before is None or before.is_fresh),
            net=0 if before is None else before.net,
            changed=before is not None and before.changed,
        )
        if mark["deed"] == "made":
            fate.net += 1
        elif mark["deed"] == "gone":
            fate.net -= 1
            fate.was = None if mark["was"] is None else _decode_was(mark["was"])
        else:
            fate.changed = True
        found[fate.row_id] = fate
    return list(found.values())
