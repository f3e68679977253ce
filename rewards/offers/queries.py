"""The SQL of offers, always inside one brand."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, update
from sqlmodel import col, select

from loyalty import keyed
from loyalty.assets.models import AssetDefinition, AssetStatus
from loyalty.db import Snapshot, Statement, Tx
from rewards.coupons.models import CouponTemplate, CouponTemplateStatus
from rewards.offers.models import Offer, OfferCounter, OfferDay, OfferKind, OfferStatus
from rewards.offers.rules import Privileges

# An amount below zero gives back: what was counted is there.
TAKE_STOCK = Statement(
    """
    UPDATE offers SET taken = offers.taken + :amount
    WHERE offers.brand_id = :brand_id AND offers.id = :id AND offers.taken + :amount >= 0
        AND (:amount < 0 OR offers.status = 'ACTIVE'
            AND (offers.stock_max IS NULL OR offers.taken + :amount <= offers.stock_max))
    RETURNING offers.id
    """,
    params="amount bigint, brand_id uuid, id uuid",
    returns="id uuid",
)

TAKE_DAY_STOCK = Statement(
    """
    INSERT INTO offer_days (brand_id, offer_id, day, taken, taken_max)
    SELECT brand_id, offer_id, day, taken, taken_max FROM {rows}
    WHERE taken_max IS NULL OR taken <= taken_max
    ON CONFLICT (brand_id, offer_id, day) DO UPDATE
        SET taken = offer_days.taken + excluded.taken, taken_max = excluded.taken_max
        WHERE excluded.taken_max IS NULL
            OR offer_days.taken + excluded.taken <= excluded.taken_max
    RETURNING taken
    """,
    sets={"rows": "brand_id uuid, offer_id uuid, day date, taken bigint, taken_max bigint"},
    returns="taken bigint",
)

COUNT_TIMES = Statement(
    """
    INSERT INTO offer_counters (brand_id, offer_id, member_id, window_key, used, times_max)
    SELECT brand_id, offer_id, member_id, window_key, used, times_max FROM {rows}
    WHERE times_max IS NULL OR used <= times_max
    ON CONFLICT (brand_id, offer_id, member_id, window_key) DO UPDATE
        SET used = offer_counters.used + excluded.used, times_max = excluded.times_max
        WHERE excluded.times_max IS NULL
            OR offer_counters.used + excluded.used <= excluded.times_max
    RETURNING window_key
    """,
    sets={
        "rows": "brand_id uuid, offer_id uuid, member_id uuid, window_key text, used bigint,"
        " times_max bigint"
    },
    returns="window_key text",
)

GIVE_BACK_DAY_STOCK = Statement(
    """
    UPDATE offer_days SET taken = offer_days.taken - :amount
    WHERE brand_id = :brand_id AND offer_id = :offer_id AND day = :day AND taken >= :amount
    RETURNING taken
    """,
    params="amount bigint, brand_id uuid, offer_id uuid, day date",
    returns="taken bigint",
)

GIVE_BACK_TIMES = Statement(
    """
    UPDATE offer_counters SET used = offer_counters.used - rows.used
    FROM {rows} WHERE offer_counters.brand_id = rows.brand_id
        AND offer_counters.offer_id = rows.offer_id AND offer_counters.member_id = rows.member_id
        AND offer_counters.window_key = rows.window_key AND offer_counters.used >= rows.used
    RETURNING offer_counters.window_key
    """,
    sets={"rows": "brand_id uuid, offer_id uuid, member_id uuid, window_key text, used bigint"},
    returns="window_key text",
)


# --- offers ------------------------------------------------------------------------------------


async def get_offer(snapshot: Snapshot, brand_id: UUID, offer_id: UUID) -> Offer:
    """The row as it is now; NotFound when the brand has none such."""
    return await keyed.get_row(snapshot, Offer, brand_id, offer_id, "offer")


async def list_offers(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[Offer]:
    """The brand's offers, newest first, older than the id ``before``."""
    return await keyed.list_newest(snapshot, Offer, brand_id, before=before, limit=limit)


async def list_offers_by_ids(
    snapshot: Snapshot, brand_id: UUID, offer_ids: Sequence[UUID]
) -> list[Offer]:
    """Those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, Offer, brand_id, offer_ids)


async def list_offers_on_sale(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    rank: int,
    privileges: Privileges,
    opened_before: datetime,
    today: date,
    only_open: bool = True,
    ids: Sequence[UUID] | None = None,
    before: UUID | None = None,
    limit: int,
) -> list[Offer]:
    """What is on sale now, newest first; among ``ids`` if some are named. ``only_open``: what a
    member of this rank may take (``rules.access``), and what there is of it still; else also what
    is sold out, above the rank or not open yet. ``opened_before`` is now, and later by what the
    member's privileges give."""
    now = snapshot.now
    conditions = [
        col(Offer.status) == OfferStatus.ACTIVE.value,
        or_(col(Offer.starts_at).is_(None), col(Offer.starts_at) <= now),
        or_(col(Offer.ends_at).is_(None), col(Offer.ends_at) > now),
        or_(col(Offer.kind) != OfferKind.COUPON.value, _has_coupons(today, only_open)),
        or_(col(Offer.kind) != OfferKind.ASSET.value, _is_issued()),
    ]
    if only_open:
        conditions += [
            or_(col(Offer.rank_min) <= rank, col(Offer.code).in_(sorted(privileges.offer_codes))),
            or_(
                col(Offer.opens_at).is_(None),
                col(Offer.opens_at) <= opened_before,
                and_(col(Offer.early_rank_min) <= rank, col(Offer.early_opens_at) <= now),
            ),
            or_(col(Offer.stock_max).is_(None), col(Offer.taken) < col(Offer.stock_max)),
        ]
    if ids is not None:
        conditions.append(col(Offer.id).in_(ids))
    return await keyed.list_newest(
        snapshot, Offer, brand_id, *conditions, before=before, limit=limit
    )


