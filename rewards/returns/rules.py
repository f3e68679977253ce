"""Pure: what a return gives back of a purchase, and what it takes back of the rewards."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput, ReturnTooLarge
from loyalty.ledger.models import Asset, TransferKind
from loyalty.ledger.rules import Cause, ReturnPolicy
from loyalty.reversals.rules import Credited, TakenBack, Wanted
from loyalty.withholdings.models import Withholding
from rewards.campaigns.rules import LiveCampaign
from rewards.grants.models import LockStatus
from rewards.grants.rules import Credit, GrantWorld, LockedState, MemberState, end_locked, lock
from rewards.purchases.models import PurchaseEvent, PurchaseLine
from rewards.returns.models import PurchaseReturn
from tiers.standings.folding import TierEvent

CAUSE_KIND = "PURCHASE_RETURN"
RETURNED_TOPIC = "purchase.returned"
REASON_LENGTH_MAX = 500
GROWTH = Asset.GROWTH.value
REVERSE = TransferKind.REVERSE.value
CONSUMER = MemberRole.CONSUMER.value

Holders = Mapping[UUID, MemberState]
"""By the member to whom something was given: who has it by now."""
TakingKey = tuple[str, str]
"""(role, asset) of what a return takes"""


NOT_TAXED: Mapping[UUID, Withholding] = {}


@dataclass(frozen=True, slots=True)
class LineRequest:
    """Pieces of a line, or an amount of it, or both: so many pieces for that amount."""

    line_no: int
    quantity: int | None = None
    amount_fen: int | None = None


@dataclass(frozen=True, slots=True)
class ReturnRequest:
    """What is to be given back, as it was sent: lines, or an amount; all that is left when neither
    is named."""

    return_ref: str
    reason: str
    amount_fen: int | None = None
    lines: tuple[LineRequest, ...] = ()

    def content_hash(self, purchase_id: UUID) -> str:
        """Tells a repeat of the same return from another one under its reference."""
        lines = sorted((n.line_no, n.quantity or 0, n.amount_fen or 0) for n in self.lines)
        return hashlib.sha256(orjson.dumps([purchase_id.hex, self.amount_fen, lines])).hexdigest()


@dataclass(frozen=True, slots=True)
class LineGiven:
    """What of one line is given back."""

    line_no: int
    quantity: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Given:
    """What a return gives back, and what is left of the purchase after it."""

    amount_fen: int
    lines: tuple[LineGiven, ...]
    left_fen: int
    is_last: bool


@dataclass(slots=True)
class Taking:
    """What a return takes of one asset; fields as in ``PurchaseReturnTaking``."""

    taken: int = 0
    owed: int = 0
    voided: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a purchase is left after a return, against what was left when a reward was
    granted, by what granted it: the purchase itself, or an earlier return that left a smaller one.
    """

    left: int
    when_granted: Mapping[UUID, int] = field(default_factory=dict)

    def keeps(self, amount: int, granted_by_id: UUID) -> int:
        """What the member keeps of a reward: its share, rounded down."""
        return amount * self.left // self.when_granted[granted_by_id]


# --- what is given back --------------------------------------------------------------------------


def plan_given(
    purchase: PurchaseEvent, lines: Sequence[PurchaseLine], request: ReturnRequest
) -> Given:
    """Refuses ReturnTooLarge and InvalidInput, each with the field's path."""
    left = purchase.amount_fen - purchase.returned_fen
    if purchase.returned_at is not None:
        wanted = purchase.amount_fen if request.amount_fen is None else request.amount_fen
        raise ReturnTooLarge(field="amountFen", left=0, wanted=wanted)
    if request.lines and request.amount_fen is not None:
        raise InvalidInput(field="amountFen", problem="lines or an amount")
    if request.lines:
        given = _given_lines(lines, request.lines)
        amount_fen = sum(line.amount_fen for line in given)
    elif request.amount_fen is not None:
        if request.amount_fen <= 0:
            raise InvalidInput(field="amountFen", problem="1 or more")
        given, amount_fen = (), request.amount_fen
    else:
        given, amount_fen = _all_lines(lines, left), left
    if amount_fen > left:
        raise ReturnTooLarge(field="amountFen", left=left, wanted=amount_fen)
    is_last = amount_fen == left
    if not purchase.amount_fen:  # where there is no money, the pieces tell
        is_last = not request.lines or _takes_all(lines, given)
    return Given(amount_fen, given, left - amount_fen, is_last)


