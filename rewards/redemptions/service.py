"""The verbs at the till (核销): look up, hold, capture, void, reverse; and holds that lapse.

Each step is one guarded update of the redemption, then one of its coupon, then the books: who moves
the redemption's row has taken the step, and all others are told. Every step asks again whether the
clerk's place, till and the clerk are in service.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty import audit_log, outbox
from loyalty.actor import SYSTEM_ID, Actor, ActorKind, Grant
from loyalty.brands.models import Brand
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Snapshot, StatementMismatch, Tx
from loyalty.errors import (
    CouponNotUsable,
    InvalidInput,
    NotFound,
    RedemptionStateWrong,
    ReversalWindowOver,
)
from loyalty.ids import new_id
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.ledger.service import (
    issuance_accounts,
    lock_place_accounts,
    write_brands_side,
    write_members_side,
)
from loyalty.outbox import Fact
from loyalty.places.service import require_desk
from loyalty.text import checked_text
from rewards.coupons import service as coupons
from rewards.redemptions import queries
from rewards.redemptions.models import (
    Redemption,
    RedemptionEvent,
    RedemptionStatus,
    RedemptionStep,
)
from rewards.redemptions.partners import (
    agreed_parts,
    find_at_till,
    find_taken,
    is_good_at,
    post_agreed,
    refuse_taken,
    take_agreed_back,
    told_of,
)
from rewards.redemptions.queries import lapse_one, lock_redemptions
from rewards.redemptions.rules import (
    CouponAtTill,
    NotUsableReason,
    Quote,
    Taken,
    may_become,
    quote,
    status_at,
)

CAPTURED_TOPIC = "redemption.captured"
REDEEMED_TOPIC = "coupon.redeemed"
REVERSED_TOPIC = "coupon.reversed"
BASKET_FEN_MAX, PRODUCTS_MAX, REASON_LENGTH_MAX = 10**12, 500, 500

# Other nouns may call this service and never the queries: settlement locks what it posts.
__all__ = [
    "CAPTURED_TOPIC",
    "REDEEMED_TOPIC",
    "CouponAtTill",
    "Taken",
    "capture",
    "hold_coupon",
    "lapse_holds",
    "lock_redemptions",
    "look_up",
    "mark_settled",
    "reverse",
    "void",
]


async def mark_settled(tx: Tx, keys: Collection[tuple[UUID, UUID]]) -> None:
    """Note on captured redemptions, by (brand_id, id), that their rebates are posted now. The
    caller has locked them (``lock_redemptions``) and seen that they are captured and not settled;
    StatementMismatch otherwise."""
    if await queries.mark_settled(tx, list(keys)) != len(keys):
        raise StatementMismatch("a redemption was settled that is not to be settled")


# --- looking -----------------------------------------------------------------------------------


async def look_up(
    snapshot: Snapshot,
    actor: Actor,
    code: str,
    *,
    basket_fen: int | None = None,
    product_ids: Collection[UUID] = (),
) -> CouponAtTill:
    """What a coupon would do here and now; nothing is taken. Refuses CouponUnknown, PlaceClosed
    and InvalidInput."""
    _check_basket(basket_fen, product_ids)
    desk = await require_desk(snapshot, actor)
    found, agreed = await find_at_till(snapshot, actor.brand_id, code)
    today = local_date(snapshot.now, found.timezone)
    quoted = quote(found.terms, found.coupon, desk.place.id, basket_fen, product_ids, today)
    if not is_good_at(agreed, actor.brand_id):
        quoted = NotUsableReason.PLACE
    return CouponAtTill(
        found.coupon,
        found.terms,
        quoted if isinstance(quoted, Quote) else None,
        None if isinstance(quoted, Quote) else quoted,
        await find_taken(snapshot, found.coupon, actor.brand_id),
        told_of(agreed, found.coupon, actor.brand_id),
    )


def _check_basket(basket_fen: int | None, product_ids: Collection[UUID]) -> None:
    if basket_fen is not None and not 0 <= basket_fen <= BASKET_FEN_MAX:
        raise InvalidInput(field="basketFen", problem=f"a whole number up to {BASKET_FEN_MAX}")
    if len(product_ids) > PRODUCTS_MAX:
        raise InvalidInput(field="productIds", problem=f"at most {PRODUCTS_MAX}")


def _said(at: datetime, timezone: str) -> str:
    """An instant as RFC 3339, on the brand's own clock."""
    return at.astimezone(ZoneInfo(timezone)).isoformat(timespec="seconds")


