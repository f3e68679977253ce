"""The SQL of reversals."""

from collections.abc import Iterable
from uuid import UUID

from loyalty.db import Snapshot, Statement
from loyalty.reversals.rules import Credited, Found

# Through the accounts of those who were credited: transfers are not found by their causes alone.
# ``e`` is what ended a pending one, ``p`` the pending one that was ended.
FIND_CREDITS = Statement(
    """
    SELECT a.brand_id, COALESCE(e.id, t.id), a.owner_id, a.asset, t.amount, t.kind, t.campaign_id,
        COALESCE(e.cause_kind, t.cause_kind), COALESCE(e.cause_id, t.cause_id),
        COALESCE(p.cause_id, t.cause_id), COALESCE(e.credit_expires_on, t.credit_expires_on),
        t.phase = 'PENDING' AND e.id IS NULL, COALESCE(r.reversed, 0)
    FROM {wanted}
    {each:a accounts ON a.brand_id = wanted.brand_id AND a.owner_id = wanted.owner_id
        AND a.kind = 'MAIN'}
    {each:t transfers ON t.brand_id = a.brand_id AND t.credit_account_id = a.id
        AND t.cause_id = wanted.cause_id AND t.kind IN ('EARN', 'ADJUST') AND t.phase <> 'VOID'}
    {maybe:e transfers ON e.brand_id = t.brand_id AND e.pending_id = t.id}
    {maybe:p transfers ON p.brand_id = t.brand_id AND p.id = t.pending_id}
    {maybe:r transfer_reversals ON r.brand_id = t.brand_id
        AND r.transfer_id = COALESCE(e.id, t.id)}
    WHERE COALESCE(e.phase, t.phase) <> 'VOID'
    """,
    sets={"wanted": "brand_id uuid, owner_id uuid, cause_id uuid"},
    returns="brand_id uuid, id uuid, owner_id uuid, asset text, amount bigint, kind text,"
    " campaign_id uuid, cause_kind text, cause_id uuid, granted_by_id uuid, expires_on date,"
    " is_pending boolean, reversed bigint",
)


IS_TAXED = Statement(
    "SELECT id FROM withholdings WHERE brand_id = :brand_id AND credit_id = :credit_id",
    params="brand_id uuid, credit_id uuid",
    returns="id uuid",
)


async def find_credits(
    snapshot: Snapshot, brand_id: UUID, causes: Iterable[tuple[UUID, UUID]]
) -> list[Credited]:
    """What events gave members, by (member_id, cause_id) pairs, oldest first."""
    wanted = [(brand_id, *pair) for pair in sorted(set(causes))]
    rows = await snapshot.fetch(FIND_CREDITS, wanted=wanted)
    # What one event locked and another unlocked is found by both.
    found = {row[1]: Credited(*row) for row in rows}
    return [found[id] for id in sorted(found)]


# ``e`` is what ended a pending one; ``d`` and ``c`` are its accounts.
FIND_TRANSFER = Statement(
    """
    SELECT COALESCE(e.id, t.id), t.kind, COALESCE(e.phase, t.phase), d.kind, c.kind, t.asset,
        t.amount, t.campaign_id, COALESCE(e.cause_kind, t.cause_kind),
        COALESCE(e.cause_id, t.cause_id), COALESCE(e.occurred_at, t.occurred_at), d.owner_id,
        c.owner_id,
        COALESCE(e.debit_expires_on, t.debit_expires_on),
        COALESCE(e.credit_expires_on, t.credit_expires_on), COALESCE(r.reversed, 0)
    FROM {keys} {each:t transfers ON t.brand_id = keys.brand_id AND t.id = keys.id}
    {maybe:e transfers ON e.brand_id = t.brand_id AND e.pending_id = t.id}
    {each:d accounts ON d.brand_id = t.brand_id AND d.id = t.debit_account_id}
    {each:c accounts ON c.brand_id = t.brand_id AND c.id = t.credit_account_id}
    {maybe:r transfer_reversals ON r.brand_id = t.brand_id
        AND r.transfer_id = COALESCE(e.id, t.id)}
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    returns="id uuid, kind text, phase text, debit_kind text, credit_kind text, asset text,"
    " amount bigint, campaign_id uuid, cause_kind text, cause_id uuid, occurred_at timestamptz,"
    " debit_owner_id uuid, credit_owner_id uuid, debit_expires_on date,"
    " credit_expires_on date, reversed bigint",
)


async def find_transfer(snapshot: Snapshot, brand_id: UUID, transfer_id: UUID) -> Found | None:
    """A transfer, or what ended it if it was pending."""
    found = await find_transfers(snapshot, brand_id, [transfer_id])
    return found[0] if found else None


async def find_transfers(
    snapshot: Snapshot, brand_id: UUID, transfer_ids: Iterable[UUID]
) -> list[Found]:
    """Transfers, or what ended those that were pending, by id."""
    keys = [(brand_id, id) for id in sorted(set(transfer_ids))]
    return [Found(brand_id, *row) for row in await snapshot.fetch(FIND_TRANSFER, keys=keys)]
