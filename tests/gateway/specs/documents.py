"""The documents of the product, and those of a small table made for a test."""

from typing import Any

from gateway.specs import Contract, asyncapi, openapi
from handlers import DOMAINS
from handlers.domain import Domain
from store.identity import UserSummary


def contract(*domains: Domain[Any], dev: bool = True) -> Contract:
    """What a gateway with these domains offers, or with those of the product."""
    return Contract(domains or DOMAINS, person=UserSummary, dev=dev)


def openapi_of(*domains: Domain[Any], dev: bool = True) -> dict[str, Any]:
    return openapi(contract(*domains, dev=dev), "1.2.3")


def asyncapi_of(*domains: Domain[Any]) -> dict[str, Any]:
    return asyncapi(contract(*domains), "1.2.3")
