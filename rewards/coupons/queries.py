"""The SQL of coupons and their templates, always inside one brand."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, and_, or_, update
from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Database, KeyedStatement, Snapshot, Statement, Tx
from loyalty.errors import NotFound
from loyalty.statements import kind_of
from rewards.coupons.models import Coupon, CouponStatus, CouponTemplate, CouponTemplateStatus
from rewards.coupons.states import CouponView, Promise, ShownCoupon
from rewards.offers.models import Offer, OfferKind

# A paused template has nothing left to issue; None is without limit.
FIND_STOCK = Statement(
    """
    SELECT t.brand_id, t.id, CASE WHEN t.status = 'ACTIVE' THEN t.stock_max - t.issued ELSE 0 END
    FROM {keys} {each:t coupon_templates
        ON t.brand_id = keys.brand_id AND t.id = keys.template_id}
    """,
    sets={"keys": "brand_id uuid, template_id uuid"},
    returns="brand_id uuid, template_id uuid, stock_left bigint",
)

TAKE_STOCK = Statement(
    """
    UPDATE coupon_templates SET issued = coupon_templates.issued + taken.amount
    FROM {taken} WHERE coupon_templates.brand_id = taken.brand_id
        AND coupon_templates.id = taken.template_id
        AND (coupon_templates.status = 'ACTIVE' OR taken.amount < 0)
        AND (coupon_templates.stock_max IS NULL
            OR coupon_templates.issued + taken.amount <= coupon_templates.stock_max)
    RETURNING coupon_templates.id
    """,
    sets={"taken": "brand_id uuid, template_id uuid, amount bigint"},
    returns="id uuid",
)

INSERT_COUPONS = Statement(
    """
    INSERT INTO coupons (brand_id, id, template_id, member_id, code, status, cause_kind, cause_id,
        usable_from, usable_until, issued_at)
    SELECT brand_id, id, template_id, member_id, code, 'ISSUED', cause_kind, cause_id,
        usable_from, usable_until, issued_at FROM {rows} WHERE true
    ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, template_id uuid, member_id uuid, code text,"
        " cause_kind text, cause_id uuid, usable_from date, usable_until date,"
        " issued_at timestamptz"
    },
    returns="id uuid",
)

COUNT_PURCHASE = Statement(
    """
    INSERT INTO coupon_purchase_counters (brand_id, template_id, member_id, used, times_max)
    SELECT brand_id, template_id, member_id, used, times_max FROM {rows} WHERE true
    ON CONFLICT (brand_id, template_id, member_id) DO UPDATE
        SET used = coupon_purchase_counters.used + excluded.used, times_max = excluded.times_max
        WHERE coupon_purchase_counters.used + excluded.used <= excluded.times_max
    RETURNING used
    """,
    sets={"rows": "brand_id uuid, template_id uuid, member_id uuid, used bigint, times_max bigint"},
    returns="used bigint",
)

HOLD_COUPON = Statement(
    """
    UPDATE coupons SET status = 'HELD', held_until = :until, redemption_id = :redemption_id
    WHERE brand_id = :brand_id AND id = :id
        AND (status = 'ISSUED' OR (status = 'HELD' AND held_until <= :now))
    RETURNING id
    """,
    params="until timestamptz, redemption_id uuid, brand_id uuid, id uuid, now timestamptz",
    returns="id uuid",
)

REDEEM_COUPON = Statement(
    """
    UPDATE coupons SET status = 'REDEEMED', held_until = NULL, ended_at = :now
    WHERE brand_id = :brand_id AND id = :id
        AND status = 'HELD' AND redemption_id = :redemption_id AND held_until > :now
    RETURNING id
    """,
    params="now timestamptz, brand_id uuid, id uuid, redemption_id uuid",
    returns="id uuid",
)

# A code that its member has read is used: it cannot be taken back.
VOID_WON = Statement(
    """
    UPDATE coupons SET status = 'VOID', held_until = NULL, redemption_id = NULL, ended_at = :now
    WHERE (brand_id, cause_kind, cause_id) IN (SELECT brand_id, kind, id FROM {causes})
        AND (status = 'ISSUED' OR status = 'HELD' AND held_until <= :now)
        AND NOT EXISTS (SELECT 1 FROM outside_codes o
            WHERE o.brand_id = coupons.brand_id AND o.coupon_id = coupons.id)
    RETURNING id
    """,
    sets={"causes": "brand_id uuid, kind text, id uuid"},
    params="now timestamptz",
    returns="id uuid",
)

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
    RETURNING brand_id, id
    """,
    sets={"days": "brand_id uuid, today date"},
    params="now timestamptz, row_count_max bigint",
    returns="brand_id uuid, id uuid",
)


# --- templates ---------------------------------------------------------------------------------


async def get_template(snapshot: Snapshot, brand_id: UUID, template_id: UUID) -> CouponTemplate:
    """The row as it is now; NotFound when the brand has none such."""
    return await keyed.get_row(snapshot, CouponTemplate, brand_id, template_id, "coupon template")


async def list_templates(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[CouponTemplate]:
    """The brand's templates, newest first, older than the id ``before``."""
    return await keyed.list_newest(snapshot, CouponTemplate, brand_id, before=before, limit=limit)


