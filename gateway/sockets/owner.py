"""Which worker a session belongs to: its id says so, so that every worker can tell."""

import base64
import secrets
from pathlib import Path

import msgspec

SLOTS = 1 << 8
"""Workers of one machine that a session's id can tell apart."""
GENERATIONS = 1 << 4
"""Workers of one slot that can be told apart: one that goes, and those that come after it."""

NODE_CHARACTERS = 4
"""Of a machine's name, in the ids of its sessions."""
_WORKER_CHARACTERS = 2
_PREFIX = NODE_CHARACTERS + _WORKER_CHARACTERS
SID_CHARACTERS = 20
"""The last 14, 84 random bits, are what nobody can guess."""


def new_node() -> str:
    """A name for a machine: four characters, 24 random bits."""
    return secrets.token_urlsafe(3)


class Owner(msgspec.Struct, frozen=True):
    """A worker: its machine, its slot there, and which of that slot's workers, modulo 16."""

    node: str
    slot: int
    generation: int

    @classmethod
    def of(cls, sid: str) -> "Owner | None":
        """Whom a session with this id would belong to; None if it can be nobody's."""
        if len(sid) != SID_CHARACTERS or not sid.isascii():
            return None
        try:
            number = int.from_bytes(base64.urlsafe_b64decode(f"AA{sid[NODE_CHARACTERS:_PREFIX]}"))
        except ValueError:
            return None
        return cls(sid[:NODE_CHARACTERS], number // GENERATIONS, number % GENERATIONS)

    @property
    def name(self) -> str:
        """The beginning of its sessions' ids."""
        number = self.slot * GENERATIONS + self.generation
        return self.node + base64.urlsafe_b64encode(number.to_bytes(3, "big")).decode()[2:]

    def new_sid(self) -> str:
        """A fresh id for a session of this worker: 20 url-safe characters."""
        name = self.name
        return name + secrets.token_urlsafe(SID_CHARACTERS)[: SID_CHARACTERS - len(name)]

    def http_socket(self, folder: str) -> Path:
        """Where it takes requests from the launcher, and forwarded ones from its siblings."""
        return Path(folder, f"{self.slot}.{self.generation}.http")

    def handover_socket(self, folder: str) -> Path:
        """Where it takes in connections from its siblings."""
        return Path(folder, f"{self.slot}.{self.generation}.handover")
