"""What becomes of orders whose gift is to be handed out: it is, or they are cancelled."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from loyalty import audit_log, outbox
from loyalty.actor import Actor
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, StatementMismatch, Tx
from loyalty.errors import OrderStateWrong
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.rules import Book, Cause
from loyalty.members.service import follow_merges
from loyalty.outbox import Fact
from loyalty.reversals.service import find_transfers, give_back
from loyalty.text import checked_text
from rewards.coupons import service as coupons
from rewards.offers import service as offers
from rewards.orders import queries
from rewards.orders.models import OfferOrder, OrderStatus
from rewards.orders.queries import get_order
from rewards.orders.rules import (
    CANCELLED_TOPIC,
    CARRIER_LENGTH_MAX,
    FULFILLED_TOPIC,
    ORDER,
    REASON_LENGTH_MAX,
    TRACKING_NUMBER_LENGTH_MAX,
    order_payload,
)
from tiers.standings.following import follow_growth


async def fulfil_order(
    tx: Tx,
    actor: Actor,
    order_id: UUID,
    *,
    carrier: str | None = None,
    tracking_number: str | None = None,
) -> OfferOrder:
    """Note that a gift was handed out, or sent by ``carrier`` under its ``tracking_number``.

    Refuses NotFound, InvalidInput and OrderStateWrong.
    """
    values = {
        "carrier": _checked(carrier, "carrier", CARRIER_LENGTH_MAX),
        "tracking_number": _checked(tracking_number, "trackingNumber", TRACKING_NUMBER_LENGTH_MAX),
    }
    order = await get_order(tx, actor.brand_id, order_id)
    await _end(tx, order, OrderStatus.FULFILLED, values | {"fulfilled_at": tx.now})
    await audit_log.record(tx, actor, "order.fulfil", order_id, "", **values)
    payload = order_payload(order, **values)
    holder_id = await _holder_of(tx, order)
    await outbox.emit(tx, [Fact(order.brand_id, FULFILLED_TOPIC, holder_id, payload, tx.now)])
    return await get_order(tx, actor.brand_id, order_id)


def _checked(text: str | None, field: str, length_max: int) -> str | None:
    return None if text is None else checked_text(text, field, length_max=length_max)


async def cancel_order(tx: Tx, actor: Actor, order_id: UUID, reason: str) -> OfferOrder:
    """End an order whose gift was not handed out: price and fee go back into the lots they came
    from (what the member owes is repaid first), its pieces into the stock and the limits; a coupon
    is free again, or EXPIRED if its date has passed. The reason is shown to the member, or to the
    one that it was merged into.

    Refuses NotFound, InvalidInput and OrderStateWrong.
    """
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    order = await get_order(tx, actor.brand_id, order_id)
    offer = await offers.get_offer(tx, actor.brand_id, order.offer_id)
    holder_id = await _holder_of(tx, order)
    owner, holder = (order.brand_id, order.member_id), (order.brand_id, holder_id)
    closed = [owner] if holder != owner else []
    has, owes = await ledger.lock_accounts_and_debts(tx, [owner, holder], closed_owners=closed)
    values = {"cancelled_at": tx.now, "reason": reason}
    await _end(tx, order, OrderStatus.CANCELLED, values)
    cause = Cause(ORDER, order.id, actor.kind.value, actor.id, reason, tx.now)
    today = local_date(tx.now, (await get_brand(tx, order.brand_id)).timezone)
    book = Book(new_id)
    payments = await queries.list_payments(tx, order)
    for paid in await find_transfers(tx, order.brand_id, payments):
        await give_back(tx, book, paid, paid.amount, cause, today, holder_id, has=has, owes=owes)
    day, quantity = order.ordered_on, order.quantity
    if order.coupon_id is None:
        await offers.give_back_times(tx, offer, order.member_id, day, quantity)
    else:
        await _give_coupon_back(tx, order.brand_id, order.coupon_id, today)
    await follow_growth(tx, order.brand_id, book)
    await ledger.write_members_side(tx, book)
    await audit_log.record(tx, actor, "order.cancel", order_id, reason)
    payload = order_payload(order, reason=reason)
    await outbox.emit(tx, [Fact(order.brand_id, CANCELLED_TOPIC, holder_id, payload, tx.now)])
    if order.coupon_id is None:
        await offers.give_back_stock(tx, offer, day, quantity)
    await ledger.write_brands_side(tx, book)
    return await get_order(tx, actor.brand_id, order_id)


async def _give_coupon_back(tx: Tx, brand_id: UUID, coupon_id: UUID, today: date) -> None:
    coupon = await coupons.lock_coupon(tx, brand_id, coupon_id)
    if await coupons.give_back(tx, coupon, None, today) is None:
        raise StatementMismatch("an order and its coupon do not agree")


async def _holder_of(tx: Tx, order: OfferOrder) -> UUID:
    """The member of an order, or the one that it was merged into."""
    return (await follow_merges(tx, order.brand_id, [order.member_id]))[order.member_id]


async def _end(
    tx: Tx, order: OfferOrder, status: OrderStatus, values: Mapping[str, object]
) -> None:
    if await queries.end_order(tx, order.brand_id, order.id, status, dict(values)):
        return
    now = await get_order(tx, order.brand_id, order.id)
    if now.status == OrderStatus.PLACED:
        raise RetryTransaction
    raise OrderStateWrong(status=now.status, wanted=status.value)
