"""What dry runs read of the past, by set; and their own rows."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, func, select, update

from loyalty.db import Snapshot, Statement, Tx
from rewards.simulations.models import Simulation, SimulationStatus

_WINDOW = "brand_id uuid, first_id uuid, last_id uuid"

LIST_SCANS = Statement(
    """
    SELECT s.id, s.occurred_at, s.identity_id, s.member_id, s.guide_member_id, s.role, s.item_no,
        s.batch_id, s.verdict, s.unpaid_reason, s.guide_unpaid_reason, s.device_hash, s.latitude,
        s.longitude, s.scene
    FROM scan_events s
    WHERE s.brand_id = :brand_id AND s.id >= :first_id AND s.id < :last_id
    ORDER BY s.occurred_at, s.id LIMIT :row_count_max
    """,
    params=f"{_WINDOW}, row_count_max bigint",
    returns="id uuid, occurred_at timestamptz, identity_id uuid, member_id uuid,"
    " guide_member_id uuid, role text, item_no bigint, batch_id uuid, verdict text,"
    " unpaid_reason text, guide_unpaid_reason text, device_hash text,"
    " latitude float, longitude float, scene text",
)

LIST_BATCHES = Statement(
    """
    SELECT b.brand_id, b.id, b.key_epoch_id, b.number, b.series_no, b.product_id, b.kind,
        b.purpose, b.quantity, b.status
    FROM code_batches b WHERE b.brand_id = :brand_id
    """,
    params="brand_id uuid",
    returns="brand_id uuid, id uuid, key_epoch_id uuid, number bigint, series_no bigint,"
    " product_id uuid, kind text, purpose text, quantity bigint, status text",
)

LIST_PURCHASES = Statement(
    """
    SELECT p.id, p.occurred_at, p.member_id, p.purchase_ref, p.purchased_on, p.quantity,
        p.amount_fen, p.source
    FROM purchase_events p
    WHERE p.brand_id = :brand_id AND p.occurred_at >= :begin AND p.occurred_at < :until
    ORDER BY p.occurred_at, p.id LIMIT :row_count_max
    """,
    params="brand_id uuid, begin timestamptz, until timestamptz, row_count_max bigint",
    returns="id uuid, occurred_at timestamptz, member_id uuid, purchase_ref text,"
    " purchased_on date, quantity bigint, amount_fen bigint, source text",
)

FIND_PEOPLE = Statement(
    """
    SELECT m.id, m.identity_id, m.role, m.invited_by_id, i.person_id, m.enrolled_at, m.birthday
    FROM {keys}
    {each:m members ON m.brand_id = keys.brand_id AND m.id = keys.member_id}
    {each:i identities ON i.brand_id = m.brand_id AND i.id = m.identity_id}
    """,
    sets={"keys": "brand_id uuid, member_id uuid"},
    returns="id uuid, identity_id uuid, role text, invited_by_id uuid, person_id uuid,"
    " enrolled_at timestamptz, birthday text",
)

# Claims that were there before the first scan, of items that are scanned in the window. Those that
# one of its scans has settled were open then.
LIST_CLAIMS_BEFORE = Statement(
    """
    SELECT c.item_no, c.beneficiary_role, c.scan_id, c.member_id, c.outcome, c.campaign_id,
        c.settled_scan_id, c.settled_scan_id IS NOT NULL AND c.settled_scan_id >= :first_id
    FROM claims c
    WHERE c.brand_id = :brand_id AND c.scan_id < :first_id AND c.purpose = 'REWARD'
        AND c.item_no IN (SELECT s.item_no FROM scan_events s
            WHERE s.brand_id = :brand_id AND s.id >= :first_id AND s.id < :last_id)
    """,
    params=_WINDOW,
    returns="item_no bigint, beneficiary_role text, scan_id uuid, member_id uuid, outcome text,"
    " campaign_id uuid, settled_scan_id uuid, was_open boolean",
)

LIST_DEVICES_BEFORE = Statement(
    """
    SELECT d.device_hash, d.member_id FROM member_devices d
    WHERE d.brand_id = :brand_id AND d.first_seen_at < :begin
        AND d.device_hash IN (SELECT s.device_hash FROM scan_events s
            WHERE s.brand_id = :brand_id AND s.id >= :first_id AND s.id < :last_id)
    """,
    params=f"{_WINDOW}, begin timestamptz",
    returns="device_hash text, member_id uuid",
)


async def count_unfinished(snapshot: Snapshot, brand_id: UUID) -> int:
    """Waiting or running."""
    found = await snapshot.session.exec(
        select(func.count())
        .select_from(Simulation)
        .where(
            col(Simulation.brand_id) == brand_id,
            col(Simulation.status).in_([SimulationStatus.WAITING, SimulationStatus.RUNNING]),
        )
    )
    return found.one()


async def find_next(snapshot: Snapshot) -> Simulation | None:
    """The oldest of any brand that is to be run, or was left half-way."""
    found = await snapshot.session.exec(
        select(Simulation)
        .where(col(Simulation.status).in_([SimulationStatus.WAITING, SimulationStatus.RUNNING]))
        .order_by(col(Simulation.id))
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def move(
    tx: Tx, brand_id: UUID, id: UUID, begins_at: Sequence[SimulationStatus], **values: object
) -> bool:
    """Set columns of one that is in one of these states; whether it was."""
    moved = await tx.session.exec(
        update(Simulation)
        .where(
            col(Simulation.brand_id) == brand_id,
            col(Simulation.id) == id,
            col(Simulation.status).in_(begins_at),
        )
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return moved.rowcount == 1
