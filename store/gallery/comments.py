"""Comments: what people say about a post, and a counter that always equals how many there are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from store.batching import Batcher
from store.cursors import CursorKey, Listing, Page
from store.database import Database, Overtaken, Transaction
from store.gallery.creators import Creator, find_creators, refusal_to_write
from store.gallery.events import (
    COMMENT_CREATED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    CommentGone,
    CommentWritten,
    post_topic,
)
from store.gallery.moderation_log import Note, note
from store.gallery.refusals import (
    comment_not_found,
    comment_not_owned,
    edit_window_expired,
    id_taken,
    post_not_found,
)
from store.gallery.shapes import Comment, SharedComment
from store.identity import UserSummary, summary_of
from store.ids import new_id
from store.inbox import Activity, Subject, record
from store.journal import NewEntry
from store.queries import queries
from store.refusal import Refusal
from store.viewer import Viewer

_SQL = queries("gallery/comments")

EDIT_WINDOW = timedelta(minutes=15)
"""How long its author may change a comment."""

_NEWEST = 100
"""Among so many of a post's newest comments are the people looked for whom a notification names."""

_NOT_YET = datetime.min.replace(tzinfo=UTC)
"""Stands for a time that the database has not given yet, and comes before all that it gives."""


class _Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of comments ended, and the number of the page that follows."""

    created_at: datetime
    id: UUID
    page: int


_BEGINNING = _Position(_NOT_YET, UUID(int=0), 1)
_LISTING = Listing("comments", _Position)


class _Command(msgspec.Struct, frozen=True):
    by: Viewer

    @property
    def user_id(self) -> UUID:
        assert self.by.id is not None
        return self.by.id


class Write(_Command, frozen=True):
    """Somebody comments on a post. With an `id` of their own making a repetition is recognised."""

    post_id: UUID
    content: str
    id: UUID | None = None


class Edit(_Command, frozen=True):
    """Somebody wants a comment to say something else."""

    comment_id: UUID
    content: str


class Delete(_Command, frozen=True):
    """Somebody wants a comment gone."""

    comment_id: UUID


Command = Write | Edit | Delete


class Settled(msgspec.Struct, frozen=True):
    """The comment after a command, as its sender sees it, and whether the command changed anything."""

    comment: Comment
    changed: bool


class _Post(msgspec.Struct):
    """A post on which comments stand; locked while a batch is settled."""

    id: UUID
    user_id: UUID
    title: str
    is_hidden: bool
    comment_count: int

    def may_be_seen_by(self, viewer: Viewer) -> bool:
        return not self.is_hidden or viewer.may_see_hidden_of(self.user_id)


class _Comment(msgspec.Struct):
    """A comment while a batch is settled.

    `stood` tells whether it was there before; `first` is the content with which it was made, None
    where nobody remembers; `last` is the command of the batch that changed it.
    """

    id: UUID
    post: _Post
    author: UserSummary
    content: str
    first: str | None
    is_edited: bool = False
    age: timedelta = timedelta()
    created_at: datetime = _NOT_YET
    updated_at: datetime = _NOT_YET
    stood: bool = False
    gone: bool = False
    last: Command | None = None

    @property
    def counts(self) -> int:
        """By how much the batch changes the number of comments."""
        return (not self.gone) - self.stood

    @property
    def is_news(self) -> bool:
        """Whether the post's author would want to know of it."""
        return self.author.id != self.post.user_id

    @property
    def was_taken_by_moderator(self) -> bool:
        """Whether it was deleted by virtue of being a moderator."""
        if not self.gone or self.last is None:
            return False
        return self.last.user_id not in (self.author.id, self.post.user_id)

    def was_made_by(self, command: Write) -> bool:
        """Whether `command` is the one that made this comment, come again."""
        return not self.gone and (self.post.id, self.author.id, self.first) == (
            command.post_id,
            command.user_id,
            command.content,
        )

    def shared(self) -> SharedComment:
        return SharedComment(
            id=self.id,
            post_id=self.post.id,
            user_id=self.author.id,
            content=self.content,
            is_edited=self.is_edited,
            created_at=self.created_at,
            updated_at=self.updated_at,
            author=self.author,
        )

    def seen_by(self, viewer: Viewer, *, may_write: bool = True) -> Comment:
        own = self.author.id == viewer.id
        return Comment(
            **msgspec.structs.asdict(self.shared()),
            can_edit=may_write and own and self.age < EDIT_WINDOW,
            can_delete=may_write and (own or viewer.may_see_hidden_of(self.post.user_id)),
        )


