"""The composition root: the one room that knows every other, and wires them together."""

from gateway.composition.documents import specs
from gateway.composition.opening import DATABASE_CONNECTIONS
from gateway.composition.operating import (
    COMMANDS,
    audit,
    carry_out,
    consume,
    consumers,
    demo,
    demo_if_empty,
    epoch,
    migrate,
    remove_consumer,
    reset_consumer,
    with_webhooks,
)
from gateway.composition.worker import MACHINE_CONNECTIONS, serve

__all__ = [
    "COMMANDS",
    "DATABASE_CONNECTIONS",
    "MACHINE_CONNECTIONS",
    "audit",
    "carry_out",
    "consume",
    "consumers",
    "demo",
    "demo_if_empty",
    "epoch",
    "migrate",
    "remove_consumer",
    "reset_consumer",
    "serve",
    "specs",
    "with_webhooks",
]
