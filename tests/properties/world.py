"""Two nodes and the database behind them, driven from a test that is no coroutine."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from store.database import Database
from tests.nodes import Node
from tests.people import People, Rest
from tests.screens import NodeClients

T = TypeVar("T")


class World:
    """`run` carries out what the steps of a state machine are."""

    def __init__(
        self, nodes: tuple[Node, Node], database: Database, rest: Rest, clients: NodeClients
    ) -> None:
        self.nodes = nodes
        self.database = database
        self.people = People(rest, clients)
        self._loop = asyncio.get_running_loop()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)
