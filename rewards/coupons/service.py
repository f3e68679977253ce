"""The verbs of coupons: templates, issuing, buying, taking and giving back, expiring."""

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import date
from uuid import UUID

from loyalty import audit_log, outbox
from loyalty.actor import Actor
from loyalty.brands.service import get_brand, list_brands, touch_configuration
from loyalty.clock import local_date
from loyalty.db import Snapshot, Tx
from loyalty.errors import (
    AlreadyExists,
    CouponNotUsable,
    InvalidInput,
    MemberLimitReached,
    NotForSale,
    NotFound,
    OutOfStock,
    TemplateUnderAgreement,
)
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import Book, Cause
from loyalty.members.service import enrol
from loyalty.places.service import find_places_by_ids
from loyalty.products.service import require_products
from loyalty.text import checked_text
from rewards.coupons import queries
from rewards.coupons.models import (
    Coupon,
    CouponCause,
    CouponKind,
    CouponStatus,
    CouponTemplate,
    CouponTemplateStatus,
)
from rewards.coupons.queries import (
    end,
    get_coupon,
    get_template,
    give_back,
    hold,
    list_templates_by_ids,
    lock_coupon,
    redeem,
    release,
)
from rewards.coupons.rules import (
    CODE_DIGITS,
    ISSUED_TOPIC,
    NAME_LENGTH_MAX,
    CouponIssue,
    TemplateDefinition,
    check_template,
    has_stock,
    issued_payload,
    normalise_code,
    price_on,
    status_at,
    usable_dates,
)
from rewards.offers.models import OfferKind

OFFER = "OFFER"
REASON_LENGTH_MAX = 500

StockKey = tuple[UUID, UUID]
"""(brand_id, template_id)"""

# Other nouns may call this service and never the queries: these are the reads and the guarded
# steps that they need.
__all__ = [
    "StockKey",
    "buy_coupon",
    "create_template",
    "end",
    "expire_coupons",
    "find_by_code",
    "find_stock",
    "new_code",
    "require_templates",
    "set_template_status",
    "take_stock",
    "templates_by_id",
    "void_coupon",
    "void_won",
    "write_coupons",
    "get_coupon",
    "get_template",
    "give_back",
    "hold",
    "list_templates_by_ids",
    "lock_coupon",
    "redeem",
    "release",
]


async def find_by_code(snapshot: Snapshot, brand_id: UUID, code: str) -> Coupon | None:
    """The brand's coupon with this number as somebody typed it; None for any other text."""
    digits = normalise_code(code)
    return None if digits is None else await queries.find_coupon_by_code(snapshot, brand_id, digits)


# --- templates ---------------------------------------------------------------------------------


async def create_template(tx: Tx, actor: Actor, definition: TemplateDefinition) -> CouponTemplate:
    """A new template of the actor's brand.

    Refuses InvalidInput (with the field's path), NotFound (product, offer, place), AlreadyExists
    (code).
    """
    check_template(definition)
    own = [definition.product_id] if definition.product_id is not None else []
    await require_products(tx, actor.brand_id, [*own, *definition.product_ids])
    if definition.offer_id is not None:
        await _require_gift(tx, actor.brand_id, definition.offer_id)
    places = await find_places_by_ids(tx, actor.brand_id, definition.place_ids)
    if len(places) != len(definition.place_ids):
        raise NotFound(noun="place")
    values = asdict(definition) | {
        "name_zh": checked_text(definition.name_zh, "nameZh", length_max=NAME_LENGTH_MAX),
        "name_en": checked_text(definition.name_en, "nameEn", length_max=NAME_LENGTH_MAX),
        "kind": definition.kind.value,
        "place_ids": [id.hex for id in definition.place_ids],
        "product_ids": [id.hex for id in definition.product_ids],
    }
    if definition.kind is CouponKind.CODE:
        values["stock_max"] = 0  # until codes are put in
    template = CouponTemplate(brand_id=actor.brand_id, created_at=tx.now, **values)
    await touch_configuration(tx, actor.brand_id)
    if not await tx.insert_if_absent(template):
        raise AlreadyExists(noun="coupon template", field="code")
    await audit_log.record(tx, actor, "coupon_template.create", template.id, code=template.code)
    return template


