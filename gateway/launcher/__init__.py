"""One machine, all cores: worker processes that share a port, kept up and replaced by one launcher.

The launcher serves no client. It holds the listening sockets, so that no worker's end costs a
connection that waits in one of them.
"""

from gateway.launcher.assignment import Assignment, Channel
from gateway.launcher.machine import launch
from gateway.launcher.ports import check_free

__all__ = ["Assignment", "Channel", "check_free", "launch"]