class Comments:
    """What is said about what."""

    def __init__(self, database: Database, cursor_key: CursorKey) -> None:
        self._database = database
        self._cursor_key = cursor_key
        self._batcher = Batcher(
            partial(self.settle, patient=False),
            by=lambda each: each.post_id if isinstance(each, Write) else each.comment_id,
            report=database.batched("comments"),
        )

    async def page(
        self, post_id: UUID, viewer: Viewer, *, cursor: str | None, page: int, limit: int
    ) -> Page[Comment]:
        """The comments on a post, oldest first, from `cursor` or else from page number `page`.

        Raises COMMUNITY_POST_NOT_FOUND and INVALID_CURSOR.
        """
        key = await self._cursor_key.get()
        start = _BEGINNING if cursor is None else _LISTING.position(key, cursor, [post_id])
        found = await self._database.reads.fetchrow(_SQL["post"], post_id, viewer.id)
        if found is None or not (post := _post(found)).may_be_seen_by(viewer):
            raise post_not_found(post_id)
        if cursor is not None:
            page = start.page
        rows = await self._database.reads.fetch(
            _SQL["page"],
            post_id,
            start.created_at,
            start.id,
            limit + 1,
            (page - 1) * limit if cursor is None else 0,
        )
        comments = [_comment(row, post, {}) for row in rows]
        shown, has_more = comments[:limit], len(comments) > limit
        after = None
        if has_more:
            position = _Position(shown[-1].created_at, shown[-1].id, page + 1)
            after = _LISTING.cursor(key, position, [post_id])
        return Page(
            items=[comment.seen_by(viewer, may_write=not found["is_banned"]) for comment in shown],
            total=post.comment_count,
            page=page,
            limit=limit,
            has_more=has_more,
            next_cursor=after,
        )

    async def submit(self, command: Command) -> Settled:
        """Carry out one command, together with those that arrive meanwhile. Raises Refusal."""
        return await self._batcher(command)

    async def settle(
        self, commands: Sequence[Command], *, patient: bool = True
    ) -> list[Settled | Refusal]:
        """Carry out commands in order, in one transaction; an outcome or a refusal for each.

        The journal gets at most one entry for each comment: what became of it. Of one that is made
        and deleted within the batch nothing is told.
        Who is not `patient` gets Blocked where somebody else holds one of the posts.
        """
        return await self._database.transaction(
            lambda transaction: _settle(transaction, commands), patient=patient
        )


async def _settle(transaction: Transaction, commands: Sequence[Command]) -> list[Settled | Refusal]:
    batch = await _read(transaction, commands)
    verdicts = [batch.apply(command) for command in commands]
    if batch.changed:
        await _write(transaction, list(batch.changed.values()))
    return [
        verdict
        if isinstance(verdict, Refusal)
        else Settled(verdict[0].seen_by(command.by), changed=verdict[1])
        for command, verdict in zip(commands, verdicts, strict=True)
    ]


