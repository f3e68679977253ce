"""A small brand with one of everything, whose rows are right: what the auditor must find clean."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from loyalty.codes.models import CodeBatch, ItemCode, KeyEpoch
from loyalty.idempotency import IdempotencyRecord
from loyalty.ids import new_id
from loyalty.products.models import Product
from rewards.campaigns.models import Campaign, CampaignBudget, CampaignVersion, CapCounter
from rewards.grants.models import LockedReward
from rewards.purchases.models import PurchaseEvent
from rewards.scans.models import Claim, ScanEvent
from tests.loyalty.ledger.audited_alliances import AuditedAlliances
from tests.loyalty.ledger.audited_books import AT
from tiers.ladders.models import Ladder, LadderLevel
from tiers.standings.models import Standing, StandingChange

ON = "2026-11-01"
GOOD_UNTIL = date(2028, 11, 1)
SERIES = 2**40
EXPIRED_ON = date(2025, 1, 31)

OUTCOMES = [
    {"beneficiary": "CONSUMER", "asset": "POINTS", "basis": "FIXED", "amount": 10},
    {"beneficiary": "CONSUMER", "asset": "GROWTH", "basis": "FIXED", "amount": 5},
    {"beneficiary": "GUIDE", "asset": "POINTS", "basis": "FIXED", "amount": 3},
]
CAPS = [
    {"subject": "MEMBER", "window": "DAY", "times_max": 2},
    {"subject": "DEVICE", "window": "CAMPAIGN", "times_max": 9},
    {"subject": "GUIDE", "window": "CAMPAIGN", "times_max": 4},
]


class AuditedBrand(AuditedAlliances):
    """Item 1: pre-scanned by the guide, scanned by the consumer, scanned again. Item 2: only
    pre-scanned. Item 3: scanned by a consumer without a guide. Item 4: the budget did not suffice.
    Besides: a purchase, an old one whose points expired, points that an operator moved, what
    becomes of cash, what waits for something, and what happens in the store and in the mall."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.scans = {}
        self._agreed()
        self._people()
        self._ages()
        self._goods()
        self._places()
        self._templates()
        self._campaigns()
        self._first_item()
        self._other_items()
        self._purchases()
        self._expiry()
        self._move()
        self._value()
        self._returns()
        self._standing()
        self._item_codes()
        self._deliveries()
        self._webhooks()
        self._coupons()
        self._mall()
        self._merges()
        self._locks()
        self._boxes()
        self._draws()
        self._events()
        self._raffles()
        self._programs()
        self._channel()
        self._shares()
        self._payouts()
        self._sign_ins()
        self._tax()
        self._clearing()
        self._agreements()

    def _people(self) -> None:
        self.consumer, self.consumer_identity = self._person("CONSUMER")
        self.other_consumer, self.other_identity = self._person("CONSUMER")
        self.guide, self.guide_identity = self._person("GUIDE")
        for asset in ("POINTS", "GROWTH", "CASH"):
            self._asset(asset)
            for member in (self.consumer, self.other_consumer, self.guide):
                self._account(member, asset)

    def _goods(self) -> None:
        self.product = self._add(Product, sku="tea", name_zh="茶", name_en="Tea", created_at=AT).id
        epoch = self._add(KeyEpoch, key_id=self.id.hex[-6:], wrapped_key="k", created_at=AT)
        self.batches = {}
        for number, kind, purpose in ((1, "INNER", "REWARD"), (2, "OUTER", "GUIDE")):
            self.batches[kind] = self._add(
                CodeBatch,
                number=number,
                series_no=1,
                key_epoch_id=epoch.id,
                product_id=self.product,
                kind=kind,
                purpose=purpose,
                quantity=100,
                status="ACTIVE",
                created_at=AT,
            ).id

    def _campaigns(self) -> None:
        self.campaign, self.version = self._campaign(
            "SCAN", "CONSUMER_SCAN", self._outcomes(), CAPS
        )
        bought = [{**OUTCOMES[0], "basis": "PER_CURRENCY_UNIT", "amount": 1}]
        self.purchase_campaign, _ = self._campaign("PURCHASE", "NONE", bought, [])
        budget = {"allowed": 30, "spent": 23, "reserved": 3}
        self._add(CampaignBudget, campaign_id=self.campaign, asset="POINTS", **budget)
        self._counter("MEMBER", self.consumer.hex, ON, 2, 1)
        self._counter("MEMBER", self.other_consumer.hex, ON, 2, 1)
        self._counter("DEVICE", "consumer's phone", "ALL", 9, 2)
        self._counter("GUIDE", self.guide.hex, "ALL", 4, 2)

    def _outcomes(self) -> list[dict[str, Any]]:
        """What scans pay."""
        won = {"beneficiary": "CONSUMER", "coupon_template_id": self.templates["won"].hex}
        return [*OUTCOMES, won]

    def _campaign(
        self, event: str, gate: str, outcomes: list[dict[str, Any]], caps: list[dict[str, Any]]
    ) -> tuple[UUID, UUID]:
        campaign = self._add(Campaign, code=event, created_at=AT)
        version = self._add(
            CampaignVersion,
            campaign_id=campaign.id,
            version=1,
            name_zh="活动",
            name_en="Campaign",
            event=event,
            gate=gate,
            priority=0,
            outcomes=outcomes,
            caps=caps,
            published_by=new_id(),
            published_at=AT,
        )
        return campaign.id, version.id

    def _counter(self, kind: str, subject: str, window: str, times_max: int, used: int) -> None:
        self._add(
            CapCounter,
            campaign_id=self.campaign,
            subject_kind=kind,
            subject=subject,
            window_key=window,
            used=used,
            times_max=times_max,
        )

    def _first_item(self) -> None:
        self._scan("pre-scan 1", 1, "OUTER", None, "FIRST")
        self._pending("lock 1", "pre-scan 1")
        self._scan("scan 1", 1, "INNER", None, "FIRST", guide=self.guide)
        self._paid("scan 1", self.consumer)
        self._resolve("lock 1", "scan 1")
        self._claim(1, "CONSUMER", "scan 1", self.consumer, "PAID", "scan 1")
        self._claim(1, "GUIDE", "pre-scan 1", self.guide, "PAID", "scan 1")
        self._scan("again 1", 1, "INNER", "ALREADY_CLAIMED", "REPEAT")

    def _other_items(self) -> None:
        self._scan("pre-scan 2", 2, "OUTER", None, "FIRST")
        self._pending("lock 2", "pre-scan 2")
        self._claim(2, "GUIDE", "pre-scan 2", self.guide, "LOCKED", None)
        self._locked_reward("lock 2", "pre-scan 2", None)
        self._scan("scan 3", 3, "INNER", None, "FIRST", by=self.other_consumer, missing="NO_GUIDE")
        self._paid("scan 3", self.other_consumer)
        self._claim(3, "CONSUMER", "scan 3", self.other_consumer, "PAID", "scan 3")
        self._claim(3, "GUIDE", "scan 3", None, "NO_GUIDE", "scan 3")
        self._scan("scan 4", 4, "INNER", "BUDGET", "FIRST")
        self._claim(4, "CONSUMER", "scan 4", self.consumer, "BUDGET", "scan 4")
        self._claim(4, "GUIDE", "scan 4", None, "BUDGET", "scan 4")

    def _scan(
        self,
        name: str,
        serial: int,
        kind: str,
        unpaid: str | None,
        verdict: str,
        *,
        by: UUID | None = None,
        guide: UUID | None = None,
        missing: str | None = None,
    ) -> None:
        role = "CONSUMER" if kind == "INNER" else "GUIDE"
        member = self.guide if role == "GUIDE" else by or self.consumer
        identity = {
            self.consumer: self.consumer_identity,
            self.other_consumer: self.other_identity,
            self.guide: self.guide_identity,
        }[member]
        scan = self._add(
            ScanEvent,
            item_no=SERIES + serial,
            code_kind=kind,
            batch_id=self.batches[kind],
            product_id=self.product,
            identity_id=identity,
            member_id=member,
            role=role,
            verdict=verdict,
            unpaid_reason=unpaid,
            guide_member_id=guide or (member if role == "GUIDE" else None),
            guide_unpaid_reason=missing,
            campaign_version_id=self.version,
            device_hash="guide's phone" if role == "GUIDE" else "consumer's phone",
            latitude=None,
            longitude=None,
            scene=None,
            occurred_at=AT,
            created_at=AT,
        )
        self.scans[name] = scan.id
        self._add(
            IdempotencyRecord,
            actor_id=identity,
            operation="scanCode",
            key=name,
            body_hash="b",
            reply={"scan_id": scan.id.hex},
            created_at=AT,
        )

    def _claim(
        self, serial: int, role: str, scan: str, member: UUID | None, outcome: str, by: str | None
    ) -> None:
        self._add(
            Claim,
            item_no=SERIES + serial,
            purpose="REWARD",
            beneficiary_role=role,
            scan_id=self.scans[scan],
            member_id=member,
            outcome=outcome,
            campaign_id=self.campaign,
            settled_scan_id=self.scans[by] if by else None,
            created_at=AT,
        )

    def _earn(self, name: str, member: UUID, asset: str, amount: int, scan: str, **v: Any) -> None:
        debit, credit = (self.id, asset), (member, asset)
        cause = ("SCAN", self.scans[scan])
        self._transfer(name, debit, credit, amount, cause, campaign_id=self.campaign, **v)

    def _paid(self, scan: str, member: UUID) -> None:
        self._earn(f"points of {scan}", member, "POINTS", 10, scan, credit_expires_on=GOOD_UNTIL)
        self._earn(f"growth of {scan}", member, "GROWTH", 5, scan)

    def _pending(self, name: str, scan: str) -> None:
        self._earn(name, self.guide, "POINTS", 3, scan, phase="PENDING")

    def _resolve(self, lock: str, scan: str) -> None:
        self._earn(
            f"post of {lock}",
            self.guide,
            "POINTS",
            3,
            scan,
            phase="POST",
            pending_id=self.transfers[lock],
            credit_expires_on=GOOD_UNTIL,
        )
        self._locked_reward(lock, f"pre-{scan}", self.transfers[f"post of {lock}"])

    def _locked_reward(self, lock: str, scan: str, resolved_by_id: UUID | None) -> None:
        self._add(
            LockedReward,
            id=self.transfers[lock],
            member_id=self.guide,
            campaign_id=self.campaign,
            asset="POINTS",
            amount=3,
            cause_id=self.scans[scan],
            unlock_kind="ITEM",
            unlock_key=lock,
            unlock_count=0 if resolved_by_id else 1,
            status="UNLOCKED" if resolved_by_id else "LOCKED",
            resolved_by_id=resolved_by_id,
            resolved_at=AT if resolved_by_id else None,
            created_at=AT,
        )

    def _purchases(self) -> None:
        for ref, amount, on, expires_on in (
            ("new", 7, AT, GOOD_UNTIL),
            ("old", 2, datetime(2023, 1, 31, 4, tzinfo=UTC), EXPIRED_ON),
        ):
            purchase = self._add(
                PurchaseEvent,
                purchase_ref=ref,
                content_hash="c",
                member_id=self.consumer,
                purchased_on=on.date(),
                quantity=1,
                amount_fen=amount * 100,
                points_granted=amount,
                occurred_at=on,
                created_at=AT,
            )
            self._transfer(
                f"points of {ref} purchase",
                (self.id, "POINTS"),
                (self.consumer, "POINTS"),
                amount,
                ("PURCHASE", purchase.id),
                at=on,
                campaign_id=self.purchase_campaign,
                credit_expires_on=expires_on,
            )

    def _expiry(self) -> None:
        self._transfer(
            "expiry",
            (self.consumer, "POINTS"),
            (self.id, "EXPIRED POINTS"),
            2,
            ("OPERATOR", new_id()),
            kind="EXPIRE",
            debit_expires_on=EXPIRED_ON,
        )

    def _move(self) -> None:
        self._transfer(
            "move",
            (self.consumer, "POINTS"),
            (self.other_consumer, "POINTS"),
            4,
            ("OPERATOR", new_id()),
            kind="MOVE",
            debit_expires_on=GOOD_UNTIL,
            credit_expires_on=GOOD_UNTIL,
        )

    def _standing(self) -> None:
        ladder = self._add(
            Ladder, role="CONSUMER", version=1, published_by=new_id(), published_at=AT
        )
        for rank, threshold in ((0, 0), (1, 5)):
            self._add(
                LadderLevel,
                ladder_id=ladder.id,
                rank=rank,
                code=str(rank),
                name_zh="级",
                name_en="Level",
                growth_threshold=threshold,
                points_multiplier_percent=100,
            )
        for member, scan in ((self.consumer, "scan 1"), (self.other_consumer, "scan 3")):
            self._add(Standing, member_id=member, rank=1, earned_rank=1, since=AT)
            self._add(
                StandingChange,
                member_id=member,
                from_rank=0,
                to_rank=1,
                transfer_id=self.transfers[f"growth of {scan}"],
                ladder_id=ladder.id,
                occurred_at=AT,
                created_at=AT,
            )

    def _item_codes(self) -> None:
        for serial, kind, first, last, count in (
            (1, "OUTER", "pre-scan 1", "pre-scan 1", 1),
            (1, "INNER", "scan 1", "again 1", 2),
            (2, "OUTER", "pre-scan 2", "pre-scan 2", 1),
            (3, "INNER", "scan 3", "scan 3", 1),
            (4, "INNER", "scan 4", "scan 4", 1),
        ):
            self._add(
                ItemCode,
                item_no=SERIES + serial,
                kind=kind,
                batch_id=self.batches[kind],
                scan_count=count,
                first_scan_id=self.scans[first],
                first_scanned_at=AT,
                last_scan_id=self.scans[last],
                last_scanned_at=AT,
            )
