"""The gallery's tables: posts and all that people do with them."""

from store.cursors import CursorKey
from store.database import Database
from store.gallery.assets import Assets
from store.gallery.comments import Comments
from store.gallery.creators import Creators
from store.gallery.feed import Feed
from store.gallery.follows import Follows
from store.gallery.likes import Likes
from store.gallery.moderation import Moderation
from store.gallery.outside import Outside
from store.gallery.posts import Posts
from store.gallery.reports import Reports
from store.gallery.search import Search
from store.gallery.standings import Standings
from store.gallery.trending import Trending
from store.gallery.views import Views

__all__ = ["Gallery"]


class Gallery:
    """The store of the gallery domain."""

    def __init__(self, database: Database) -> None:
        cursor_key = CursorKey(database)
        self.assets = Assets(database, cursor_key)
        self.comments = Comments(database, cursor_key)
        self.creators = Creators(database)
        self.standings = Standings(database)
        self.trending = Trending(database)
        self.feed = Feed(database, cursor_key, self.trending)
        self.follows = Follows(database, cursor_key)
        self.search = Search(database, cursor_key)
        self.likes = Likes(database, cursor_key)
        self.moderation = Moderation(database)
        self.outside = Outside(database)
        database.catch_up_by(self.outside.catch_up)
        self.posts = Posts(database)
        self.views = Views(database)
        self.reports = Reports(database, cursor_key)
