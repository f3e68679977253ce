"""Pure: moving value between members, leg by leg."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from loyalty.errors import InsufficientBalance, Refusal, SameAccount
from loyalty.ledger.rules import AccountState, Book, Cause, Movement, plan_spend, spendable

LEGS_MAX = 100

AccountsByKey = dict[tuple[UUID, UUID, str], AccountState]
"""By (brand_id, owner_id, asset)."""

LotsByAccount = dict[UUID, dict[date, int]]
"""What free lots hold, by account and last good day."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One of linked moves: ``amount`` of an asset from one member to another."""

    from_member_id: UUID
    to_member_id: UUID
    asset: str
    amount: int


@contextmanager
def named(leg_no: int) -> Iterator[None]:
    """Refusals of a leg say which one it is, counted from 0."""
    try:
        yield
    except Refusal as refusal:
        refusal.details["leg"] = leg_no
        raise


def check_sides(leg: Leg) -> None:
    """Refuses SameAccount."""
    if leg.from_member_id == leg.to_member_id:
        raise SameAccount()


@dataclass(slots=True)
class MoveWorld:
    """What moves may touch, as read: members' accounts, their free lots good on a local day, and
    the book that they are written into. Each move meets what the earlier ones left."""

    brand_id: UUID
    accounts: AccountsByKey
    lots: LotsByAccount
    book: Book
    cause: Cause
    on: date

    def move(self, leg: Leg) -> list[Movement]:
        """Soonest expiry first, dates kept. Refuses InsufficientBalance."""
        source = self.accounts.get((self.brand_id, leg.from_member_id, leg.asset))
        gives = self.lots.setdefault(source.id, {}) if source else {}
        parts = plan_spend(gives.items(), leg.amount, self.on)
        if source is None or parts is None:
            available = spendable(gives.items(), self.on)
            raise InsufficientBalance(available=available, wanted=leg.amount)
        target = self._target(leg)
        takes = self.lots.setdefault(target.id, {})
        for expires_on, part in parts:
            gives[expires_on] -= part
            takes[expires_on] = takes.get(expires_on, 0) + part
        return self.book.move(source, target, parts, self.cause)

    def _target(self, leg: Leg) -> AccountState:
        key = (self.brand_id, leg.to_member_id, leg.asset)
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = AccountState(
                self.brand_id, self.book.new_id(), leg.to_member_id, leg.asset, is_new=True
            )
        return account
