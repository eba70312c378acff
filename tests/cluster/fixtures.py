"""The cluster, in the place of the nodes of tests/nodes.py."""

from collections.abc import AsyncIterator

import pytest

from tests.cluster.cluster import Cluster, open_cluster
from tests.deploy.proxies import Door
from tests.nodes import GENEROUS, Installation
from tests.servers import data_folder


@pytest.fixture(scope="session")
async def cluster() -> AsyncIterator[Cluster]:
    with data_folder() as folder:
        async with open_cluster(folder, breakable=True, **GENEROUS) as cluster:
            yield cluster


@pytest.fixture(scope="module")
def installation(cluster: Cluster) -> Installation:
    return cluster.installation


@pytest.fixture(scope="module")
def nodes(cluster: Cluster) -> tuple[Door, Door]:
    return cluster.door, cluster.door
