import pytest

from store.database import Database
from tests.nodes import Node
from tests.people import Rest
from tests.properties.world import World
from tests.screens import NodeClients


@pytest.fixture(scope="module")
async def world(
    nodes: tuple[Node, Node], database: Database, rest: Rest, node_clients: NodeClients
) -> World:
    return World(nodes, database, rest, node_clients)
