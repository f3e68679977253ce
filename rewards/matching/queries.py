"""The SQL of matching. Tokens are the host's own rows."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from loyalty.db import Snapshot, Statement, Tx, insert_statement
from loyalty.statements import columns_of
from rewards.matching.models import MatchPass, MatchToken

FIRST = UUID(int=0)

# Agreements under which a partner issues a template of the host's.
LIST_PASSES = Statement(
    """
    SELECT DISTINCT t.brand_id, t.agreement_id, p.tail_id, p.sweep_id, p.swept_at
    FROM coupon_templates t LEFT JOIN match_passes p
        ON p.brand_id = t.brand_id AND p.agreement_id = t.agreement_id
    WHERE t.status = 'PARTNER' AND t.agreement_id IS NOT NULL
    ORDER BY t.brand_id, t.agreement_id
    """,
    returns="brand_id uuid, agreement_id uuid, tail_id uuid, sweep_id uuid, swept_at timestamptz",
)

LIST_IDENTITIES = Statement(
    """
    SELECT i.id, i.phone_cipher, w.unionid
    FROM (SELECT id, phone_cipher FROM identities WHERE brand_id = :brand_id AND id > :after
        ORDER BY id LIMIT :row_count_max) AS i
    LEFT JOIN wechat_accounts w ON w.brand_id = :brand_id AND w.identity_id = i.id
    ORDER BY i.id
    """,
    params="brand_id uuid, after uuid, row_count_max bigint",
    returns="id uuid, phone_cipher text, unionid text",
)

# Of agreements that have ended nothing is kept.
FORGET_TOKENS = Statement(
    """
    WITH over AS MATERIALIZED (
        SELECT t.brand_id, t.agreement_id, t.token
        FROM agreements a JOIN match_tokens t
            ON t.brand_id = a.brand_id AND t.agreement_id = a.id
        WHERE a.status = 'ENDED' LIMIT :row_count_max
    )
    DELETE FROM match_tokens WHERE (brand_id, agreement_id, token) IN
        (SELECT brand_id, agreement_id, token FROM over)
    RETURNING token
    """,
    params="row_count_max bigint",
    returns="token text",
)

INSERT_TOKENS = insert_statement(MatchToken, columns_of(MatchToken), "ON CONFLICT DO NOTHING")

# Members by now: who was merged into another is the other one.
FIND_MEMBERS = Statement(
    """
    SELECT tokens.token, COALESCE(m.merged_into_id, m.id), COALESCE(o.status, m.status)
    FROM {tokens}
    JOIN match_tokens t ON t.brand_id = tokens.brand_id AND t.agreement_id = tokens.agreement_id
        AND t.token = tokens.token
    JOIN members m ON m.brand_id = t.brand_id AND m.identity_id = t.identity_id
        AND m.role = 'CONSUMER'
    LEFT JOIN members o ON o.brand_id = m.brand_id AND o.id = m.merged_into_id
    """,
    sets={"tokens": "brand_id uuid, agreement_id uuid, token text"},
    returns="token text, member_id uuid, status text",
)


async def find_members(
    snapshot: Snapshot, host_id: UUID, agreement_id: UUID, tokens: Sequence[str]
) -> list[tuple[str, UUID, str]]:
    """(token, member_id, status) of those that somebody has who is a consumer of the host."""
    rows = [(host_id, agreement_id, token) for token in sorted(set(tokens))]
    return [tuple(row) for row in await snapshot.fetch(FIND_MEMBERS, tokens=rows)]


async def list_identities(
    tx: Tx, brand_id: UUID, after: UUID, limit: int
) -> list[tuple[UUID, str | None, str | None]]:
    """(identity_id, phone_cipher, unionid) of the next ``limit`` identities, a row for each WeChat
    account or one."""
    rows = await tx.fetch(LIST_IDENTITIES, brand_id=brand_id, after=after, row_count_max=limit)
    return [tuple(row) for row in rows]


async def lock_pass(tx: Tx, brand_id: UUID, agreement_id: UUID) -> MatchPass:
    """The row as it is now, alone with it; it is there."""
    found = await tx.session.exec(
        select(MatchPass)
        .where(MatchPass.brand_id == brand_id, MatchPass.agreement_id == agreement_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.one()


async def write_pass(tx: Tx, row: MatchPass, **changes: Any) -> None:
    """Change a row that is locked."""
    await tx.session.exec(
        update(MatchPass)
        .where(
            col(MatchPass.brand_id) == row.brand_id,
            col(MatchPass.agreement_id) == row.agreement_id,
        )
        .values(**changes)
        .execution_options(synchronize_session=False)
    )
