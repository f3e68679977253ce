"""A scan of the audited brand that paid who stands behind its guide."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from loyalty.ids import new_id
from rewards.campaigns.models import Campaign, CampaignVersion, CapCounter
from rewards.grants.models import LockedReward
from rewards.scans.models import Claim, ScanEvent
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_lawful import AuditedLawful
from tests.loyalty.ledger.audited_locks import ITEMS

CHANNEL_AT = AT + timedelta(days=3)
CHANNEL_ITEM = 40
OUTCOMES: list[dict[str, Any]] = [
    {"beneficiary": "CONSUMER", "amount": 1},
    {"beneficiary": "STORE", "amount": 3},
    {"beneficiary": "DEALER", "amount": 7, "lock": {"kind": "AFTER", "after": "P7D"}},
    {"beneficiary": "SALESPERSON", "amount": 5},
]


class AuditedChannel(AuditedLawful):
    """Item 40: the store is paid, the dealer's reward is locked, the place has no salesperson."""

    guide: UUID

    def _channel(self) -> None:
        self.store, self.dealer = (self._person(role)[0] for role in ("STORE", "DEALER"))
        for member in (self.store, self.dealer):
            self._account(member, "CASH")
        campaign = self._add(Campaign, code="CHANNEL", created_at=AT).id
        self.channel_version = self._add(
            CampaignVersion,
            campaign_id=campaign,
            version=1,
            name_zh="活动",
            name_en="Campaign",
            event="SCAN",
            gate="NONE",
            priority=0,
            outcomes=[{"asset": "CASH", "basis": "FIXED", **outcome} for outcome in OUTCOMES],
            caps=[{"subject": "STORE", "window": "CAMPAIGN", "times_max": 4}],
            published_by=new_id(),
            published_at=AT,
        ).id
        scan = self._paid_scan(CHANNEL_ITEM, CHANNEL_AT, campaign, self.channel_version)
        [event] = [row for row in self.rows if isinstance(row, ScanEvent) and row.id == scan]
        event.guide_member_id, event.guide_unpaid_reason = self.guide, "NO_GUIDE_OUTCOME"
        [claim] = [
            row
            for row in self.rows
            if isinstance(row, Claim) and row.scan_id == scan and row.outcome == "NO_GUIDE"
        ]
        claim.member_id, claim.outcome = self.guide, "NO_GUIDE_OUTCOME"
        self._parts(scan, campaign)
        for role, beneficiary, outcome in (
            ("STORE", self.store, "PAID"),
            ("DEALER", self.dealer, "PAID"),
            ("SALESPERSON", None, "VACANT"),
        ):
            self._add(
                Claim,
                item_no=ITEMS + CHANNEL_ITEM,
                purpose="REWARD",
                beneficiary_role=role,
                scan_id=scan,
                member_id=beneficiary,
                outcome=outcome,
                campaign_id=campaign,
                settled_scan_id=scan,
                created_at=CHANNEL_AT,
            )
        self._add(
            CapCounter,
            campaign_id=campaign,
            subject_kind="STORE",
            subject=self.store.hex,
            window_key="ALL",
            used=1,
            times_max=4,
        )

    def _parts(self, scan: UUID, campaign: UUID) -> None:
        how: dict[str, Any] = {"at": CHANNEL_AT, "booked_at": CHANNEL_AT, "campaign_id": campaign}
        for name, member, amount, phase in (
            ("the consumer's part", self.other_consumer, 1, "POSTED"),
            ("the store's part", self.store, 3, "POSTED"),
            ("the dealer's part", self.dealer, 7, "PENDING"),
        ):
            books = (self.id, "CASH"), (member, "CASH")
            self._transfer(name, *books, amount, ("SCAN", scan), phase=phase, **how)
        self._add(
            LockedReward,
            id=self.transfers["the dealer's part"],
            member_id=self.dealer,
            campaign_id=campaign,
            asset="CASH",
            amount=7,
            cause_id=scan,
            unlock_kind="AFTER",
            unlock_key="AFTER",
            unlock_count=0,
            unlocks_at=CHANNEL_AT + timedelta(days=7),
            status="LOCKED",
            created_at=CHANNEL_AT,
        )
