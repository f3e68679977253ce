"""An age that was stated in the audited brand, and a prize of which tax was withheld."""

from datetime import date
from uuid import UUID

from loyalty.ages.models import AgeStatement
from loyalty.ids import new_id
from loyalty.members.models import Identity
from loyalty.withholdings.models import Withholding
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_programs import AuditedPrograms


class AuditedLawful(AuditedPrograms):
    """Both of the consumer."""

    consumer_identity: UUID

    def _ages(self) -> None:
        born_by = date(1996, 11, 1)
        for row in self.rows:
            if isinstance(row, Identity) and row.id == self.consumer_identity:
                row.born_by = born_by
        stated = {"identity_id": self.consumer_identity, "age": 30, "born_by": born_by}
        self.age = self._add(AgeStatement, **stated, stated_at=AT).id

    def _tax(self) -> None:
        """1,000 fen were won, of which a fifth was withheld."""
        self._account(self.id, "CASH", "TAX", name="TAX CASH")
        cause, taxed = ("OPERATOR", new_id()), (self.id, "TAX CASH")
        self._transfer("taxed", (self.id, "CASH"), (self.consumer, "CASH"), 1_000, cause)
        self._transfer("tax", (self.consumer, "CASH"), taxed, 200, cause, kind="WITHHOLD")
        self._add(
            Withholding,
            id=self.transfers["tax"],
            member_id=self.consumer,
            prize_kind="DRAW",
            prize_id=new_id(),
            credit_id=self.transfers["taxed"],
            gross_fen=1_000,
            tax_fen=200,
            rate_percent=20,
            threshold_fen=999,
            withheld_at=AT,
        )
