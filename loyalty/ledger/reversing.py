"""What takes value from members' lots, and what gives it back: reversals whole or in part."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from loyalty.ledger.journal import Journal
from loyalty.ledger.models import TransferKind, TransferPhase
from loyalty.ledger.states import (
    AccountState,
    Cause,
    LotPart,
    Movement,
    ReversalDelta,
    ReversibleTransfer,
)

REVERSE = TransferKind.REVERSE.value


@dataclass(slots=True)
class Reversing(Journal):
    """Movements that take, and those that give back what others took."""

    def take(
        self,
        account: AccountState,
        book: AccountState,
        parts: Iterable[LotPart],
        kind: TransferKind,
        cause: Cause,
        *,
        phase: TransferPhase = TransferPhase.POSTED,
        campaign_id: UUID | None = None,
        reverses_id: UUID | None = None,
    ) -> list[Movement]:
        """Take value from a member's lots to one of the brand's books, one transfer a lot.

        PENDING takes it from the lots now and leaves it held; ``settle_taken`` ends that.
        """
        taken = []
        for expires_on, amount in parts:
            self._lot(account, expires_on, False).remaining -= amount
            taken.append(
                self._note(
                    account,
                    book,
                    amount,
                    phase,
                    kind.value,
                    cause,
                    campaign_id=campaign_id,
                    reverses_id=reverses_id,
                    debit_expires_on=expires_on,
                )
            )
        return taken

    def return_withheld(
        self,
        tax_book: AccountState,
        reversed_book: AccountState,
        amount: int,
        cause: Cause,
        *,
        reverses: ReversibleTransfer,
    ) -> Movement:
        """Take back (a part of) what was withheld of a credit that is taken back."""
        self._count_reversal(tax_book.brand_id, reverses, amount)
        return self._note(
            tax_book,
            reversed_book,
            amount,
            TransferPhase.POSTED,
            REVERSE,
            cause,
            campaign_id=reverses.campaign_id,
            reverses_id=reverses.id,
        )

    def give_back(
        self,
        book: AccountState,
        account: AccountState,
        part: LotPart,
        cause: Cause,
        *,
        reverses: ReversibleTransfer,
        owed: AccountState | None = None,
    ) -> Movement:
        """Reverse (a part of) a spend: from the brand's book into the lot it came from."""
        expires_on, amount = part
        self._lot(account, expires_on, False).remaining += amount
        self._count_reversal(account.brand_id, reverses, amount)
        movement = self._note(
            book,
            account,
            amount,
            TransferPhase.POSTED,
            REVERSE,
            cause,
            campaign_id=reverses.campaign_id,
            reverses_id=reverses.id,
            credit_expires_on=expires_on,
        )
        self._repay(account, owed, amount, expires_on, cause)
        return movement

    def take_back(
        self,
        account: AccountState,
        reversed_book: AccountState,
        parts: Iterable[LotPart],
        cause: Cause,
        *,
        reverses: ReversibleTransfer,
        owed: AccountState | None = None,
        shortfall: int = 0,
    ) -> list[Movement]:
        """Reverse (a part of) a posted credit: ``parts`` from the member's lots, ``shortfall`` to
        what the member owes."""
        parts = list(parts)
        self._count_reversal(
            account.brand_id, reverses, sum(amount for _, amount in parts) + shortfall
        )
        taken = self.take(
            account,
            reversed_book,
            parts,
            TransferKind.REVERSE,
            cause,
            campaign_id=reverses.campaign_id,
            reverses_id=reverses.id,
        )
        if shortfall and owed is not None:
            taken.append(
                self._note(
                    owed,
                    reversed_book,
                    shortfall,
                    TransferPhase.POSTED,
                    TransferKind.OWE.value,
                    cause,
                    campaign_id=reverses.campaign_id,
                    reverses_id=reverses.id,
                )
            )
        return taken

    def move_back(
        self,
        holder: AccountState,
        giver: AccountState,
        parts: Iterable[LotPart],
        expires_on: date,
        cause: Cause,
        *,
        reverses: ReversibleTransfer,
    ) -> list[Movement]:
        """Reverse (a part of) a move: ``parts`` from the lots of who has it now, into the lot that
        it came from."""
        moved = []
        for taken_from, amount in parts:
            self._lot(holder, taken_from, False).remaining -= amount
            self._lot(giver, expires_on, False).remaining += amount
            self._count_reversal(giver.brand_id, reverses, amount)
            moved.append(
                self._note(
                    holder,
                    giver,
                    amount,
                    TransferPhase.POSTED,
                    REVERSE,
                    cause,
                    reverses_id=reverses.id,
                    debit_expires_on=taken_from,
                    credit_expires_on=expires_on,
                )
            )
        return moved

    def owe(self, owed: AccountState, book: AccountState, amount: int, cause: Cause) -> Movement:
        """So much a member owes from now on, of what it no longer has."""
        return self._note(owed, book, amount, TransferPhase.POSTED, TransferKind.OWE.value, cause)

    def _repay(
        self,
        account: AccountState,
        owed: AccountState | None,
        amount: int,
        expires_on: date,
        cause: Cause,
    ) -> None:
        part = 0 if owed is None else min(amount, -owed.balance)
        if owed is None or part <= 0:
            return
        self._lot(account, expires_on, False).remaining -= part
        self._note(
            account,
            owed,
            part,
            TransferPhase.POSTED,
            TransferKind.REPAY.value,
            cause,
            debit_expires_on=expires_on,
        )

    def _count_reversal(self, brand_id: UUID, reverses: ReversibleTransfer, amount: int) -> None:
        if not amount:
            return
        key = (brand_id, reverses.id)
        delta = self.reversed.setdefault(key, ReversalDelta(reverses.amount))
        delta.reversed += amount

    # --- between accounts that keep no lots -----------------------------------------------------
