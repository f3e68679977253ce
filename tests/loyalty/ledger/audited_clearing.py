"""A partner of the audited brand: what they owe each other, on both sides."""

from datetime import timedelta
from uuid import UUID

from loyalty.assets.models import AssetDefinition
from loyalty.brands.models import Brand
from loyalty.ids import new_id
from loyalty.ledger.models import Account, Transfer
from rewards.clearing.models import ClearingEntry, ClearingPosition, ClearingStatement
from rewards.netting.models import NettingLeg, NettingRun
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_shares import AuditedShares

FEE_FEN, PAID_FEN, RESERVED_FEN, POOLED_FEN = 700, 200, 30, 7


class AuditedClearing(AuditedShares):
    """The brand owes its partner a fee, and has paid some of it."""

    partner: UUID

    def _clearing(self) -> None:
        name = f"partner-{self.partner.hex}"
        self.rows.append(Brand(id=self.partner, slug=name, name=name, created_at=AT))
        self.rows.append(
            AssetDefinition(
                brand_id=self.partner,
                code="CASH",
                name_zh="现金",
                name_en="Cash",
                expiry={"kind": "NEVER"},
                created_at=AT,
            )
        )
        self.fee, self.payment, self.statement, self.netting = (new_id() for _ in range(4))
        owed = FEE_FEN - PAID_FEN
        for one, other, sign in ((self.id, self.partner, 1), (self.partner, self.id, -1)):
            account, book = (
                self._partner_account(one, other, "PARTNER"),
                self._partner_account(one, one, "CLEARING"),
            )
            self.rows.append(
                ClearingStatement(
                    brand_id=one,
                    id=self.statement,
                    partner_id=other,
                    number=1,
                    starts_at=AT - timedelta(days=30),
                    ends_at=AT,
                    opening_fen=0,
                    closing_fen=sign * FEE_FEN,
                    entry_count=1,
                    drawn_at=AT,
                )
            )
            self.rows.append(
                ClearingPosition(
                    brand_id=one,
                    partner_id=other,
                    account_id=account.id,
                    owed_fen=sign * owed,
                    reserved_fen=RESERVED_FEN + POOLED_FEN if one == self.partner else 0,
                    opened_at=AT,
                )
            )
            self._netting(one, other, sign * owed)
            self._owes(one, other, self.fee, "FEE", sign * FEE_FEN, account, book)
            self._owes(one, other, self.payment, "PAYMENT", -sign * PAID_FEN, account, book)

    def _netting(self, brand_id: UUID, partner_id: UUID, owed_fen: int) -> None:
        """A run that is proposed: nothing of it is posted."""
        is_ours = brand_id == self.id
        self.rows.append(
            NettingRun(
                brand_id=brand_id,
                id=self.netting,
                is_ours=is_ours,
                net_fen=owed_fen,
                proposed_at=AT,
                approved_at=AT if is_ours else None,
                approved_by=self.partner if is_ours else None,
            )
        )
        self.rows.append(
            NettingLeg(
                brand_id=brand_id,
                run_id=self.netting,
                partner_id=partner_id,
                owed_fen=owed_fen,
                pays_fen=owed_fen,
                is_open=True,
            )
        )

    def _partner_account(self, brand_id: UUID, owner_id: UUID, kind: str) -> Account:
        account = Account(
            brand_id=brand_id,
            owner_id=owner_id,
            asset="CASH",
            kind=kind,
            overdraft_allowed=True,
            created_at=AT,
        )
        self.rows.append(account)
        return account

    def _owes(
        self,
        brand_id: UUID,
        partner_id: UUID,
        id: UUID,
        kind: str,
        owed_fen: int,
        account: Account,
        book: Account,
    ) -> None:
        self.rows.append(
            ClearingEntry(
                brand_id=brand_id,
                id=id,
                partner_id=partner_id,
                kind=kind,
                owed_fen=owed_fen,
                statement_id=self.statement if id == self.fee else None,
                occurred_at=AT,
                created_at=AT,
            )
        )
        giver, taker = (book, account) if owed_fen > 0 else (account, book)
        giver.debits_posted += abs(owed_fen)
        taker.credits_posted += abs(owed_fen)
        self.rows.append(
            Transfer(
                brand_id=brand_id,
                debit_account_id=giver.id,
                credit_account_id=taker.id,
                asset="CASH",
                amount=abs(owed_fen),
                phase="POSTED",
                kind="CLEAR",
                cause_kind="CLEARING",
                cause_id=id,
                actor_kind="SYSTEM",
                actor_id=UUID(int=0),
                reason="",
                occurred_at=AT,
                created_at=AT,
            )
        )
