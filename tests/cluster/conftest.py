"""`make cluster-test` puts journeys and faults on the cluster; `make test` has neither the time nor the plugin."""

import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    if config.pluginmanager.has_plugin("tests.cluster.plugin"):
        return None
    return True
