import pytest

import pubsub.attendance
import pubsub.bus
import pubsub.limiter
import pubsub.line
import pubsub.slots


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine, a server that answers is there; one that is killed is missed at once."""
    for module in (pubsub.attendance, pubsub.limiter, pubsub.line):
        monkeypatch.setattr(module, "SOCKET_SECONDS", 10.0)
    monkeypatch.setattr(pubsub.line, "CONFIRM_SECONDS", 10.0)
    monkeypatch.setattr(pubsub.line, "DOUBT_SECONDS", 5.0)
    monkeypatch.setattr(pubsub.slots, "LOOK_SECONDS", 10.0)
    monkeypatch.setattr(pubsub.bus, "ASK_SECONDS", 10.0)
