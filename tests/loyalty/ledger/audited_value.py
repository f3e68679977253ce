"""What becomes of the consumer's cash: taken back, owed, repaid, spent, held, extended, expired."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from loyalty.adjustments.models import Adjustment
from loyalty.holds.models import Hold
from loyalty.ids import new_id
from loyalty.ledger.models import LotExtension, TransferReversal
from tests.loyalty.ledger.audited_books import AT, AuditedBooks

CASH_UNTIL = date(2027, 6, 30)
EXTENDED_FROM = date(2026, 12, 31)
CASH_EXPIRED_ON = date(2026, 10, 31)


class AuditedValue(AuditedBooks):
    """Of a gift of 100 fen 30 are taken back from its lot and 20 more are owed, of which a later
    gift repays 15. Of what was paid a part comes back; one hold is open, one captured, one let go,
    one lapsed. Some is given by hand, some taken, more proposed, and more turned down. A lot lives
    on by activity; another expires, is filled by a late event, and expires again."""

    consumer: UUID

    def _value(self) -> None:
        self._account(self.consumer, "CASH", "RECEIVABLE", name="OWED")
        self._gift("gift", 100)
        self._out("gift taken back", "REVERSE", "REVERSED", 30, reverses_id=self.transfers["gift"])
        self._fen(
            "gift owed",
            (self.consumer, "OWED"),
            (self.id, "REVERSED CASH"),
            20,
            kind="OWE",
            reverses_id=self.transfers["gift"],
        )
        self._reversed("gift", 100, 50)
        self._gift("later gift", 15)
        self._fen(
            "repayment",
            (self.consumer, "CASH"),
            (self.consumer, "OWED"),
            15,
            kind="REPAY",
            debit_expires_on=CASH_UNTIL,
        )
        self._payments()
        self.adjustments: dict[str, UUID] = {}
        self._adjust("given by hand", 9, "APPLIED")
        self._adjust("taken by hand", -4, "APPLIED", new_id())
        self._adjust("proposed", 100, "PROPOSED")
        self._adjust("rejected", 50, "REJECTED", new_id())
        self._dates()

    def _payments(self) -> None:
        self.holds: dict[str, UUID] = {}
        self._out("payment", "SPEND", "SPENT", 10)
        self._fen(
            "payment returned",
            (self.id, "SPENT CASH"),
            (self.consumer, "CASH"),
            4,
            kind="REVERSE",
            credit_expires_on=CASH_UNTIL,
            reverses_id=self.transfers["payment"],
        )
        self._reversed("payment", 10, 4)
        for name, amount, status in (
            ("open", 7, "HELD"),
            ("taken", 3, "CAPTURED"),
            ("let go", 2, "RELEASED"),
            ("old", 1, "LAPSED"),
        ):
            self._hold(name, amount, status)

    def _hold(self, name: str, amount: int, status: str) -> None:
        until = AT - timedelta(seconds=10) if status == "LAPSED" else AT + timedelta(seconds=60)
        hold = self._add(
            Hold,
            member_id=self.consumer,
            asset="CASH",
            amount=amount,
            captured=amount if status == "CAPTURED" else 0,
            status=status,
            reason="a cart",
            held_at=AT - timedelta(seconds=60),
            held_until=until,
            ended_at=None if status == "HELD" else AT,
        )
        self.holds[name] = hold.id
        values: dict[str, Any] = {"cause": ("HOLD", hold.id)}
        began = values | {"phase": "PENDING", "at": hold.held_at, "booked_at": hold.held_at}
        self._out(f"{name} hold", "SPEND", "SPENT", amount, **began)
        if status != "HELD":
            values["phase"] = "POST" if status == "CAPTURED" else "VOID"
            values["pending_id"] = self.transfers[f"{name} hold"]
            self._out(f"end of {name} hold", "SPEND", "SPENT", amount, **values)

    def _adjust(self, name: str, amount: int, status: str, decided_by: UUID | None = None) -> None:
        row = self._add(
            Adjustment,
            member_id=self.consumer,
            asset="CASH",
            amount=amount,
            status=status,
            reason="a wrong till",
            proposed_by_id=new_id(),
            proposed_at=AT - timedelta(seconds=60),
            decided_by_id=decided_by,
            decided_at=None if status == "PROPOSED" else AT,
        )
        self.adjustments[name] = row.id
        cause = ("ADJUSTMENT", row.id)
        if status == "APPLIED" and amount > 0:
            sides = (self.id, "CASH"), (self.consumer, "CASH")
            self._fen(
                name, *sides, amount, kind="ADJUST", credit_expires_on=CASH_UNTIL, cause=cause
            )
        elif status == "APPLIED":
            self._out(name, "ADJUST", "REVERSED", -amount, cause=cause)

    def _dates(self) -> None:
        self._gift("extended gift", 6, EXTENDED_FROM)
        account = self.account(self.consumer, "CASH")
        self._add(
            LotExtension,
            account_id=account,
            from_expires_on=EXTENDED_FROM,
            to_expires_on=CASH_UNTIL,
            amount=6,
            created_at=AT,
        )
        self._lot(account, EXTENDED_FROM, False, 0, -6)
        self._lot(account, CASH_UNTIL, False, 6, 6)
        for name, amount in (("old gift", 2), ("late gift", 1)):
            self._gift(name, amount, CASH_EXPIRED_ON)
            self._out(f"expiry of {name}", "EXPIRE", "EXPIRED", amount, on=CASH_EXPIRED_ON)

    def _gift(self, name: str, amount: int, on: date = CASH_UNTIL) -> None:
        sides = (self.id, "CASH"), (self.consumer, "CASH")
        self._fen(name, *sides, amount, kind="EARN", credit_expires_on=on)

    def _out(
        self, name: str, kind: str, book: str, amount: int, *, on: date = CASH_UNTIL, **values: Any
    ) -> None:
        sides = (self.consumer, "CASH"), (self.id, f"{book} CASH")
        self._fen(name, *sides, amount, kind=kind, debit_expires_on=on, **values)

    def _fen(
        self, name: str, debit: tuple[UUID, str], credit: tuple[UUID, str], amount: int, **v: Any
    ) -> None:
        cause = v.pop("cause", ("OPERATOR", new_id()))
        self._transfer(name, debit, credit, amount, cause, **v)

    def _reversed(self, name: str, amount: int, taken_back: int) -> None:
        self._add(
            TransferReversal,
            transfer_id=self.transfers[name],
            amount=amount,
            reversed=taken_back,
        )
