"""What happens: one package per domain, and the registry of them all."""

from typing import Any

from handlers import gallery, identity, inbox
from handlers.domain import Domain

DOMAINS: tuple[Domain[Any], ...] = (
    identity.DOMAIN,
    inbox.DOMAIN,
    gallery.DOMAIN,
)
