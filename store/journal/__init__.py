"""The journal: what happened, per topic and densely numbered, written with the change itself."""

from store.journal.entries import Entry, Ephemeral, EventType, Kind, NewEntry
from store.journal.reading import Heads, Journal, Replay

__all__ = ["Entry", "Ephemeral", "EventType", "Heads", "Journal", "Kind", "NewEntry", "Replay"]
