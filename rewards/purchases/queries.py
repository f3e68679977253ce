"""The SQL of purchases: a constant number of set statements for any batch of them."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Database, Snapshot, Statement, Tx, insert_statement
from loyalty.statements import columns_of, names_of
from rewards.purchases.models import PurchaseEvent, PurchaseLine, PurchaseShare

FIND_PURCHASES = Statement(
    """
    SELECT p.purchase_ref, p.id, p.content_hash, p.member_id, p.points_granted
    FROM {keys} {each:p purchase_events
        ON p.brand_id = keys.brand_id AND p.purchase_ref = keys.purchase_ref}
    """,
    sets={"keys": "brand_id uuid, purchase_ref text"},
    returns="purchase_ref text, id uuid, content_hash text, member_id uuid, points_granted bigint",
)

# One row per outside reference that is known; its consumer, if it is one yet (of a merged one
# ``m``, into which it was merged).
FIND_BUYERS = Statement(
    """
    SELECT i.external_ref, i.id, COALESCE(m.id, own.id), COALESCE(m.status, own.status),
        CASE WHEN m.id IS NULL THEN own.invited_by_id ELSE m.invited_by_id END,
        COALESCE(m.enrolled_at, own.enrolled_at),
        CASE WHEN m.id IS NULL THEN own.birthday ELSE m.birthday END, i.person_id
    FROM {keys}
    {each:i identities ON i.brand_id = keys.brand_id AND i.external_ref = keys.external_ref}
    {maybe:own members ON own.brand_id = i.brand_id AND own.identity_id = i.id
        AND own.role = 'CONSUMER'}
    {maybe:m members ON m.brand_id = own.brand_id AND m.id = own.merged_into_id}
    """,
    sets={"keys": "brand_id uuid, external_ref text"},
    returns="external_ref text, identity_id uuid, member_id uuid, status text,"
    " invited_by_id uuid, joined_at timestamptz, birthday text, person_id uuid",
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
        quantity, amount_fen, points_granted, source, campaign_version_id, place_id, returned_fen,
        occurred_at, created_at)
    SELECT brand_id, id, purchase_ref, content_hash, member_id, purchased_on, quantity, amount_fen,
        points_granted, source, campaign_version_id, place_id, 0, occurred_at, created_at
    FROM {rows} WHERE true ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, purchase_ref text, content_hash text, member_id uuid,"
        " purchased_on date, quantity bigint, amount_fen bigint, points_granted bigint,"
        " source text, campaign_version_id uuid, place_id uuid, occurred_at timestamptz,"
        " created_at timestamptz"
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

INSERT_SHARES = insert_statement(PurchaseShare, columns_of(PurchaseShare))

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

_PURCHASE = columns_of(PurchaseEvent)

READ_PURCHASES = Statement(
    f"""
    SELECT bought.owner_id, {", ".join(names_of(_PURCHASE, "bought"))}
    FROM (
        SELECT wanted.member_id AS owner_id, p.*,
            row_number() OVER (PARTITION BY wanted.member_id ORDER BY p.id DESC) AS turn
        FROM {{wanted}}
        {{each:m members ON m.brand_id = wanted.brand_id
            AND (m.id = wanted.member_id OR m.merged_into_id = wanted.member_id)}}
        {{each:p purchase_events ON p.brand_id = m.brand_id AND p.member_id = m.id
            AND p.id < :before}}
    ) AS bought
    WHERE bought.turn <= :row_count_max ORDER BY bought.id DESC
    """,
    sets={"wanted": "brand_id uuid, member_id uuid"},
    params="before uuid, row_count_max bigint",
    returns=f"owner_id uuid, {_PURCHASE}",
)

NEWEST = UUID(int=2**128 - 1)


async def find_purchase(snapshot: Snapshot, brand_id: UUID, id: UUID) -> PurchaseEvent | None:
    return await keyed.find_row(snapshot, PurchaseEvent, brand_id, id)


async def list_purchases_by_ids(
    snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]
) -> list[PurchaseEvent]:
    """For loaders: those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, PurchaseEvent, brand_id, ids)


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


async def read_purchases(
    db: Database,
    brand_id: UUID,
    member_ids: Sequence[UUID],
    *,
    before: UUID | None,
    limit: int,
) -> list[tuple[UUID, PurchaseEvent]]:
    """Up to ``limit`` purchases of each member with its id, newest recorded first, older than the
    id ``before``; what members bought that were merged into it is its own."""
    rows = await db.read(
        READ_PURCHASES,
        wanted=[(brand_id, member_id) for member_id in member_ids],
        before=before or NEWEST,
        row_count_max=limit,
    )
    names = names_of(_PURCHASE)
    return [(row[0], PurchaseEvent(**dict(zip(names, row[1:], strict=True)))) for row in rows]


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


async def list_shares(
    snapshot: Snapshot, brand_id: UUID, purchase_ids: Sequence[UUID]
) -> list[PurchaseShare]:
    """What purchases came to for who is behind their places, each one's by role."""
    found = await snapshot.session.exec(
        select(PurchaseShare)
        .where(
            col(PurchaseShare.brand_id) == brand_id,
            col(PurchaseShare.purchase_id).in_(purchase_ids),
        )
        .order_by(col(PurchaseShare.purchase_id), col(PurchaseShare.role))
    )
    return list(found)
