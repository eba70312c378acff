"""A gallery as it should be: sets and records, without a database, a network or a second node."""

from dataclasses import dataclass, field
from itertools import count

Refusal = str | None
"""The code by which something is refused; None where it is not."""


@dataclass
class Post:
    """A post, its number in the order of sharing, and all that hangs on it."""

    owner: str
    title: str
    number: int
    hidden: bool = False
    featured: bool = False
    likers: list[str] = field(default_factory=list)
    """Who likes it, in the order of their likes."""
    comments: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Author and content, by id, oldest first."""
    viewers: set[str] = field(default_factory=set)
    reporters: set[str] = field(default_factory=set)


@dataclass
class Gallery:
    """Everything that three people and their moderator have done. `staff` may see and moderate all."""

    staff: str
    posts: dict[str, Post] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    follows: list[tuple[str, str]] = field(default_factory=list)
    banned: set[str] = field(default_factory=set)
    reports: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Post and status, by id."""
    unseen: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    """By receiver, kind and subject: who or what came since they looked."""
    _numbers: "count[int]" = field(default_factory=count)

    def may_see(self, who: str | None, post_id: str) -> bool:
        post = self.posts.get(post_id)
        return post is not None and (not post.hidden or who in (post.owner, self.staff))

    def visible_to(self, who: str | None) -> list[str]:
        """The posts that somebody may see, newest first."""
        return [post_id for post_id in reversed(self.posts) if self.may_see(who, post_id)]

    def writing(self, who: str, post_id: str | None = None) -> Refusal:
        """Why somebody may not write, about this post if one is given."""
        if who in self.banned:
            return "COMMUNITY_USER_BANNED"
        if post_id is not None and not self.may_see(who, post_id):
            return "COMMUNITY_POST_NOT_FOUND"
        return None

    def changing(self, who: str, post_id: str, *, deleting: bool) -> Refusal:
        if refusal := self.writing(who, post_id):
            return refusal
        allowed = {self.posts[post_id].owner} | ({self.staff} if deleting else set())
        return None if who in allowed else "COMMUNITY_POST_NOT_OWNED"

    def uncommenting(self, who: str, post_id: str, comment_id: str) -> Refusal:
        if who in self.banned:
            return "COMMUNITY_USER_BANNED"
        comment = self.posts[post_id].comments.get(comment_id) if post_id in self.posts else None
        if comment is None or not self.may_see(who, post_id):
            return "COMMUNITY_COMMENT_NOT_FOUND"
        allowed = (comment[0], self.posts[post_id].owner, self.staff)
        return None if who in allowed else "COMMUNITY_COMMENT_NOT_OWNED"

    def moderating(self, who: str, post_id: str) -> Refusal:
        if who != self.staff:
            return "FORBIDDEN"
        return None if post_id in self.posts else "COMMUNITY_POST_NOT_FOUND"

    def following(self, who: str, whom: str) -> Refusal:
        if who in self.banned:
            return "COMMUNITY_USER_BANNED"
        return "COMMUNITY_SELF_FOLLOW" if who == whom else None

    def reporting(self, who: str, post_id: str) -> Refusal:
        if refusal := self.writing(who, post_id):
            return refusal
        return "COMMUNITY_ALREADY_REPORTED" if who in self.posts[post_id].reporters else None

    def reviewing(self, who: str, report_id: str) -> Refusal:
        if who != self.staff:
            return "FORBIDDEN"
        if report_id not in self.reports:
            return "NOT_FOUND"
        done = self.reports[report_id][1] != "pending"
        return "COMMUNITY_REPORT_ALREADY_REVIEWED" if done else None

    def share(self, who: str, post_id: str, title: str) -> None:
        self.posts[post_id] = Post(who, title, next(self._numbers))

    def delete(self, post_id: str) -> None:
        post = self.posts.pop(post_id)
        self.gone.append(post_id)
        self.reports = {key: each for key, each in self.reports.items() if each[0] != post_id}
        for kind in ("post_liked", "post_commented"):
            self.unseen.pop((post.owner, kind, post_id), None)

    def like(self, who: str, post_id: str, liked: bool) -> bool:
        """Whether that changed anything."""
        post = self.posts[post_id]
        if (who in post.likers) == liked:
            return False
        if liked:
            post.likers.append(who)
        else:
            post.likers.remove(who)
        self._notify(who, post.owner, "post_liked", post_id, who, liked)
        return True

    def comment(self, who: str, post_id: str, comment_id: str, content: str) -> None:
        post = self.posts[post_id]
        post.comments[comment_id] = (who, content)
        self._notify(who, post.owner, "post_commented", post_id, comment_id, True)

    def uncomment(self, post_id: str, comment_id: str) -> None:
        post = self.posts[post_id]
        author, _ = post.comments.pop(comment_id)
        self._notify(author, post.owner, "post_commented", post_id, comment_id, False)

    def follow(self, who: str, whom: str, following: bool) -> bool:
        """Whether that changed anything."""
        if ((who, whom) in self.follows) == following:
            return False
        if following:
            self.follows.append((who, whom))
        else:
            self.follows.remove((who, whom))
        self._notify(who, whom, "user_followed", whom, who, following)
        return True

    def see(self, who: str) -> None:
        for receiver, kind, subject in list(self.unseen):
            if receiver == who:
                del self.unseen[receiver, kind, subject]

    def _notify(
        self, by: str, receiver: str, kind: str, subject: str, what: str, there: bool
    ) -> None:
        if by == receiver:
            return
        pending = self.unseen.setdefault((receiver, kind, subject), set())
        if there:
            pending.add(what)
        else:
            pending.discard(what)
        if not pending:
            del self.unseen[receiver, kind, subject]
