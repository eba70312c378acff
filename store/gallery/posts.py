"""Posts: how they come into being, change and go, and how one is read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from store.database import Database, Transaction
from store.gallery.creators import Creator, find_creators, refusal_to_write
from store.gallery.events import (
    GALLERY_TOPIC,
    POST_CREATED,
    POST_DELETED,
    POST_UPDATED,
    PostGone,
    PostWritten,
    post_topic,
)
from store.gallery.moderation_log import Note, note
from store.gallery.refusals import (
    already_shared,
    asset_not_owned,
    id_taken,
    post_not_found,
    post_not_owned,
)
from store.gallery.shapes import DeletedPost, Engagement, Post, PostInDetail, SharedPost
from store.identity import UserSummary, summary_of
from store.inbox import ACTORS, Activity, Subject, record, withdraw
from store.journal import EventType, NewEntry
from store.queries import queries
from store.refusal import Refusal
from store.viewer import Viewer

_SQL = queries("gallery/posts")

_pack = msgspec.msgpack.Encoder().encode


class NewPost(msgspec.Struct, frozen=True):
    """A post about to be made. Its text and tags are clean."""

    id: UUID
    by: Viewer
    asset_id: UUID
    title: str
    description: str | None
    tags: tuple[str, ...]
    show_prompt: bool
    inspired_by_post_id: UUID | None

    @property
    def user_id(self) -> UUID:
        assert self.by.id is not None
        return self.by.id

    @property
    def made_as(self) -> bytes:
        """What makes two requests with one id the same."""
        return _made_as({field: getattr(self, field) for field in _BODY})


class PostCreated(msgspec.Struct, frozen=True):
    """The post as its author sees it, and whether it is new: False when it had been made before, just so."""

    post: Post
    changed: bool


class PostChange(msgspec.Struct, frozen=True):
    """What somebody wants a post to say from now on, in clean text; what is UNSET stays as it is."""

    post_id: UUID
    by: Viewer
    title: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    tags: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    show_prompt: bool | msgspec.UnsetType = msgspec.UNSET

    @property
    def user_id(self) -> UUID:
        assert self.by.id is not None
        return self.by.id


class PostUpdated(msgspec.Struct, frozen=True):
    """The post after a change, as its author sees it, and whether the change made a difference."""

    post: Post
    changed: bool


class PostDeletion(msgspec.Struct, frozen=True):
    """Somebody wants a post gone."""

    post_id: UUID
    by: Viewer

    @property
    def user_id(self) -> UUID:
        assert self.by.id is not None
        return self.by.id


class Posts:
    """The posts of the gallery, one by one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, posts: Sequence[NewPost]) -> list[PostCreated | Refusal]:
        """Make posts in order, in one transaction; an answer or a refusal for each."""
        return await self._database.transaction(lambda transaction: _create(transaction, posts))

    async def update(self, changes: Sequence[PostChange]) -> list[PostUpdated | Refusal]:
        """Change posts in order, in one transaction; an answer or a refusal for each.

        The journal gets one entry for each post and topic: what became of it.
        """
        return await self._database.transaction(lambda transaction: _update(transaction, changes))

    async def delete(self, deletions: Sequence[PostDeletion]) -> list[DeletedPost | Refusal]:
        """Delete posts in order, in one transaction, with all that hangs on them; an answer for each.

        The journal tells nothing of them any more, but that they are gone.
        """
        return await self._database.transaction(lambda transaction: _delete(transaction, deletions))

    async def get(self, post_id: UUID, viewer: Viewer) -> PostInDetail:
        """A post as `viewer` sees it; raises COMMUNITY_POST_NOT_FOUND."""
        row = await self._database.reads.fetchrow(_SQL["get"], viewer.id, viewer.moderates, post_id)
        if row is None:
            raise post_not_found(post_id)
        return PostInDetail(
            *msgspec.structs.astuple(post_of(row)), trending_score=row["trending_score"]
        )

    async def engagement(self, post_id: UUID, viewer: Viewer) -> Engagement:
        """How a post is received; raises COMMUNITY_POST_NOT_FOUND."""
        row = await self._database.reads.fetchrow(
            _SQL["engagement"], post_id, viewer.id, viewer.moderates
        )
        if row is None:
            raise post_not_found(post_id)
        return Engagement(**row)

    async def may_see(self, asked: Sequence[tuple[UUID, Viewer]]) -> list[bool]:
        """Whether there is each of these posts, and the reader beside it may know of it."""
        rows = await self._database.fetch(
            _SQL["may_see"],
            [post_id for post_id, _ in asked],
            [reader.id for _, reader in asked],
            [reader.moderates for _, reader in asked],
        )
        return [row["may_see"] for row in rows]


