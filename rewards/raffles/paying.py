"""What winners of raffles get, each once: amounts of assets, coupons, and the amounts that are
given in the place of coupons where there are none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from loyalty import outbox
from loyalty.actor import ActorKind, system_actor
from loyalty.assets.service import assets_by_code
from loyalty.brands.models import Brand
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import MemberClosed
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.members.service import follow_merges
from loyalty.outbox import Fact
from loyalty.withholdings import service as withholdings
from loyalty.withholdings.models import PrizeKind
from loyalty.withholdings.rules import credit_prize
from rewards.coupons import service as coupons
from rewards.coupons.models import CouponCause
from rewards.coupons.rules import ISSUED_TOPIC, CouponIssue, issued_payload, usable_dates
from rewards.raffles import queries
from rewards.raffles.models import NoCoupon, Raffle
from rewards.raffles.rules import WON_TOPIC, why_no_coupon

PRIZE = "RAFFLE_PRIZE"
"""The kind of cause of what winners get."""


@dataclass(frozen=True, slots=True)
class Unpaid:
    """A winner that has nothing yet; ``template_id`` of a prize that is a coupon."""

    id: UUID
    member_id: UUID
    prize_no: int
    asset: str
    amount: int
    template_id: UUID | None


Given = Mapping[UUID, CouponIssue | NoCoupon]
"""By winner, of those whose prize is a coupon: the coupon, or why there is none."""


async def pay_winners(tx: Tx, raffle: Raffle, limit: int) -> int:
    """Pay the next winners by their places, each once; how many were. RetryTransaction where
    somebody else paid one of them, or took the last coupon."""
    rows = await tx.fetch(queries.LIST_UNPAID, brand=raffle.brand_id, raffle=raffle.id, limit=limit)
    winners = [Unpaid(*row) for row in rows]
    if winners:
        await _pay(tx, raffle, winners)
    return len(winners)


async def _pay(tx: Tx, raffle: Raffle, winners: Sequence[Unpaid]) -> None:
    brand = await get_brand(tx, raffle.brand_id)
    on = local_date(tx.now, brand.timezone)
    holders = await follow_merges(tx, brand.id, [winner.member_id for winner in winners])
    has, owes = await lock_members(tx, {(brand.id, holder_id) for holder_id in holders.values()})
    given = await _plan_coupons(tx, brand, winners, holders, on)
    credited = [w for w in winners if not isinstance(given.get(w.id), CouponIssue)]
    book = await _credit(tx, raffle, brand, credited, holders, (has, owes))
    issues = [issue for issue in given.values() if isinstance(issue, CouponIssue)]
    await coupons.write_coupons(tx, issues)
    paid = sorted((brand.id, winner.id, _why(given, winner)) for winner in winners)
    if len(await tx.fetch(queries.MARK_PAID, paid=paid, now=tx.now)) != len(paid):
        raise RetryTransaction  # somebody else has paid one of them
    facts = [_won(tx, raffle, winner, holders, given) for winner in winners]
    facts += [
        Fact(brand.id, ISSUED_TOPIC, issue.member_id, issued_payload(issue), tx.now)
        for issue in issues
    ]
    await outbox.emit(tx, facts)
    await coupons.take_stock(tx, _counted(issues))
    await ledger.write_brands_side(tx, book)


def _why(given: Given, winner: Unpaid) -> str | None:
    why = given.get(winner.id)
    return why.value if isinstance(why, NoCoupon) else None


def _won(
    tx: Tx, raffle: Raffle, winner: Unpaid, holders: Mapping[UUID, UUID], given: Given
) -> Fact:
    payload = {
        "raffle_id": raffle.id.hex,
        "prize_no": winner.prize_no,
        "entrants": raffle.entrants,
        "no_coupon": _why(given, winner),
    }
    return Fact(raffle.brand_id, WON_TOPIC, holders[winner.member_id], payload, tx.now)


async def lock_members(
    tx: Tx,
    owners: set[tuple[UUID, UUID]],
    closed: Sequence[tuple[UUID, UUID]] = (),
) -> tuple[ledger.AccountsByKey, ledger.AccountsByKey]:
    """``ledger.lock_accounts_and_debts``; RetryTransaction where one was merged meanwhile."""
    try:
        return await ledger.lock_accounts_and_debts(tx, owners, closed_owners=closed)
    except MemberClosed as late:
        raise RetryTransaction from late  # merged into another since it was looked up


# --- coupons -----------------------------------------------------------------------------------


async def _plan_coupons(
    tx: Tx,
    brand: Brand,
    winners: Sequence[Unpaid],
    holders: Mapping[UUID, UUID],
    on: date,
) -> Given:
    """Coupons for those who come first, as long as there are some."""
    wanted = {winner.template_id for winner in winners if winner.template_id is not None}
    if not wanted:
        return {}
    templates = await coupons.templates_by_id(tx, brand.id, wanted)
    stock = await coupons.find_stock(tx, [(brand.id, id) for id in wanted])
    given: dict[UUID, CouponIssue | NoCoupon] = {}
    for winner in winners:
        if winner.template_id is None:
            continue
        key = (brand.id, winner.template_id)
        template, left = templates[winner.template_id], stock[key]
        why, dates = why_no_coupon(template, left, on), usable_dates(template, on)
        if why is not None or dates is None:
            given[winner.id] = why or NoCoupon.OVER
            continue
        stock[key] = None if left is None else left - 1
        given[winner.id] = CouponIssue(
            brand.id,
            new_id(),
            template.id,
            holders[winner.member_id],
            coupons.new_code(),
            CouponCause.RAFFLE,
            winner.id,
            *dates,
        )
    return given


def _counted(issues: Iterable[CouponIssue]) -> dict[tuple[UUID, UUID], int]:
    moves: dict[tuple[UUID, UUID], int] = {}
    for issue in issues:
        key = (issue.brand_id, issue.template_id)
        moves[key] = moves.get(key, 0) + 1
    return moves


# --- amounts -----------------------------------------------------------------------------------


async def _credit(
    tx: Tx,
    raffle: Raffle,
    brand: Brand,
    winners: Sequence[Unpaid],
    holders: Mapping[UUID, UUID],
    accounts: tuple[ledger.AccountsByKey, ledger.AccountsByKey],
) -> Book:
    """Amounts of assets; the brand's side is still to be written."""
    book = Book(new_id)
    if not winners:
        return book
    (has, owes), system = accounts, system_actor(brand.id)
    on, terms = local_date(tx.now, brand.timezone), await withholdings.terms_of(tx, brand)
    issuance = await ledger.issuance_accounts(tx, [brand.id])
    assets = await assets_by_code(tx, brand.id)
    withheld = []
    for winner in winners:
        holder_id, asset = holders[winner.member_id], winner.asset
        key = (brand.id, holder_id, asset)
        account = has.setdefault(
            key, AccountState(brand.id, new_id(), holder_id, asset, is_new=True)
        )
        expiry = assets[asset].expiry
        if expiry.is_extended and not account.is_new:
            book.extend(account, on, expiry.last_day(on))
        reason = f"raffle {raffle.code}"
        _, kept = credit_prize(
            book,
            terms,
            (PrizeKind.RAFFLE, winner.id),
            issuance[brand.id, brand.id, asset],
            account,
            winner.amount,
            Cause(PRIZE, winner.id, ActorKind.SYSTEM.value, system.id, reason, tx.now),
            campaign_id=None,
            expires_on=expiry.last_day(on),
            owed=owes.get(key),
        )
        withheld += [kept] if kept else []
    await ledger.write_members_side(tx, book)
    await withholdings.write(tx, withheld)
    return book
