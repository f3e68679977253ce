"""A bottle is in one box, and a box is packed once; whoever else would say otherwise is refused."""

from dataclasses import replace
from uuid import UUID

import pytest

from loyalty.actor import Actor, system_actor
from loyalty.brands.models import Brand
from loyalty.codes.models import CodeBatch, CodeKind
from loyalty.codes.service import create_batches
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.errors import InvalidInput, NotFound
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from loyalty.packings.queries import list_packings
from loyalty.packings.rules import Line
from loyalty.packings.service import pack_boxes
from loyalty.products.service import create_product

LINE = Line(first_serial=6, count=12, per_box=6, first_box_serial=2)


async def _order(
    db: Database, keyring: Keyring, actor: Actor, product_id: UUID, *kinds: CodeKind
) -> list[CodeBatch]:
    return await db.in_transaction(
        create_batches, actor, keyring, product_id=product_id, quantity=24, kinds=kinds
    )


async def test_each_line_is_of_full_boxes_that_are_free(
    db: Database, brand: Brand, keyring: Keyring
) -> None:
    actor = system_actor(brand.id)
    product = await db.in_transaction(create_product, actor, sku="tea", name_zh="茶", name_en="Tea")
    inner, outer = await _order(db, keyring, actor, product.id, CodeKind.INNER, CodeKind.OUTER)
    box, lid = await _order(db, keyring, actor, product.id, CodeKind.BOX_INNER, CodeKind.BOX_OUTER)

    async def pack(line: Line, bottles: UUID = inner.id, boxes: UUID = box.id) -> None:
        await db.in_transaction(
            pack_boxes, actor, bottle_batch_id=bottles, box_batch_id=boxes, line=line
        )

    async def refused(line: Line, bottles: UUID = inner.id, boxes: UUID = box.id) -> str:
        with pytest.raises(InvalidInput) as error:
            await pack(line, bottles, boxes)
        return f"{error.value.details['field']}: {error.value.details['problem']}"

    await pack(LINE)
    for line, field in (
        (replace(LINE, per_box=0), "perBox"),
        (replace(LINE, per_box=1001), "perBox"),
        (replace(LINE, count=0), "count"),
        (replace(LINE, count=13), "count"),
        (replace(LINE, first_serial=-1), "firstSerial"),
        (replace(LINE, first_serial=13), "firstSerial"),
        (replace(LINE, first_box_serial=23), "firstBoxSerial"),
    ):
        assert (await refused(line)).startswith(f"{field}: "), line
    assert (await refused(LINE, box.id)).startswith("bottleBatchId: ")
    assert (await refused(LINE, inner.id, inner.id)).startswith("boxBatchId: ")
    for unknown in ((new_id(), box.id), (inner.id, new_id())):
        with pytest.raises(NotFound):
            await pack(LINE, *unknown)

    free = Line(first_serial=0, count=6, per_box=6, first_box_serial=0)
    overlapping = replace(free, first_serial=17)  # by the last bottle alone, named by the other
    assert await refused(overlapping, outer.id) == "firstSerial: bottle 17 is in a box already"
    taken = replace(free, first_box_serial=3)
    assert await refused(taken, boxes=lid.id) == "firstBoxSerial: box 3 is packed already"
    await pack(free)
    await pack(replace(free, first_serial=18, first_box_serial=4), outer.id, lid.id)
    async with db.snapshot() as snapshot:
        found = await list_packings(snapshot, brand.id, batch_id=inner.id, before=None, limit=9)
        assert [row.first_item_no - (inner.series_no << 40) for row in found] == [0, 6]
    assert [check.name for check in await audit(db) if check.broken] == []
