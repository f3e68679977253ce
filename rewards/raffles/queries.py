"""The SQL of raffles: entries and winners by set, always inside one brand."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, func, or_, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement, Tx, insert_statement
from rewards.raffles.models import Raffle, RaffleEntry, RaffleStatus, RaffleWinner

# Whoever was merged enters for the member that it was merged into.
FOLLOW_MERGES = Statement(
    """
    UPDATE raffle_entries SET entrant_id = m.merged_into_id FROM members m
    WHERE raffle_entries.brand_id = :brand AND raffle_entries.raffle_id = :raffle
        AND m.brand_id = raffle_entries.brand_id AND m.id = raffle_entries.member_id
        AND m.merged_into_id IS NOT NULL
    RETURNING raffle_entries.id
    """,
    params="brand uuid, raffle uuid",
    returns="id uuid",
)

COUNT_POOL = Statement(
    "SELECT COUNT(*), COUNT(DISTINCT entrant_id) FROM raffle_entries"
    " WHERE brand_id = :brand AND raffle_id = :raffle",
    params="brand uuid, raffle uuid",
    returns="entries bigint, entrants bigint",
)

LIST_ENTRIES = Statement(
    """
    SELECT id, member_id FROM raffle_entries
    WHERE brand_id = :brand AND raffle_id = :raffle AND id > :after ORDER BY id LIMIT :limit
    """,
    params="brand uuid, raffle uuid, after uuid, limit bigint",
    returns="id uuid, member_id uuid",
)

SCORE_ENTRIES = Statement(
    """
    UPDATE raffle_entries SET score = scored.score FROM {scored}
    WHERE raffle_entries.brand_id = scored.brand_id AND raffle_entries.id = scored.id
    RETURNING raffle_entries.id
    """,
    sets={"scored": "brand_id uuid, id uuid, score text"},
    returns="id uuid",
)

# By the index on scores. No two entries have one score.
LIST_BY_SCORE = Statement(
    """
    SELECT id, entrant_id, score FROM raffle_entries
    WHERE brand_id = :brand AND raffle_id = :raffle AND score > :after
    ORDER BY score LIMIT :limit
    """,
    params="brand uuid, raffle uuid, after text, limit bigint",
    returns="id uuid, entrant_id uuid, score text",
)

INSERT_WINNERS = insert_statement(
    RaffleWinner,
    "brand_id uuid, id uuid, raffle_id uuid, entry_id uuid, member_id uuid, place bigint,"
    " prize_no bigint, asset text, amount bigint, coupon_template_id uuid, created_at timestamptz",
)

LIST_UNPAID = Statement(
    """
    SELECT id, member_id, prize_no, asset, amount, coupon_template_id FROM raffle_winners
    WHERE brand_id = :brand AND raffle_id = :raffle AND paid_at IS NULL ORDER BY place LIMIT :limit
    """,
    params="brand uuid, raffle uuid, limit bigint",
    returns="id uuid, member_id uuid, prize_no bigint, asset text, amount bigint,"
    " coupon_template_id uuid",
)

MARK_PAID = Statement(
    """
    UPDATE raffle_winners SET paid_at = :now, no_coupon = paid.no_coupon FROM {paid}
    WHERE raffle_winners.brand_id = paid.brand_id AND raffle_winners.id = paid.id
        AND raffle_winners.paid_at IS NULL
    RETURNING raffle_winners.id
    """,
    sets={"paid": "brand_id uuid, id uuid, no_coupon text"},
    params="now timestamptz",
    returns="id uuid",
)

# Through the accounts of the members: transfers are not found by their causes alone.
FIND_PAYMENTS = Statement(
    """
    SELECT t.id
    FROM {payers}
    {each:a accounts ON a.brand_id = payers.brand_id AND a.owner_id = payers.member_id
        AND a.kind = 'MAIN'}
    {each:t transfers ON t.brand_id = a.brand_id AND t.debit_account_id = a.id
        AND t.kind <> 'EARN' AND t.kind = 'SPEND' AND t.cause_id = payers.entry_id}
    """,
    sets={"payers": "brand_id uuid, member_id uuid, entry_id uuid"},
    returns="id uuid",
)

MARK_RETURNED = Statement(
    """
    UPDATE raffle_entries SET returned_at = :now FROM {returned}
    WHERE raffle_entries.brand_id = returned.brand_id AND raffle_entries.id = returned.id
        AND raffle_entries.returned_at IS NULL
    RETURNING raffle_entries.id
    """,
    sets={"returned": "brand_id uuid, id uuid"},
    params="now timestamptz",
    returns="id uuid",
)


# --- raffles -----------------------------------------------------------------------------------


async def find_raffle(snapshot: Snapshot, brand_id: UUID, raffle_id: UUID) -> Raffle | None:
    """The row as it is now."""
    return await keyed.find_row(snapshot, Raffle, brand_id, raffle_id)


async def get_raffle(snapshot: Snapshot, brand_id: UUID, raffle_id: UUID) -> Raffle:
    """The row as it is now; NotFound when the brand has none such."""
    return await keyed.get_row(snapshot, Raffle, brand_id, raffle_id, "raffle")


async def list_raffles_by_ids(
    snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]
) -> list[Raffle]:
    """For loaders: those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, Raffle, brand_id, ids)


