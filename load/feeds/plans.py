"""How PostgreSQL carries out a query of `sql/`: its plan, what it read, and what it read from end to end."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from store.database import Database, Transaction

Plan = Mapping[str, Any]

MODES = ("force_generic_plan", "force_custom_plan")
"""PostgreSQL plans a prepared statement anew for each of its first five executions, then perhaps for all."""

SMALL_TABLES = {"installation", "trending_snapshots"}
"""Those that have a few rows whatever the size of the gallery."""


async def explain(database: Database, query: str, arguments: tuple[Any, ...], mode: str) -> Plan:
    """What PostgreSQL did to answer the query, planned as `mode` says."""

    async def work(transaction: Transaction) -> Any:
        await transaction.execute(f"set local plan_cache_mode = {mode}")
        await transaction.execute("set local jit = off")
        await transaction.execute(f"prepare asked as {query}")
        given = f"({', '.join(map(literal, arguments))})" if arguments else ""
        row = await transaction.fetchrow(
            f"explain (analyze, buffers, format json) execute asked {given}"
        )
        await transaction.execute("deallocate asked")
        assert row is not None
        return json.loads(row[0])[0]

    plan: Plan = await database.transaction(work)
    return plan


def literal(value: Any) -> str:
    """A value as SQL spells it."""
    match value:
        case None:
            return "null"
        case bool() | int() | float():
            return f"'{value}'"
        case list() | tuple():
            return literal("{" + ",".join(f'"{item}"' for item in value) + "}")
        case str():
            return "'" + value.replace("'", "''") + "'"
        case UUID() | datetime() | timedelta():
            return f"'{value}'"
    raise TypeError(f"no literal for {value!r}")


def nodes(plan: Plan) -> Iterator[Plan]:
    """The node at the root of a plan, and all below it."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def sequential(plan: Plan) -> list[str]:
    """The tables that were read from end to end, the small ones aside."""
    return [
        node["Relation Name"]
        for node in nodes(plan["Plan"])
        if node["Node Type"] == "Seq Scan"
        and node["Actual Loops"] > 0
        and node["Relation Name"] not in SMALL_TABLES
    ]


def blocks(plan: Plan) -> int:
    """How many pages of 8 KiB were looked at."""
    root = plan["Plan"]
    return int(root["Shared Hit Blocks"] + root["Shared Read Blocks"])
