"""How much of everything: the full length of `make faults`, or the short form of `make faults QUICK=1`."""

import os
from dataclasses import dataclass

FORM = os.environ.get("FAULTS", "")
"""`full`, `quick` or `soak`; empty where no promise is put to the test."""
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))


@dataclass(frozen=True)
class Budget:
    """What the tests of the promises may take."""

    watchers: int
    writers: int
    topics: int
    """Posts that are watched and written to; each has as many watchers as any other."""
    per_second: float
    """Commands of all writers together."""
    cycles: int
    """How often each fault is made."""
    away: float
    """Seconds for which a client is cut off at the most."""
    blackhole: float
    """Seconds for which Redis swallows everything."""
    storm: int
    """Clients that are reset at one moment."""
    churn: int
    """Connections that come and go."""
    kills: int
    """How often a consumer of each kind is killed."""
    burst: int
    """Rounds of what is measured in rounds."""
    measures: bool
    """Whether there is enough of everything to judge latencies by."""


FULL = Budget(
    watchers=1_000,
    writers=100,
    topics=50,
    per_second=200.0,
    cycles=5,
    away=60.0,
    blackhole=30.0,
    storm=5_000,
    churn=50_000,
    kills=50,
    burst=20,
    measures=True,
)
QUICK = Budget(
    watchers=100,
    writers=20,
    topics=10,
    per_second=80.0,
    cycles=1,
    away=3.0,
    blackhole=0.0,
    storm=500,
    churn=1_000,
    kills=5,
    burst=3,
    measures=False,
)

BUDGET = QUICK if FORM == "quick" else FULL