async def _require_gift(tx: Tx, brand_id: UUID, offer_id: UUID) -> None:
    kind = await queries.find_offer_kind(tx, brand_id, offer_id)
    if kind is None:
        raise NotFound(noun="offer")
    if kind is not OfferKind.GIFT:
        raise InvalidInput(field="offerId", problem="an offer of a GIFT")


async def set_template_status(
    tx: Tx, actor: Actor, template_id: UUID, status: CouponTemplateStatus
) -> CouponTemplate:
    """Pause a template (no more coupons of it, those out there stay good), or go on with it.

    Refuses NotFound, InvalidInput, and TemplateUnderAgreement where the partner issues them."""
    if status is CouponTemplateStatus.PARTNER:
        raise InvalidInput(field="status", problem="ACTIVE or PAUSED; agreements say the rest")
    brand_id = actor.brand_id
    changed = await queries.set_template_status(tx, brand_id, template_id, status)
    template = await get_template(tx, brand_id, template_id)
    if template.status != status:
        raise TemplateUnderAgreement(template=template.code)
    if changed:
        await touch_configuration(tx, brand_id)
        await audit_log.record(
            tx, actor, "coupon_template.set_status", template_id, status=status.value
        )
    return template


async def require_templates(snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]) -> None:
    """NotFound unless the brand has each of these templates."""
    if ids and len(await list_templates_by_ids(snapshot, brand_id, ids)) != len(set(ids)):
        raise NotFound(noun="coupon template")


async def templates_by_id(
    snapshot: Snapshot, brand_id: UUID, ids: Collection[UUID]
) -> dict[UUID, CouponTemplate]:
    """Templates for what is held in memory between batches; no statement where there are none."""
    if not ids:
        return {}
    found = await list_templates_by_ids(snapshot, brand_id, sorted(ids))
    return {template.id: template for template in found}


async def void_coupon(tx: Tx, actor: Actor, coupon_id: UUID, reason: str) -> Coupon:
    """End a coupon that nobody is using: CouponNotUsable says what it is instead."""
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    voided = await end(tx, actor.brand_id, coupon_id, CouponStatus.VOID)
    coupon = await get_coupon(tx, actor.brand_id, coupon_id)
    if not voided:
        raise CouponNotUsable(reason=status_at(coupon, tx.now).value)
    await audit_log.record(tx, actor, "coupon.void", coupon_id, reason)
    return coupon


async def void_won(
    tx: Tx, brand_id: UUID, causes: Iterable[tuple[CouponCause, UUID]]
) -> list[tuple[UUID, UUID]]:
    """End the coupons that a scan or a purchase gave to anybody, at once or by what it locked, and
    that nobody is using: (brand_id, id) of each."""
    rows = sorted((brand_id, cause.value, id) for cause, id in causes)
    voided = await tx.fetch(queries.VOID_WON, causes=rows, now=tx.now)
    return [(brand_id, row[0]) for row in voided]


# --- issuing -----------------------------------------------------------------------------------


