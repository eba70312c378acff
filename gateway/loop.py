"""The event loop of every process that serves.

Docs: docs/adr/0018-the-loop-is-uvloop-where-there-is-one.md.
"""

import asyncio

try:
    import uvloop
except ImportError:  # where it has no wheels; nothing but speed depends on it
    uvloop = None  # type: ignore[assignment]


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop for `asyncio.Runner(loop_factory=…)`."""
    return asyncio.new_event_loop() if uvloop is None else uvloop.new_event_loop()
