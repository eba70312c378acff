from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.drift",
    "tests.servers",
    "tests.valkeys",
    "tests.certificates",
    "tests.programs",
    "tests.nodes",
    "tests.screens",
    "tests.people",
    "tests.outside",
    "tests.windows",
    "tests.second_tries",
]

# How fast a machine is decides no test. What else holds on it (CI draws the same examples every time) stays.
settings.register_profile(
    "unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")

LONG = frozenset({"deploy", "fuzz", "journeys", "load", "properties", "web"})
"""Rooms whose files take longest. Begun first, they leave none of them to a single process at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files by that."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in LONG)