async def lock_posts(
    transaction: Transaction, ids: Iterable[UUID]
) -> dict[UUID, Mapping[str, Any]]:
    """Those of the posts `ids` that there are, locked in order of id until the transaction ends."""
    rows = await transaction.fetch(_SQL["lock"], _distinct(ids))
    return {row["id"]: row for row in rows}


async def seen(transaction: Transaction, asked: Iterable[tuple[UUID, Viewer]]) -> list[Post]:
    """Each of these posts, which there are, as the reader beside it sees it: hidden ones too."""
    asked = list(asked)
    rows = await transaction.fetch(
        _SQL["seen"],
        [post_id for post_id, _ in asked],
        [reader.id for _, reader in asked],
        [reader.moderates for _, reader in asked],
    )
    return [post_of(row) for row in rows]


async def shared(transaction: Transaction, ids: Sequence[UUID]) -> dict[UUID, SharedPost]:
    """What everybody may see of these posts, once they may see them: what events tell."""
    fields = SharedPost.__struct_fields__
    return {
        post.id: SharedPost(*(getattr(post, field) for field in fields))
        for post in await seen(transaction, ((post_id, _ANYBODY) for post_id in ids))
    }


# fmt: off
def post_of(row: Sequence[Any]) -> Post:
    """The Post in a row that begins with the columns of `gallery/posts.post`, in the SQL's order.

    Each column is named, for pages are built of this: slices of the row took three times as long. A post that never
    changed has no `changed_at`: the driver takes as long for a time as for six of the other columns.
    """
    (
        post_id, user_id, asset_id, title, description, prompt, show_prompt, tags, asset_type, asset_url,
        likes, comments, views, is_featured, inspired_by, created_at, changed_at,
        author_name, author_avatar, author_tier, is_liked, topic, seq, is_hidden, *_,
    ) = row
    return Post(
        post_id, user_id, asset_id, title, description, prompt, show_prompt, tags, asset_type, asset_url,
        likes, comments, views, is_featured, created_at, changed_at or created_at,
        UserSummary(user_id, author_name, author_avatar, author_tier),
        inspired_by, is_liked, topic, seq, msgspec.UNSET if is_hidden is None else is_hidden,
    )
# fmt: on


_ANYBODY = Viewer()

_BODY = (
    "user_id",
    "asset_id",
    "title",
    "description",
    "tags",
    "show_prompt",
    "inspired_by_post_id",
)


class _Gallery(msgspec.Struct):
    """What is known of the gallery while a batch of posts is made; `made` and `shared` grow with it.

    `made` tells what each id was used for: None where that post is gone.
    """

    creators: Mapping[UUID, Creator]
    owners: Mapping[UUID, UUID]
    inspiring: Mapping[UUID, Mapping[str, Any]]
    made: dict[UUID, bytes | None]
    shared: set[UUID]


