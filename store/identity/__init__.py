"""Who the users are, and which of their tokens are good no longer."""

from store.database import Database
from store.identity.events import REVOCATIONS_TOPIC, Revocation
from store.identity.revocation import Revocations, Revoked
from store.identity.users import Claimed, User, Users, UserSummary, summary_of

__all__ = [
    "REVOCATIONS_TOPIC",
    "Claimed",
    "Identity",
    "Revocation",
    "Revocations",
    "Revoked",
    "User",
    "UserSummary",
    "Users",
    "summary_of",
]


class Identity:
    """The store of the identity domain."""

    def __init__(self, database: Database) -> None:
        self.users = Users(database)
        self.revocations = Revocations(database)
