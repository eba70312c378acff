"""Comments: what may be said, changed and taken back."""

from typing import Annotated
from uuid import UUID

import msgspec

from handlers.operation import Call
from handlers.paging import PageQuery
from handlers.text import clean_text, written
from handlers.validation import ClientId, check_client_id
from store.cursors import Page
from store.gallery import Gallery
from store.gallery.comments import Command, Delete, Edit, Write
from store.gallery.shapes import Comment, DeletedComment

LONGEST = 1000
"""Characters of a comment."""

Content = Annotated[str, written(least=1, most=LONGEST)]


class CreateComment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`id` may be made by the client (UUIDv7): then a retry is recognised as one."""

    post_id: UUID
    content: Content
    id: ClientId | None = None

    def __post_init__(self) -> None:
        _clean(self)
        if self.id is not None:
            check_client_id(self.id)


class UpdateComment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a comment is to say from now on."""

    comment_id: UUID
    content: Content

    def __post_init__(self) -> None:
        _clean(self)


class CommentRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a comment."""

    comment_id: UUID


class CommentQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The comments on a post, oldest first."""

    post_id: UUID


async def create(call: Call[Gallery], command: CreateComment) -> Comment:
    """The actor comments on the post."""
    return await _settle(
        call, Write(call.actor.viewer, command.post_id, command.content, command.id)
    )


async def update(call: Call[Gallery], command: UpdateComment) -> Comment:
    """The comment says something else from now on."""
    return await _settle(call, Edit(call.actor.viewer, command.comment_id, command.content))


async def delete(call: Call[Gallery], command: CommentRef) -> DeletedComment:
    """The comment is gone from now on."""
    await _settle(call, Delete(call.actor.viewer, command.comment_id))
    return DeletedComment(command.comment_id)


async def page(call: Call[Gallery], query: CommentQuery) -> Page[Comment]:
    """What is said about the post."""
    return await call.store.comments.page(query.post_id, call.actor.viewer, **query.paging)


def _clean(command: CreateComment | UpdateComment) -> None:
    content = clean_text(command.content, "content", least=1, most=LONGEST)
    msgspec.structs.force_setattr(command, "content", content)


async def _settle(call: Call[Gallery], command: Command) -> Comment:
    outcome = await call.store.comments.submit(command)
    call.changed = outcome.changed
    return outcome.comment
