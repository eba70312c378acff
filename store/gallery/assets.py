"""Assets: what creators made, before and after they share it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Unpack
from uuid import UUID

import msgspec

from store.cursors import CursorKey, Page
from store.database import Database, Transaction
from store.gallery.creators import find_creators, refusal_to_write
from store.gallery.refusals import id_taken
from store.gallery.shapes import Asset, AssetType
from store.listing import NewestFirst, Paging
from store.queries import queries
from store.refusal import Refusal
from store.totals import Totals, count

_SQL = queries("gallery/assets")

_MADE = NewestFirst("assets")


class NewAsset(msgspec.Struct, frozen=True):
    """An asset about to be kept."""

    id: UUID
    user_id: UUID
    asset_type: AssetType
    url: str
    prompt: str | None


class AssetCreated(msgspec.Struct, frozen=True):
    """The asset, and whether it is new: False when its maker had made it before, just so."""

    asset: Asset
    changed: bool


class Assets:
    """What creators made."""

    def __init__(self, database: Database, cursor_key: CursorKey) -> None:
        self._database = database
        self._cursor_key = cursor_key
        self._totals = Totals()

    async def create(self, assets: Sequence[NewAsset]) -> list[AssetCreated | Refusal]:
        """Keep assets, in one transaction; an answer or a refusal for each."""
        return await self._database.transaction(lambda transaction: _create(transaction, assets))

    async def of_user(self, user_id: UUID, **paging: Unpack[Paging]) -> Page[Asset]:
        """What the user made, newest first; `total` may be up to a minute old. Raises INVALID_CURSOR."""
        span = await _MADE.span(self._cursor_key, [user_id], **paging)
        total = self._totals.ask(  # counted meanwhile
            user_id, lambda: count(self._database.reads, _SQL["count_of_user"], user_id)
        )
        rows = await self._database.reads.fetch(_SQL["of_user"], user_id, *span.arguments)
        return span.page(rows, _asset, await asyncio.shield(total))


def _asset(row: Mapping[str, Any]) -> Asset:
    return Asset(*(row[field] for field in Asset.__struct_fields__))


async def _create(
    transaction: Transaction, assets: Sequence[NewAsset]
) -> list[AssetCreated | Refusal]:
    creators = await find_creators(transaction, [asset.user_id for asset in assets])
    rows = await transaction.fetch(_SQL["taken"], [asset.id for asset in assets])
    known = {row["id"]: _asset(row) for row in rows}
    wanted: dict[UUID, NewAsset] = {}
    verdicts: list[bool | Refusal] = []
    for asset in assets:
        there = known.get(asset.id) or wanted.get(asset.id)
        if refusal := refusal_to_write(creators, asset.user_id):
            verdicts.append(refusal)
        elif there is None:
            wanted[asset.id] = asset
            verdicts.append(True)
        else:
            verdicts.append(False if _same(asset, there) else id_taken(asset.id))
    known.update(await _add(transaction, wanted))
    return [
        verdict if isinstance(verdict, Refusal) else AssetCreated(known[asset.id], verdict)
        for asset, verdict in zip(assets, verdicts, strict=True)
    ]


def _same(asset: NewAsset, there: Asset | NewAsset) -> bool:
    return all(
        getattr(asset, field) == getattr(there, field) for field in NewAsset.__struct_fields__
    )


async def _add(transaction: Transaction, wanted: dict[UUID, NewAsset]) -> dict[UUID, Asset]:
    if not wanted:
        return {}
    rows = await transaction.fetch(
        _SQL["add"],
        list(wanted),
        [asset.user_id for asset in wanted.values()],
        [asset.asset_type for asset in wanted.values()],
        [asset.url for asset in wanted.values()],
        [asset.prompt for asset in wanted.values()],
    )
    return {
        row["id"]: Asset(**msgspec.structs.asdict(wanted[row["id"]]), created_at=row["created_at"])
        for row in rows
    }
