"""What passes between the launcher and a worker: over the worker's standard input, a socket.

The launcher says once who the worker is; the worker says once how its start came out.
"""

import os
import signal
import socket
import sys
from collections.abc import Sequence

import msgspec

from gateway.embedded.tether import end_with_parent
from gateway.sockets.owner import Owner
from gateway.startup import CannotStart


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's place."""

    launcher: int
    """The launcher's process id."""
    owner: Owner
    """The worker's name. Slots count from 0."""
    workers: int
    """How many the machine has."""
    listening: Sequence[int]
    """Descriptors of the sockets for the public port, bound; the worker has them listen."""
    secret: str
    """By which the machine's workers know each other's word."""
    folder: str
    """Where the machine's workers have their private sockets; only their account can enter."""


class Report(msgspec.Struct, frozen=True):
    """How a worker's start came out: it serves, or `failed` says in one line why it cannot."""

    failed: str | None = None


_encode = msgspec.json.Encoder().encode
_assignment = msgspec.json.Decoder(Assignment).decode
read_report = msgspec.json.Decoder(Report).decode


def assign(assignment: Assignment) -> bytes:
    """The line that makes a process the worker that it is to be."""
    return _encode(assignment) + b"\n"


class Channel:
    """The worker's end. Raises CannotStart in a process that no launcher has started."""

    def __init__(self) -> None:
        descriptor = os.dup(sys.stdin.fileno())
        try:
            self._socket = socket.socket(fileno=descriptor)
        except OSError as error:
            raise CannotStart("a worker is started by `vernissage serve`, not by hand") from error

    def assignment(self) -> Assignment:
        """Who this process is; from now on it is killed when the launcher ends, however that does."""
        end_with_parent(signal.SIGKILL)
        with self._socket.makefile("rb") as lines:
            line = lines.readline()
        assignment = _assignment(line) if line else None
        if assignment is None or os.getppid() != assignment.launcher:
            sys.exit("the launcher was gone before its worker began")
        return assignment

    def ready(self) -> None:
        """Tell the launcher that this worker serves."""
        self._socket.sendall(_encode(Report()) + b"\n")

    def failed(self, why: str) -> None:
        """Tell the launcher, which tells its operator, why this worker cannot start."""
        self._socket.sendall(_encode(Report(failed=why)) + b"\n")
