"""One process full of clients, and what is said between it and whoever directs it."""

from load.swarm.plan import Address, Guest, Kind, Plan, Script
from load.swarm.process import main
from load.swarm.tally import Opened, Progress, Tally

__all__ = [
    "Address",
    "Guest",
    "Kind",
    "Opened",
    "Plan",
    "Progress",
    "Script",
    "Tally",
    "main",
]
