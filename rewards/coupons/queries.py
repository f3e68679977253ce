"""The SQL of coupons and their templates, always inside one brand."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, update
from sqlmodel import col, select

from loyalty.db import Snapshot, Statement, Tx
from loyalty.errors import NotFound
from rewards.coupons.models import Coupon, CouponStatus, CouponTemplate

# A hold that has lapsed is none. The condition on the status is the index's own.
EXPIRE_COUPONS = Statement(
    """
    WITH due AS MATERIALIZED (
        SELECT c.brand_id, c.id FROM {days} CROSS JOIN coupons c
        WHERE c.brand_id = days.brand_id AND c.usable_until < days.today
            AND c.status IN ('ISSUED', 'HELD') AND (c.status = 'ISSUED' OR c.held_until <= :now)
        LIMIT :row_count_max {skip:c}
    )
    UPDATE coupons SET status = 'EXPIRED', held_until = NULL, redemption_id = NULL, ended_at = :now
    WHERE (brand_id, id) IN (SELECT brand_id, id FROM due)
    RETURNING id
    """,
    sets={"days": "brand_id uuid, today date"},
    params="now timestamptz, row_count_max bigint",
    returns="id uuid",
)


async def get_template(snapshot: Snapshot, brand_id: UUID, template_id: UUID) -> CouponTemplate:
    """The row as it is now; NotFound when the brand has none such."""
    found = await snapshot.session.exec(
        select(CouponTemplate)
        .where(col(CouponTemplate.brand_id) == brand_id, col(CouponTemplate.id) == template_id)
        .execution_options(populate_existing=True)
    )
    template = found.first()
    if template is None:
        raise NotFound(noun="coupon template")
    return template


async def find_coupon_by_code(snapshot: Snapshot, brand_id: UUID, code: str) -> Coupon | None:
    """By the sixteen digits."""
    found = await snapshot.session.exec(
        select(Coupon)
        .where(col(Coupon.brand_id) == brand_id, col(Coupon.code) == code)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def get_coupon(snapshot: Snapshot, brand_id: UUID, coupon_id: UUID) -> Coupon:
    """The row as it is now; NotFound when the brand has none such."""
    found = await snapshot.session.exec(
        select(Coupon)
        .where(col(Coupon.brand_id) == brand_id, col(Coupon.id) == coupon_id)
        .execution_options(populate_existing=True)
    )
    coupon = found.first()
    if coupon is None:
        raise NotFound(noun="coupon")
    return coupon


async def lock_coupon(tx: Tx, brand_id: UUID, coupon_id: UUID) -> Coupon:
    """The row as it is now, and nobody else changes it until this transaction ends; NotFound when
    the brand has none such."""
    found = await tx.session.exec(
        select(Coupon)
        .where(col(Coupon.brand_id) == brand_id, col(Coupon.id) == coupon_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    coupon = found.first()
    if coupon is None:
        raise NotFound(noun="coupon")
    return coupon


def _is_free(now: datetime) -> ColumnElement[bool]:
    """Issued, or held by nobody any more."""
    return or_(
        col(Coupon.status) == CouponStatus.ISSUED.value,
        and_(col(Coupon.status) == CouponStatus.HELD.value, col(Coupon.held_until) <= now),
    )


async def hold(tx: Tx, coupon: Coupon, redemption_id: UUID, until: datetime) -> bool:
    """Take a free coupon for one redemption; False when somebody else has it."""
    taken = await tx.session.exec(
        update(Coupon)
        .where(
            col(Coupon.brand_id) == coupon.brand_id, col(Coupon.id) == coupon.id, _is_free(tx.now)
        )
        .values(status=CouponStatus.HELD.value, held_until=until, redemption_id=redemption_id)
        .execution_options(synchronize_session=False)
    )
    return taken.rowcount == 1


async def release(tx: Tx, brand_id: UUID, coupon_id: UUID, redemption_id: UUID) -> bool:
    """Give up a hold, lapsed or not; False when this redemption does not hold the coupon."""
    released = await tx.session.exec(
        update(Coupon)
        .where(
            col(Coupon.brand_id) == brand_id,
            col(Coupon.id) == coupon_id,
            col(Coupon.status) == CouponStatus.HELD.value,
            col(Coupon.redemption_id) == redemption_id,
        )
        .values(status=CouponStatus.ISSUED.value, held_until=None, redemption_id=None)
        .execution_options(synchronize_session=False)
    )
    return released.rowcount == 1


async def redeem(tx: Tx, brand_id: UUID, coupon_id: UUID, redemption_id: UUID) -> bool:
    """Use up a coupon that this redemption holds; False when the hold is gone or has lapsed."""
    redeemed = await tx.session.exec(
        update(Coupon)
        .where(
            col(Coupon.brand_id) == brand_id,
            col(Coupon.id) == coupon_id,
            col(Coupon.status) == CouponStatus.HELD.value,
            col(Coupon.redemption_id) == redemption_id,
            col(Coupon.held_until) > tx.now,
        )
        .values(status=CouponStatus.REDEEMED.value, held_until=None, ended_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return redeemed.rowcount == 1


async def give_back(
    tx: Tx, coupon: Coupon, redemption_id: UUID, today: date
) -> CouponStatus | None:
    """Undo a redemption: ISSUED again, or EXPIRED when the coupon's date has passed meanwhile.
    None when this redemption has not used the coupon up."""
    status = CouponStatus.EXPIRED if coupon.usable_until < today else CouponStatus.ISSUED
    given = await tx.session.exec(
        update(Coupon)
        .where(
            col(Coupon.brand_id) == coupon.brand_id,
            col(Coupon.id) == coupon.id,
            col(Coupon.status) == CouponStatus.REDEEMED.value,
            col(Coupon.redemption_id) == redemption_id,
        )
        .values(
            status=status.value,
            redemption_id=None,
            ended_at=tx.now if status is CouponStatus.EXPIRED else None,
        )
        .execution_options(synchronize_session=False)
    )
    return status if given.rowcount == 1 else None
