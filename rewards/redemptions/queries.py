"""The SQL of redemptions. Each step is one guarded update: who moves the row has taken the step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement, Tx, insert_statement
from loyalty.places.models import Clerk, Place, Till
from loyalty.statements import columns_of, names_of
from rewards.coupons.models import Coupon
from rewards.redemptions.models import Redemption, RedemptionEvent, RedemptionStatus
from rewards.redemptions.rules import CouponTerms, as_at

_COLUMNS = columns_of(Redemption)
_NAMES = names_of(_COLUMNS)
_ALL = ", ".join(_NAMES)
_EVENT_COLUMNS = columns_of(RedemptionEvent)
_EVENT_NAMES = names_of(_EVENT_COLUMNS)

INSERT_REDEMPTIONS = insert_statement(Redemption, _COLUMNS)
INSERT_EVENTS = insert_statement(RedemptionEvent, _EVENT_COLUMNS)

_COUPON_COLUMNS = columns_of(Coupon)
_COUPON_NAMES = names_of(_COUPON_COLUMNS)

# All that a till's question needs, at once: this is asked before each redemption.
READ_COUPON = Statement(
    f"""
    SELECT {", ".join(names_of(_COUPON_COLUMNS, "c"))}, b.timezone, b.hold_seconds,
        t.kind, t.amount_off_fen, t.spend_min_fen, t.pay_fen, t.product_id,
        CAST(t.place_ids AS text), CAST(t.product_ids AS text), t.cost_fen, t.fee_fen,
        t.agreement_id
    FROM {{codes}}
    {{each:c coupons ON c.brand_id = codes.brand_id AND c.code = codes.code}}
    {{each:t coupon_templates ON t.brand_id = c.brand_id AND t.id = c.template_id}}
    {{each:b brands ON b.id = c.brand_id}}
    """,
    sets={"codes": "brand_id uuid, code text"},
    returns=f"{_COUPON_COLUMNS}, timezone text, hold_seconds bigint, kind text,"
    " amount_off_fen bigint, spend_min_fen bigint, pay_fen bigint, product_id uuid,"
    " place_ids text, product_ids text, cost_fen bigint, fee_fen bigint, agreement_id uuid",
)

LOCK_REDEMPTIONS = Statement(
    f"""
    SELECT {", ".join(names_of(_COLUMNS, "r"))}
    FROM {{keys}} {{locked:r redemptions ON r.brand_id = keys.brand_id AND r.id = keys.id}}
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    returns=_COLUMNS,
)

CAPTURE = Statement(
    f"""
    UPDATE redemptions SET status = 'CAPTURED', captured_at = :now,
        rebate_transfer_id = CASE WHEN rebate_fen > 0 THEN :transfer_id END
    WHERE brand_id = :brand_id AND id = :id AND place_id = :place_id
        AND status = 'HELD' AND held_until > :now
    RETURNING {_ALL}
    """,
    params="now timestamptz, transfer_id uuid, brand_id uuid, id uuid, place_id uuid",
    returns=_COLUMNS,
)

VOID = Statement(
    f"""
    UPDATE redemptions SET status = 'VOIDED', ended_at = :now
    WHERE brand_id = :brand_id AND id = :id AND place_id = :place_id
        AND status = 'HELD' AND held_until > :now
    RETURNING {_ALL}
    """,
    params="now timestamptz, brand_id uuid, id uuid, place_id uuid",
    returns=_COLUMNS,
)

REVERSE = Statement(
    f"""
    UPDATE redemptions SET status = 'REVERSED', ended_at = :now, reason = :reason
    WHERE brand_id = :brand_id AND id = :id AND status = 'CAPTURED'
    RETURNING {_ALL}
    """,
    params="now timestamptz, reason text, brand_id uuid, id uuid",
    returns=_COLUMNS,
)

LAPSE_ONE = Statement(
    """
    UPDATE redemptions SET status = 'LAPSED', ended_at = :now
    WHERE coupon_brand_id = :brand_id AND coupon_id = :coupon_id AND id = :id
        AND status = 'HELD' AND held_until <= :now
    RETURNING brand_id
    """,
    params="now timestamptz, brand_id uuid, coupon_id uuid, id uuid",
    returns="brand_id uuid",
)

LAPSE_HOLDS = Statement(
    """
    WITH due AS MATERIALIZED (
        SELECT r.brand_id, r.id FROM redemptions r
        WHERE r.status = 'HELD' AND r.held_until <= :now
        ORDER BY r.held_until LIMIT :row_count_max {skip:r}
    )
    UPDATE redemptions SET status = 'LAPSED', ended_at = :now
    WHERE (brand_id, id) IN (SELECT brand_id, id FROM due)
    RETURNING coupon_brand_id, id, coupon_id, brand_id
    """,
    params="now timestamptz, row_count_max bigint",
    returns="coupon_brand_id uuid, id uuid, coupon_id uuid, brand_id uuid",
)

