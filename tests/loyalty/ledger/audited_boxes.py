"""Boxes of the audited brand."""

from loyalty.codes.models import CodeBatch, KeyEpoch
from loyalty.packings.models import Packing
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_locks import ITEMS, AuditedLocks

BOXES = 3 * 2**40
FIRST, PER_BOX = 40, 3


class AuditedBoxes(AuditedLocks):
    """Items 40 to 45 are in two boxes of three."""

    def _boxes(self) -> None:
        [epoch] = [row for row in self.rows if isinstance(row, KeyEpoch)]
        self.batches["BOX_INNER"] = self._add(
            CodeBatch,
            number=3,
            series_no=3,
            key_epoch_id=epoch.id,
            product_id=self.product,
            kind="BOX_INNER",
            purpose="SELL_THROUGH",
            quantity=10,
            status="ACTIVE",
            created_at=AT,
        ).id
        self.packing = self._packing(FIRST, 2, 0)
        self.other_packing = self._packing(FIRST + 2 * PER_BOX, 1, 2)

    def _packing(self, first: int, boxes: int, first_box: int) -> Packing:
        packing = self._add(
            Packing,
            bottle_batch_id=self.batches["INNER"],
            first_item_no=ITEMS + first,
            last_item_no=ITEMS + first + boxes * PER_BOX - 1,
            per_box=PER_BOX,
            box_batch_id=self.batches["BOX_INNER"],
            first_box_item_no=BOXES + first_box,
            last_box_item_no=BOXES + first_box + boxes - 1,
            created_at=AT,
        )
        assert isinstance(packing, Packing)
        return packing
