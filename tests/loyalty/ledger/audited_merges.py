"""A consumer of the audited brand that turned out to be another one."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from loyalty.codes.models import ItemCode
from loyalty.idempotency import IdempotencyRecord
from loyalty.ids import new_id
from loyalty.members.models import Identity, Invitation, Member
from loyalty.segments.models import Segment, SegmentMember
from rewards.coupons.models import Coupon, CouponPurchaseCounter
from rewards.grants.models import LockedReward
from rewards.merges.models import MemberMerge
from rewards.purchases.models import PurchaseEvent
from rewards.scans.models import ScanEvent
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_returns import AuditedReturns
from tests.loyalty.ledger.audited_store import TODAY, YEAR_END

MERGED_AT = AT + timedelta(days=2)
TWINS_UNTIL = date(2028, 11, 1)
TWINS_ITEM = 2**40 + 5


class AuditedMerges(AuditedReturns):
    """Before the other consumer took its place, the twin had earned 6 points, of which a coupon
    cost one, and 5 more that wait for a scan; it had invited a friend, and was in a segment. After
    that it scanned item 5, in vain."""

    consumer: UUID
    other_identity: UUID
    purchase_campaign: UUID
    batches: dict[str, UUID]

    def _merges(self) -> None:
        self.twin, self.twin_identity = self._person("CONSUMER")
        self._account(self.twin, "POINTS")
        self.merge = self._add(
            MemberMerge,
            from_member_id=self.twin,
            into_member_id=self.other_consumer,
            reason="one person",
            actor_kind="OPERATOR",
            actor_id=new_id(),
            created_at=MERGED_AT,
        ).id
        purchase = self._add(
            PurchaseEvent,
            purchase_ref="twin's",
            content_hash="c",
            member_id=self.twin,
            purchased_on=AT.date(),
            quantity=1,
            amount_fen=600,
            points_granted=6,
            occurred_at=AT,
            created_at=AT,
        ).id
        self._twins_points(purchase)
        self._twins_lock(purchase)
        self._twins_scan()
        self._add(
            Invitation,
            inviter_id=self.other_consumer,
            phone_hash="friend",
            phone_cipher="",
            created_at=AT,
        )
        names = {"code": "vip", "name_zh": "贵宾", "name_en": "VIP"}
        self.segment = self._add(Segment, **names, created_at=AT, updated_at=AT).id
        self._add(
            SegmentMember,
            segment_id=self.segment,
            member_id=self.other_consumer,
            added_at=AT,
        )
        for row in self.rows:
            if isinstance(row, Member) and row.id == self.twin:
                row.status, row.merged_into_id = "MERGED", self.other_consumer
            if isinstance(row, Identity) and row.id in (self.twin_identity, self.other_identity):
                row.person_id = self.other_identity
        self.accounts[self.twin, "POINTS"].closed_at = MERGED_AT

    def _twins_points(self, purchase: UUID) -> None:
        mine, others = (self.twin, "POINTS"), (self.other_consumer, "POINTS")
        self._transfer(
            "twin's points",
            (self.id, "POINTS"),
            mine,
            6,
            ("PURCHASE", purchase),
            campaign_id=self.purchase_campaign,
            credit_expires_on=TWINS_UNTIL,
        )
        self._template(
            "twin's", amount_off_fen=500, points_price=1, bought_per_member_max=1, issued=1
        )
        template_id = self.templates["twin's"]
        self.coupons["twin's"] = coupon_id = new_id()
        self._add(
            Coupon,
            id=coupon_id,
            template_id=template_id,
            member_id=self.other_consumer,
            code="twin's",
            cause_kind="BOUGHT",
            cause_id=coupon_id,
            usable_from=TODAY,
            usable_until=YEAR_END,
            issued_at=AT,
        )
        self._add(
            CouponPurchaseCounter,
            template_id=template_id,
            member_id=self.twin,
            used=1,
            times_max=1,
        )
        spent, cause = (self.id, "SPENT POINTS"), ("OFFER", coupon_id)
        dated: dict[str, Any] = {"debit_expires_on": TWINS_UNTIL}
        self._transfer("price of twin's", mine, spent, 1, cause, kind="SPEND", **dated)
        self._transfer(
            "twin's move",
            mine,
            others,
            5,
            ("MERGE", self.merge),
            kind="MOVE",
            at=MERGED_AT,
            booked_at=MERGED_AT,
            credit_expires_on=TWINS_UNTIL,
            **dated,
        )

    def _twins_lock(self, purchase: UUID) -> None:
        """Void, and locked anew."""
        mine, others = (self.twin, "POINTS"), (self.other_consumer, "POINTS")
        issued, granted = (self.id, "POINTS"), ("PURCHASE", purchase)
        pending: dict[str, Any] = {"phase": "PENDING", "campaign_id": self.purchase_campaign}
        merged: dict[str, Any] = {"booked_at": MERGED_AT}
        self._transfer("twin's lock", issued, mine, 5, granted, **pending)
        self._transfer(
            "void of twin's lock",
            issued,
            mine,
            5,
            ("MERGE", self.merge),
            phase="VOID",
            at=MERGED_AT,
            campaign_id=self.purchase_campaign,
            pending_id=self.transfers["twin's lock"],
            **merged,
        )
        self._transfer("twin's lock anew", issued, others, 5, granted, **pending, **merged)
        for name, member, by in (
            ("twin's lock", self.twin, "void of twin's lock"),
            ("twin's lock anew", self.other_consumer, None),
        ):
            self._add(
                LockedReward,
                id=self.transfers[name],
                member_id=member,
                campaign_id=self.purchase_campaign,
                asset="POINTS",
                amount=5,
                cause_id=purchase,
                unlock_kind="NEXT_SCAN",
                unlock_key="NEXT_SCAN",
                unlock_count=1,
                status="VOIDED" if by else "LOCKED",
                resolved_by_id=self.transfers[by] if by else None,
                resolved_at=MERGED_AT if by else None,
                created_at=MERGED_AT,
            )

    def _twins_scan(self) -> None:
        scan = self._add(
            ScanEvent,
            item_no=TWINS_ITEM,
            code_kind="INNER",
            batch_id=self.batches["INNER"],
            product_id=self.product,
            identity_id=self.twin_identity,
            member_id=self.other_consumer,
            role="CONSUMER",
            verdict="FIRST",
            unpaid_reason="CAP",
            guide_member_id=None,
            guide_unpaid_reason=None,
            campaign_version_id=None,
            device_hash=None,
            latitude=None,
            longitude=None,
            scene=None,
            occurred_at=MERGED_AT,
            created_at=MERGED_AT,
        )
        self.scans["twin's"] = scan.id
        self._add(
            ItemCode,
            item_no=TWINS_ITEM,
            kind="INNER",
            batch_id=self.batches["INNER"],
            scan_count=1,
            first_scan_id=scan.id,
            first_scanned_at=MERGED_AT,
            last_scan_id=scan.id,
            last_scanned_at=MERGED_AT,
        )
        self._add(
            IdempotencyRecord,
            actor_id=self.twin_identity,
            operation="scanCode",
            key="twin's",
            body_hash="b",
            reply={"scan_id": scan.id.hex},
            created_at=MERGED_AT,
        )