async def list_offers(
    snapshot: Snapshot, brand_id: UUID, *, today: date, before: UUID | None, limit: int
) -> list[CouponTemplate]:
    """What members may buy on the brand's local day, newest first."""
    on_sale = [
        col(CouponTemplate.status) == CouponTemplateStatus.ACTIVE.value,
        col(CouponTemplate.points_price).is_not(None),
        or_(col(CouponTemplate.usable_until).is_(None), col(CouponTemplate.usable_until) >= today),
        or_(
            col(CouponTemplate.stock_max).is_(None),
            col(CouponTemplate.issued) < col(CouponTemplate.stock_max),
        ),
    ]
    return await keyed.list_newest(
        snapshot, CouponTemplate, brand_id, *on_sale, before=before, limit=limit
    )


async def list_templates_by_ids(
    snapshot: Snapshot, brand_id: UUID, template_ids: Sequence[UUID]
) -> list[CouponTemplate]:
    """Those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, CouponTemplate, brand_id, template_ids)


async def set_template_status(
    tx: Tx, brand_id: UUID, template_id: UUID, status: CouponTemplateStatus
) -> bool:
    """False when it has this status already, is the partner's, or is not there."""
    changed = await tx.session.exec(
        update(CouponTemplate)
        .where(
            col(CouponTemplate.brand_id) == brand_id,
            col(CouponTemplate.id) == template_id,
            col(CouponTemplate.status).not_in([status.value, CouponTemplateStatus.PARTNER.value]),
        )
        .values(status=status.value)
        .execution_options(synchronize_session=False)
    )
    return changed.rowcount == 1


# --- coupons -----------------------------------------------------------------------------------


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
    return await keyed.get_row(snapshot, Coupon, brand_id, coupon_id, "coupon")


async def lock_coupon(tx: Tx, brand_id: UUID, coupon_id: UUID) -> Coupon:
    """The row as it is now, and nobody else changes it until this transaction ends; NotFound when
    the brand has none such."""
    coupon = await keyed.lock_row(tx, Coupon, brand_id, coupon_id)
    if coupon is None:
        raise NotFound(noun="coupon")
    return coupon


_COUPON_NAMES = ShownCoupon._fields
_PROMISE_NAMES = Promise._fields
_LISTS = ("product_ids", "place_ids")
_SHOWN = ", ".join(
    [f"w.{name}" for name in _COUPON_NAMES]
    # Lists are JSON in the table, and go as their text.
    + [f"CAST(t.{name} AS text)" if name in _LISTS else f"t.{name}" for name in _PROMISE_NAMES]
)
_SHOWN_KINDS = ", ".join(
    [f"{name} {kind_of(Coupon, name)}" for name in _COUPON_NAMES]
    + [
        f"template_{name} {'text' if name in _LISTS else kind_of(CouponTemplate, name)}"
        for name in _PROMISE_NAMES
    ]
)
_FREE = "(c.status = 'ISSUED' OR c.status = 'HELD' AND c.held_until <= :now)"

READ_WALLET = KeyedStatement(
    f"""
    SELECT {_SHOWN}
    FROM (
        SELECT * FROM coupons c
        WHERE c.brand_id = :brand_id AND c.member_id = :member_id AND c.id < :before
            AND CASE :status WHEN '' THEN true
            WHEN 'ISSUED' THEN {_FREE} AND c.usable_until >= :today
            WHEN 'HELD' THEN c.status = 'HELD' AND c.held_until > :now
            WHEN 'EXPIRED' THEN c.status = 'EXPIRED' OR {_FREE} AND c.usable_until < :today
            ELSE c.status = :status END
        ORDER BY c.id DESC LIMIT :row_count_max
    ) AS w
    {{each:t coupon_templates ON t.brand_id = w.brand_id AND t.id = w.template_id}}
    ORDER BY w.id DESC
    """,
    keys="brand_id uuid, member_id uuid, before uuid, status text, now timestamptz, today date,"
    " row_count_max bigint",
    returns=_SHOWN_KINDS,
)

READ_VIEWS = Statement(
    f"""
    SELECT {_SHOWN}
    FROM {{ids}} {{each:w coupons ON w.brand_id = ids.brand_id AND w.id = ids.id}}
    JOIN coupon_templates t ON t.brand_id = w.brand_id AND t.id = w.template_id
    """,
    sets={"ids": "brand_id uuid, id uuid"},
    returns=_SHOWN_KINDS,
)

NEWEST = UUID(int=2**128 - 1)