async def list_raffles(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[Raffle]:
    """The brand's raffles, newest first, older than the id ``before``."""
    return await keyed.list_newest(snapshot, Raffle, brand_id, before=before, limit=limit)


async def keep_raffle(tx: Tx, brand_id: UUID, raffle_id: UUID) -> Raffle | None:
    """The row as it is now, and as it stays until this transaction ends: any number of others may
    keep it too."""
    found = await tx.session.exec(
        select(Raffle)
        .where(col(Raffle.brand_id) == brand_id, col(Raffle.id) == raffle_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def lock_raffle(tx: Tx, brand_id: UUID, raffle_id: UUID) -> Raffle | None:
    """The row as it is now, and nobody enters until this transaction ends."""
    return await keyed.lock_row(tx, Raffle, brand_id, raffle_id)


async def lock_due_raffle(tx: Tx, last: Collection[UUID] = ()) -> Raffle | None:
    """Of any brand the one that has waited longest for something to be done, locked; those that
    somebody else is at are passed over, and ``last`` are those whose turn comes after all others'.
    """
    found = await tx.session.exec(
        select(Raffle)
        .where(
            col(Raffle.settled_at).is_(None),
            or_(col(Raffle.status) != RaffleStatus.OPEN.value, col(Raffle.closes_at) <= tx.now),
        )
        .order_by(col(Raffle.id).in_(last), col(Raffle.closes_at), col(Raffle.id))
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def change_raffle(tx: Tx, raffle: Raffle, values: Mapping[str, Any]) -> None:
    """Change a raffle that the caller has locked."""
    await tx.session.exec(
        update(Raffle)
        .where(col(Raffle.brand_id) == raffle.brand_id, col(Raffle.id) == raffle.id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


# --- entries and winners -----------------------------------------------------------------------


async def count_entries(
    snapshot: Snapshot, brand_id: UUID, raffle_id: UUID, member_id: UUID
) -> int:
    """How often a member has entered."""
    found = await snapshot.session.exec(
        select(func.count())
        .select_from(RaffleEntry)
        .where(
            col(RaffleEntry.brand_id) == brand_id,
            col(RaffleEntry.raffle_id) == raffle_id,
            col(RaffleEntry.member_id) == member_id,
        )
    )
    return found.one()


async def get_entry(snapshot: Snapshot, brand_id: UUID, entry_id: UUID) -> RaffleEntry:
    """NotFound when the brand has none such."""
    return await keyed.get_row(snapshot, RaffleEntry, brand_id, entry_id, "raffle entry")


async def list_entries_of_raffles(
    snapshot: Snapshot,
    brand_id: UUID,
    raffle_ids: Sequence[UUID],
    *,
    before: UUID | None,
    limit: int,
) -> list[RaffleEntry]:
    """The newest entries to each of these raffles."""
    return await keyed.list_newest_of_few(
        snapshot, RaffleEntry, brand_id, "raffle_id", raffle_ids, before=before, limit=limit
    )


async def list_entries_of_members(
    snapshot: Snapshot,
    brand_id: UUID,
    member_ids: Sequence[UUID],
    *,
    before: UUID | None,
    limit: int,
) -> list[RaffleEntry]:
    """The newest entries of each of these members."""
    return await keyed.list_newest_of_each(
        snapshot, RaffleEntry, brand_id, "member_id", member_ids, before=before, limit=limit
    )


async def list_winners(
    snapshot: Snapshot, brand_id: UUID, raffle_ids: Sequence[UUID], *, after: int, limit: int
) -> list[RaffleWinner]:
    """The winners of each of these raffles by their places, so many from the one after this place
    on. Places have no gaps."""
    found = await snapshot.session.exec(
        select(RaffleWinner)
        .where(
            col(RaffleWinner.brand_id) == brand_id,
            col(RaffleWinner.raffle_id).in_(raffle_ids),
            col(RaffleWinner.place) > after,
            col(RaffleWinner.place) <= after + limit,
        )
        .order_by(col(RaffleWinner.place))
    )
    return list(found)


async def list_winners_of_entries(
    snapshot: Snapshot, brand_id: UUID, entry_ids: Sequence[UUID]
) -> list[RaffleWinner]:
    """For loaders: what these entries won."""
    found = await snapshot.session.exec(
        select(RaffleWinner).where(
            col(RaffleWinner.brand_id) == brand_id, col(RaffleWinner.entry_id).in_(entry_ids)
        )
    )
    return list(found)


async def write_winners(tx: Tx, rows: Iterable[tuple[Any, ...]]) -> None:
    """Write the winners of a raffle."""
    found = list(rows)
    if found:
        await tx.fetch(INSERT_WINNERS, rows=found)
