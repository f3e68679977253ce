"""Pure: what is left of a member's lots, traced back to the credits that filled them (来源追溯).

Within a lot the oldest credit is spent first, wherever it came to the lot from. What is given back
(a spend that is reversed, a hold let go) is again of the credits it was taken from; what is taken
back of a credit is taken from that credit first. A move between members and the prolonging of a
lot keep the credits they carry.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from heapq import heappop, heappush
from uuid import UUID

from loyalty.assets.rules import NEVER_EXPIRES
from loyalty.ledger.models import TransferKind, TransferPhase

NOT_MOVED = UUID(int=0)

PartKey = tuple[UUID, UUID]
"""The credit, and the last move between members that brought it; NOT_MOVED for none."""

Part = tuple[PartKey, int]
LotName = tuple[UUID, date, bool]
"""(account_id, expires_on, locked)"""


@dataclass(frozen=True, slots=True)
class LotMovement:
    """A transfer; fields as in ``loyalty.ledger.models.Transfer``."""

    id: UUID
    phase: str
    kind: str
    amount: int
    debit_account_id: UUID
    credit_account_id: UUID
    debit_expires_on: date | None
    credit_expires_on: date | None
    pending_id: UUID | None
    reverses_id: UUID | None
    cause_kind: str
    cause_id: UUID
    campaign_id: UUID | None
    reason: str
    occurred_at: datetime
    booked_at: datetime

    @property
    def is_between_members(self) -> bool:
        """Whether both sides have lots: a move, or one that was given back."""
        has_lots = self.debit_expires_on is not None and self.credit_expires_on is not None
        is_move = self.kind == TransferKind.MOVE
        return is_move or (self.kind == TransferKind.REVERSE and has_lots)


@dataclass(frozen=True, slots=True)
class LotProlonged:
    """So much that activity moved from one lot of an account to a later one."""

    id: UUID
    account_id: UUID
    from_expires_on: date
    to_expires_on: date
    amount: int


@dataclass(frozen=True, slots=True)
class UnspentCredit:
    """What is left of one credit in one lot. ``credit`` made it the member's; ``granted`` is the
    pending credit that it posted, if it was locked at first; ``moved`` the last move between
    members that brought it here. Of a locked lot ``credit`` is still pending."""

    expires_on: date
    locked: bool
    amount: int
    credit: LotMovement
    granted: LotMovement | None
    moved: LotMovement | None

    @property
    def key(self) -> tuple[int, date, UUID, UUID]:
        """The order of an explanation: free lots, soonest expiry first, the oldest credit first."""
        moved_id = self.moved.id if self.moved else NOT_MOVED
        return int(self.locked), self.expires_on, self.credit.id, moved_id

    @property
    def cause(self) -> LotMovement:
        """What made it: of a credit that was locked at first the one that was granted."""
        return self.granted or self.credit


@dataclass(slots=True)
class _Lot:
    """``missing`` was taken before what it was taken from is known: of two transactions that met
    the later one may have the earlier id. What comes next pays it."""

    amounts: dict[PartKey, int] = field(default_factory=dict)
    order: list[PartKey] = field(default_factory=list)
    missing: deque[tuple[UUID, int]] = field(default_factory=deque)

    def put(self, key: PartKey, amount: int) -> list[tuple[UUID, int]]:
        """Add to a credit's part; which debits it pays that came too early."""
        paid = []
        while self.missing and amount:
            debit_id, wanted = self.missing.popleft()
            part = min(wanted, amount)
            paid.append((debit_id, part))
            amount -= part
            if part < wanted:
                self.missing.appendleft((debit_id, wanted - part))
        if amount:
            if key not in self.amounts:
                heappush(self.order, key)
            self.amounts[key] = self.amounts.get(key, 0) + amount
        return paid

    def take(self, debit_id: UUID, amount: int, first: UUID | None) -> list[Part]:
        """Take from credit ``first``, then from the oldest ones."""
        taken: list[Part] = []
        for key in sorted(key for key in self.amounts if key[0] == first) if first else ():
            taken.append(self._take_of(key, amount))
            amount -= taken[-1][1]
        while amount and self.order:
            key = self.order[0]
            if key not in self.amounts:
                heappop(self.order)
                continue
            taken.append(self._take_of(key, amount))
            amount -= taken[-1][1]
        if amount:
            self.missing.append((debit_id, amount))
        return taken

    def _take_of(self, key: PartKey, amount: int) -> Part:
        part = min(self.amounts[key], amount)
        self.amounts[key] -= part
        if not self.amounts[key]:
            del self.amounts[key]
        return key, part


