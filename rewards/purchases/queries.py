"""The SQL of purchases: a constant number of set statements for any batch of them."""

from uuid import UUID

from sqlmodel import col, select

from loyalty.db import Snapshot, Statement
from rewards.purchases.models import PurchaseEvent

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
        quantity, amount_fen, points_granted, occurred_at, created_at)
    SELECT brand_id, id, purchase_ref, content_hash, member_id, purchased_on, quantity, amount_fen,
        points_granted, occurred_at, created_at
    FROM {rows} WHERE true ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, purchase_ref text, content_hash text, member_id uuid,"
        " purchased_on date, quantity bigint, amount_fen bigint, points_granted bigint,"
        " occurred_at timestamptz, created_at timestamptz"
    },
    returns="id uuid",
)


async def list_purchases(
    snapshot: Snapshot, brand_id: UUID, member_id: UUID, *, before: UUID | None, limit: int
) -> list[PurchaseEvent]:
    """A member's purchases, newest recorded first, older than the id ``before``."""
    statement = select(PurchaseEvent).where(
        col(PurchaseEvent.brand_id) == brand_id, col(PurchaseEvent.member_id) == member_id
    )
    if before is not None:
        statement = statement.where(col(PurchaseEvent.id) < before)
    newest = statement.order_by(col(PurchaseEvent.id).desc()).limit(limit)
    return list(await snapshot.session.exec(newest))