async def _create(
    transaction: Transaction, posts: Sequence[NewPost]
) -> list[PostCreated | Refusal]:
    gallery = await _look(transaction, posts)
    verdicts = [_judge(post, gallery) for post in posts]
    new = [post for post, verdict in zip(posts, verdicts, strict=True) if verdict is True]
    notices: list[NewEntry[Any]] = []
    if new:
        made = await _write(transaction, new)
        notices = await inspiration_notices(transaction, gallery.inspiring, made=made)
    accepted = {
        post.id: post.by
        for post, verdict in zip(posts, verdicts, strict=True)
        if not isinstance(verdict, Refusal)
    }
    answers = {post.id: post for post in await seen(transaction, accepted.items())}
    if new:
        told = await shared(transaction, [post.id for post in new])
        await transaction.journal([*map(_created, told.values()), *notices])
    return [
        verdict if isinstance(verdict, Refusal) else PostCreated(answers[post.id], verdict)
        for post, verdict in zip(posts, verdicts, strict=True)
    ]


async def _look(transaction: Transaction, posts: Sequence[NewPost]) -> _Gallery:
    """Lock what the new posts hang on, and read what else decides about them."""
    assets = await transaction.fetch(
        _SQL["lock_assets"], _distinct(post.asset_id for post in posts)
    )
    inspiring = await lock_posts(
        transaction, (post.inspired_by_post_id for post in posts if post.inspired_by_post_id)
    )
    taken = await transaction.fetch(
        _SQL["taken"], [post.id for post in posts], [asset["id"] for asset in assets]
    )
    return _Gallery(
        creators=await find_creators(transaction, [post.user_id for post in posts]),
        owners={asset["id"]: asset["user_id"] for asset in assets},
        inspiring=inspiring,
        made={row["id"]: _first(row) for row in taken},
        shared={row["asset_id"] for row in taken},
    )


def _judge(post: NewPost, gallery: _Gallery) -> bool | Refusal:
    """Whether the post is new, or was made before just so; or why it may not be made."""
    if refusal := refusal_to_write(gallery.creators, post.user_id):
        return refusal
    if post.id in gallery.made:
        return False if gallery.made[post.id] == post.made_as else id_taken(post.id)
    if gallery.owners.get(post.asset_id) != post.user_id:
        return asset_not_owned(post.asset_id)
    if post.asset_id in gallery.shared:
        return already_shared(post.asset_id)
    if post.inspired_by_post_id is not None:
        inspiring = gallery.inspiring.get(post.inspired_by_post_id)
        if inspiring is None or (
            inspiring["is_hidden"] and not post.by.may_see_hidden_of(inspiring["user_id"])
        ):
            return post_not_found(post.inspired_by_post_id)
    gallery.made[post.id] = post.made_as
    gallery.shared.add(post.asset_id)
    return True


def _first(row: Mapping[str, Any]) -> bytes | None:
    """What the post in a row of `taken` was made as; as far as one can tell, where that was not written."""
    if row["user_id"] is None:
        return None
    made_as: bytes | None = row["made_as"]
    return made_as or _made_as(row)


def _made_as(fields: Mapping[str, Any]) -> bytes:
    return sha256(_pack([fields[field] for field in _BODY])).digest()


def _distinct(ids: Iterable[UUID]) -> list[UUID]:
    return list(dict.fromkeys(ids))


async def _write(transaction: Transaction, new: Sequence[NewPost]) -> Sequence[Mapping[str, Any]]:
    made = await transaction.fetch(
        _SQL["add"],
        [post.id for post in new],
        [post.user_id for post in new],
        [post.asset_id for post in new],
        [post.title for post in new],
        [post.description for post in new],
        [post.show_prompt for post in new],
        [",".join(post.tags) for post in new],
        [post.inspired_by_post_id for post in new],
        [post.made_as for post in new],
    )
    await transaction.fetch(_SQL["count"], [post.user_id for post in new])
    return made