def _given_lines(
    lines: Sequence[PurchaseLine], wanted: Sequence[LineRequest]
) -> tuple[LineGiven, ...]:
    by_no = {line.line_no: line for line in lines}
    given: dict[int, LineGiven] = {}
    for index, want in enumerate(wanted):
        path = f"lines[{index}]"
        line = by_no.get(want.line_no)
        if line is None:
            raise InvalidInput(field=f"{path}.lineNo", problem="no such line in this purchase")
        if line.line_no in given:
            raise InvalidInput(field=f"{path}.lineNo", problem="more than once in this return")
        given[line.line_no] = _given_line(path, line, want)
    return tuple(given[line_no] for line_no in sorted(given))


def _given_line(path: str, line: PurchaseLine, want: LineRequest) -> LineGiven:
    if want.quantity is None and want.amount_fen is None:
        raise InvalidInput(field=path, problem="a quantity or an amountFen")
    if want.quantity is not None and want.quantity <= 0:
        raise InvalidInput(field=f"{path}.quantity", problem="1 or more")
    if want.amount_fen is not None and want.amount_fen < (want.quantity is None):
        raise InvalidInput(field=f"{path}.amountFen", problem="1 or more")
    quantity = want.quantity or 0
    left = line.quantity - line.returned_quantity
    if quantity > left:
        raise ReturnTooLarge(field=f"{path}.quantity", left=left, wanted=quantity)
    left_fen = line.amount_fen - line.returned_fen
    amount_fen = want.amount_fen
    if amount_fen is None:
        # Rounded as rewards are, so that all pieces one by one come to the whole amount.
        kept_fen = line.amount_fen * (left - quantity) // line.quantity
        amount_fen = max(0, left_fen - kept_fen)
    if amount_fen > left_fen:
        raise ReturnTooLarge(field=f"{path}.amountFen", left=left_fen, wanted=amount_fen)
    return LineGiven(line.line_no, quantity, amount_fen)


def _all_lines(lines: Sequence[PurchaseLine], left_fen: int) -> tuple[LineGiven, ...]:
    """What is left of each line, for no more than is left of the purchase."""
    given = []
    for line in lines:
        quantity = line.quantity - line.returned_quantity
        amount_fen = min(line.amount_fen - line.returned_fen, left_fen)
        left_fen -= amount_fen
        if quantity or amount_fen:
            given.append(LineGiven(line.line_no, quantity, amount_fen))
    return tuple(given)


def _takes_all(lines: Sequence[PurchaseLine], given: Sequence[LineGiven]) -> bool:
    pieces = {line.line_no: line.quantity for line in given}
    return all(
        line.returned_quantity + pieces.get(line.line_no, 0) == line.quantity for line in lines
    )


# --- what is taken back --------------------------------------------------------------------------


def share_after(
    purchase: PurchaseEvent, given: Given, earlier: Iterable[tuple[UUID, int]]
) -> Share:
    """``earlier`` are the returns before this one, as (id, what they left of the purchase)."""
    if not purchase.amount_fen:
        return Share(int(not given.is_last), {purchase.id: 1})
    return Share(given.left_fen, {purchase.id: purchase.amount_fen, **dict(earlier)})


def wanted_back(
    credits: Iterable[Credited],
    share: Share,
    policy_of: Callable[[UUID | None, str], ReturnPolicy],
    holders: Holders,
    taxed: Mapping[UUID, Withholding] = NOT_TAXED,
) -> list[Wanted]:
    """Of each posted credit what the member does not keep, less what was taken of it before: so
    that returns that give everything back, in any number of steps, want everything back. What
    an earlier one wanted and did not find is wanted again. ``policy_of``: what the campaign with an
    id says of returns by a role. ``taxed``: what was withheld of prizes, by their credits, which
    the member never had."""
    wanted = []
    for credit in credits:
        if credit.is_pending or credit.granted_by_id not in share.when_granted:
            continue
        net = credit.amount - (taxed[credit.id].tax_fen if credit.id in taxed else 0)
        amount = net - credit.reversed - share.keeps(net, credit.granted_by_id)
        if amount > 0:
            holder = holders[credit.member_id]
            policy = policy_of(credit.campaign_id, holder.role)
            wanted.append(Wanted(credit, amount, policy, holder.id))
    return wanted


