"""Webhooks: who is told by HTTP of what happens, and what each is still to be told.

Docs: docs/webhooks.md, docs/adr/0044-webhooks-are-consumers-that-queue-places.md.
"""

from store.webhooks.endpoints import Endpoint, Listed, Webhooks, consumer_of
from store.webhooks.hold import Hold, Holds
from store.webhooks.messages import UPKEEP, Due, Failed, Letter, Messages

__all__ = [
    "UPKEEP",
    "Due",
    "Endpoint",
    "Failed",
    "Hold",
    "Holds",
    "Letter",
    "Listed",
    "Messages",
    "Webhooks",
    "consumer_of",
]