class Tracing:
    """Folds what moved on accounts that keep lots, oldest first."""

    def __init__(self, account_ids: Collection[UUID]) -> None:
        self._accounts = frozenset(account_ids)
        self._lots: dict[LotName, _Lot] = {}
        self._movements: dict[UUID, LotMovement] = {}
        self._granted: dict[UUID, LotMovement] = {}
        self._taken: dict[UUID, list[Part]] = {}
        self._prolonged_to: dict[UUID, _Lot] = {}

    def fold(
        self, movements: Iterable[LotMovement], prolonged: Iterable[LotProlonged] = ()
    ) -> "Tracing":
        """All there is of these accounts, in any order; a move between two of them may be told
        twice. Ids begin with the time: they tell the order."""
        each: dict[UUID, LotMovement | LotProlonged] = {}
        each.update((moved.id, moved) for moved in movements)
        each.update((moved.id, moved) for moved in prolonged)
        for id in sorted(each):
            moved = each[id]
            if isinstance(moved, LotProlonged):
                self._prolong(moved)
            else:
                self._move(moved)
        return self

    def unspent(self, account_id: UUID) -> list[UnspentCredit]:
        """What is left on one account, in the order of an explanation."""
        found = [
            UnspentCredit(
                expires_on,
                locked,
                amount,
                self._movements[credit_id],
                self._granted.get(credit_id),
                self._movements.get(moved_id),
            )
            for (of_account, expires_on, locked), lot in self._lots.items()
            if of_account == account_id
            for (credit_id, moved_id), amount in lot.amounts.items()
        ]
        return sorted(found, key=lambda part: part.key)

    def _lot(self, account_id: UUID, expires_on: date | None, *, locked: bool = False) -> _Lot:
        # A side of an old transfer that names no date means the lot that never expires.
        return self._lots.setdefault((account_id, expires_on or NEVER_EXPIRES, locked), _Lot())

    def _put(self, lot: _Lot, parts: Iterable[Part]) -> None:
        for key, amount in parts:
            for debit_id, part in lot.put(key, amount):
                later = self._prolonged_to.get(debit_id)
                if later is None:
                    self._taken.setdefault(debit_id, []).append((key, part))
                else:
                    self._put(later, [(key, part)])

    def _move(self, moved: LotMovement) -> None:
        self._movements[moved.id] = moved
        if moved.debit_account_id in self._accounts:
            self._debit(moved, self._lot(moved.debit_account_id, moved.debit_expires_on))
        if moved.credit_account_id in self._accounts:
            self._credit(moved)

    def _debit(self, moved: LotMovement, lot: _Lot) -> None:
        if moved.phase == TransferPhase.POST and moved.pending_id is not None:
            self._taken[moved.id] = self._taken.pop(moved.pending_id, [])
        elif moved.phase == TransferPhase.VOID and moved.pending_id is not None:
            self._put(lot, self._given_back(moved.pending_id, moved))
        else:
            own = moved.reverses_id if moved.kind == TransferKind.REVERSE else None
            taken = lot.take(moved.id, moved.amount, own)
            self._taken.setdefault(moved.id, []).extend(taken)

    def _credit(self, moved: LotMovement) -> None:
        account_id = moved.credit_account_id
        if moved.phase == TransferPhase.PENDING:
            locked = self._lot(account_id, NEVER_EXPIRES, locked=True)
            self._put(locked, [((moved.id, NOT_MOVED), moved.amount)])
            return
        if moved.pending_id is not None:
            self._lot(account_id, NEVER_EXPIRES, locked=True).take(
                moved.id, moved.amount, moved.pending_id
            )
            if moved.phase == TransferPhase.VOID:
                return
            granted = self._movements.get(moved.pending_id)
            if granted is not None:
                self._granted[moved.id] = granted
        parts: list[Part] = [((moved.id, NOT_MOVED), moved.amount)]
        if moved.is_between_members:
            taken = [
                ((credit_id, moved.id), part)
                for (credit_id, _), part in self._taken.pop(moved.id, [])
            ]
            parts = [*taken, *_rest(moved, taken)]
        elif moved.kind == TransferKind.REVERSE and moved.reverses_id is not None:
            parts = self._given_back(moved.reverses_id, moved)
        self._put(self._lot(account_id, moved.credit_expires_on), parts)

    def _given_back(self, debit_id: UUID, moved: LotMovement) -> list[Part]:
        """Of what a debit took so much as ``moved`` gives back, what it took last first."""
        taken = self._taken.get(debit_id, [])
        given: list[Part] = []
        wanted = moved.amount
        while wanted and taken:
            key, amount = taken.pop()
            part = min(amount, wanted)
            given.append((key, part))
            wanted -= part
            if part < amount:
                taken.append((key, amount - part))
        return [*given, *_rest(moved, given)]

    def _prolong(self, moved: LotProlonged) -> None:
        later = self._prolonged_to[moved.id] = self._lot(moved.account_id, moved.to_expires_on)
        earlier = self._lot(moved.account_id, moved.from_expires_on)
        self._put(later, earlier.take(moved.id, moved.amount, None))


def _rest(moved: LotMovement, known: Iterable[Part]) -> list[Part]:
    """What comes of a credit that is not known: it is of the transfer itself."""
    amount = moved.amount - sum(part for _, part in known)
    return [((moved.id, NOT_MOVED), amount)] if amount else []
