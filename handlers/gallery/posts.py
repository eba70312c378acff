"""Posts: assets that their creators share."""

import re
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import msgspec

from handlers.gallery.likes import PostRef
from handlers.operation import Call
from handlers.text import clean_text, written
from handlers.validation import ClientId, check_client_id
from store.gallery import Gallery
from store.gallery.posts import NewPost, PostChange, PostDeletion
from store.gallery.refusals import invalid_tag, too_many_tags
from store.gallery.shapes import DeletedPost, Engagement, Post, PostInDetail, Viewed
from store.gallery.views import View
from store.ids import new_id
from store.refusal import Refusal

TITLE_MOST = 100
"""Characters of a title."""
DESCRIPTION_MOST = 500
"""Characters of a description."""
TAGS_MOST = 5
"""Tags of a post."""
TAG_FORMAT = r"^[a-z0-9]$|^[a-z0-9][a-z0-9-]{0,28}[a-z0-9]$"

_TAG = re.compile(TAG_FORMAT)


Title = Annotated[str, written(least=1, most=TITLE_MOST)]
Description = Annotated[str, written(most=DESCRIPTION_MOST)]
Tag = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={"pattern": r"^\s*[A-Za-z0-9]([A-Za-z0-9-]{0,28}[A-Za-z0-9])?\s*$"}
    ),
]
"""Before it is trimmed and lower-cased."""
Tags = Annotated[tuple[Tag, ...], msgspec.Meta(extra_json_schema={"maxItems": TAGS_MOST})]


class CreatePost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`id` is the client's own, a UUIDv7: sent again with the same body it makes no second post.

    A description of nothing is none. Tags are lower-cased, and each counts once.
    """

    asset_id: UUID
    title: Title
    description: Description | None = None
    tags: Tags = ()
    show_prompt: bool = True
    inspired_by_post_id: UUID | None = None
    id: ClientId | None = None

    def __post_init__(self) -> None:
        title = clean_text(self.title, "title", least=1, most=TITLE_MOST)
        description = clean_text(
            self.description or "", "description", least=0, most=DESCRIPTION_MOST
        )
        msgspec.structs.force_setattr(self, "title", title)
        msgspec.structs.force_setattr(self, "description", description or None)
        msgspec.structs.force_setattr(self, "tags", clean_tags(self.tags))
        if self.id is not None:
            check_client_id(self.id)


class UpdatePost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a post is to say from now on; what is left out stays as it is. A description of null is none."""

    post_id: UUID
    title: Title | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType | None = msgspec.UNSET
    tags: Tags | msgspec.UnsetType = msgspec.UNSET
    show_prompt: bool | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        if self.title is not msgspec.UNSET:
            title = clean_text(self.title, "title", least=1, most=TITLE_MOST)
            msgspec.structs.force_setattr(self, "title", title)
        if self.description is not msgspec.UNSET:
            description = clean_text(
                self.description or "", "description", least=0, most=DESCRIPTION_MOST
            )
            msgspec.structs.force_setattr(self, "description", description or None)
        if self.tags is not msgspec.UNSET:
            msgspec.structs.force_setattr(self, "tags", clean_tags(self.tags))


async def create(call: Call[Gallery], command: CreatePost) -> Post:
    """The actor shares an asset of theirs."""
    post = NewPost(
        id=command.id or new_id(),
        by=call.actor.viewer,
        asset_id=command.asset_id,
        title=command.title,
        description=command.description,
        tags=command.tags,
        show_prompt=command.show_prompt,
        inspired_by_post_id=command.inspired_by_post_id,
    )
    (answer,) = await call.store.posts.create([post])
    if isinstance(answer, Refusal):
        raise answer
    call.changed = answer.changed
    return answer.post


async def update(call: Call[Gallery], command: UpdatePost) -> Post:
    """The post says something else from now on."""
    change = PostChange(
        post_id=command.post_id,
        by=call.actor.viewer,
        title=command.title,
        description=command.description,
        tags=command.tags,
        show_prompt=command.show_prompt,
    )
    (answer,) = await call.store.posts.update([change])
    if isinstance(answer, Refusal):
        raise answer
    call.changed = answer.changed
    return answer.post


async def delete(call: Call[Gallery], command: PostRef) -> DeletedPost:
    """The post is gone from now on, with all that hangs on it."""
    (answer,) = await call.store.posts.delete([PostDeletion(command.post_id, call.actor.viewer)])
    if isinstance(answer, Refusal):
        raise answer
    return answer


async def get(call: Call[Gallery], command: PostRef) -> PostInDetail:
    """One post, as the actor sees it at this moment; a view of it, which is counted afterwards."""
    post = await call.store.posts.get(command.post_id, call.actor.viewer)
    if call.shown:
        call.store.views.note(View(post.id, call.actor.viewer, call.actor.address))
    return post


async def view(call: Call[Gallery], command: PostRef) -> Viewed:
    """The actor looks at the post."""
    return await call.store.views.submit(
        View(command.post_id, call.actor.viewer, call.actor.address)
    )


async def engagement(call: Call[Gallery], command: PostRef) -> Engagement:
    """How the post is received."""
    return await call.store.posts.engagement(command.post_id, call.actor.viewer)


def clean_tags(tags: Iterable[str], *, most: int = TAGS_MOST) -> tuple[str, ...]:
    """`tags` lower-cased and trimmed, each once, where it first stood: only different ones are counted.

    Raises COMMUNITY_INVALID_TAG and COMMUNITY_TOO_MANY_TAGS.
    """
    clean = tuple(dict.fromkeys(tag.strip().lower() for tag in tags))
    for tag in clean:
        if not _TAG.fullmatch(tag):
            raise invalid_tag(tag, TAG_FORMAT)
    if len(clean) > most:
        raise too_many_tags(len(clean), most)
    return clean
