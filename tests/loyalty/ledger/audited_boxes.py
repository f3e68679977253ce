"""Boxes of the audited brand, and rewards that wait for their second bottle."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from loyalty.codes.models import CodeBatch, KeyEpoch
from loyalty.ids import new_id
from loyalty.packings.models import Packing
from rewards.campaigns.models import Campaign, CampaignVersion
from rewards.grants.models import BoxCount, LockedReward
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_locks import HOUR, ITEMS, LOCKED_AT, AuditedLocks

BOXES = 3 * 2**40
FIRST, PER_BOX = 80, 3


class AuditedBoxes(AuditedLocks):
    """Items 80 to 85 are in two boxes of three. Two of the first box are scanned, the second of
    which unlocks what both wait for, and one of the second box, which waits on."""

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
        self._opened()

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

    def _opened(self) -> None:
        lock = {"kind": "BOX_BOTTLES", "count": 2, "lapses_after": "P7D"}
        paid = {"beneficiary": "CONSUMER", "asset": "POINTS", "basis": "FIXED", "amount": 7}
        campaign = self._add(Campaign, code="BOXES", created_at=AT)
        version = self._add(
            CampaignVersion,
            campaign_id=campaign.id,
            version=1,
            name_zh="活动",
            name_en="Campaign",
            event="SCAN",
            gate="NONE",
            priority=0,
            outcomes=[{**paid, "lock": lock}],
            caps=[],
            published_by=new_id(),
            published_at=AT,
        )
        for number, (serial, box, left) in enumerate(
            ((FIRST, 0, 1), (FIRST + 1, 0, 0), (FIRST + PER_BOX, 1, 1))
        ):
            at = LOCKED_AT + timedelta(days=1) + number * HOUR
            scan = self._paid_scan(serial, at, campaign.id, version.id)
            self._waits_for_box(serial, scan, at, campaign.id, box, left)
            if left == 0:
                for opened in (FIRST, FIRST + 1):
                    self._ends(f"{opened} of a box", "UNLOCKED", ("SCAN", scan), at)
        for box, bottles in ((0, 2), (1, 1)):
            self._add(BoxCount, box_item_no=BOXES + box, bottles=bottles)

    def _waits_for_box(
        self, serial: int, scan: UUID, at: Any, campaign_id: UUID, box: int, left: int
    ) -> None:
        name = f"{serial} of a box"
        self._transfer(
            name,
            (self.id, "POINTS"),
            (self.other_consumer, "POINTS"),
            7,
            ("SCAN", scan),
            phase="PENDING",
            at=at,
            booked_at=at,
            campaign_id=campaign_id,
        )
        self._add(
            LockedReward,
            id=self.transfers[name],
            member_id=self.other_consumer,
            campaign_id=campaign_id,
            asset="POINTS",
            amount=7,
            cause_id=scan,
            unlock_kind="BOX_BOTTLES",
            unlock_key="2",
            unlock_count=left,
            lapses_at=at + timedelta(days=7),
            box_item_no=BOXES + box,
            status="LOCKED",
            created_at=at,
        )
