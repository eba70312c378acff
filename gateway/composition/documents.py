"""The documents of the API, as a gateway with these settings serves them."""

from importlib.metadata import version

import msgspec

from gateway.settings import SHARED_KEY, Settings
from gateway.specs import Contract, asyncapi, openapi
from handlers import DOMAINS
from store.identity import UserSummary


def specs(settings: Settings) -> dict[str, bytes]:
    """The documents by name, `openapi` and `asyncapi`, as a gateway with these settings serves them."""
    contract = Contract(DOMAINS, person=UserSummary, dev=signs_in(settings))
    release = version("vernissage")
    made = {"openapi": openapi(contract, release), "asyncapi": asyncapi(contract, release)}
    return {
        name: msgspec.json.format(msgspec.json.encode(document), indent=1)
        for name, document in made.items()
    }


def signs_in(settings: Settings) -> bool:
    """Whether one may sign in as anybody: in development, where the gateway has the key to tokens."""
    return settings.jwt_algorithm == SHARED_KEY and not settings.production