# --- hold --------------------------------------------------------------------------------------


async def hold_coupon(
    tx: Tx,
    actor: Actor,
    *,
    code: str,
    basket_fen: int | None = None,
    product_ids: Collection[UUID] = (),
) -> Redemption:
    """Take a coupon for this till until the brand's ``hold_seconds`` are over: the redemption,
    HELD. Refuses CouponUnknown, CouponTaken, CouponTakenElsewhere, CouponNotUsable, PlaceClosed
    and InvalidInput; raises RetryTransaction when somebody took it in this very moment."""
    _check_basket(basket_fen, product_ids)
    desk = await require_desk(tx, actor)
    found, agreed = await find_at_till(tx, actor.brand_id, code)
    coupon = found.coupon
    taken = await find_taken(tx, coupon, actor.brand_id)
    if taken is not None:
        refuse_taken(taken, _said(taken.at, found.timezone))
    today = local_date(tx.now, found.timezone)
    quoted = quote(found.terms, coupon, desk.place.id, basket_fen, product_ids, today)
    if not is_good_at(agreed, actor.brand_id):
        quoted = NotUsableReason.PLACE
    if not isinstance(quoted, Quote):
        raise CouponNotUsable(reason=quoted.value)
    redemption = Redemption(
        brand_id=actor.brand_id,
        coupon_brand_id=coupon.brand_id,
        coupon_id=coupon.id,
        template_id=coupon.template_id,
        member_id=coupon.member_id if coupon.brand_id == actor.brand_id else None,
        place_id=desk.place.id,
        till_id=desk.till.id,
        clerk_id=desk.clerk.id,
        basket_fen=basket_fen,
        discount_fen=quoted.discount_fen,
        pay_fen=quoted.pay_fen,
        product_id=quoted.product_id,
        rebate_fen=quoted.rebate_fen,
        **agreed_parts(agreed, coupon, actor.brand_id, quoted.rebate_fen),
        held_at=tx.now,
        held_until=tx.now + timedelta(seconds=found.hold_seconds),
    )
    events = [_event(tx, actor, redemption, RedemptionStep.HOLD)]
    if coupon.redemption_id is not None:  # of a hold that is over: ended before the next begins
        held_by = await lapse_one(tx, coupon, coupon.redemption_id)
        if held_by is None:
            raise RetryTransaction
        events.insert(0, _lapse_event(tx, held_by, coupon.redemption_id, coupon.id))
    if not await coupons.hold(tx, coupon, redemption.id, redemption.held_until):
        raise RetryTransaction
    await queries.add_redemption(tx, redemption)
    await queries.add_events(tx, events)
    return redemption


def _event(
    tx: Tx, actor: Actor, redemption: Redemption, step: RedemptionStep, reason: str | None = None
) -> RedemptionEvent:
    return RedemptionEvent(
        brand_id=redemption.brand_id,
        redemption_id=redemption.id,
        coupon_id=redemption.coupon_id,
        step=step.value,
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        till_id=actor.till_id,
        reason=reason,
        created_at=tx.now,
    )


def _lapse_event(tx: Tx, brand_id: UUID, redemption_id: UUID, coupon_id: UUID) -> RedemptionEvent:
    return RedemptionEvent(
        brand_id=brand_id,
        redemption_id=redemption_id,
        coupon_id=coupon_id,
        step=RedemptionStep.LAPSE.value,
        actor_kind=ActorKind.SYSTEM.value,
        actor_id=SYSTEM_ID,
        created_at=tx.now,
    )


async def lapse_holds(tx: Tx, limit: int) -> int:
    """Tidy up to ``limit`` holds that are over, of all brands: how many it were. Nothing waits for
    this, as holds lapse by date; those that somebody works on just now are left for next time."""
    lapsed = await queries.lapse_holds(tx, limit)
    if lapsed:
        await queries.add_events(tx, [_lapse_event(tx, *keys) for keys in lapsed])
    return len(lapsed)