def _has_coupons(today: date, in_stock: bool) -> ColumnElement[bool]:
    """Whether coupons of the template are issued still, and if wanted, whether some are left."""
    stock = or_(
        col(CouponTemplate.stock_max).is_(None),
        col(CouponTemplate.issued) < col(CouponTemplate.stock_max),
    )
    return exists(
        select(col(CouponTemplate.id)).where(
            col(CouponTemplate.brand_id) == col(Offer.brand_id),
            col(CouponTemplate.id) == col(Offer.template_id),
            col(CouponTemplate.status) == CouponTemplateStatus.ACTIVE.value,
            or_(
                col(CouponTemplate.usable_until).is_(None),
                col(CouponTemplate.usable_until) >= today,
            ),
            *((stock,) if in_stock else ()),
        )
    )


def _is_issued() -> ColumnElement[bool]:
    return exists(
        select(col(AssetDefinition.code)).where(
            col(AssetDefinition.brand_id) == col(Offer.brand_id),
            col(AssetDefinition.code) == col(Offer.given_asset),
            col(AssetDefinition.status) == AssetStatus.ACTIVE.value,
        )
    )


async def change_offer(tx: Tx, brand_id: UUID, offer_id: UUID, values: dict[str, Any]) -> bool:
    """Set columns of an offer; False when there is none, or its new stock is below what is
    taken."""
    conditions = [col(Offer.brand_id) == brand_id, col(Offer.id) == offer_id]
    if values["stock_max"] is not None:
        conditions.append(col(Offer.taken) <= values["stock_max"])
    changed = await tx.session.exec(
        update(Offer)
        .where(*conditions)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return changed.rowcount == 1


# --- counts ------------------------------------------------------------------------------------


async def take_stock(tx: Tx, offer: Offer, amount: int) -> bool:
    """Count pieces as taken, or fewer than none as given back; False when there are not so many,
    or the offer was paused."""
    taken = await tx.fetch(TAKE_STOCK, amount=amount, brand_id=offer.brand_id, id=offer.id)
    return len(taken) == 1


async def take_day_stock(tx: Tx, offer: Offer, day: date, amount: int) -> bool:
    """Likewise for a local day; False when it has not so many left."""
    row = (offer.brand_id, offer.id, day, amount, offer.per_day_max)
    return len(await tx.fetch(TAKE_DAY_STOCK, rows=[row])) == 1


async def give_back_day_stock(tx: Tx, offer: Offer, day: date, amount: int) -> bool:
    """False when the day counts fewer."""
    given = await tx.fetch(
        GIVE_BACK_DAY_STOCK, amount=amount, brand_id=offer.brand_id, offer_id=offer.id, day=day
    )
    return len(given) == 1


async def count_times(
    tx: Tx, offer: Offer, member_id: UUID, rows: Iterable[tuple[str, int, int | None]]
) -> set[str]:
    """Count a member's pieces by (window key, pieces, limit or None): the keys within limits."""
    owner = (offer.brand_id, offer.id, member_id)
    counted = await tx.fetch(COUNT_TIMES, rows=sorted((*owner, *row) for row in rows))
    return {row[0] for row in counted}


async def give_back_times(
    tx: Tx, offer: Offer, member_id: UUID, window_keys: Iterable[str], amount: int
) -> int:
    """Count a member's pieces no more; in how many windows they were counted."""
    owner = (offer.brand_id, offer.id, member_id)
    rows = [(*owner, key, amount) for key in sorted(window_keys)]
    return len(await tx.fetch(GIVE_BACK_TIMES, rows=rows))


async def find_used(
    snapshot: Snapshot,
    brand_id: UUID,
    member_id: UUID,
    offer_ids: Sequence[UUID],
    window_keys: Iterable[str],
) -> dict[UUID, dict[str, int]]:
    """How many pieces a member has taken, by offer and window key."""
    found = await snapshot.session.exec(
        select(OfferCounter).where(
            col(OfferCounter.brand_id) == brand_id,
            col(OfferCounter.member_id) == member_id,
            col(OfferCounter.offer_id).in_(offer_ids),
            col(OfferCounter.window_key).in_(sorted(window_keys)),
        )
    )
    used: dict[UUID, dict[str, int]] = {id: {} for id in offer_ids}
    for row in found:
        used[row.offer_id][row.window_key] = row.used
    return used


async def find_taken_on(
    snapshot: Snapshot, brand_id: UUID, offer_ids: Sequence[UUID], day: date
) -> dict[UUID, int]:
    """How many pieces of offers were taken on a local day; those of none are left out."""
    found = await snapshot.session.exec(
        select(OfferDay).where(
            col(OfferDay.brand_id) == brand_id,
            col(OfferDay.offer_id).in_(offer_ids),
            col(OfferDay.day) == day,
        )
    )
    return {row.offer_id: row.taken for row in found}