# Where the coupon went on meanwhile (expired, voided) there is nothing to give up.
RELEASE_COUPONS = Statement(
    """
    UPDATE coupons SET status = 'ISSUED', held_until = NULL, redemption_id = NULL
    FROM {lapsed} WHERE coupons.brand_id = lapsed.coupon_brand_id AND coupons.id = lapsed.coupon_id
        AND coupons.status = 'HELD' AND coupons.redemption_id = lapsed.id
    """,
    sets={"lapsed": "coupon_brand_id uuid, id uuid, coupon_id uuid"},
)

MARK_SETTLED = Statement(
    """
    UPDATE redemptions SET settled_at = :now
    FROM {settled} WHERE redemptions.brand_id = settled.brand_id AND redemptions.id = settled.id
        AND redemptions.status = 'CAPTURED' AND redemptions.settled_at IS NULL
    RETURNING redemptions.id
    """,
    sets={"settled": "brand_id uuid, id uuid"},
    params="now timestamptz",
    returns="id uuid",
)


def _redemption(row: Sequence[Any]) -> Redemption:
    return Redemption(**dict(zip(_NAMES, row, strict=True)))


def _row(names: Sequence[str], row: Redemption | RedemptionEvent) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)


# --- steps -------------------------------------------------------------------------------------


async def add_redemption(tx: Tx, redemption: Redemption) -> None:
    await tx.fetch(INSERT_REDEMPTIONS, rows=[_row(_NAMES, redemption)])


async def add_events(tx: Tx, events: Sequence[RedemptionEvent]) -> None:
    await tx.fetch(INSERT_EVENTS, rows=[_row(_EVENT_NAMES, event) for event in events])


async def lock_redemptions(tx: Tx, keys: Iterable[tuple[UUID, UUID]]) -> list[Redemption]:
    """Those that exist, locked in the order of (brand_id, id) until the transaction ends."""
    rows = await tx.fetch(LOCK_REDEMPTIONS, keys=sorted(set(keys)))
    return [_redemption(row) for row in rows]


async def capture(
    tx: Tx, brand_id: UUID, redemption_id: UUID, place_id: UUID, transfer_id: UUID
) -> Redemption | None:
    """HELD to CAPTURED at its own place before the hold lapses, its rebate (if any) to be the
    transfer of this id; None for anything else."""
    rows = await tx.fetch(
        CAPTURE,
        now=tx.now,
        transfer_id=transfer_id,
        brand_id=brand_id,
        id=redemption_id,
        place_id=place_id,
    )
    return _redemption(rows[0]) if rows else None


async def void(tx: Tx, brand_id: UUID, redemption_id: UUID, place_id: UUID) -> Redemption | None:
    """HELD to VOIDED at its own place before the hold lapses; None for anything else."""
    rows = await tx.fetch(VOID, now=tx.now, brand_id=brand_id, id=redemption_id, place_id=place_id)
    return _redemption(rows[0]) if rows else None


async def reverse(tx: Tx, brand_id: UUID, redemption_id: UUID, reason: str) -> Redemption | None:
    """CAPTURED to REVERSED; None for anything else."""
    rows = await tx.fetch(REVERSE, now=tx.now, reason=reason, brand_id=brand_id, id=redemption_id)
    return _redemption(rows[0]) if rows else None


async def lapse_one(tx: Tx, coupon: Coupon, redemption_id: UUID) -> UUID | None:
    """A coupon's hold that is over to LAPSED: the brand of the till that held it; None when it is
    not over, or somebody has ended it."""
    rows = await tx.fetch(
        LAPSE_ONE, now=tx.now, brand_id=coupon.brand_id, coupon_id=coupon.id, id=redemption_id
    )
    return rows[0][0] if rows else None


async def lapse_holds(tx: Tx, limit: int) -> list[tuple[UUID, UUID, UUID]]:
    """Up to ``limit`` holds that are over to LAPSED, and their coupons free again: (brand_id, id,
    coupon_id) of each redemption. Those that somebody works on just now are left for next time."""
    lapsed = [tuple(row) for row in await tx.fetch(LAPSE_HOLDS, now=tx.now, row_count_max=limit)]
    if lapsed:
        await tx.fetch(RELEASE_COUPONS, lapsed=sorted(row[:3] for row in lapsed))
    return [(brand_id, id, coupon_id) for _, id, coupon_id, brand_id in lapsed]


async def mark_settled(tx: Tx, keys: Sequence[tuple[UUID, UUID]]) -> int:
    """Note that the rebates of captured redemptions were posted now; how many it were."""
    return len(await tx.fetch(MARK_SETTLED, settled=sorted(keys), now=tx.now))


# --- reads -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FoundCoupon:
    """A coupon, its terms, and what its brand says of time."""

    coupon: Coupon
    terms: CouponTerms
    timezone: str
    hold_seconds: int


