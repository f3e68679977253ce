"""A till's coupons: the brand's own and those of partners found, and what those that are under
agreements come to between brands."""

from dataclasses import replace
from typing import Any, NoReturn
from uuid import UUID

from loyalty.actor import Actor
from loyalty.db import Snapshot, StatementMismatch, Tx
from loyalty.errors import CouponTaken, CouponTakenElsewhere, CouponUnknown, FundsTooLow
from loyalty.ledger.rules import Book
from rewards.alliances.service import (
    InForce,
    hosts_of,
    limit_of_issuer,
    line_in_force,
    may_redeem,
    pool_line,
    reserve_fen,
    split,
)
from rewards.clearing.service import Due, EntryKind, post_into, reserve, used_funds
from rewards.coupons.models import Coupon, CouponCause, CouponStatus
from rewards.coupons.rules import normalise_code
from rewards.issues.service import issued_under
from rewards.redemptions import queries
from rewards.redemptions.models import Redemption, RedemptionStatus
from rewards.redemptions.queries import FoundCoupon
from rewards.redemptions.rules import PartnersCoupon, Taken


async def find_at_till(
    snapshot: Snapshot, brand_id: UUID, code: str
) -> tuple[FoundCoupon, InForce | None]:
    """One of the brand's own, else of a brand whose agreement says that it is good here; with its
    line where it is under an agreement."""
    digits = normalise_code(code)
    found = None if digits is None else await queries.find_coupon(snapshot, brand_id, digits)
    if found is not None:
        return found, await _find_line(snapshot, found, brand_id)
    of_partner = None if digits is None else await _find_partners(snapshot, brand_id, digits)
    if of_partner is None:
        raise CouponUnknown()
    return of_partner


async def find_taken(snapshot: Snapshot, coupon: Coupon, reader_id: UUID) -> Taken | None:
    """Who has the coupon; None for a free one, a hold that is over included. Where, is told to the
    brand whose coupon it is and to the one whose till it is."""
    if coupon.redemption_id is None:
        return None
    holder = await queries.find_holder(snapshot, coupon.brand_id, coupon.id, coupon.redemption_id)
    if holder is None:
        raise StatementMismatch("a coupon names a redemption that is not there")
    held = holder.redemption
    status = RedemptionStatus(held.status)
    if status not in (RedemptionStatus.HELD, RedemptionStatus.CAPTURED):
        return None
    at = held.captured_at or held.held_at
    if reader_id not in (coupon.brand_id, held.brand_id):
        return Taken(None, None, at, status)
    return Taken(holder.place_name, holder.till_name, at, status)


def refuse_taken(taken: Taken, at: str) -> NoReturn:
    """``at`` is since when, as it is told."""
    if taken.place_name is None:
        raise CouponTakenElsewhere(at=at, status=taken.status.value)
    raise CouponTaken(
        place=taken.place_name, till=taken.till_name, at=at, status=taken.status.value
    )


async def _find_line(snapshot: Snapshot, found: FoundCoupon, brand_id: UUID) -> InForce | None:
    """What a till's brand has agreed on for a coupon: as it was when its host issued it, or that
    by which a partner did; None for one that is its brand's own affair, as what it gave out itself
    where the partner issues. Costs no read where the template is under no agreement."""
    if found.terms.agreement_id is None:
        return None
    coupon = found.coupon
    if coupon.cause_kind == CouponCause.PARTNER:
        return await issued_under(snapshot, coupon, brand_id)
    ids = (coupon.brand_id, coupon.template_id)
    of_pool = await pool_line(snapshot, *ids, brand_id)
    if of_pool is not None:
        return of_pool
    agreed = await line_in_force(snapshot, *ids, coupon.issued_at, reader_id=brand_id)
    return None if agreed is None or agreed.line.issuer_id != coupon.brand_id else agreed


async def _find_partners(
    snapshot: Snapshot, brand_id: UUID, code: str
) -> tuple[FoundCoupon, InForce] | None:
    """Another brand's coupon that is good at this brand's tills, whichever: its template's places
    and product are its own brand's, and not asked for here."""
    hosts = await hosts_of(snapshot, brand_id)
    for found in await queries.find_coupons(snapshot, hosts, code) if hosts else ():
        agreed = await _find_line(snapshot, found, brand_id)
        if agreed is not None and may_redeem(agreed.line, brand_id):
            return _without_places(found), agreed
    return None


