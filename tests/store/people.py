"""People who do things in the gallery, by the same store code as real traffic."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from store.cursors import Page
from store.database import Database
from store.gallery import Gallery
from store.gallery.assets import NewAsset
from store.gallery.comments import Delete, Edit, Settled, Write
from store.gallery.follows import Follow
from store.gallery.likes import Like
from store.gallery.posts import (
    NewPost,
    PostChange,
    PostCreated,
    PostDeletion,
    PostUpdated,
)
from store.gallery.reports import NewReport
from store.gallery.shapes import (
    Asset,
    AssetType,
    Comment,
    DeletedPost,
    Followed,
    Liked,
    Post,
    PostInDetail,
    Profile,
    Report,
    ReportReason,
    ReviewStatus,
)
from store.identity import Claimed, Identity, UserSummary
from store.ids import new_id
from store.refusal import Refusal
from store.viewer import Viewer

T = TypeVar("T")


def only(answers: Sequence[T | Refusal]) -> T:
    """The one answer of a batch of one; raises it where it is a refusal."""
    (answer,) = answers
    if isinstance(answer, Refusal):
        raise answer
    return answer


class People:
    """Makes people, and answers what concerns nobody in particular."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.gallery = Gallery(database)
        self._moderating: Viewer | None = None

    async def person(self, name: str, *, moderates: bool = False) -> "Person":
        (person,) = await self.crowd(name)
        person.viewer = Viewer(person.id, moderates)
        return person

    async def crowd(self, *names: str) -> list["Person"]:
        claims = [Claimed(new_id(), f"{name} {new_id()}", name=name) for name in names]
        users = await Identity(self.database).users.recognize(claims)
        return [Person(self, user.summary) for user in users]

    async def ban(self, person: "Person", *, banned: bool = True) -> None:
        await self.gallery.moderation.ban(person.id, await self._moderator(), banned=banned)

    async def hide(self, post: Post, *, hidden: bool = True) -> None:
        await self.gallery.moderation.hide(post.id, await self._moderator(), hidden=hidden)

    async def _moderator(self) -> Viewer:
        if self._moderating is None:
            self._moderating = (await self.person("Mo", moderates=True)).viewer
        return self._moderating

    async def age(self, comment: Comment, minutes: float) -> None:
        """The comment was made so long before it really was."""
        await self.database.fetch(
            "update community_comments set created_at = created_at - $2 * interval '1 minute' "
            "where id = $1",
            comment.id,
            minutes,
        )

    async def see(self, person: "Person") -> None:
        """The person has seen all notifications."""
        await self.database.fetch(
            "update notifications set seen = true where user_id = $1", person.id
        )


class Person:
    """A user, as the subject of a sentence: `await ada.likes(post)`. What is refused is raised."""

    def __init__(self, people: People, summary: UserSummary) -> None:
        self.summary = summary
        self.viewer = Viewer(summary.id)
        self._people = people
        self._gallery = people.gallery

    @property
    def id(self) -> UUID:
        return self.summary.id

    async def makes(self, asset_type: AssetType = "overlay", *, prompt: str | None = None) -> Asset:
        url = "https://example.org/picture.svg"
        asset = NewAsset(new_id(), self.id, asset_type, url, prompt)
        return only(await self._gallery.assets.create([asset])).asset

    async def shares(
        self,
        title: str = "A picture",
        *,
        description: str | None = None,
        asset_type: AssetType = "overlay",
        tags: tuple[str, ...] = (),
        prompt: str | None = None,
        show_prompt: bool = True,
        inspired_by: Post | None = None,
    ) -> Post:
        asset = await self.makes(asset_type, prompt=prompt)
        inspiring = None if inspired_by is None else inspired_by.id
        post = NewPost(
            new_id(), self.viewer, asset.id, title, description, tags, show_prompt, inspiring
        )
        return (await self.posts(post)).post

    async def posts(self, post: NewPost) -> PostCreated:
        return only(await self._gallery.posts.create([post]))

    async def updates(self, post: Post, **words: Any) -> PostUpdated:
        change = PostChange(post.id, self.viewer, **words)
        return only(await self._gallery.posts.update([change]))

    async def removes(self, post: Post) -> DeletedPost:
        return only(await self._gallery.posts.delete([PostDeletion(post.id, self.viewer)]))

    async def reads(self, post: Post) -> PostInDetail:
        return await self._gallery.posts.get(post.id, self.viewer)

    async def finds(self, post_id: UUID) -> PostInDetail:
        return await self._gallery.posts.get(post_id, self.viewer)

    async def likes(self, post: Post) -> Liked:
        return only(await self._gallery.likes.settle([Like(post.id, self.viewer, True)]))

    async def unlikes(self, post: Post) -> Liked:
        return only(await self._gallery.likes.settle([Like(post.id, self.viewer, False)]))

    async def writes(self, post: Post, content: str, id: UUID | None = None) -> Settled:
        command = Write(self.viewer, post.id, content, id)
        return only(await self._gallery.comments.settle([command]))

    async def comments(self, post: Post, content: str = "Nice.") -> Comment:
        return (await self.writes(post, content)).comment

    async def edits(self, comment: Comment, content: str) -> Settled:
        return only(await self._gallery.comments.settle([Edit(self.viewer, comment.id, content)]))

    async def deletes(self, comment: Comment) -> Settled:
        return only(await self._gallery.comments.settle([Delete(self.viewer, comment.id)]))

    async def reads_comments(
        self, post: Post, *, cursor: str | None = None, page: int = 1, limit: int = 20
    ) -> Page[Comment]:
        return await self._gallery.comments.page(
            post.id, self.viewer, cursor=cursor, page=page, limit=limit
        )

    async def follows(self, other: "Person") -> Followed:
        return only(await self._gallery.follows.settle([Follow(other.id, self.viewer, True)]))

    async def unfollows(self, other: "Person") -> Followed:
        return only(await self._gallery.follows.settle([Follow(other.id, self.viewer, False)]))

    async def reports(self, post: Post, reason: ReportReason = "spam") -> UUID:
        report = NewReport(new_id(), post.id, self.viewer, reason, None)
        await self._gallery.reports.make(report)
        return report.id

    async def reviews(
        self, report_id: UUID, status: ReviewStatus = "reviewed", *, hide_post: bool = False
    ) -> Report:
        return await self._gallery.reports.review(
            report_id, self.viewer, status, hide_post=hide_post
        )

    async def profile_of(self, other: "Person") -> Profile:
        return await self._gallery.creators.profile(other.id, self.viewer)

    async def notifications(self) -> "list[Notice]":
        """What this person was notified of, oldest first."""
        rows = await self._people.database.fetch(
            "select kind, subject_type, subject_id, subject_title, actors, count, seen "
            "from notifications where user_id = $1 order by created_at",
            self.id,
        )
        return [Notice(**row) for row in rows]


class Notice(msgspec.Struct, frozen=True):
    """A notification as it is stored."""

    kind: str
    subject_type: str
    subject_id: UUID
    subject_title: str | None
    actors: list[UUID]
    count: int
    seen: bool
