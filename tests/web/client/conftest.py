from collections.abc import AsyncIterator

import pytest

from tests.nodes import Node
from tests.proxy import Proxy
from tests.web.client.library import firewall as firewall
from tests.web.client.library import library as library
from tests.web.client.library import library_process as library_process


@pytest.fixture
async def link(nodes: tuple[Node, Node]) -> AsyncIterator[Proxy]:
    """A way to the first node that can be cut."""
    async with Proxy.before(nodes[0].url) as link:
        yield link
