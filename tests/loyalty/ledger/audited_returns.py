"""A purchase of the audited brand with its lines, of which a piece was given back."""

from uuid import UUID

from loyalty.ids import new_id
from loyalty.ledger.models import TransferReversal
from rewards.purchases.models import PurchaseEvent, PurchaseLine
from rewards.returns.models import PurchaseReturn, PurchaseReturnLine, PurchaseReturnTaking
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_mall import AuditedMall
from tests.loyalty.ledger.audited_value import CASH_UNTIL


class AuditedReturns(AuditedMall):
    """Three pieces for 900 fen earned 9 fen of cash. One came back: 2 fen were taken, 1 was owed
    for a while."""

    consumer: UUID

    def _returns(self) -> None:
        purchase = self._add(
            PurchaseEvent,
            purchase_ref="returned",
            content_hash="c",
            member_id=self.consumer,
            purchased_on=AT.date(),
            quantity=4,
            amount_fen=900,
            points_granted=0,
            returned_fen=300,
            occurred_at=AT,
            created_at=AT,
        )
        for line_no, quantity, fen, returned in ((1, 3, 900, 1), (2, 1, 0, 0)):
            self._add(
                PurchaseLine,
                purchase_id=purchase.id,
                line_no=line_no,
                sku="tea",
                quantity=quantity,
                amount_fen=fen,
                returned_quantity=returned,
                returned_fen=300 * returned,
            )
        self.returned = purchase.id
        row = self._add(
            PurchaseReturn,
            purchase_id=purchase.id,
            return_ref="return",
            content_hash="c",
            amount_fen=300,
            left_fen=600,
            reason="too small",
            created_at=AT,
        )
        self._add(PurchaseReturnLine, return_id=row.id, line_no=1, quantity=1, amount_fen=300)
        self._add(
            PurchaseReturnTaking,
            return_id=row.id,
            role="CONSUMER",
            asset="CASH",
            taken=2,
            owed=1,
            voided=0,
        )
        self._taken_back(purchase.id, row.id)

    def _taken_back(self, purchase_id: UUID, return_id: UUID) -> None:
        cash, reversed_cash = (self.consumer, "CASH"), (self.id, "REVERSED CASH")
        name, cause = "cash of returned purchase", ("PURCHASE_RETURN", return_id)
        self._transfer(
            *(name, (self.id, "CASH"), cash, 9, ("PURCHASE", purchase_id)),
            credit_expires_on=CASH_UNTIL,
        )
        earned = self.transfers[name]
        self._transfer(
            *("cash taken back", cash, reversed_cash, 2, cause),
            kind="REVERSE",
            debit_expires_on=CASH_UNTIL,
            reverses_id=earned,
        )
        owing = (self.consumer, "OWED")
        self._transfer(
            *("cash owed", owing, reversed_cash, 1, cause), kind="OWE", reverses_id=earned
        )
        self._transfer(
            *("cash repaid", cash, owing, 1, ("OPERATOR", new_id())),
            kind="REPAY",
            debit_expires_on=CASH_UNTIL,
        )
        self._add(TransferReversal, transfer_id=earned, amount=9, reversed=3)