async def inspiration_notices(
    transaction: Transaction,
    inspiring: Mapping[UUID, Mapping[str, Any]],
    *,
    made: Iterable[Mapping[str, Any]] = (),
    gone: Iterable[Mapping[str, Any]] = (),
    back: Iterable[Mapping[str, Any]] = (),
) -> list[NewEntry[Any]]:
    """What the authors of the locked posts `inspiring` get to know of others' posts after them.

    Of those there are new ones, some that may not be seen any more, and some that may again: those
    grow a notification that they were part of, and begin none.
    """
    times: defaultdict[UUID, tuple[list[datetime], list[datetime], list[datetime]]]
    times = defaultdict(lambda: ([], [], []))
    for place, posts in enumerate((made, gone, back)):
        for post in posts:
            of = inspiring.get(post["inspired_by_post_id"])
            if of is not None and of["user_id"] != post["user_id"]:
                times[of["id"]][place].append(post["created_at"])
    if not times:
        return []
    latest: dict[UUID, list[tuple[UserSummary, datetime]]] = {post_id: [] for post_id in times}
    for row in await transaction.fetch(_SQL["inspired"], list(latest), ACTORS):
        latest[row["post_id"]].append((summary_of(row), row["inspired_at"]))
    return await record(
        transaction,
        [
            Activity(
                user_id=inspiring[post_id]["user_id"],
                kind="post_inspired",
                subject=Subject("post", post_id, inspiring[post_id]["title"]),
                latest=latest[post_id],
                added=added,
                removed=removed,
                restored=restored,
            )
            for post_id, (added, removed, restored) in times.items()
        ],
    )


def _created(post: SharedPost) -> NewEntry[PostWritten]:
    return NewEntry(
        topic=GALLERY_TOPIC,
        type=POST_CREATED,
        data=PostWritten(post),
        subject=post_topic(post.id),
        actor=post.user_id,
    )


def changed_entries(
    post: SharedPost, actor: UUID | None, *, in_gallery: bool
) -> list[NewEntry[PostWritten]]:
    """Tell what a post is now, to those who watch it and, unless it is hidden, to the whole gallery."""
    return [
        NewEntry(
            topic=topic,
            type=POST_UPDATED,
            data=PostWritten(post),
            subject=post_topic(post.id),
            actor=actor,
        )
        for topic in ([post_topic(post.id)] + [GALLERY_TOPIC] * in_gallery)
    ]


def gone_entries(
    event: EventType[PostGone], post_id: UUID, actor: UUID, *, in_gallery: bool
) -> list[NewEntry[PostGone]]:
    """Tell that a post is hidden or deleted, and of the gallery those to whom it was not hidden."""
    return [
        NewEntry(
            topic=topic,
            type=event,
            data=PostGone(post_id),
            subject=post_topic(post_id),
            actor=actor,
        )
        for topic in ([post_topic(post_id)] + [GALLERY_TOPIC] * in_gallery)
    ]


Words = tuple[str, str | None, tuple[str, ...], bool]
"""What its author may change of a post: title, description, tags, and whether its prompt is shown."""


async def _update(
    transaction: Transaction, changes: Sequence[PostChange]
) -> list[PostUpdated | Refusal]:
    posts = await lock_posts(transaction, (change.post_id for change in changes))
    creators = await find_creators(transaction, (change.user_id for change in changes))
    before = {
        post_id: (row["title"], row["description"], tuple(row["tags"]), row["show_prompt"])
        for post_id, row in posts.items()
    }
    now = dict(before)
    verdicts = [
        refusal_to_write(creators, change.user_id)
        or _refusal_to_change(change, posts)
        or _apply(change, now)
        for change in changes
    ]
    changed = {post_id: words for post_id, words in now.items() if words != before[post_id]}
    if changed:
        await transaction.execute(_SQL["change"], list(changed), *_columns(changed.values()))
        withheld = [post_id for post_id, words in changed.items() if not words[3]]
        if withheld:
            await transaction.execute(_SQL["withhold_prompts"], [*map(post_topic, withheld)])
    answers = {
        post.id: post
        for post in await seen(
            transaction, ((post_id, Viewer(row["user_id"])) for post_id, row in posts.items())
        )
    }
    if changed:
        told = await shared(transaction, list(changed))
        entries = await transaction.journal(
            [
                entry
                for post_id, post in told.items()
                for entry in changed_entries(
                    post, post.user_id, in_gallery=not posts[post_id]["is_hidden"]
                )
            ]
        )
        seqs = {entry.topic: entry.seq for entry in entries}
        for post_id in changed:
            answers[post_id] = msgspec.structs.replace(
                answers[post_id], seq=seqs[post_topic(post_id)]
            )
    return [
        verdict if isinstance(verdict, Refusal) else PostUpdated(answers[change.post_id], verdict)
        for change, verdict in zip(changes, verdicts, strict=True)
    ]


