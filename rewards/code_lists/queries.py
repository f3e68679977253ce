"""The SQL of third parties' codes, always inside one brand."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import select

from loyalty.db import Snapshot, Statement, Tx
from rewards.code_lists.models import OutsideCode

INSERT_CODES = Statement(
    """
    INSERT INTO outside_codes (brand_id, id, template_id, code_hash, code_cipher, added_at)
    SELECT brand_id, id, template_id, code_hash, code_cipher, added_at FROM {rows} WHERE true
    ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, template_id uuid, code_hash text, code_cipher text,"
        " added_at timestamptz"
    },
    returns="id uuid",
)

# A template of codes has as many coupons as it has codes.
ADD_STOCK = Statement(
    """
    UPDATE coupon_templates SET stock_max = stock_max + :amount
    WHERE brand_id = :brand_id AND id = :id AND kind = 'CODE' AND agreement_id IS NULL
    RETURNING stock_max - issued
    """,
    params="amount bigint, brand_id uuid, id uuid",
    returns="stock_left bigint",
)

# The next one, that nobody takes just now.
GIVE_CODE = Statement(
    """
    WITH spare AS MATERIALIZED (
        SELECT o.brand_id, o.id FROM outside_codes o
        WHERE o.brand_id = :brand_id AND o.template_id = :template_id AND o.coupon_id IS NULL
        ORDER BY o.id LIMIT 1 {skip:o}
    )
    UPDATE outside_codes SET coupon_id = :coupon_id, given_at = :now
    WHERE (brand_id, id) IN (SELECT brand_id, id FROM spare) AND coupon_id IS NULL
    RETURNING id
    """,
    params="brand_id uuid, template_id uuid, coupon_id uuid, now timestamptz",
    returns="id uuid",
)

DROP_SPARE = Statement(
    """
    WITH spare AS MATERIALIZED (
        SELECT o.brand_id, o.id FROM outside_codes o
        WHERE o.brand_id = :brand_id AND o.template_id = :template_id AND o.coupon_id IS NULL
        ORDER BY o.id DESC LIMIT :amount {skip:o}
    )
    DELETE FROM outside_codes
    WHERE (brand_id, id) IN (SELECT brand_id, id FROM spare) AND coupon_id IS NULL
    RETURNING id
    """,
    params="brand_id uuid, template_id uuid, amount bigint",
    returns="id uuid",
)


async def find_of_coupon(snapshot: Snapshot, brand_id: UUID, coupon_id: UUID) -> OutsideCode | None:
    """The code that a coupon has, once it was looked at."""
    found = await snapshot.session.exec(
        select(OutsideCode)
        .where(OutsideCode.brand_id == brand_id, OutsideCode.coupon_id == coupon_id)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def add_codes(tx: Tx, rows: Sequence[tuple[UUID, UUID, UUID, str, str, datetime]]) -> int:
    """How many of them were not there. In the order of their hashes: two that put in the same do
    not wait for each other."""
    return len(await tx.fetch(INSERT_CODES, rows=sorted(rows, key=lambda row: row[3])))
