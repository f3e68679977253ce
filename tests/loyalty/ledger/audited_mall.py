"""Offers of the audited brand and what its shopper took of them, written row by row."""

from datetime import date
from typing import Any
from uuid import UUID

from loyalty.ids import new_id
from loyalty.ledger.models import TransferReversal
from rewards.coupons.models import Coupon
from rewards.offers.models import Offer, OfferCounter, OfferDay
from rewards.orders.models import OfferOrder, OfferOrderPart
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_store import ENDED_AT, TODAY, YEAR_END, AuditedStore

UNTIL = date(2027, 12, 31)
WINDOWS = ("ALL", "2026", "2026-11", "2026-11-01")


class AuditedMall(AuditedStore):
    """A gift for 3 points and 1 of fees, of which one order waits, one was sent and one cancelled;
    5 fen for 2 points, taken once; and two coupons in one order. The consumer had a coupon for the
    gift, and has ordered it."""

    def _mall(self) -> None:
        self.offers: dict[str, UUID] = {}
        self.orders: dict[str, UUID] = {}
        self.shopper, _ = self._person("CONSUMER")
        for asset in ("POINTS", "CASH"):
            self._account(self.shopper, asset)
        self._account(self.id, "POINTS", "FEES", name="FEES POINTS")
        self._give_points("shopper's points", (self.id, "POINTS"), (self.shopper, "POINTS"), 50)
        self._template("mall", amount_off_fen=500, issued=2)
        self._offer("gift", kind="GIFT", taken=2, stock_max=2, per_day_max=2)
        self._offer("fen", kind="ASSET", given_asset="CASH", given_amount=5, taken=1)
        self._offer("coupon", kind="COUPON", template_id=self.templates["mall"], taken=2)
        self._counted("gift", 2, 2)
        self._counted("fen", 1, None)
        self._counted("coupon", 2, None)
        self._gift_order("waiting", status="PLACED")
        self._gift_order("sent", status="FULFILLED", fulfilled_at=ENDED_AT)
        self._gift_order("undone", status="CANCELLED", cancelled_at=ENDED_AT, reason="no more")
        self._undone()
        self._order("fen", "fen", price=2, status="FULFILLED", fulfilled_at=AT)
        self._part("fen", "GIVEN", 5, "CASH")
        sides = (self.id, "CASH"), (self.shopper, "CASH")
        self._transfer("fen given", *sides, 5, ("ORDER", self.orders["fen"]))
        self._order("pair", "coupon", price=2, status="FULFILLED", fulfilled_at=AT, quantity=2)
        for number in ("one", "two"):
            self._taken_coupon(f"{number} of the pair")
        terms = {"kind": "GIFT", "offer_id": self.offers["gift"], "cost_fen": 0, "fee_fen": 0}
        self._template("thing", points_price=1, issued=1, **terms)
        self._coupon("thing", "thing", status="ORDERED", ended_at=AT)
        self.orders["thing"] = self._add(
            OfferOrder,
            offer_id=self.offers["gift"],
            member_id=self.consumer,
            coupon_id=self.coupons["thing"],
            quantity=1,
            rank=0,
            status="PLACED",
            ordered_on=TODAY,
            created_at=AT,
        ).id

    def _offer(self, code: str, **values: Any) -> None:
        self.offers[code] = self._add(
            Offer,
            code=code,
            name_zh="礼品",
            name_en="Gift",
            prices=[],
            limits=[],
            created_at=AT,
            **values,
        ).id

    def _counted(self, offer: str, used: int, times_max: int | None) -> None:
        offer_id = self.offers[offer]
        self._add(OfferDay, offer_id=offer_id, day=TODAY, taken=used, taken_max=times_max)
        for window in WINDOWS:
            self._add(
                OfferCounter,
                offer_id=offer_id,
                member_id=self.shopper,
                window_key=window,
                used=used,
                times_max=times_max,
            )

    def _gift_order(self, name: str, **values: Any) -> None:
        self._order(name, "gift", price=3, **values)
        self._part(name, "FEE", 1)
        self._pay_points(f"fee of {name}", "FEES", 1, name)

    def _order(self, name: str, offer: str, *, price: int, **values: Any) -> None:
        self.orders[name] = self._add(
            OfferOrder,
            offer_id=self.offers[offer],
            member_id=self.shopper,
            rank=0,
            ordered_on=TODAY,
            created_at=AT,
            **{"quantity": 1, **values},
        ).id
        self._part(name, "PRICE", price)
        self._pay_points(f"price of {name}", "SPENT", price, name)

    def _part(self, order: str, purpose: str, amount: int, asset: str = "POINTS") -> None:
        self._add(
            OfferOrderPart,
            order_id=self.orders[order],
            purpose=purpose,
            asset=asset,
            amount=amount,
        )

    def _pay_points(self, name: str, book: str, amount: int, order: str) -> None:
        sides = (self.shopper, "POINTS"), (self.id, f"{book} POINTS")
        cause = ("ORDER", self.orders[order])
        self._transfer(name, *sides, amount, cause, kind="SPEND", debit_expires_on=UNTIL)

    def _undone(self) -> None:
        for what, book, amount in (("price", "SPENT", 3), ("fee", "FEES", 1)):
            paid = self.transfers[f"{what} of undone"]
            self._transfer(
                f"{what} of undone given back",
                (self.id, f"{book} POINTS"),
                (self.shopper, "POINTS"),
                amount,
                ("ORDER", self.orders["undone"]),
                kind="REVERSE",
                booked_at=ENDED_AT,
                credit_expires_on=UNTIL,
                reverses_id=paid,
            )
            self._add(TransferReversal, transfer_id=paid, amount=amount, reversed=amount)

    def _taken_coupon(self, name: str) -> None:
        self.coupons[name] = self._add(
            Coupon,
            template_id=self.templates["mall"],
            member_id=self.shopper,
            code=name,
            cause_kind="ORDER",
            cause_id=self.orders["pair"],
            usable_from=TODAY,
            usable_until=YEAR_END,
            issued_at=AT,
        ).id

    def _give_points(
        self, name: str, debit: tuple[UUID, str], credit: tuple[UUID, str], amount: int
    ) -> None:
        self._transfer(name, debit, credit, amount, ("OPERATOR", new_id()), credit_expires_on=UNTIL)