# --- capture and void --------------------------------------------------------------------------


async def capture(tx: Tx, actor: Actor, redemption_id: UUID) -> Redemption:
    """Use a held coupon up: the redemption, CAPTURED, with its rebate pending. Any clerk and till
    of the place that holds it may. Refuses NotFound (also for another place's),
    RedemptionStateWrong and PlaceClosed."""
    desk = await require_desk(tx, actor)
    transfer_id = new_id()
    captured = await queries.capture(tx, actor.brand_id, redemption_id, desk.place.id, transfer_id)
    if captured is None:
        raise await _why_not(tx, actor, redemption_id, desk.place.id, RedemptionStatus.CAPTURED)
    if not await coupons.redeem(tx, captured.coupon_brand_id, captured.coupon_id, captured.id):
        raise RetryTransaction  # the hold lapsed in this very moment
    await queries.add_events(tx, [_event(tx, actor, captured, RedemptionStep.CAPTURE)])
    ids = chain([transfer_id], iter(new_id, None))  # the rebate's comes first
    book = Book(lambda: next(ids))
    if captured.rebate_transfer_id is not None:
        issuance, place = await _accounts(tx, captured)
        cause = _cause(tx, actor, captured)
        book.pend(issuance, place, captured.rebate_fen, "REBATE", cause)
    await post_agreed(tx, book, actor, captured, desk.place.name, desk.till.name)
    await write_members_side(tx, book)
    at = {"place_id": captured.place_id.hex}
    facts = [
        Fact(captured.brand_id, CAPTURED_TOPIC, captured.id, at, tx.now),
        await _told(tx, captured, REDEEMED_TOPIC),
    ]
    await outbox.emit(tx, facts)
    await write_brands_side(tx, book)
    return captured


async def void(tx: Tx, actor: Actor, redemption_id: UUID) -> Redemption:
    """Give a hold up: the redemption, VOIDED; the coupon is free again. Refuses NotFound (also for
    another place's), RedemptionStateWrong and PlaceClosed."""
    desk = await require_desk(tx, actor)
    voided = await queries.void(tx, actor.brand_id, redemption_id, desk.place.id)
    if voided is None:
        raise await _why_not(tx, actor, redemption_id, desk.place.id, RedemptionStatus.VOIDED)
    if not await coupons.release(tx, voided.coupon_brand_id, voided.coupon_id, voided.id):
        raise RetryTransaction
    await queries.add_events(tx, [_event(tx, actor, voided, RedemptionStep.VOID)])
    return voided


async def _why_not(
    tx: Tx, actor: Actor, redemption_id: UUID, place_id: UUID, wanted: RedemptionStatus
) -> Exception:
    """Why a step could not be taken; RetryTransaction where it could be, by now."""
    found = await queries.find_redemption(tx, actor.brand_id, redemption_id)
    if found is None or found.place_id != place_id:
        return NotFound(noun="redemption")
    status = RedemptionStatus(found.status)
    if may_become(status, wanted):
        return RetryTransaction()
    return RedemptionStateWrong(status=status.value, wanted=wanted.value)


# --- reverse -----------------------------------------------------------------------------------


