"""Scans of the audited brand that locked something, and one of them taken back."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty.codes.models import ItemCode
from loyalty.idempotency import IdempotencyRecord
from loyalty.ids import new_id
from loyalty.ledger.models import TransferReversal
from rewards.campaigns.models import Campaign, CampaignVersion
from rewards.grants.models import ActionReport, LockedReward
from rewards.scans.models import Claim, ScanEvent, ScanReversal
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_merges import TWINS_UNTIL, AuditedMerges

HOUR = timedelta(hours=1)
LOCKED_AT = AT + timedelta(days=1)
ITEMS = 2**40
OUTCOMES: list[dict[str, Any]] = [
    {"amount": 2},
    {"amount": 4, "lock": {"kind": "ACTION", "action": "follow"}},
    {"amount": 1, "lock": {"kind": "NEXT_SCAN", "count": 1, "lapses_after": "PT1H"}},
    {"amount": 6, "lock": {"kind": "AFTER", "after": "PT2H"}},
]
KINDS = {4: "ACTION", 1: "NEXT_SCAN", 6: "AFTER"}
"""Of what is locked, by its amount."""


class AuditedLocks(AuditedMerges):
    """Item 6: the other consumer followed, came too late for the next scan, and had its time come.
    Item 7, scanned by it hours later: taken back."""

    product: UUID
    batches: dict[str, UUID]

    def _locks(self) -> None:
        campaign = self._add(Campaign, code="LOCKS", created_at=AT)
        self.locks_version = self._add(
            CampaignVersion,
            campaign_id=campaign.id,
            version=1,
            name_zh="活动",
            name_en="Campaign",
            event="SCAN",
            gate="NONE",
            priority=0,
            outcomes=[
                {"beneficiary": "CONSUMER", "asset": "POINTS", "basis": "FIXED", **outcome}
                for outcome in OUTCOMES
            ],
            caps=[],
            published_by=new_id(),
            published_at=AT,
        ).id
        self._locking_scan(6, LOCKED_AT, campaign.id)
        self.report = self._add(
            ActionReport,
            member_id=self.other_consumer,
            action="follow",
            reported_by=new_id(),
            created_at=LOCKED_AT,
        ).id
        self._ends("6 locks 4", "UNLOCKED", ("ACTION", self.report), LOCKED_AT)
        late, timed = (self.transfers[f"6 locks {amount}"] for amount in (1, 6))
        self._ends("6 locks 1", "LAPSED", ("LOCK", late), LOCKED_AT + HOUR)
        self._ends("6 locks 6", "UNLOCKED", ("LOCK", timed), LOCKED_AT + 2 * HOUR)
        self._locking_scan(7, LOCKED_AT + 3 * HOUR, campaign.id)
        self._reversal(campaign.id, LOCKED_AT + 4 * HOUR)

    def _locking_scan(self, serial: int, at: datetime, campaign_id: UUID) -> None:
        scan = self._paid_scan(serial, at, campaign_id, self.locks_version)
        self._granted(serial, scan, at, campaign_id)

    def _paid_scan(self, serial: int, at: datetime, campaign_id: UUID, version_id: UUID) -> UUID:
        """The other consumer's first scan of an item, and what it leaves but for rewards."""
        item = {"item_no": ITEMS + serial, "batch_id": self.batches["INNER"]}
        scan = self._add(
            ScanEvent,
            **item,
            code_kind="INNER",
            product_id=self.product,
            identity_id=self.other_identity,
            member_id=self.other_consumer,
            role="CONSUMER",
            verdict="FIRST",
            unpaid_reason=None,
            guide_member_id=None,
            guide_unpaid_reason="NO_GUIDE",
            campaign_version_id=version_id,
            device_hash=None,
            latitude=None,
            longitude=None,
            scene=None,
            occurred_at=at,
            created_at=at,
        ).id
        assert isinstance(scan, UUID)
        self.scans[f"scan {serial}"] = scan
        first_and_last = {"first_scan_id": scan, "last_scan_id": scan}
        times = {"first_scanned_at": at, "last_scanned_at": at}
        self._add(ItemCode, **item, kind="INNER", scan_count=1, **first_and_last, **times)
        for role, member, outcome in (
            ("CONSUMER", self.other_consumer, "PAID"),
            ("GUIDE", None, "NO_GUIDE"),
        ):
            self._add(
                Claim,
                item_no=ITEMS + serial,
                purpose="REWARD",
                beneficiary_role=role,
                scan_id=scan,
                member_id=member,
                outcome=outcome,
                campaign_id=campaign_id,
                settled_scan_id=scan,
                created_at=at,
            )
        self._add(
            IdempotencyRecord,
            actor_id=self.other_identity,
            operation="scanCode",
            key=f"scan {serial}",
            body_hash="b",
            reply={"scan_id": scan.hex},
            created_at=at,
        )
        return scan

    def _granted(self, serial: int, scan: UUID, at: datetime, campaign_id: UUID) -> None:
        for outcome in OUTCOMES:
            amount, kind = outcome["amount"], KINDS.get(outcome["amount"])
            how: dict[str, Any] = {"credit_expires_on": TWINS_UNTIL}
            name = f"{serial} locks {amount}" if kind else f"{serial} pays"
            self._transfer(
                name,
                (self.id, "POINTS"),
                (self.other_consumer, "POINTS"),
                amount,
                ("SCAN", scan),
                at=at,
                booked_at=at,
                campaign_id=campaign_id,
                **({"phase": "PENDING"} if kind else how),
            )
            if kind is None:
                continue
            self._add(
                LockedReward,
                id=self.transfers[name],
                member_id=self.other_consumer,
                campaign_id=campaign_id,
                asset="POINTS",
                amount=amount,
                cause_id=scan,
                unlock_kind=kind,
                unlock_key="follow" if kind == "ACTION" else kind,
                unlock_count=0 if kind == "AFTER" else 1,
                unlocks_at=at + 2 * HOUR if kind == "AFTER" else None,
                lapses_at=at + HOUR if kind == "NEXT_SCAN" else None,
                status="LOCKED",
                created_at=at,
            )

    def _ends(self, lock: str, status: str, cause: tuple[str, UUID], at: datetime) -> None:
        [row] = [
            row
            for row in self.rows
            if isinstance(row, LockedReward) and row.id == self.transfers[lock]
        ]
        posts = status == "UNLOCKED"
        how: dict[str, Any] = {"credit_expires_on": TWINS_UNTIL} if posts else {}
        self._transfer(
            f"end of {lock}",
            (self.id, "POINTS"),
            (row.member_id, "POINTS"),
            row.amount,
            cause,
            phase="POST" if posts else "VOID",
            at=at,
            booked_at=at,
            campaign_id=row.campaign_id,
            pending_id=row.id,
            **how,
        )
        row.status, row.resolved_at = status, at
        row.resolved_by_id = self.transfers[f"end of {lock}"]
        row.unlock_count = 0 if posts else row.unlock_count

    def _reversal(self, campaign_id: UUID, at: datetime) -> None:
        self.scan_reversal = self._add(
            ScanReversal,
            scan_id=self.scans["scan 7"],
            reason="fraud",
            reversed_by=new_id(),
            created_at=at,
        ).id
        cause = ("SCAN_REVERSAL", self.scan_reversal)
        for amount in KINDS:
            self._ends(f"7 locks {amount}", "VOIDED", cause, at)
        self._transfer(
            "7 taken back",
            (self.other_consumer, "POINTS"),
            (self.id, "REVERSED POINTS"),
            2,
            cause,
            kind="REVERSE",
            at=at,
            booked_at=at,
            campaign_id=campaign_id,
            reverses_id=self.transfers["7 pays"],
            debit_expires_on=TWINS_UNTIL,
        )
        self._add(TransferReversal, transfer_id=self.transfers["7 pays"], amount=2, reversed=2)
