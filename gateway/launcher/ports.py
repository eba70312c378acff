"""The public port: several sockets listen on it, and the kernel spreads connections over them."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import closing

from gateway.startup import CannotStart

UNSENT_BYTES = 128 * 1024
"""Bytes for one connection that the kernel takes beyond what its client has room for; else it would be 4 MiB."""

Address = tuple[socket.AddressFamily, tuple[object, ...]]


class Port:
    """A port that is ours, at every address of a host.

    Raises CannotStart where somebody has it. With 0 it is any free one: `number` says which.
    """

    def __init__(self, host: str, number: int) -> None:
        check_free(host, number)
        self._host = host
        self.number = number
        self._addresses: list[Address] = []
        # Nobody listens on these; they keep the port ours while no worker has a socket.
        self._anchors: list[socket.socket] = []
        try:
            for family, address in _addresses(host, number):
                anchor = _bound(family, (address[0], self.number, *address[2:]))
                self._anchors.append(anchor)
                self._addresses.append((family, anchor.getsockname()))
                self.number = anchor.getsockname()[1]
        except OSError as error:
            self.close()
            raise _cannot_be_had(host, number, error) from error

    def sockets(self) -> list[socket.socket]:
        """New sockets for one worker, bound and not listening yet."""
        return [_bound(family, address) for family, address in self._addresses]

    def close(self) -> None:
        for anchor in self._anchors:
            anchor.close()


def check_free(host: str, number: int) -> None:
    """Raises CannotStart where the port cannot be had, be it that sharers would let us share it."""
    try:
        for family, address in _addresses(host, number):
            with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
                _prepare(probe)
                probe.bind(address)
    except OSError as error:
        raise _cannot_be_had(host, number, error) from error


def _cannot_be_had(host: str, number: int, error: OSError) -> CannotStart:
    in_use = error.errno == errno.EADDRINUSE
    why = "is in use" if in_use else f"cannot be had: {error.strerror or os.strerror(0)}"
    return CannotStart(f"port {number} on {host} {why}; give another (VERNISSAGE_PORT)")


def _addresses(host: str, number: int) -> Iterator[Address]:
    found = socket.getaddrinfo(
        host or None, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    for family, _, _, _, address in dict.fromkeys(found):
        yield socket.AddressFamily(family), address


def _bound(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        _prepare(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # accepted connections have it from this one
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _prepare(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