def new_code() -> str:
    """A coupon's number, not to be guessed: digits, so that any till can type it."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"


async def find_stock(snapshot: Snapshot, keys: Iterable[StockKey]) -> dict[StockKey, int | None]:
    """How many coupons of each template may still be issued: None is without limit, 0 is also for
    a paused one. Read without a lock: ``take_stock`` refuses what is no longer there."""
    rows = await snapshot.fetch(queries.FIND_STOCK, keys=sorted(set(keys)))
    return {(row[0], row[1]): row[2] for row in rows}


async def write_coupons(tx: Tx, issues: Sequence[CouponIssue]) -> None:
    """Write new coupons; RetryTransaction if a number is taken already."""
    rows = [
        (
            issue.brand_id,
            issue.id,
            issue.template_id,
            issue.member_id,
            issue.code,
            issue.cause.value,
            issue.cause_id,
            issue.usable_from,
            issue.usable_until,
            tx.now,
        )
        for issue in issues
    ]
    if rows:
        await tx.write(queries.INSERT_COUPONS, expected=len(rows), rows=rows)


async def take_stock(tx: Tx, moves: dict[StockKey, int]) -> None:
    """Count coupons as issued, after everything else: hot rows; of a negative amount as given
    back. RetryTransaction if another process took the last ones, or the template was paused."""
    rows = sorted((*key, amount) for key, amount in moves.items() if amount)
    if rows:
        await tx.write(queries.TAKE_STOCK, expected=len(rows), taken=rows)


async def buy_coupon(tx: Tx, actor: Actor, template_id: UUID) -> CouponIssue:
    """Spend a consumer's points on a coupon, soonest expiry first.

    Refuses NotFound, MemberFrozen, NotForSale, OutOfStock, MemberLimitReached and
    InsufficientBalance. Whoever loses the last one to another process runs again, and is told so.
    """
    member = await enrol(tx, actor)
    today = local_date(tx.now, (await get_brand(tx, actor.brand_id)).timezone)
    template = await get_template(tx, actor.brand_id, template_id)
    dates, price = usable_dates(template, today), price_on(template, today)
    if dates is None or price is None:
        raise NotForSale()
    if not has_stock(template):
        raise OutOfStock()
    coupon_id = new_id()
    issue = CouponIssue(
        brand_id=member.brand_id,
        id=coupon_id,
        template_id=template.id,
        member_id=member.id,
        code=new_code(),
        cause=CouponCause.BOUGHT,
        cause_id=coupon_id,
        usable_from=dates[0],
        usable_until=dates[1],
    )
    cause = Cause(OFFER, coupon_id, actor.kind.value, actor.id, f"coupon {template.code}", tx.now)
    book = await _spend(tx, (member.brand_id, member.id), price, cause, today)
    await _count_purchase(tx, template, member.id)
    await ledger.write_members_side(tx, book)
    await write_coupons(tx, [issue])
    fact = outbox.Fact(issue.brand_id, ISSUED_TOPIC, member.id, issued_payload(issue), tx.now)
    await outbox.emit(tx, [fact])
    await take_stock(tx, {(template.brand_id, template.id): 1})
    await ledger.write_brands_side(tx, book)
    return issue


async def _spend(tx: Tx, owner: tuple[UUID, UUID], price: int, cause: Cause, today: date) -> Book:
    """Points of a member on their way back to the brand; the member's accounts are locked now."""
    book = Book(new_id)
    await ledger.spend_balance(tx, book, owner, Asset.POINTS.value, price, cause, today)
    return book


async def _count_purchase(tx: Tx, template: CouponTemplate, member_id: UUID) -> None:
    times_max = template.bought_per_member_max
    if times_max is None:
        return
    row = (template.brand_id, template.id, member_id, 1, times_max)
    if not await tx.fetch(queries.COUNT_PURCHASE, rows=[row]):
        raise MemberLimitReached(times_max=times_max)


# --- expiring ----------------------------------------------------------------------------------


async def expire_coupons(tx: Tx, limit: int) -> list[tuple[UUID, UUID]]:
    """End up to ``limit`` coupons whose last day is over where their brand is: (brand_id, id) of
    each. ``rewards.issues.service`` releases what partners have reserved for them.

    Those that somebody works on just now are left for the next time.
    """
    days = [
        (brand.id, local_date(tx.now, brand.timezone))
        for brand in sorted(await list_brands(tx), key=lambda brand: brand.id)
    ]
    ended = await tx.fetch(queries.EXPIRE_COUPONS, days=days, now=tx.now, row_count_max=limit)
    return [(row[0], row[1]) for row in ended]
