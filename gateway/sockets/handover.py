"""Handing a connection to the worker of this machine that owns the session its request is for.

The request's head and the descriptor go in one message to that worker's private socket; it serves the
connection from then on. No proxy stays in the way.
"""

import asyncio
import errno
import socket
from array import array
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from gateway.sockets.owner import Owner
from gateway.sockets.taking import Taken, take

LARGEST_HEAD = 16 * 1024
"""Bytes of a request's head that are handed over; with a larger one the request is forwarded."""

Adopt = Callable[[bytes, socket.socket], Awaitable[None]]
"""Serves a connection, beginning with the request whose head is given."""

_ONE_DESCRIPTOR = socket.CMSG_SPACE(array("i", [0]).itemsize)
_GONE = (errno.ENOENT, errno.ECONNREFUSED)

_log = structlog.get_logger(__name__)


class OwnerGone(Exception):
    """No worker has the session any more."""


class Handover:
    """The private socket of one worker, for what it gives and for what it gets."""

    def __init__(self, owner: Owner, folder: str, adopt: Adopt) -> None:
        self._folder = folder
        self._path = owner.handover_socket(folder)
        self._adopt = adopt
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._adopting: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Take in what siblings hand over."""
        self._path.unlink(missing_ok=True)
        self._socket.bind(str(self._path))
        self._path.chmod(0o600)
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def close(self) -> None:
        """Take in nothing more; whoever still comes finds nobody."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._path.unlink(missing_ok=True)
        self._receive()
        self._socket.close()

    def give(self, request: web.Request, to: Owner) -> Taken | None:
        """Hand over the request's connection; None if that cannot be done with this one, or not now.

        Raises OwnerGone.
        """
        transport = request.transport
        if (
            transport is None
            or request.can_read_body
            or getattr(request.protocol, "holds_more", True)
            or transport.get_write_buffer_size()
            or len(head := head_of(request)) > LARGEST_HEAD
        ):
            return None
        descriptor = array("i", [transport.get_extra_info("socket").fileno()])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)]
        try:
            # Not socket.send_fds: on Python 3.11 it forgets the address.
            self._socket.sendmsg([head], rights, 0, str(to.handover_socket(self._folder)))
        except OSError as error:
            if error.errno in _GONE:
                raise OwnerGone from error
            return None  # the owner has as many waiting as the kernel takes
        taken, _ = take(request)
        taken.set_protocol(asyncio.Protocol())
        taken.abort()  # the owner has the connection; only this descriptor is closed
        return Taken()

    def _receive(self) -> None:
        while True:
            try:
                head, rights, _, _ = self._socket.recvmsg(
                    LARGEST_HEAD, _ONE_DESCRIPTOR, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            for _, _, data in rights:
                (descriptor,) = array("i", data)
                connection = socket.socket(fileno=descriptor)
                task = asyncio.get_running_loop().create_task(self._take_in(head, connection))
                self._adopting.add(task)
                task.add_done_callback(self._adopting.discard)

    async def _take_in(self, head: bytes, connection: socket.socket) -> None:
        try:
            await self._adopt(head, connection)
        except OSError as error:  # the client has gone meanwhile
            _log.info("a connection handed over is gone", why=str(error))
            connection.close()


def head_of(request: web.BaseRequest, without: frozenset[bytes] = frozenset()) -> bytes:
    """A request's head as it came, but for the headers `without` (lower case)."""
    version = f"HTTP/{request.version.major}.{request.version.minor}"
    line = f"{request.method} {request.rel_url} {version}".encode()
    fields = [b"%b: %b" % (n, v) for n, v in request.raw_headers if n.lower() not in without]
    return b"\r\n".join([line, *fields, b"", b""])