async def reverse(tx: Tx, actor: Actor, redemption_id: UUID, reason: str) -> Redemption:
    """Take a capture back within the brand's window: the redemption, REVERSED; the coupon is free
    again, or EXPIRED if its date has passed; the rebate is voided while pending and posted back
    once it was settled. A clerk of the place may, and who holds Grant.COUPONS (audited).

    Refuses NotFound (also for another place's, to a clerk), RedemptionStateWrong,
    ReversalWindowOver, PlaceClosed and InvalidInput.
    """
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    is_clerk = Grant.COUPONS not in actor.grants
    desk = await require_desk(tx, actor) if is_clerk else None
    # Locked before anything is decided: settlement does the same.
    found = await lock_redemptions(tx, [(actor.brand_id, redemption_id)])
    if not found or (desk is not None and found[0].place_id != desk.place.id):
        raise NotFound(noun="redemption")
    brand = await get_brand(tx, actor.brand_id)
    _check_reversible(tx, found[0], brand)
    reversed_ = await queries.reverse(tx, actor.brand_id, redemption_id, reason)
    coupon = await coupons.lock_coupon(tx, found[0].coupon_brand_id, found[0].coupon_id)
    zone = await _timezone_of(tx, coupon.brand_id, brand)
    given = await coupons.give_back(tx, coupon, redemption_id, local_date(tx.now, zone))
    if reversed_ is None or given is None:
        raise StatementMismatch("a captured redemption and its coupon do not agree")
    await queries.add_events(tx, [_event(tx, actor, reversed_, RedemptionStep.REVERSE, reason)])
    if not is_clerk:
        await audit_log.record(tx, actor, "redemption.reverse", redemption_id, reason)
    await outbox.emit(tx, [await _told(tx, reversed_, REVERSED_TOPIC)])
    book = Book(new_id)
    if reversed_.rebate_transfer_id is not None:
        await _take_rebate_back(tx, book, actor, reversed_, reversed_.rebate_transfer_id)
    await take_agreed_back(tx, book, actor, reversed_, given)
    if book.movements:
        await write_members_side(tx, book)
        await write_brands_side(tx, book)
    return reversed_


async def _timezone_of(tx: Tx, brand_id: UUID, own: Brand) -> str:
    """A coupon's days are those of its brand."""
    return (own if brand_id == own.id else await get_brand(tx, brand_id)).timezone


async def _told(tx: Tx, redemption: Redemption, topic: str) -> Fact:
    """What the coupon's brand is told of a redemption; its subject is the member."""
    member_id = redemption.member_id
    if member_id is None:
        coupon_id = redemption.coupon_id
        member_id = (await coupons.get_coupon(tx, redemption.coupon_brand_id, coupon_id)).member_id
    said = {
        "redemption_id": redemption.id.hex,
        "coupon_id": redemption.coupon_id.hex,
        "template_id": redemption.template_id.hex,
        "place_id": redemption.place_id.hex,
    }
    return Fact(redemption.coupon_brand_id, topic, member_id, said, tx.now)


def _check_reversible(tx: Tx, redemption: Redemption, brand: Brand) -> None:
    status = status_at(redemption.status, redemption.held_until, tx.now)
    if redemption.captured_at is None or not may_become(status, RedemptionStatus.REVERSED):
        raise RedemptionStateWrong(status=status.value, wanted=RedemptionStatus.REVERSED.value)
    if redemption.captured_at > tx.now:
        raise RetryTransaction  # we waited for its capture: what follows it is of a later time
    until = redemption.captured_at + timedelta(seconds=brand.reversal_window_seconds)
    if until < tx.now:
        raise ReversalWindowOver(until=_said(until, brand.timezone))


async def _take_rebate_back(
    tx: Tx, book: Book, actor: Actor, redemption: Redemption, rebate_transfer_id: UUID
) -> None:
    issuance, place = await _accounts(tx, redemption)
    cause = _cause(tx, actor, redemption)
    if redemption.settled_at is None:
        book.settle(
            issuance,
            place,
            redemption.rebate_fen,
            "REBATE",
            cause,
            pending_id=rebate_transfer_id,
            post=False,
        )
    else:
        book.post(place, issuance, redemption.rebate_fen, "REVERSE", cause)


async def _accounts(tx: Tx, redemption: Redemption) -> tuple[AccountState, AccountState]:
    """The brand's issuance of cash, and the place's rebate account, locked."""
    brand_id = redemption.brand_id
    places = await lock_place_accounts(tx, [(brand_id, redemption.place_id)])
    books = await issuance_accounts(tx, [brand_id])
    return books[brand_id, brand_id, Asset.CASH.value], places[brand_id, redemption.place_id]


def _cause(tx: Tx, actor: Actor, redemption: Redemption) -> Cause:
    reason = redemption.reason or ""
    return Cause("REDEMPTION", redemption.id, actor.kind.value, actor.id, reason, tx.now)
