"""The SQL of partners' keys."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel import col, func, select, update

from loyalty.db import Snapshot, Statement, Tx, insert_statement
from loyalty.keyed import find_row, list_newest
from loyalty.partner_keys.models import PartnerKey, PartnerKeyUse

USES_MAX = 1_000
"""Lines of usage of one key that are shown."""

FIND_BY_HASH = Statement(
    """
    SELECT k.brand_id, k.id, CAST(k.scopes AS text) AS scopes,
        CAST(k.networks AS text) AS networks, k.requests_per_minute
    FROM partner_keys k
    WHERE k.revoked_at IS NULL
        AND (k.key_hash = :hash OR (k.previous_hash = :hash AND k.previous_until > :now))
    """,
    params="hash text, now timestamptz",
    returns="brand_id uuid, id uuid, scopes text, networks text, requests_per_minute bigint",
)
ADD_USES = insert_statement(
    PartnerKeyUse,
    "brand_id uuid, key_id uuid, on_day date, field_name text, calls bigint",
    "ON CONFLICT (brand_id, key_id, on_day, field_name)"
    " DO UPDATE SET calls = partner_key_uses.calls + excluded.calls",
)


async def find_key(snapshot: Snapshot, brand_id: UUID, id: UUID) -> PartnerKey | None:
    return await find_row(snapshot, PartnerKey, brand_id, id)


async def list_keys(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[PartnerKey]:
    return await list_newest(snapshot, PartnerKey, brand_id, before=before, limit=limit)


async def count_live(snapshot: Snapshot, brand_id: UUID) -> int:
    found = await snapshot.session.exec(
        select(func.count())
        .select_from(PartnerKey)
        .where(PartnerKey.brand_id == brand_id, col(PartnerKey.revoked_at).is_(None))
    )
    return found.one()


async def set_key(tx: Tx, brand_id: UUID, id: UUID, values: Mapping[str, Any]) -> None:
    """Change a key that is locked."""
    await tx.session.exec(
        update(PartnerKey)
        .where(col(PartnerKey.brand_id) == brand_id, col(PartnerKey.id) == id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def list_uses(
    snapshot: Snapshot, brand_id: UUID, key_ids: Sequence[UUID]
) -> list[PartnerKeyUse]:
    """The newest days of each key first, the fields of a day by name."""
    turn = func.row_number().over(
        partition_by=col(PartnerKeyUse.key_id),
        order_by=(col(PartnerKeyUse.on_day).desc(), col(PartnerKeyUse.field_name)),
    )
    ranked = (
        select(PartnerKeyUse, turn.label("turn"))
        .where(PartnerKeyUse.brand_id == brand_id, col(PartnerKeyUse.key_id).in_(key_ids))
        .subquery()
    )
    found = await snapshot.session.exec(
        select(PartnerKeyUse)
        .join(
            ranked,
            (ranked.c.brand_id == PartnerKeyUse.brand_id)
            & (ranked.c.key_id == PartnerKeyUse.key_id)
            & (ranked.c.on_day == PartnerKeyUse.on_day)
            & (ranked.c.field_name == PartnerKeyUse.field_name),
        )
        .where(ranked.c.turn <= USES_MAX)
        .order_by(col(PartnerKeyUse.on_day).desc(), col(PartnerKeyUse.field_name))
    )
    return list(found)