async def read_wallet(
    db: Database,
    brand_id: UUID,
    member_id: UUID,
    *,
    status: CouponStatus | None,
    now: datetime,
    today: date,
    before: UUID | None,
    limit: int,
) -> list[CouponView]:
    """Up to ``limit`` coupons of a member with their templates, newest first, older than the id
    ``before``; in one status (``rules.shown_status``), or any. ``today``: the brand's local day."""
    shown_as = "" if status is None else status.value
    (rows,) = await db.read_each(
        READ_WALLET, [(brand_id, member_id, before or NEWEST, shown_as, now, today, limit)]
    )
    return _views(rows)


async def list_views_by_ids(
    snapshot: Snapshot, brand_id: UUID, coupon_ids: Sequence[UUID]
) -> list[CouponView]:
    """For loaders: those that exist, with their templates, in no order."""
    return _views(await snapshot.fetch(READ_VIEWS, ids=[(brand_id, id) for id in coupon_ids]))


async def list_views_by_causes(
    snapshot: Snapshot, brand_id: UUID, cause_ids: Sequence[UUID]
) -> list[tuple[UUID, CouponView]]:
    """For loaders: what scans, purchases and events gave, with their templates, oldest first."""
    is_given = (col(Coupon.brand_id) == brand_id) & col(Coupon.cause_id).in_(cause_ids)
    query = select(Coupon.cause_id, Coupon.id).where(is_given).order_by(col(Coupon.id))
    given = list(await snapshot.session.exec(query))
    shown = {v.id: v for v in await list_views_by_ids(snapshot, brand_id, [id for _, id in given])}
    return [(cause_id, shown[id]) for cause_id, id in given]


def _views(rows: Iterable[Sequence[Any]]) -> list[CouponView]:
    width = len(_COUPON_NAMES)
    views = []
    for row in rows:
        lists = [orjson.loads(text) for text in row[-len(_LISTS) :]]
        promise = Promise(*row[width : -len(_LISTS)], *lists)
        views.append(CouponView(ShownCoupon._make(row[:width]), promise))
    return views


def _is_free(now: datetime) -> ColumnElement[bool]:
    """Issued, or held by nobody any more."""
    return or_(
        col(Coupon.status) == CouponStatus.ISSUED.value,
        and_(col(Coupon.status) == CouponStatus.HELD.value, col(Coupon.held_until) <= now),
    )


async def hold(tx: Tx, coupon: Coupon, redemption_id: UUID, until: datetime) -> bool:
    """Take a free coupon for one redemption; False when somebody else has it."""
    taken = await tx.fetch(
        HOLD_COUPON,
        until=until,
        redemption_id=redemption_id,
        brand_id=coupon.brand_id,
        id=coupon.id,
        now=tx.now,
    )
    return len(taken) == 1


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
    redeemed = await tx.fetch(
        REDEEM_COUPON, now=tx.now, brand_id=brand_id, id=coupon_id, redemption_id=redemption_id
    )
    return len(redeemed) == 1


async def give_back(
    tx: Tx, coupon: Coupon, redemption_id: UUID | None, today: date
) -> CouponStatus | None:
    """Undo a redemption, or (None) the order of a gift: ISSUED again, or EXPIRED when the coupon's
    date has passed meanwhile. None when that has not used the coupon up."""
    used = CouponStatus.ORDERED if redemption_id is None else CouponStatus.REDEEMED
    status = CouponStatus.EXPIRED if coupon.usable_until < today else CouponStatus.ISSUED
    given = await tx.session.exec(
        update(Coupon)
        .where(
            col(Coupon.brand_id) == coupon.brand_id,
            col(Coupon.id) == coupon.id,
            col(Coupon.status) == used.value,
            col(Coupon.redemption_id).is_not_distinct_from(redemption_id),
        )
        .values(
            status=status.value,
            redemption_id=None,
            ended_at=tx.now if status is CouponStatus.EXPIRED else None,
        )
        .execution_options(synchronize_session=False)
    )
    return status if given.rowcount == 1 else None


async def end(tx: Tx, brand_id: UUID, coupon_id: UUID, status: CouponStatus) -> bool:
    """End a free coupon: VOID, or ORDERED for its gift. False when it is not free."""
    ended = await tx.session.exec(
        update(Coupon)
        .where(col(Coupon.brand_id) == brand_id, col(Coupon.id) == coupon_id, _is_free(tx.now))
        .values(status=status.value, held_until=None, redemption_id=None, ended_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return ended.rowcount == 1


async def find_offer_kind(snapshot: Snapshot, brand_id: UUID, offer_id: UUID) -> OfferKind | None:
    """What an offer of the brand's mall gives; None where it has none such."""
    found = await snapshot.session.exec(
        select(Offer.kind).where(col(Offer.brand_id) == brand_id, col(Offer.id) == offer_id)
    )
    kind = found.first()
    return None if kind is None else OfferKind(kind)
