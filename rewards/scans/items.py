"""Looking at a code without claiming anything."""

from dataclasses import dataclass
from uuid import UUID

from loyalty.codes.models import CodeBatch, ItemCode
from loyalty.codes.rules import item_no
from loyalty.codes.service import find_batch_by_number
from loyalty.db import Snapshot
from loyalty.errors import CodeUnknown
from loyalty.products.models import Product
from loyalty.products.service import require_product
from rewards.scans import queries
from rewards.scans.models import Verdict
from rewards.scans.rules import verdict_of
from rewards.scans.world import CONSUMER


@dataclass(frozen=True, slots=True)
class CodeNamed:
    """What a recognised code names; the key it was made with, and where."""

    key_epoch_id: UUID
    batch_number: int
    serial: int


@dataclass(frozen=True, slots=True)
class ItemView:
    """A code as anyone may look at it."""

    verdict: Verdict
    claimed: bool
    batch: CodeBatch
    code: ItemCode | None
    product: Product


async def look_at_item(snapshot: Snapshot, brand_id: UUID, named: CodeNamed | None) -> ItemView:
    """The verdict on a code, without claiming; CodeUnknown as a scan would say."""
    batch = (
        None
        if named is None
        else await find_batch_by_number(snapshot, brand_id, named.batch_number)
    )
    if (
        named is None
        or batch is None
        or batch.key_epoch_id != named.key_epoch_id
        or named.serial >= batch.quantity
    ):
        raise CodeUnknown()
    item = item_no(batch.series_no, named.serial)
    code = await queries.find_item_code(snapshot, brand_id, item, batch.kind)
    claims = await snapshot.fetch(queries.FIND_CLAIMS, keys=[(brand_id, item)])
    return ItemView(
        verdict_of(batch.status, code is not None),
        any(row[2] == CONSUMER for row in claims),
        batch,
        code,
        await require_product(snapshot, brand_id, batch.product_id),
    )