class _Batch:
    """What a batch of commands needs to know, and becomes true of it: decided without I/O.

    `taken` are the ids that can name no new comment, although no comment of a locked post has them.
    """

    def __init__(
        self,
        creators: Mapping[UUID, Creator],
        posts: Mapping[UUID, _Post],
        comments: Iterable[_Comment],
        taken: Set[UUID],
    ) -> None:
        self._creators = creators
        self._posts = posts
        self._comments = {comment.id: comment for comment in comments}
        self._taken = taken
        self.changed: dict[UUID, _Comment] = {}

    def apply(self, command: Command) -> tuple[_Comment, bool] | Refusal:
        """Settle one command: the comment and whether that changed it, or why it may not."""
        if refusal := refusal_to_write(self._creators, command.user_id):
            return refusal
        if isinstance(command, Write):
            return self._make(command)
        comment = self._comments.get(command.comment_id)
        if comment is None or comment.gone or not comment.post.may_be_seen_by(command.by):
            return comment_not_found(command.comment_id)
        if isinstance(command, Edit):
            return self._edit(comment, command)
        return self._delete(comment, command)

    def _make(self, command: Write) -> tuple[_Comment, bool] | Refusal:
        post = self._posts.get(command.post_id)
        if post is None or not post.may_be_seen_by(command.by):
            return post_not_found(command.post_id)
        if command.id is not None:
            known = self._comments.get(command.id)
            if known is not None and known.was_made_by(command):
                return known, False
            if known is not None or command.id in self._taken:
                return id_taken(command.id)
        comment = _Comment(
            id=command.id or new_id(),
            post=post,
            author=self._creators[command.user_id].summary,
            content=command.content,
            first=command.content,
        )
        self._comments[comment.id] = comment
        return self._change(comment, command)

    def _edit(self, comment: _Comment, command: Edit) -> tuple[_Comment, bool] | Refusal:
        if comment.author.id != command.user_id:
            return comment_not_owned(comment.id)
        if comment.age >= EDIT_WINDOW:
            return edit_window_expired(comment.id, EDIT_WINDOW // timedelta(minutes=1))
        if comment.content == command.content:
            return comment, False
        comment.content = command.content
        comment.is_edited = True
        return self._change(comment, command)

    def _delete(self, comment: _Comment, command: Delete) -> tuple[_Comment, bool] | Refusal:
        if not comment.seen_by(command.by).can_delete:
            return comment_not_owned(comment.id)
        comment.gone = True
        return self._change(comment, command)

    def _change(self, comment: _Comment, command: Command) -> tuple[_Comment, bool]:
        comment.last = command
        self.changed[comment.id] = comment
        return comment, True


async def _read(transaction: Transaction, commands: Sequence[Command]) -> _Batch:
    made = [command for command in commands if isinstance(command, Write)]
    ids = {command.comment_id for command in commands if not isinstance(command, Write)}
    named = {command.id for command in made if command.id is not None}
    post_ids = {command.post_id for command in made}
    if ids:
        rows = await transaction.fetch(_SQL["posts_of"], list(ids))
        post_ids.update(row["post_id"] for row in rows)
    posts = {
        row["id"]: _post(row) for row in await transaction.fetch(_SQL["lock_posts"], list(post_ids))
    }
    creators = await find_creators(transaction, {command.user_id for command in commands})
    told = await _told(transaction, named)
    comments, elsewhere = [], set()
    if ids or named:
        for row in await transaction.fetch(_SQL["find"], list(ids | named)):
            post = posts.get(row["post_id"])
            if post is None:
                elsewhere.add(row["id"])
            else:
                comments.append(_comment(row, post, told))
    return _Batch(creators, posts, comments, elsewhere | told.keys())


async def _told(transaction: Transaction, ids: Set[UUID]) -> Mapping[UUID, str | None]:
    """With which content each of these comments was made, None where it was deleted: the journal knows."""
    if not ids:
        return {}
    subjects = {_subject(identifier): identifier for identifier in ids}
    rows = await transaction.fetch(_SQL["told"], list(subjects))
    return {subjects[row["subject"]]: row["content"] for row in rows}


def _post(row: Mapping[str, Any]) -> _Post:
    return _Post(
        id=row["id"],
        user_id=row["user_id"],
        title=row["title"],
        is_hidden=row["is_hidden"],
        comment_count=row["comment_count"],
    )


def _comment(row: Mapping[str, Any], post: _Post, told: Mapping[UUID, str | None]) -> _Comment:
    return _Comment(
        id=row["id"],
        post=post,
        author=summary_of(row, "author_"),
        content=row["content"],
        first=told.get(row["id"]) if row["is_edited"] else row["content"],
        is_edited=row["is_edited"],
        age=row["age"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        stood=True,
    )


async def _write(transaction: Transaction, changed: Sequence[_Comment]) -> None:
    await _add(transaction, [comment for comment in changed if not comment.stood])
    gone = [comment for comment in changed if comment.gone]
    await _edit(transaction, [c for c in changed if c.stood and not c.gone])
    if gone:
        removed = await transaction.fetch(_SQL["remove"], [comment.id for comment in gone])
        if len(removed) != len(gone):
            raise Overtaken
    await transaction.execute(
        _SQL["count"],
        [comment.post.id for comment in changed],
        [comment.counts for comment in changed],
    )
    notices = await record(transaction, await _activities(transaction, changed))
    await transaction.blank([_subject(comment.id) for comment in gone])
    await note(transaction, [_note(comment) for comment in gone if comment.was_taken_by_moderator])
    told = [_entry(comment) for comment in changed if comment.stood or not comment.gone]
    await transaction.journal([*told, *notices])


async def _add(transaction: Transaction, made: Sequence[_Comment]) -> None:
    if not made:
        return
    rows = await transaction.fetch(
        _SQL["add"],
        [comment.id for comment in made],
        [comment.post.id for comment in made],
        [comment.author.id for comment in made],
        [comment.content for comment in made],
        [comment.is_edited for comment in made],
    )
    times = {row["id"]: row["created_at"] for row in rows}
    for comment in made:
        comment.created_at = comment.updated_at = times[comment.id]


async def _edit(transaction: Transaction, edited: Sequence[_Comment]) -> None:
    if not edited:
        return
    rows = await transaction.fetch(
        _SQL["edit"], [comment.id for comment in edited], [comment.content for comment in edited]
    )
    if len(rows) != len(edited):
        raise Overtaken
    times = {row["id"]: row["updated_at"] for row in rows}
    for comment in edited:
        comment.updated_at = times[comment.id]


async def _activities(transaction: Transaction, changed: Sequence[_Comment]) -> list[Activity]:
    """What the posts' authors get to know of; not of their own comments."""
    news = [comment for comment in changed if comment.counts and comment.is_news]
    if not news:
        return []
    by_post: dict[UUID, list[_Comment]] = defaultdict(list)
    for comment in news:
        by_post[comment.post.id].append(comment)
    latest: dict[UUID, list[tuple[UserSummary, datetime]]] = {post_id: [] for post_id in by_post}
    for row in await transaction.fetch(_SQL["latest"], list(latest), _NEWEST):
        latest[row["post_id"]].append((summary_of(row), row["commented_at"]))
    return [
        Activity(
            user_id=of_post[0].post.user_id,
            kind="post_commented",
            subject=Subject("post", post_id, of_post[0].post.title),
            latest=latest[post_id],
            added=[comment.created_at for comment in of_post if not comment.gone],
            removed=[comment.created_at for comment in of_post if comment.gone],
        )
        for post_id, of_post in by_post.items()
    ]


def _note(comment: _Comment) -> Note:
    assert comment.last is not None
    return Note(comment.last.user_id, "deleted", "comment", comment.id)


def _entry(comment: _Comment) -> NewEntry[CommentWritten] | NewEntry[CommentGone]:
    post = comment.post
    post.comment_count += comment.counts
    assert comment.last is not None
    if comment.gone:
        return NewEntry(
            topic=post_topic(post.id),
            type=COMMENT_DELETED,
            data=CommentGone(post.id, comment.id, post.comment_count),
            subject=_subject(comment.id),
            actor=comment.last.user_id,
        )
    return NewEntry(
        topic=post_topic(post.id),
        type=COMMENT_UPDATED if comment.stood else COMMENT_CREATED,
        data=CommentWritten(post.id, comment.shared(), post.comment_count),
        subject=_subject(comment.id),
        actor=comment.last.user_id,
    )


def _subject(comment_id: UUID) -> str:
    return f"comment:{comment_id}"