def shrink_locked(
    world: GrantWorld,
    holders: Holders,
    states: Iterable[LockedState],
    campaigns: Mapping[UUID, LiveCampaign],
    share: Share,
    cause: Cause,
) -> dict[TakingKey, int]:
    """Void what is still locked; what its member keeps of it is locked anew, to wait for what is
    still to come of the same. What was voided and not locked again. ``campaigns`` are those that
    locked it, by their ids."""
    voided: dict[TakingKey, int] = {}
    for state in list(states):
        if state.status is not LockStatus.LOCKED:
            continue
        kept = share.keeps(state.amount, state.cause_id)
        if state.template_id is not None and share.left:
            continue  # a coupon is whole as long as anything of the purchase is kept
        if kept == state.amount:
            continue
        holder = holders[state.member_id]
        end_locked(world, holder, state, cause, LockStatus.VOIDED)
        if state.template_id is not None:
            continue
        if kept:
            unlock = replace(state.unlock, count=state.count)
            credit = Credit(holder, state.asset, kept)
            lock(world, campaigns[state.campaign_id], credit, cause, unlock, state.draw_id)
        key = (holder.role, state.asset)
        voided[key] = voided.get(key, 0) + state.amount - kept
    return voided


def takings_of(
    taken: Iterable[TakenBack], voided: Mapping[TakingKey, int], holders: Holders
) -> dict[TakingKey, Taking]:
    """What a return took; what it took nothing of is left out."""
    takings: dict[TakingKey, Taking] = {}
    for one in taken:
        if one.taken + one.owed:
            key = (holders[one.credit.member_id].role, one.credit.asset)
            taking = takings.setdefault(key, Taking())
            taking.taken += one.taken
            taking.owed += one.owed
    for key, amount in voided.items():
        takings.setdefault(key, Taking()).voided += amount
    return {key: takings[key] for key in sorted(takings)}


def of_buyer(takings: Mapping[TakingKey, Taking]) -> dict[str, Taking]:
    """What a return took of the buyer, by asset: all that the buyer is told."""
    return {asset: taking for (role, asset), taking in takings.items() if role == CONSUMER}


# --- what others are told ------------------------------------------------------------------------


def tier_events(
    world: GrantWorld,
    holder: MemberState,
    purchase: PurchaseEvent,
    given: Given,
    taken: Iterable[TakenBack],
    booked_at: Mapping[UUID, datetime],
    cause: Cause,
) -> list[TierEvent]:
    """What the tier of a holder, of whom this was ``taken``, no longer has: the growth balance as
    it is now; what was spent, of the buyer, on the purchase's day; what was earned, on the day of
    each credit, which of those that the purchase gave at once is its own, of others in
    ``booked_at``."""
    earned: dict[datetime, dict[str, int]] = {purchase.occurred_at: {}}
    for one in taken:
        by_asset = earned.setdefault(booked_at.get(one.credit.id, purchase.occurred_at), {})
        asset = one.credit.asset
        by_asset[asset] = by_asset.get(asset, 0) - one.taken - one.owed
    account = world.accounts.get((holder.brand_id, holder.id, GROWTH))
    growth = [m for m in world.book.movements if m.debit is account and m.kind == REVERSE]
    spend_fen = -given.amount_fen if holder.role == CONSUMER else 0
    events: list[TierEvent] = []
    for counted_at, by_asset in earned.items():
        is_first = not events
        events.append(
            TierEvent(
                cause.occurred_at,
                cause.kind,
                cause.id,
                transfer_id=growth[0].id if growth else None,
                balance=account.balance if account and growth and is_first else None,
                earned=by_asset,
                spend_fen=spend_fen if is_first else 0,
                counted_at=counted_at,
            )
        )
    return events


def returned_payload(row: PurchaseReturn, takings: Mapping[str, Taking]) -> dict[str, Any]:
    """Of the fact of a return, which is told of who has what the buyer had."""
    return {
        "return_id": row.id.hex,
        "purchase_id": row.purchase_id.hex,
        "amount_fen": row.amount_fen,
        "left_fen": row.left_fen,
        "taken": [{"asset": asset, **asdict(taking)} for asset, taking in takings.items()],
    }
