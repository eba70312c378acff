from collections.abc import AsyncIterator

import pytest

from tests.docs.examples import run as run
from tests.nodes import Node
from tests.proxy import Proxy


@pytest.fixture
async def link(nodes: tuple[Node, Node]) -> AsyncIterator[Proxy]:
    """A way to the first node that can be cut."""
    async with Proxy.before(nodes[0].url) as link:
        yield link
