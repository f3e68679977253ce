"""Pure bookkeeping: what a movement does to accounts and lots. No I/O, no clock, no session.

A ``Book`` gathers the movements of one transaction. It only adds up; the service writes the sums
by set and the database's guards have the last word.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from loyalty.assets.rules import NEVER_EXPIRES
from loyalty.ledger.lots import plan_return, plan_spend, spendable
from loyalty.ledger.models import TransferKind, TransferPhase
from loyalty.ledger.reversing import Reversing
from loyalty.ledger.states import (
    AccountDelta,
    AccountState,
    Cause,
    LotDelta,
    LotKey,
    LotPart,
    Movement,
    ReturnPolicy,
    ReversalDelta,
    ReversibleTransfer,
)

__all__ = [
    "AccountDelta",
    "AccountState",
    "Book",
    "Cause",
    "LotDelta",
    "LotKey",
    "LotPart",
    "Movement",
    "ReturnPolicy",
    "ReversalDelta",
    "ReversibleTransfer",
    "plan_return",
    "plan_spend",
    "spendable",
]

EARN = TransferKind.EARN.value


@dataclass(slots=True)
class Book(Reversing):
    """The movements of one transaction, by what they mean."""

    def credit(
        self,
        issuance: AccountState,
        account: AccountState,
        amount: int,
        cause: Cause,
        *,
        campaign_id: UUID | None,
        expires_on: date,
        owed: AccountState | None = None,
        kind: str = EARN,
    ) -> Movement:
        """Issue ``amount`` to a member at once, into the free lot of its date. What the member
        owes (``owed``, a RECEIVABLE account) is repaid from it first."""
        self._fill(account, expires_on, amount, locked=False)
        movement = self._note(
            issuance,
            account,
            amount,
            TransferPhase.POSTED,
            kind,
            cause,
            campaign_id=campaign_id,
            credit_expires_on=expires_on,
        )
        self._repay(account, owed, amount, expires_on, cause)
        return movement

    def credit_less(
        self,
        issuance: AccountState,
        account: AccountState,
        amount: int,
        tax: tuple[AccountState, int],
        cause: Cause,
        *,
        campaign_id: UUID | None,
        expires_on: date,
        owed: AccountState | None = None,
        pending_id: UUID | None = None,
    ) -> tuple[Movement, Movement]:
        """``credit``, or ``resolve`` of what is pending, of which so much goes to the brand's book
        of tax at once; what the member owes is repaid from what is left."""
        if pending_id is None:
            credited = self.credit(
                issuance, account, amount, cause, campaign_id=campaign_id, expires_on=expires_on
            )
        else:
            credited = self.resolve(
                issuance,
                account,
                amount,
                cause,
                pending_id=pending_id,
                campaign_id=campaign_id,
                expires_on=expires_on,
            )
        book, part = tax
        [kept] = self.take(account, book, [(expires_on, part)], TransferKind.WITHHOLD, cause)
        self._repay(account, owed, amount - part, expires_on, cause)
        return credited, kept

    def lock(
        self,
        issuance: AccountState,
        account: AccountState,
        amount: int,
        cause: Cause,
        *,
        campaign_id: UUID | None,
    ) -> Movement:
        """Grant ``amount`` pending. Its lot is locked, without date: the clock starts at unlock."""
        self._fill(account, NEVER_EXPIRES, amount, locked=True)
        return self._note(
            issuance, account, amount, TransferPhase.PENDING, EARN, cause, campaign_id=campaign_id
        )

    def resolve(
        self,
        issuance: AccountState,
        account: AccountState,
        amount: int,
        cause: Cause,
        *,
        pending_id: UUID,
        campaign_id: UUID | None,
        expires_on: date | None,
        owed: AccountState | None = None,
    ) -> Movement:
        """Post a pending credit (``expires_on`` dates it), or void it (None)."""
        self._lot(account, NEVER_EXPIRES, True).remaining -= amount
        if expires_on is not None:
            self._fill(account, expires_on, amount, locked=False)
        movement = self._note(
            issuance,
            account,
            amount,
            TransferPhase.VOID if expires_on is None else TransferPhase.POST,
            EARN,
            cause,
            campaign_id=campaign_id,
            pending_id=pending_id,
            credit_expires_on=expires_on,
        )
        if expires_on is not None:
            self._repay(account, owed, amount, expires_on, cause)
        return movement

    def move(
        self, source: AccountState, target: AccountState, parts: Iterable[LotPart], cause: Cause
    ) -> list[Movement]:
        """Move value between two members, one transfer a lot, keeping each lot's date."""
        moved = []
        for expires_on, amount in parts:
            self._lot(source, expires_on, False).remaining -= amount
            self._fill(target, expires_on, amount, locked=False)
            moved.append(
                self._note(
                    source,
                    target,
                    amount,
                    TransferPhase.POSTED,
                    TransferKind.MOVE.value,
                    cause,
                    debit_expires_on=expires_on,
                    credit_expires_on=expires_on,
                )
            )
        return moved

    def spend(
        self, account: AccountState, spent: AccountState, parts: Iterable[LotPart], cause: Cause
    ) -> list[Movement]:
        """Spend at once, one transfer a lot; ``spent`` is the brand's book of that kind."""
        return self.take(account, spent, parts, TransferKind.SPEND, cause)

    def settle_taken(
        self,
        account: AccountState,
        book: AccountState,
        part: LotPart,
        kind: TransferKind,
        cause: Cause,
        *,
        pending_id: UUID,
        post: bool,
    ) -> Movement:
        """End what ``take`` left PENDING, the whole of it: post it, or void it into its lot."""
        expires_on, amount = part
        if not post:
            # Granted once already: only what remains comes back.
            self._lot(account, expires_on, False).remaining += amount
        return self._note(
            account,
            book,
            amount,
            TransferPhase.POST if post else TransferPhase.VOID,
            kind.value,
            cause,
            pending_id=pending_id,
            debit_expires_on=expires_on,
        )

    def post(
        self, debit: AccountState, credit: AccountState, amount: int, kind: str, cause: Cause
    ) -> Movement:
        """Move ``amount`` at once, from accounts without lots."""
        return self._note(debit, credit, amount, TransferPhase.POSTED, kind, cause)

    def pend(
        self, debit: AccountState, credit: AccountState, amount: int, kind: str, cause: Cause
    ) -> Movement:
        """Hold ``amount`` of the debited account for the credited one (two-phase)."""
        return self._note(debit, credit, amount, TransferPhase.PENDING, kind, cause)

    def settle(
        self,
        debit: AccountState,
        credit: AccountState,
        amount: int,
        kind: str,
        cause: Cause,
        *,
        pending_id: UUID,
        post: bool,
    ) -> Movement:
        """Post what ``pend`` held, or void it: the whole of it, once."""
        phase = TransferPhase.POST if post else TransferPhase.VOID
        return self._note(debit, credit, amount, phase, kind, cause, pending_id=pending_id)