def _without_places(found: FoundCoupon) -> FoundCoupon:
    return replace(found, terms=replace(found.terms, place_ids=(), product_ids=(), product_id=None))


def is_good_at(agreed: InForce | None, brand_id: UUID) -> bool:
    return agreed is None or may_redeem(agreed.line, brand_id)


def told_of(agreed: InForce | None, coupon: Coupon, brand_id: UUID) -> PartnersCoupon | None:
    """None for the brand's own coupons."""
    if agreed is None or coupon.brand_id == brand_id:
        return None
    line = agreed.line
    return PartnersCoupon(line.template_code, line.name_zh, line.name_en)


def agreed_parts(
    agreed: InForce | None, coupon: Coupon, brand_id: UUID, rebate_fen: int
) -> dict[str, Any]:
    """The fields of a redemption that say who owes whom what of it. Funds are reserved for what a
    partner has issued."""
    if agreed is None:
        return {}
    line = agreed.line
    is_partners = coupon.cause_kind == CouponCause.PARTNER or line.pooled
    return {
        "agreement_id": agreed.agreement_id,
        "partner_id": agreed.terms.other(brand_id),
        "issuer_id": line.issuer_id,
        "partner_owes_fen": split(rebate_fen, line, brand_id),
        "redeem_fee_fen": line.redeem_fee_fen if line.issuer_id != line.host_id else 0,
        "reserved_fen": reserve_fen(line, line.value_fen) if is_partners else 0,
    }


async def post_agreed(
    tx: Tx, book: Book, actor: Actor, redemption: Redemption, place_name: str, till_name: str
) -> None:
    """What a capture comes to between the two brands, into its book; what was reserved for it is
    released. Nothing for a coupon that is its brand's own affair."""
    if redemption.agreement_id is None or redemption.issuer_id is None:
        return
    dues = [replace(due, place_name=place_name, till_name=till_name) for due in _dues(redemption)]
    key = (redemption.issuer_id, redemption.coupon_brand_id)
    released = {key: -redemption.reserved_fen} if redemption.reserved_fen else {}
    await post_into(tx, book, actor, dues, reserved=released)


async def take_agreed_back(
    tx: Tx, book: Book, actor: Actor, redemption: Redemption, given: CouponStatus
) -> None:
    """The same amounts the other way; reserved again where the coupon may be used again."""
    if redemption.agreement_id is None or redemption.issuer_id is None:
        return
    holder = await queries.find_holder(
        tx, redemption.coupon_brand_id, redemption.coupon_id, redemption.id
    )
    if holder is None:
        raise StatementMismatch("a redemption is at no till")
    dues = [
        replace(
            due,
            kind=EntryKind.REVERSAL,
            debtor_id=due.creditor_id,
            creditor_id=due.debtor_id,
            place_name=holder.place_name,
            till_name=holder.till_name,
        )
        for due in _dues(redemption)
    ]
    key = (redemption.issuer_id, redemption.coupon_brand_id)
    reserved_fen = redemption.reserved_fen if given is CouponStatus.ISSUED else 0
    if reserved_fen and redemption.brand_id == redemption.issuer_id:
        # At its own till nothing is owed less by it: the funds must have room again.
        await post_into(tx, book, actor, dues)
        limit_fen = await limit_of_issuer(tx, *key)
        if not await reserve(tx, *key, reserved_fen, limit_fen):
            left_fen = max(0, limit_fen - await used_funds(tx, *key))
            raise FundsTooLow(left_fen=left_fen, needed_fen=reserved_fen)
        return
    await post_into(tx, book, actor, dues, reserved={key: reserved_fen} if reserved_fen else {})


def _dues(redemption: Redemption) -> list[Due]:
    if redemption.partner_id is None or redemption.issuer_id is None:
        return []
    owed = (
        (EntryKind.REDEMPTION, redemption.partner_id, redemption.brand_id),
        (EntryKind.FEE, redemption.issuer_id, redemption.coupon_brand_id),
    )
    amounts = (redemption.partner_owes_fen, redemption.redeem_fee_fen)
    return [
        Due(
            debtor_id=debtor_id,
            creditor_id=creditor_id,
            kind=kind,
            amount_fen=amount_fen,
            agreement_id=redemption.agreement_id,
            template_id=redemption.template_id,
            coupon_id=redemption.coupon_id,
            redemption_id=redemption.id,
        )
        for (kind, debtor_id, creditor_id), amount_fen in zip(owed, amounts, strict=True)
        if amount_fen
    ]
