"""The SQL of purchases: a constant number of set statements for any batch of them."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, func, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement, Tx
from rewards.purchases.models import PurchaseEvent, PurchaseLine

FIND_PURCHASES = Statement(
    """
    SELECT p.purchase_ref, p.id, p.content_hash, p.member_id, p.points_granted
    FROM {keys} {each:p purchase_events
        ON p.brand_id = keys.brand_id AND p.purchase_ref = keys.purchase_ref}
    """,
    sets={"keys": "brand_id uuid, purchase_ref text"},
    returns="purchase_ref text, id uuid, content_hash text, member_id uuid, points_granted bigint",
)

# One row per outside reference that is known; its consumer, if it is one yet.
FIND_BUYERS = Statement(
    """
    SELECT i.external_ref, i.id, m.id, m.status
    FROM {keys}
    {each:i identities ON i.brand_id = keys.brand_id AND i.external_ref = keys.external_ref}
    {maybe:m members ON m.brand_id = i.brand_id AND m.identity_id = i.id AND m.role = 'CONSUMER'}
    """,
    sets={"keys": "brand_id uuid, external_ref text"},
    returns="external_ref text, identity_id uuid, member_id uuid, status text",
)

INSERT_IDENTITIES = Statement(
    """
    INSERT INTO identities (brand_id, id, external_ref, created_at)
    SELECT brand_id, id, external_ref, created_at
    FROM {rows} WHERE true ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={"rows": "brand_id uuid, id uuid, external_ref text, created_at timestamptz"},
    returns="id uuid",
)

INSERT_MEMBERS = Statement(
    """
    INSERT INTO members (brand_id, id, identity_id, role, status, enrolled_at)
    SELECT brand_id, id, identity_id, role, status, enrolled_at
    FROM {rows} WHERE true ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, identity_id uuid, role text, status text,"
        " enrolled_at timestamptz"
    },
    returns="id uuid",
)

INSERT_PURCHASES = Statement(
    """
    INSERT INTO purchase_events (brand_id, id, purchase_ref, content_hash, member_id, purchased_on,
        quantity, amount_fen, points_granted, source, campaign_version_id, returned_fen,
        occurred_at, created_at)
    SELECT brand_id, id, purchase_ref, content_hash, member_id, purchased_on, quantity, amount_fen,
        points_granted, source, campaign_version_id, 0, occurred_at, created_at
    FROM {rows} WHERE true ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, purchase_ref text, content_hash text, member_id uuid,"
        " purchased_on date, quantity bigint, amount_fen bigint, points_granted bigint,"
        " source text, campaign_version_id uuid, occurred_at timestamptz, created_at timestamptz"
    },
    returns="id uuid",
)

INSERT_LINES = Statement(
    """
    INSERT INTO purchase_lines (brand_id, purchase_id, line_no, sku, product_id, quantity,
        amount_fen, returned_quantity, returned_fen)
    SELECT brand_id, purchase_id, line_no, sku, product_id, quantity, amount_fen, 0, 0
    FROM {rows} WHERE true
    """,
    sets={
        "rows": "brand_id uuid, purchase_id uuid, line_no bigint, sku text, product_id uuid,"
        " quantity bigint, amount_fen bigint"
    },
)

# Guarded: of what was returned in the meantime nothing is returned twice.
COUNT_RETURNED = Statement(
    """
    UPDATE purchase_events SET returned_fen = returned_fen + :amount_fen,
        returned_at = :returned_at
    WHERE brand_id = :brand_id AND id = :id AND returned_at IS NULL
        AND returned_fen + :amount_fen <= amount_fen
    RETURNING id
    """,
    params="amount_fen bigint, returned_at timestamptz, brand_id uuid, id uuid",
    returns="id uuid",
)

COUNT_RETURNED_LINES = Statement(
    """
    UPDATE purchase_lines SET returned_quantity = returned_quantity + given.quantity,
        returned_fen = returned_fen + given.amount_fen
    FROM {given} WHERE purchase_lines.brand_id = given.brand_id
        AND purchase_lines.purchase_id = given.purchase_id
        AND purchase_lines.line_no = given.line_no
        AND purchase_lines.returned_quantity + given.quantity <= purchase_lines.quantity
        AND purchase_lines.returned_fen + given.amount_fen <= purchase_lines.amount_fen
    RETURNING purchase_lines.line_no
    """,
    sets={
        "given": "brand_id uuid, purchase_id uuid, line_no bigint, quantity bigint,"
        " amount_fen bigint"
    },
    returns="line_no bigint",
)


async def find_purchase(snapshot: Snapshot, brand_id: UUID, id: UUID) -> PurchaseEvent | None:
    return await keyed.find_row(snapshot, PurchaseEvent, brand_id, id)


async def find_purchase_by_ref(
    snapshot: Snapshot, brand_id: UUID, purchase_ref: str
) -> PurchaseEvent | None:
    found = await snapshot.session.exec(
        select(PurchaseEvent).where(
            col(PurchaseEvent.brand_id) == brand_id,
            col(PurchaseEvent.purchase_ref) == purchase_ref,
        )
    )
    return found.first()


async def lock_purchase(tx: Tx, brand_id: UUID, id: UUID) -> PurchaseEvent | None:
    return await keyed.lock_row(tx, PurchaseEvent, brand_id, id)


async def list_purchases(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[PurchaseEvent]:
    """The brand's purchases, newest recorded first, older than the id ``before``."""
    return await keyed.list_newest(snapshot, PurchaseEvent, brand_id, before=before, limit=limit)


async def list_purchases_of_members(
    snapshot: Snapshot,
    brand_id: UUID,
    member_ids: Sequence[UUID],
    *,
    before: UUID | None,
    limit: int,
) -> list[PurchaseEvent]:
    """For loaders: up to ``limit`` purchases of each member, newest recorded first, older than
    the id ``before``."""
    older = () if before is None else (col(PurchaseEvent.id) < before,)
    place = (
        func.row_number()
        .over(partition_by=col(PurchaseEvent.member_id), order_by=col(PurchaseEvent.id).desc())
        .label("place")
    )
    pages = (
        select(col(PurchaseEvent.id), place)
        .where(
            col(PurchaseEvent.brand_id) == brand_id,
            col(PurchaseEvent.member_id).in_(member_ids),
            *older,
        )
        .subquery()
    )
    found = await snapshot.session.exec(
        select(PurchaseEvent)
        .join(pages, pages.c.id == col(PurchaseEvent.id))
        .where(col(PurchaseEvent.brand_id) == brand_id, pages.c.place <= limit)
        .order_by(col(PurchaseEvent.id).desc())
    )
    return list(found)


async def list_lines(
    snapshot: Snapshot, brand_id: UUID, purchase_ids: Sequence[UUID]
) -> list[PurchaseLine]:
    """The lines of purchases, each one's in their order."""
    found = await snapshot.session.exec(
        select(PurchaseLine)
        .where(
            col(PurchaseLine.brand_id) == brand_id,
            col(PurchaseLine.purchase_id).in_(purchase_ids),
        )
        .order_by(col(PurchaseLine.purchase_id), col(PurchaseLine.line_no))
        .execution_options(populate_existing=True)
    )
    return list(found)