def _refusal_to_change(
    change: PostChange, posts: Mapping[UUID, Mapping[str, Any]]
) -> Refusal | None:
    post = posts.get(change.post_id)
    if post is None or not _may_know(post, change.by):
        return post_not_found(change.post_id)
    return None if post["user_id"] == change.user_id else post_not_owned(change.post_id)


def _may_know(post: Mapping[str, Any], reader: Viewer) -> bool:
    is_hidden: bool = post["is_hidden"]
    return not is_hidden or reader.may_see_hidden_of(post["user_id"])


def _apply(change: PostChange, now: dict[UUID, Words]) -> bool:
    """Settle one change in memory: whether it makes a difference."""
    before = now[change.post_id]
    wanted = (change.title, change.description, change.tags, change.show_prompt)
    after: Any = tuple(
        old if new is msgspec.UNSET else new for old, new in zip(before, wanted, strict=True)
    )
    now[change.post_id] = after
    return bool(after != before)


def _columns(words: Iterable[Words]) -> tuple[list[Any], ...]:
    titles, descriptions, tags, shown = map(list, zip(*words, strict=True))
    return titles, descriptions, [",".join(each) for each in tags], shown


async def _delete(
    transaction: Transaction, deletions: Sequence[PostDeletion]
) -> list[DeletedPost | Refusal]:
    wanted = _distinct(deletion.post_id for deletion in deletions)
    tied = await transaction.fetch(_SQL["tied"], wanted)
    posts = await lock_posts(transaction, (row["id"] for row in tied))
    creators = await find_creators(transaction, (deletion.user_id for deletion in deletions))
    gone: dict[UUID, PostDeletion] = {}
    answers: list[DeletedPost | Refusal] = []
    for deletion in deletions:
        post = None if deletion.post_id in gone else posts.get(deletion.post_id)
        if refusal := refusal_to_write(creators, deletion.user_id):
            answers.append(refusal)
        elif post is None or not _may_know(post, deletion.by):
            answers.append(post_not_found(deletion.post_id))
        elif not deletion.by.may_see_hidden_of(post["user_id"]):
            answers.append(post_not_owned(deletion.post_id))
        else:
            gone[deletion.post_id] = deletion
            answers.append(DeletedPost(deletion.post_id))
    if gone:
        await _remove(transaction, gone, posts)
    return answers


async def _remove(
    transaction: Transaction,
    gone: Mapping[UUID, PostDeletion],
    posts: Mapping[UUID, Mapping[str, Any]],
) -> None:
    removed = [posts[post_id] for post_id in gone]
    await transaction.execute(_SQL["delete"], list(gone))
    await transaction.execute(
        _SQL["discount"],
        [post["user_id"] for post in removed],
        [post["like_count"] for post in removed],
    )
    left = {post_id: post for post_id, post in posts.items() if post_id not in gone}
    notices = await inspiration_notices(
        transaction, left, gone=(post for post in removed if not post["is_hidden"])
    )
    notices += await withdraw(transaction, [Subject("post", post_id) for post_id in gone])
    topics = [post_topic(post_id) for post_id in gone]
    await transaction.blank(topics)
    await transaction.blank_topics(topics)
    await note(
        transaction,
        [
            Note(gone[post["id"]].user_id, "deleted", "post", post["id"])
            for post in removed
            if gone[post["id"]].user_id != post["user_id"]
        ],
    )
    told = [
        entry
        for post in removed
        for entry in gone_entries(
            POST_DELETED,
            post["id"],
            gone[post["id"]].user_id,
            in_gallery=not post["is_hidden"],
        )
    ]
    await transaction.journal([*told, *notices])
