"""`pytest -p tests.cluster.plugin tests/journeys/…` puts journeys on the cluster: their nodes are behind HAProxy.

Whichever node a journey names, its people come in by the one door, and each request is brought to any of the three.
"""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """After the tests' own conftest, so that these fixtures are found before those."""
    from tests.cluster import fixtures

    config.pluginmanager.register(fixtures, "fixtures of the cluster")
