"""The shapes of the inbox domain, the same over REST, acks and events."""

from typing import Literal
from uuid import UUID

import msgspec

from store.cursors import Page
from store.fields import Count, Moment
from store.identity import UserSummary

ACTORS = 3
"""The most actors that a notification names."""

NotificationKind = Literal["post_liked", "post_commented", "user_followed", "post_inspired"]


class Subject(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a notification is about; a post has a title."""

    type: Literal["post", "user"]
    id: UUID
    title: str | None = None


class Notification(msgspec.Struct, frozen=True):
    """Something happened, `count` times, to what is the receiver's own. `actors` are the newest, newest first."""

    id: UUID
    kind: NotificationKind
    subject: Subject
    actors: list[UserSummary]
    count: Count
    seen: bool
    created_at: Moment
    updated_at: Moment


class NotificationPage(Page[Notification], frozen=True):
    """One page of an inbox, and how many of all its notifications are unseen as of now."""

    unseen_count: Count


class Seen(msgspec.Struct, frozen=True):
    """Which notifications were unseen until now, and how many still are."""

    ids: list[UUID]
    unseen_count: Count
