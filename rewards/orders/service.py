"""The verbs of orders: taking an offer of the mall, or a gift for a coupon. What becomes of them
is in ``ending.py``.

What is locked when an offer is taken: the member's accounts, its counters, and last of all the
offer's own rows, its coupons' template and the brand's books.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty import outbox
from loyalty.actor import Actor
from loyalty.assets.models import AssetStatus
from loyalty.assets.service import AssetView, assets_by_code
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import StatementMismatch, Tx
from loyalty.errors import (
    CouponNotUsable,
    InsufficientBalance,
    InvalidInput,
    NotForSale,
    NotFound,
    NotOpenYet,
    OutOfStock,
    RankTooLow,
)
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.models import AccountKind, TransferKind
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.members.models import Member
from loyalty.members.service import enrol
from loyalty.outbox import Fact
from loyalty.text import checked_text
from rewards.coupons import service as coupons
from rewards.coupons.models import CouponCause, CouponStatus, CouponTemplateStatus
from rewards.coupons.rules import (
    ISSUED_TOPIC,
    CouponIssue,
    issued_payload,
    shown_status,
    usable_dates,
)
from rewards.offers import service as offers
from rewards.offers.models import Offer, OfferKind
from rewards.offers.rules import Access, Closed, access, level_at, total_of
from rewards.offers.terms import Part, fee_of
from rewards.orders import queries
from rewards.orders.models import OfferOrder, OrderStatus, PartPurpose
from rewards.orders.rules import (
    DELIVERY_LENGTH_MAX,
    ORDER,
    QUANTITY_MAX,
    REDEEMED_TOPIC,
    order_payload,
    split_parts,
    times,
)
from tiers.privileges.service import count_use
from tiers.standings.following import follow_growth

Parts = Mapping[PartPurpose, Sequence[Part]]
"""The amounts in an order, by what they are."""


async def redeem_offer(
    tx: Tx,
    actor: Actor,
    keyring: Keyring,
    offer_id: UUID,
    *,
    quantity: int = 1,
    delivery: str | None = None,
) -> tuple[OfferOrder, list[CouponIssue]]:
    """Take pieces of an offer: pay the price and the fee, soonest expiry first, and get what it
    gives; a gift is handed out later, to where ``delivery`` says. The order, and its coupons.

    Refuses NotFound, MemberFrozen, InvalidInput, NotForSale, RankTooLow, NotOpenYet, OutOfStock,
    MemberLimitReached, InsufficientBalance (with the asset), and PrivilegeUsedUp where another
    order of this moment used the last waiver of the fee.
    """
    _check_quantity(quantity)
    member = await enrol(tx, actor)
    brand = await get_brand(tx, actor.brand_id)
    today = local_date(tx.now, brand.timezone)
    offer = await offers.get_offer(tx, actor.brand_id, offer_id)
    if delivery is not None and offer.kind != OfferKind.GIFT:
        raise InvalidInput(field="delivery", problem="only gifts are sent")
    buyer = await offers.find_buyer(tx, member, today)
    found = access(offer, buyer.rank, buyer.privileges, tx.now)
    _refuse_closed(offer, found, buyer, brand.timezone)
    if offer.stock_max is not None and offer.stock_max - offer.taken < quantity:
        raise OutOfStock()
    order = _new_order(tx, member, offer, quantity, buyer.rank, today)
    order.delivery_cipher = _sealed(keyring, actor.brand_id, delivery)
    issues = await _coupons_of(tx, order, offer, today)
    parts = _parts_of(offer, found, quantity)
    cause = Cause(ORDER, order.id, actor.kind.value, actor.id, f"offer {offer.code}", tx.now)
    has, owes = await ledger.lock_accounts_and_debts(tx, [(member.brand_id, member.id)])
    await offers.count_times(tx, offer, member.id, today, quantity, found.limits)
    if buyer.waiver is not None and found.fee is None and fee_of(offer) is not None:
        await count_use(tx, member.brand_id, member.id, buyer.waiver, today)
    book = await _exchange(tx, order, parts, has, owes, cause, today)
    await follow_growth(tx, order.brand_id, book)
    await ledger.write_members_side(tx, book)
    await coupons.write_coupons(tx, issues)
    await tx.add(order)
    await queries.write_parts(tx, order, parts)
    await outbox.emit(tx, _facts(tx, order, offer, issues))
    await offers.take_stock(tx, offer, today, quantity)
    if offer.template_id is not None:
        await coupons.take_stock(tx, {(offer.brand_id, offer.template_id): quantity})
    await ledger.write_brands_side(tx, book)
    return order, issues


async def order_gift(
    tx: Tx, actor: Actor, keyring: Keyring, coupon_id: UUID, *, delivery: str | None = None
) -> OfferOrder:
    """Exchange a coupon for its gift, to be handed out, or sent to where ``delivery`` says. The
    order; the coupon is ORDERED.

    Refuses NotFound (also another member's coupon), MemberFrozen, InvalidInput and CouponNotUsable
    (what it is instead, its dates, or KIND: it is for no gift).
    """
    member = await enrol(tx, actor)
    coupon = await coupons.lock_coupon(tx, actor.brand_id, coupon_id)
    if coupon.member_id != member.id:
        raise NotFound(noun="coupon")
    template = await coupons.get_template(tx, actor.brand_id, coupon.template_id)
    if template.offer_id is None:
        raise CouponNotUsable(reason="KIND")
    today = local_date(tx.now, (await get_brand(tx, actor.brand_id)).timezone)
    status = shown_status(coupon, tx.now, today)
    if status is not CouponStatus.ISSUED:
        raise CouponNotUsable(reason=status.value)
    if today < coupon.usable_from:
        raise CouponNotUsable(reason="NOT_YET")
    offer = await offers.get_offer(tx, actor.brand_id, template.offer_id)
    rank = (await offers.find_buyer(tx, member, today)).rank
    order = _new_order(tx, member, offer, 1, rank, today)
    order.coupon_id = coupon.id
    order.delivery_cipher = _sealed(keyring, actor.brand_id, delivery)
    if not await coupons.end(tx, actor.brand_id, coupon.id, CouponStatus.ORDERED):
        raise StatementMismatch("a coupon that is locked was taken")
    await tx.add(order)
    await outbox.emit(tx, _facts(tx, order, offer, []))
    return order


def _check_quantity(quantity: int) -> None:
    if not 1 <= quantity <= QUANTITY_MAX:
        raise InvalidInput(field="quantity", problem=f"1 to {QUANTITY_MAX}")


def _sealed(keyring: Keyring, brand_id: UUID, delivery: str | None) -> str | None:
    if delivery is None:
        return None
    checked = checked_text(delivery, "delivery", length_max=DELIVERY_LENGTH_MAX)
    return keyring.encrypt_delivery(brand_id, checked)


def opened_delivery(keyring: Keyring, order: OfferOrder) -> str | None:
    """Where an order goes, in clear: for its member, and for whoever sends it."""
    if order.delivery_cipher is None:
        return None
    return keyring.decrypt_delivery(order.brand_id, order.delivery_cipher)


def _refuse_closed(offer: Offer, found: Access, buyer: offers.Buyer, timezone: str) -> None:
    if found.closed is Closed.RANK_TOO_LOW:
        least, own = _called(buyer, offer.rank_min), _called(buyer, buyer.rank)
        raise RankTooLow(
            rank_min=offer.rank_min,
            rank=buyer.rank,
            level_min_zh=least[0],
            level_min_en=least[1],
            level_zh=own[0],
            level_en=own[1],
        )
    if found.closed is Closed.NOT_OPEN_YET and found.opens_at is not None:
        raise NotOpenYet(opens_at=_said(found.opens_at, timezone))
    if found.closed is not None:
        raise NotForSale()


def _called(buyer: offers.Buyer, rank: int) -> tuple[str, str]:
    """What the level of a rank is called; by its number where the ladder does not go up to it."""
    level = level_at(buyer.ladder, rank)
    return (f"等级{rank}", f"level {rank}") if level is None else (level.name_zh, level.name_en)


def _said(at: datetime, timezone: str) -> str:
    """An instant as RFC 3339, on the brand's own clock."""
    return at.astimezone(ZoneInfo(timezone)).isoformat(timespec="seconds")


def _new_order(
    tx: Tx, member: Member, offer: Offer, quantity: int, rank: int, today: date
) -> OfferOrder:
    is_given = offer.kind != OfferKind.GIFT
    return OfferOrder(
        brand_id=member.brand_id,
        offer_id=offer.id,
        member_id=member.id,
        quantity=quantity,
        rank=rank,
        status=(OrderStatus.FULFILLED if is_given else OrderStatus.PLACED).value,
        ordered_on=today,
        created_at=tx.now,
        fulfilled_at=tx.now if is_given else None,
    )


def _parts_of(offer: Offer, found: Access, quantity: int) -> Parts:
    given = []
    if offer.given_asset is not None and offer.given_amount is not None:
        given.append(Part(offer.given_asset, offer.given_amount))
    return {
        PartPurpose.PRICE: times(found.price, quantity),
        PartPurpose.FEE: (found.fee,) if found.fee is not None else (),
        PartPurpose.GIVEN: times(given, quantity),
    }


async def _coupons_of(tx: Tx, order: OfferOrder, offer: Offer, today: date) -> list[CouponIssue]:
    """The coupons that an order gives; of those that are no longer issued, or used up, none."""
    if offer.template_id is None:
        return []
    template = await coupons.get_template(tx, offer.brand_id, offer.template_id)
    dates = usable_dates(template, today)
    if dates is None or template.status != CouponTemplateStatus.ACTIVE:
        raise NotForSale()
    if template.stock_max is not None and template.stock_max - template.issued < order.quantity:
        raise OutOfStock()
    return [
        CouponIssue(
            brand_id=order.brand_id,
            id=new_id(),
            template_id=template.id,
            member_id=order.member_id,
            code=coupons.new_code(),
            cause=CouponCause.ORDER,
            cause_id=order.id,
            usable_from=dates[0],
            usable_until=dates[1],
        )
        for _ in range(order.quantity)
    ]


async def _exchange(
    tx: Tx,
    order: OfferOrder,
    parts: Parts,
    has: ledger.AccountsByKey,
    owes: ledger.AccountsByKey,
    cause: Cause,
    today: date,
) -> Book:
    """What the member pays and is given; its accounts are locked."""
    owner = (order.brand_id, order.member_id)
    assets = await assets_by_code(tx, order.brand_id)
    book = Book(new_id)
    await _pay(tx, book, order, parts, has, assets, cause, today)
    issuance = None
    for part in parts[PartPurpose.GIVEN]:
        asset = assets[part.asset]
        if asset.status != AssetStatus.ACTIVE:
            raise NotForSale()
        issuance = issuance or await ledger.issuance_accounts(tx, [order.brand_id])
        account = has.get((*owner, part.asset)) or AccountState(
            order.brand_id, new_id(), order.member_id, part.asset, is_new=True
        )
        book.credit(
            issuance[order.brand_id, order.brand_id, part.asset],
            account,
            part.amount,
            cause,
            campaign_id=None,
            expires_on=asset.expiry.last_day(today),
            owed=owes.get((*owner, part.asset)),
        )
        if asset.expiry.is_extended:
            book.extend(account, today, asset.expiry.last_day(today))
    return book


async def _pay(
    tx: Tx,
    book: Book,
    order: OfferOrder,
    parts: Parts,
    has: ledger.AccountsByKey,
    assets: Mapping[str, AssetView],
    cause: Cause,
    today: date,
) -> None:
    """The price goes to what is spent and the fee to fees, which may be of one asset: what expires
    soonest pays the price."""
    brand_id = order.brand_id
    price = {part.asset: part.amount for part in parts[PartPurpose.PRICE]}
    fee = next(iter(parts[PartPurpose.FEE]), None)
    total = total_of(parts[PartPurpose.PRICE], fee)
    spent = await ledger.brand_books(tx, [brand_id], AccountKind.SPENT) if price else {}
    fees = await ledger.brand_books(tx, [brand_id], AccountKind.FEES) if fee else {}
    for asset, wanted in sorted(total.items()):
        account = has.get((brand_id, order.member_id, asset))
        if account is None:
            raise InsufficientBalance(asset=asset, available=0, wanted=wanted)
        try:
            lots = await ledger.spend_parts(tx, account, wanted, today)
        except InsufficientBalance as short:
            raise InsufficientBalance(asset=asset, **short.details) from short
        for_price, for_fee = split_parts(lots, price.get(asset, 0))
        for books, paid in ((spent, for_price), (fees, for_fee)):
            if paid:
                to = books[brand_id, brand_id, asset]
                book.take(account, to, paid, TransferKind.SPEND, cause)
        expiry = assets[asset].expiry
        if expiry.is_extended:
            book.extend(account, today, expiry.last_day(today))


def _facts(tx: Tx, order: OfferOrder, offer: Offer, issues: Sequence[CouponIssue]) -> list[Fact]:
    payload = order_payload(order, kind=offer.kind, quantity=order.quantity)
    return [
        Fact(order.brand_id, REDEEMED_TOPIC, order.member_id, payload, tx.now),
        *(
            Fact(order.brand_id, ISSUED_TOPIC, order.member_id, issued_payload(issue), tx.now)
            for issue in issues
        ),
    ]
