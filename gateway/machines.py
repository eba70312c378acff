"""Which machines there are, and where: asked of a registry now and then, never of a client."""

import asyncio
import time
from datetime import timedelta
from typing import Protocol

import structlog

from gateway.startup import CannotStart
from handlers.operation import Refusal

ANNOUNCE_SECONDS = 5.0
"""Between two renewals of a machine's lease, by each of its workers."""

LEASE = timedelta(seconds=20)
"""How long a machine counts as there that says nothing any more."""

LOOK_SECONDS = 0.5
"""The shortest time between two looks for names that are not known: they come from clients."""

_log = structlog.get_logger(__name__)


class Registry(Protocol):
    async def announce(self, node: str, url: str, lease: timedelta) -> bool:
        """Renew a lease; False if another machine has that name."""
        ...

    async def addresses(self) -> dict[str, str]:
        """Where each machine is reached, by its name."""
        ...


class Machines:
    """The machines that can be reached. `url` is where this one, `node`, is; empty: it is on its own."""

    def __init__(self, registry: Registry, node: str, url: str) -> None:
        self._registry = registry
        self._node = node
        self._url = url
        self._addresses: dict[str, str] = {}
        self._asked = 0.0
        self._looking: asyncio.Task[None] | None = None

    @property
    def known(self) -> int:
        """How many machines there were at the last look, this one among them."""
        return len(self._addresses) or 1

    async def join(self) -> None:
        """Be found from now on. Raises CannotStart where another machine has this one's name."""
        if not await self._registry.announce(self._node, self._url, LEASE):
            raise CannotStart("another machine happens to have this one's name: start again")
        await self._ask()

    async def keep(self) -> None:
        """Renew this machine's lease, and look who else is there, for as long as the task lives."""
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            try:
                await self._registry.announce(self._node, self._url, LEASE)
            except Refusal as refusal:
                _log.warning("lease not renewed", code=refusal.code)
            await self._ask()

    async def find(self, node: str) -> str | None:
        """Where a machine is reached; None if there is none of that name.

        A name that is not known waits for the next look, which it shares with all others.
        """
        if not self._url:
            return None
        if node not in self._addresses:
            if self._looking is None:
                self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)
        return self._addresses.get(node)

    async def _look(self) -> None:
        try:
            await asyncio.sleep(self._asked + LOOK_SECONDS - time.monotonic())
        finally:
            self._looking = None  # whoever comes from now on may know of a newer machine
        await self._ask()

    async def _ask(self) -> None:
        self._asked = time.monotonic()
        try:
            self._addresses = await self._registry.addresses()
        except Refusal as refusal:  # those that were known will do
            _log.warning("machines not looked up", code=refusal.code)
