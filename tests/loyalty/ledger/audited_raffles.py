"""Raffles of the audited brand, written row by row: one was drawn, one was cancelled."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from loyalty.ledger.models import TransferReversal
from rewards.coupons.models import Coupon
from rewards.raffles.models import Raffle, RaffleEntry, RaffleWinner
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_events import GOOD_UNTIL, AuditedEvents
from tests.loyalty.ledger.audited_mall import UNTIL
from tests.loyalty.ledger.audited_store import ENDED_AT, TODAY

_SMALL, _LARGE = ("one", 1, "POINTS", 9), ("two", 1, "POINTS", 6)


def _step(pool_min: int, name: str, winners: int, asset: str, amount: int) -> dict[str, Any]:
    words = {"name_zh": name, "name_en": name}
    prize = words | {"winners": winners, "asset": asset, "amount": amount}
    return {"pool_min": pool_min, "prizes": [prize]}


_ANNOUNCED: dict[str, Any] = {
    "prize_table": [_step(1, *_SMALL), _step(2, *_LARGE)],
    "cost_asset": "POINTS",
    "cost_amount": 1,
}


class AuditedRaffles(AuditedEvents):
    """An entry costs a point. The shopper entered twice and won 6 points with its second entry,
    the guest once; and the guest once where all was given back. The guest won a coupon where an
    entry cost nothing."""

    def _raffles(self) -> None:
        self.raffle = self._raffle(
            "autumn", status="DRAWN", seed="00", drawn_at=ENDED_AT, entries=3, entrants=2
        )
        self.cancelled_raffle = self._raffle(
            "winter", status="CANCELLED", cancelled_at=ENDED_AT, reason="no more"
        )
        self.entries = {
            name: self._entry(name, self.raffle, member, number, score)
            for name, member, number, score in (
                ("first", self.shopper, 1, "bb"),
                ("second", self.shopper, 2, "aa"),
                ("guest's", self.guest, 1, "cc"),
            )
        }
        self.entries["undone"] = self._entry(
            "undone", self.cancelled_raffle, self.guest, 1, None, returned_at=ENDED_AT
        )
        self._entry_given_back()
        self._coupon_won()
        self.winner = self._add(
            RaffleWinner,
            raffle_id=self.raffle,
            entry_id=self.entries["second"],
            member_id=self.shopper,
            place=1,
            prize_no=0,
            asset="POINTS",
            amount=6,
            created_at=ENDED_AT,
            paid_at=ENDED_AT,
        ).id
        self._transfer(
            "prize",
            (self.id, "POINTS"),
            (self.shopper, "POINTS"),
            6,
            ("RAFFLE_PRIZE", self.winner),
            at=ENDED_AT,
            booked_at=ENDED_AT,
            credit_expires_on=UNTIL,
        )

    def _coupon_won(self) -> None:
        self._template("raffled", amount_off_fen=500, issued=1)
        template_id = self.templates["raffled"]
        table = [_step(1, *_SMALL)]
        table[0]["prizes"][0]["coupon_template_id"] = template_id.hex
        raffle = self._raffle(
            "spring",
            prize_table=table,
            cost_asset=None,
            cost_amount=None,
            status="DRAWN",
            seed="00",
            drawn_at=ENDED_AT,
            entries=1,
            entrants=1,
        )
        entry = self._add(
            RaffleEntry,
            raffle_id=raffle,
            member_id=self.guest,
            number=1,
            entrant_id=self.guest,
            score="dd",
            created_at=AT,
        )
        self.coupon_winner = self._add(
            RaffleWinner,
            raffle_id=raffle,
            entry_id=entry.id,
            member_id=self.guest,
            place=1,
            prize_no=0,
            asset="POINTS",
            amount=9,
            coupon_template_id=template_id,
            created_at=ENDED_AT,
            paid_at=ENDED_AT,
        ).id
        self._add(
            Coupon,
            template_id=template_id,
            member_id=self.guest,
            code="raffled",
            cause_kind="RAFFLE",
            cause_id=self.coupon_winner,
            usable_from=TODAY,
            usable_until=UNTIL,
            issued_at=ENDED_AT,
        )

    def _raffle(self, code: str, **values: Any) -> UUID:
        return UUID(
            int=self._add(
                Raffle,
                code=code,
                name_zh="抽奖",
                name_en="Raffle",
                opens_at=AT - timedelta(days=1),
                closes_at=AT + timedelta(seconds=1),
                entries_max=2,
                budgets=[],
                sealed="s",
                seed_hash="h",
                created_at=AT,
                settled_at=ENDED_AT,
                **(_ANNOUNCED | values),
            ).id.int
        )

    def _entry(
        self,
        name: str,
        raffle_id: UUID,
        member_id: UUID,
        number: int,
        score: str | None,
        **values: Any,
    ) -> UUID:
        entry = self._add(
            RaffleEntry,
            raffle_id=raffle_id,
            member_id=member_id,
            number=number,
            entrant_id=member_id,
            score=score,
            created_at=AT,
            **values,
        )
        self._transfer(
            f"{name} entry",
            (member_id, "POINTS"),
            (self.id, "SPENT POINTS"),
            1,
            ("RAFFLE_ENTRY", entry.id),
            kind="SPEND",
            debit_expires_on=self._good_until(member_id),
        )
        return UUID(int=entry.id.int)

    def _good_until(self, member_id: UUID) -> date:
        return GOOD_UNTIL if member_id == self.guest else UNTIL

    def _entry_given_back(self) -> None:
        paid = self.transfers["undone entry"]
        self._transfer(
            "undone entry given back",
            (self.id, "SPENT POINTS"),
            (self.guest, "POINTS"),
            1,
            ("RAFFLE_ENTRY", self.entries["undone"]),
            kind="REVERSE",
            booked_at=ENDED_AT,
            credit_expires_on=GOOD_UNTIL,
            reverses_id=paid,
        )
        self._add(TransferReversal, transfer_id=paid, amount=1, reversed=1)
