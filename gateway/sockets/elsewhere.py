"""Requests whose session another worker owns: each is brought to its owner, judged by itself."""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from gateway.sockets.forwarding import Forwarder, Vouching
from gateway.sockets.handover import Handover, OwnerGone
from gateway.sockets.owner import Owner

Find = Callable[[str], Awaitable[str | None]]
"""The address of the machine of this name; None if there is none, or none that we know."""


class Elsewhere:
    """The way from the worker `here` to all others: those of its machine, and those of the machines found."""

    def __init__(
        self,
        here: Owner,
        folder: str,
        vouching: Vouching,
        handover: Handover,
        forwarder: Forwarder,
        find: Find,
    ) -> None:
        self._here = here
        self._folder = folder
        self._vouching = vouching
        self._handover = handover
        self._forwarder = forwarder
        self._find = find

    async def answer(self, request: web.Request) -> tuple[web.Request, web.StreamResponse | None]:
        """The request as its client sent it, and its owner's answer; None if it is to be answered here.

        That is so for sessions of this worker, and for those that nobody has any more.
        """
        believed, forwarded = self._vouching.believed(request)
        owner = Owner.of(request.query.get("sid", ""))
        if owner in (None, self._here) or request.method not in (hdrs.METH_GET, hdrs.METH_POST):
            return believed, None
        try:
            if owner.node == self._here.node:
                return believed, await self._on_this_machine(request, believed, owner)
            # Whoever forwarded it thought that it is ours: it must not go in circles.
            if not forwarded and (address := await self._find(owner.node)) is not None:
                return believed, await self._forwarder.forward(believed, address)
        except OwnerGone:
            pass
        return believed, None

    async def _on_this_machine(
        self, request: web.Request, believed: web.Request, owner: Owner
    ) -> web.StreamResponse:
        if request.method == hdrs.METH_GET:
            taken = self._handover.give(request, owner)
            if taken is not None:
                return taken
        return await self._forwarder.forward(believed, owner.http_socket(self._folder))
