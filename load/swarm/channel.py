"""A TCP connection without tasks, streams or futures."""

import errno
import select
import socket
from typing import Protocol

from load.swarm.plan import Address

RECEIVE_BYTES = 64 * 1024

IP_BIND_ADDRESS_NO_PORT = 24
"""Linux, in.h: the port is chosen at connect, so that each server's clients have all ports to choose from."""

RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""SO_LINGER on, for no time: the connection ends by RST."""


class Receiver(Protocol):
    """Whose connection it is."""

    def received(self, data: bytes) -> None: ...

    def ended(self, why: str) -> None:
        """The other side, or a fault, ended the connection. Called once."""
        ...


class Loop(Protocol):
    """Where sockets are waited for."""

    def register(self, channel: "Channel") -> None: ...

    def await_writable(self, channel: "Channel", writable: bool) -> None: ...

    def forget(self, channel: "Channel") -> None: ...


class Channel:
    """One connection: what is sent before it stands goes out when it does."""

    __slots__ = ("_loop", "_receiver", "_sock", "_unsent", "_waiting", "closed", "fd")

    def __init__(self, loop: Loop, address: Address, receiver: Receiver) -> None:
        self._loop = loop
        self._receiver = receiver
        self._unsent = b""
        self._waiting = True
        self.closed = False
        self._sock = sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.source is not None:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((address.source, 0))
        self.fd = sock.fileno()
        sock.connect_ex((address.host, address.port))
        loop.register(self)

    def ready(self, mask: int) -> None:
        """The socket can be read or written, as epoll says."""
        if mask & select.EPOLLOUT:
            self._flush()
        if mask & ~select.EPOLLOUT:
            try:
                data = self._sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self._end(_name(error))
                return
            if data:
                self._receiver.received(data)
            else:
                self._end("closed by the server")

    def send(self, data: bytes) -> None:
        """Send now, or as soon as there is room."""
        if self.closed:
            return
        if self._waiting:
            self._unsent += data
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._end(_name(error))
            return
        if sent < len(data):
            self._unsent = data[sent:]
            self._await(True)

    def _flush(self) -> None:
        try:
            sent = self._sock.send(self._unsent) if self._unsent else 0
        except BlockingIOError:
            return
        except OSError as error:
            self._end(_name(error))
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._await(False)

    def _await(self, writable: bool) -> None:
        self._waiting = writable
        self._loop.await_writable(self, writable)

    def _end(self, why: str) -> None:
        if not self.closed:
            self.close()
            self._receiver.ended(why)

    def close(self, *, reset: bool = False) -> None:
        """Close it, or with `reset` cut it; nothing is heard of it any more."""
        if not self.closed:
            self.closed = True
            self._loop.forget(self)
            if reset:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._sock.close()


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