async def find_coupon(snapshot: Snapshot, brand_id: UUID, code: str) -> FoundCoupon | None:
    """By the sixteen digits, as it is now."""
    found = await find_coupons(snapshot, [brand_id], code)
    return found[0] if found else None


async def find_coupons(
    snapshot: Snapshot, brand_ids: Sequence[UUID], code: str
) -> list[FoundCoupon]:
    """Those with these sixteen digits of any of these brands, as they are now."""
    rows = await snapshot.fetch(READ_COUPON, codes=[(brand_id, code) for brand_id in brand_ids])
    return [_found(row) for row in rows]


def _found(row: Sequence[Any]) -> FoundCoupon:
    width = len(_COUPON_NAMES)
    coupon = Coupon(**dict(zip(_COUPON_NAMES, row[:width], strict=True)))
    timezone, hold_seconds, *terms = row[width:]
    terms[5:7] = [orjson.loads(ids) for ids in terms[5:7]]
    return FoundCoupon(coupon, CouponTerms(*terms), timezone, hold_seconds)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a coupon: the redemption, and the names of its place and till."""

    redemption: Redemption
    place_name: str
    till_name: str


async def find_holder(
    snapshot: Snapshot, coupon_brand_id: UUID, coupon_id: UUID, redemption_id: UUID
) -> Holder | None:
    found = await snapshot.session.exec(
        select(Redemption, col(Place.name), col(Till.name))
        .join(
            Place,
            (col(Place.brand_id) == col(Redemption.brand_id))
            & (col(Place.id) == col(Redemption.place_id)),
        )
        .join(
            Till,
            (col(Till.brand_id) == col(Redemption.brand_id))
            & (col(Till.id) == col(Redemption.till_id)),
        )
        .where(
            col(Redemption.coupon_brand_id) == coupon_brand_id,
            col(Redemption.coupon_id) == coupon_id,
            col(Redemption.id) == redemption_id,
        )
        .execution_options(populate_existing=True)
    )
    row = found.first()
    return None if row is None else Holder(as_at(row[0], snapshot.now), row[1], row[2])


async def find_redemption(
    snapshot: Snapshot, brand_id: UUID, redemption_id: UUID
) -> Redemption | None:
    """As it is now (a hold that is over is LAPSED), also when this transaction has read an older
    row."""
    row = await keyed.find_row(snapshot, Redemption, brand_id, redemption_id)
    return None if row is None else as_at(row, snapshot.now)


async def list_redemptions(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    before: UUID | None,
    limit: int,
    place_id: UUID | None = None,
    status: RedemptionStatus | None = None,
) -> list[Redemption]:
    """Newest first, older than the id ``before``. ``status`` goes by date as well: a hold that is
    over is LAPSED, tidied away or not."""
    conditions = []
    if place_id is not None:
        conditions.append(col(Redemption.place_id) == place_id)
    if status is not None:
        conditions.append(_has_status(status, snapshot.now))
    found = await keyed.list_newest(
        snapshot, Redemption, brand_id, *conditions, before=before, limit=limit
    )
    return [as_at(row, snapshot.now) for row in found]


def _has_status(status: RedemptionStatus, now: datetime) -> ColumnElement[bool]:
    stored = col(Redemption.status) == status.value
    if status is RedemptionStatus.HELD:
        return and_(stored, col(Redemption.held_until) > now)
    if status is RedemptionStatus.LAPSED:
        held = col(Redemption.status) == RedemptionStatus.HELD.value
        return or_(stored, and_(held, col(Redemption.held_until) <= now))
    return stored


async def list_events(
    snapshot: Snapshot, brand_id: UUID, redemption_ids: Sequence[UUID]
) -> list[RedemptionEvent]:
    """For loaders: the steps of these redemptions, first to last."""
    found = await snapshot.session.exec(
        select(RedemptionEvent)
        .where(
            col(RedemptionEvent.brand_id) == brand_id,
            col(RedemptionEvent.redemption_id).in_(redemption_ids),
        )
        .order_by(col(RedemptionEvent.created_at), col(RedemptionEvent.id))
    )
    return list(found)


async def list_till_names(
    snapshot: Snapshot, brand_id: UUID, till_ids: Sequence[UUID]
) -> dict[UUID, str]:
    """For loaders: by id."""
    statement = select(Till.id, Till.name)
    statement = statement.where(col(Till.brand_id) == brand_id, col(Till.id).in_(till_ids))
    return dict((await snapshot.session.exec(statement)).all())


async def list_clerk_names(
    snapshot: Snapshot, brand_id: UUID, clerk_ids: Sequence[UUID]
) -> dict[UUID, str]:
    """For loaders: by id."""
    statement = select(Clerk.id, Clerk.name)
    statement = statement.where(col(Clerk.brand_id) == brand_id, col(Clerk.id).in_(clerk_ids))
    return dict((await snapshot.session.exec(statement)).all())
