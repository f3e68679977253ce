"""Places, coupons, redemptions and payouts of the audited brand, written row by row."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from analytics.models import ScanRollup
from loyalty.access.models import (
    Operator,
    RefreshToken,
    SignInSession,
    WechatAccount,
    WechatApp,
)
from loyalty.audit_log import AuditLogEntry
from loyalty.ids import new_id
from loyalty.outbox import OutboxEvent
from loyalty.periodic import PeriodicJob
from loyalty.places.models import Clerk, Place, Till
from rewards.coupons.models import Coupon, CouponPurchaseCounter, CouponTemplate
from rewards.payouts.models import Payout, PayoutReport
from rewards.redemptions.models import Redemption, RedemptionEvent
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_value import AuditedValue

HELD_AT, HELD_UNTIL = AT + timedelta(seconds=10), AT + timedelta(seconds=310)
CAPTURED_AT, SETTLED_AT = AT + timedelta(seconds=60), AT + timedelta(seconds=70)
ENDED_AT = AT + timedelta(seconds=80)
DAY_AFTER = AT + timedelta(days=1)
TODAY, YEAR_END = date(2026, 11, 1), date(2026, 12, 31)
REBATE_FEN = 350
STEPS = {
    "HELD": ("HOLD",),
    "CAPTURED": ("HOLD", "CAPTURE"),
    "VOIDED": ("HOLD", "VOID"),
    "LAPSED": ("HOLD", "LAPSE"),
    "REVERSED": ("HOLD", "CAPTURE", "REVERSE"),
}


class AuditedStore(AuditedValue):
    """Two places, each with a till and a clerk. Two coupons won, one of them held. The others were
    bought: taken, and the hold given up, lapsed, or lapsed and not tidied yet; captured, and
    settled, not yet, for nothing, undone before or after it was settled; and voided. Of the first
    place's payouts one failed and one was paid; the second's is under way."""

    scans: dict[str, UUID]
    product: UUID
    consumer_identity: UUID
    other_consumer: UUID

    def _places(self) -> None:
        self.places: list[UUID] = []
        self.tills: list[UUID] = []
        self.clerks: list[UUID] = []
        self._account(self.id, "CASH", "PAYOUT", name="PAYOUT")
        for name in ("first", "second"):
            place = self._add(
                Place, code=name, name=name, address="", payout_threshold_fen=100, created_at=AT
            ).id
            till = self._add(
                Till, place_id=place, name="1", key_hash=name, key_hint="", created_at=AT
            )
            clerk = self._add(
                Clerk, place_id=place, number="1", name=name, pin_hash="", created_at=AT
            )
            self._account(place, "CASH", "PLACE")
            self.places.append(place)
            self.tills.append(till.id)
            self.clerks.append(clerk.id)

    def _templates(self) -> None:
        self.templates: dict[str, UUID] = {}
        self._template(
            "won",
            kind="FREE_ITEM",
            product_id=self.product,
            place_ids=[self.places[0].hex],
            stock_max=2,
            issued=2,
        )
        self._template(
            "sold", amount_off_fen=500, points_price=1, bought_per_member_max=9, issued=8
        )
        self._template(
            "unpaid", amount_off_fen=500, points_price=1, cost_fen=0, fee_fen=0, issued=1
        )

    def _template(self, code: str, **values: Any) -> None:
        terms = {"kind": "AMOUNT_OFF", "cost_fen": 300, "fee_fen": 50, **values}
        self.templates[code] = self._add(
            CouponTemplate, code=code, name_zh="券", name_en="Coupon", created_at=AT, **terms
        ).id

    def _coupons(self) -> None:
        self.coupons: dict[str, UUID] = {}
        self.coupon_templates: dict[str, UUID] = {}
        self.redemptions: dict[str, UUID] = {}
        self._coupon("won", "won", self.consumer, "scan 1", status="HELD", held_until=HELD_UNTIL)
        self._taken("won", "HELD")
        self._coupon("won too", "won", self.other_consumer, "scan 3")
        self._coupon("spent", status="REDEEMED", ended_at=CAPTURED_AT)
        self._taken("spent", "CAPTURED", settled_at=SETTLED_AT)
        self._coupon("fresh", status="REDEEMED", ended_at=CAPTURED_AT)
        self._taken("fresh", "CAPTURED")
        self._coupon("far", status="REDEEMED", ended_at=CAPTURED_AT)
        self._taken("far", "CAPTURED", 1, settled_at=SETTLED_AT)
        self._coupon("unpaid", "unpaid", status="REDEEMED", ended_at=CAPTURED_AT)
        self._taken("unpaid", "CAPTURED", rebate_fen=0, settled_at=SETTLED_AT)
        self._coupon("undone")
        self._taken("undone", "REVERSED", ended_at=ENDED_AT)
        self._coupon("returned", status="EXPIRED", usable_until=TODAY, ended_at=DAY_AFTER)
        self._taken("returned", "REVERSED", settled_at=SETTLED_AT, ended_at=DAY_AFTER)
        self._coupon("dropped")
        self._taken("dropped", "VOIDED", ended_at=ENDED_AT)
        self._coupon("lapsed", status="VOID", ended_at=DAY_AFTER)
        self._taken("lapsed", "LAPSED", ended_at=DAY_AFTER)
        self._coupon("late", status="EXPIRED", usable_until=TODAY, ended_at=DAY_AFTER)
        self._taken("late", "HELD")
        self._add(
            CouponPurchaseCounter,
            template_id=self.templates["sold"],
            member_id=self.consumer,
            used=8,
            times_max=9,
        )

    def _coupon(
        self,
        name: str,
        template: str = "sold",
        member: UUID | None = None,
        scan: str | None = None,
        **values: Any,
    ) -> None:
        """A coupon won by a scan, else bought by the consumer for a point."""
        coupon_id = self.coupons[name] = new_id()
        template_id = self.coupon_templates[name] = self.templates[template]
        terms = {"usable_from": TODAY, "usable_until": YEAR_END, **values}
        if terms.get("status") in ("HELD", "REDEEMED"):
            terms["redemption_id"] = self.redemptions[name] = new_id()
        self._add(
            Coupon,
            id=coupon_id,
            template_id=template_id,
            member_id=member or self.consumer,
            code=name,
            cause_kind="SCAN" if scan else "BOUGHT",
            cause_id=self.scans[scan] if scan else coupon_id,
            issued_at=AT,
            **terms,
        )
        if scan is None:
            self._transfer(
                f"price of {name}",
                (self.consumer, "POINTS"),
                (self.id, "SPENT POINTS"),
                1,
                ("OFFER", coupon_id),
                kind="SPEND",
                debit_expires_on=date(2028, 11, 1),
            )

    def _taken(
        self,
        name: str,
        status: str,
        place: int = 0,
        *,
        rebate_fen: int = REBATE_FEN,
        settled_at: datetime | None = None,
        ended_at: datetime | None = None,
    ) -> None:
        """The redemption of a coupon, its steps and its books."""
        redemption_id = self.redemptions.setdefault(name, new_id())
        is_captured = status in ("CAPTURED", "REVERSED")
        if is_captured and rebate_fen:
            self._rebate(name, place, settled_at, ended_at)
        self._add(
            Redemption,
            id=redemption_id,
            coupon_brand_id=self.id,
            coupon_id=self.coupons[name],
            template_id=self.coupon_templates[name],
            member_id=self.consumer,
            place_id=self.places[place],
            till_id=self.tills[place],
            clerk_id=self.clerks[place],
            status=status,
            discount_fen=500,
            rebate_fen=rebate_fen,
            rebate_transfer_id=self.transfers.get(f"rebate of {name}"),
            held_at=HELD_AT,
            held_until=HELD_UNTIL,
            captured_at=CAPTURED_AT if is_captured else None,
            settled_at=settled_at,
            ended_at=ended_at,
        )
        for step in STEPS[status]:
            self._add(
                RedemptionEvent,
                redemption_id=redemption_id,
                coupon_id=self.coupons[name],
                step=step,
                actor_kind="CLERK",
                actor_id=self.clerks[place],
                till_id=self.tills[place],
                created_at={"HOLD": HELD_AT, "CAPTURE": CAPTURED_AT}.get(step) or ended_at,
            )
        if is_captured:
            self._fact("redemption.captured", redemption_id, settled_at or ended_at)

    def _rebate(
        self, name: str, place: int, settled_at: datetime | None, ended_at: datetime | None
    ) -> None:
        cause = ("REDEMPTION", self.redemptions[name])
        sides = (self.id, "CASH"), (self.places[place], "CASH")
        rebate = f"rebate of {name}"
        self._cash(rebate, *sides, cause, CAPTURED_AT, kind="REBATE", phase="PENDING")
        if settled_at or ended_at:
            self._cash(
                f"end of {rebate}",
                *sides,
                cause,
                settled_at or ended_at,
                kind="REBATE",
                phase="POST" if settled_at else "VOID",
                pending_id=self.transfers[rebate],
            )
        if settled_at and ended_at:
            self._cash(f"return of {rebate}", *sides[::-1], cause, ended_at, kind="REVERSE")

    def _cash(
        self,
        name: str,
        debit: tuple[UUID, str],
        credit: tuple[UUID, str],
        cause: tuple[str, UUID],
        at: datetime | None,
        **values: Any,
    ) -> None:
        when = at or AT
        self._transfer(name, debit, credit, REBATE_FEN, cause, at=when, booked_at=when, **values)

    def _fact(self, topic: str, subject_id: UUID, delivered_at: datetime | None) -> None:
        self._add(
            OutboxEvent,
            topic=topic,
            subject_id=subject_id,
            payload={},
            created_at=AT,
            due_at=AT,
            attempts=3 if delivered_at else 2,
            delivered_at=delivered_at,
        )

    def _deliveries(self) -> None:
        lease = {"lease_token": new_id(), "leased_until": AT + timedelta(seconds=30)}
        dead = {"dead_at": AT, "last_error": "no"}
        for end in ({}, lease, {"delivered_at": AT}, dead):
            self._add(
                OutboxEvent,
                topic="scan.recorded",
                subject_id=self.scans["scan 1"],
                payload={},
                created_at=AT,
                due_at=AT,
                attempts=1 if end else 0,
                **end,
            )
        self._add(
            ScanRollup,
            scanned_on=TODAY,
            hour=23,
            product_id=self.product,
            scans=6,
            first_scans=5,
            paid_scans=4,
        )
        self._add(
            AuditLogEntry,
            actor_kind="OPERATOR",
            actor_id=new_id(),
            action="points.move",
            subject_id=self.consumer,
            reason="",
            details={},
            created_at=AT,
        )

    def _payouts(self) -> None:
        self.payouts: dict[str, UUID] = {}
        self._payout("failed", 0, "FAILED", ("ACCEPTED", "FAILED"))
        self._payout("paid", 0, "PAID", ("ACCEPTED", "PAID", "PAID"))
        self._payout("under way", 1, "SENT", ("ACCEPTED",))
        self._report("paid", "FAILED", SETTLED_AT)  # began first, and came to the payout last

    def _payout(self, name: str, place: int, status: str, told: tuple[str, ...]) -> None:
        payout_id = self.payouts[name] = new_id()
        resolved_at = None if status == "SENT" else ENDED_AT
        sides = (self.places[place], "CASH"), (self.id, "PAYOUT")
        cause = ("PAYOUT", payout_id)
        self._cash(name, *sides, cause, SETTLED_AT, kind="PAYOUT", phase="PENDING")
        if resolved_at:
            self._cash(
                f"end of {name}",
                *sides,
                cause,
                resolved_at,
                kind="PAYOUT",
                phase="POST" if status == "PAID" else "VOID",
                pending_id=self.transfers[name],
            )
        number = self.number(name)
        self._add(
            Payout,
            id=payout_id,
            place_id=self.places[place],
            number=number,
            amount_fen=REBATE_FEN,
            transfer_id=self.transfers[name],
            provider="null",
            request=f'{{"number":"{number}","amount_fen":{REBATE_FEN},"payee":"Tea"}}',
            status=status,
            created_at=SETTLED_AT,
            sent_at=SETTLED_AT,
            resolved_at=resolved_at,
        )
        for state in told:
            self._report(name, state, ENDED_AT)
        self._fact("payout.requested", payout_id, ENDED_AT)
        if resolved_at is None:
            self._fact("payout.ask", payout_id, None)

    def _report(self, payout: str, state: str, at: datetime) -> None:
        self._add(
            PayoutReport,
            payout_id=self.payouts[payout],
            source="CALLBACK",
            state=state,
            created_at=at,
        )

    def number(self, payout: str) -> str:
        """Under which it is paid."""
        return f"P{self.payouts[payout].hex}"

    def _sign_ins(self) -> None:
        operator = self._add(
            Operator, email="o@example.com", name="O", role="ADMIN", password_hash="", created_at=AT
        )
        at_till = {"place_id": self.places[0], "till_id": self.tills[0]}
        for kind, role, subject_id, where in (
            ("MEMBER", "CONSUMER", self.consumer_identity, {}),
            ("OPERATOR", "ADMIN", operator.id, {}),
            ("CLERK", "CLERK", self.clerks[0], at_till),
        ):
            session = self._add(
                SignInSession,
                kind=kind,
                subject_id=subject_id,
                role=role,
                created_at=AT,
                expires_at=DAY_AFTER,
                **where,
            )
            self._add(RefreshToken, session_id=session.id, token_hash=kind, created_at=AT)
        self._add(WechatApp, app_id="wx1", secret_cipher="", created_at=AT)
        self._add(
            WechatAccount,
            app_id="wx1",
            openid="o1",
            identity_id=self.consumer_identity,
            created_at=AT,
        )
        self.rows.append(PeriodicJob(name=str(self.id), due_at=AT))
