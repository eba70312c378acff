"""How long to look for what breaks the gateway: `make fuzz` takes its time, `make test` does not."""

import os

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
"""All that there is for looking at random, over all that does; 0 for the short form."""

LOOKERS = 3
"""Requests as a user, requests as an admin, and the state machine of the gallery."""

IS_LONG = SECONDS > 0
SHARE = SECONDS / LOOKERS
