"""By how much counters grow while writes from outside are settled, and what they come to."""

from collections import Counter
from uuid import UUID

from store.database import Transaction
from store.queries import queries

_SQL = queries("gallery/outside")


class Growth:
    """What is to be added to the counters of posts and users; after `write`, the counts that are told."""

    def __init__(self) -> None:
        self.likes: Counter[UUID] = Counter()
        self.comments: Counter[UUID] = Counter()
        self.shared: Counter[UUID] = Counter()
        self.received: Counter[UUID] = Counter()
        self.followers: Counter[UUID] = Counter()
        self.following: Counter[UUID] = Counter()
        self.like_counts: dict[UUID, int] = {}
        self.comment_counts: dict[UUID, int] = {}
        self.follower_counts: dict[UUID, int] = {}

    async def write(self, transaction: Transaction) -> None:
        """Count it all, on posts that are locked already and then in statistics, locked here."""
        posts = list(self.likes.keys() | self.comments.keys())
        rows = await transaction.fetch(
            _SQL["grow_posts"],
            posts,
            [self.likes[post_id] for post_id in posts],
            [self.comments[post_id] for post_id in posts],
        )
        self.like_counts = {row["id"]: row["like_count"] for row in rows}
        self.comment_counts = {row["id"]: row["comment_count"] for row in rows}
        columns = (self.shared, self.received, self.followers, self.following)
        users = list({user_id for column in columns for user_id in column})
        await transaction.execute(_SQL["lock_stats"], users)
        rows = await transaction.fetch(
            _SQL["grow_stats"],
            users,
            *([column[user_id] for user_id in users] for column in columns),
        )
        self.follower_counts = {row["user_id"]: row["follower_count"] for row in rows}
