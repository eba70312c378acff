"""PostgreSQL and Valkey as child processes, for whoever has none at hand."""

from gateway.embedded.process import free_port
from gateway.embedded.servers import EmbeddedServers, embedded_servers, running_servers
from gateway.embedded.tether import end_with_parent

__all__ = [
    "EmbeddedServers",
    "embedded_servers",
    "end_with_parent",
    "free_port",
    "running_servers",
]
