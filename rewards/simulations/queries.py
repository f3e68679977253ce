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

LIST_LINES = Statement(
    """
    SELECT l.purchase_id, l.line_no, l.sku, l.product_id, l.quantity, l.amount_fen FROM {keys}
    {each:l purchase_lines ON l.brand_id = keys.brand_id AND l.purchase_id = keys.purchase_id}
    ORDER BY l.purchase_id, l.line_no
    """,
    sets={"keys": "brand_id uuid, purchase_id uuid"},
    returns="purchase_id uuid, line_no bigint, sku text, product_id uuid, quantity bigint,"
    " amount_fen bigint",
)

# Codes of the window's scans that had been scanned before: as they are now, less what came since.
LIST_SCANNED_BEFORE = Statement(
    """
    SELECT c.item_no, c.kind, c.batch_id, c.scan_count - s.times, c.first_scan_id,
        c.first_scanned_at, c.first_latitude, c.first_longitude, c.last_scan_id, c.last_scanned_at
    FROM (SELECT e.item_no, e.code_kind, COUNT(*) AS times FROM scan_events e
        WHERE e.brand_id = :brand_id AND e.id >= :first_id AND e.id < :last_id
        GROUP BY e.item_no, e.code_kind) s
    JOIN item_codes c ON c.brand_id = :brand_id AND c.item_no = s.item_no
        AND c.kind = s.code_kind AND c.scan_count > s.times
    """,
    params=_WINDOW,
    returns="item_no bigint, kind text, batch_id uuid, scan_count bigint, first_scan_id uuid,"
    " first_scanned_at timestamptz, first_latitude float, first_longitude float,"
    " last_scan_id uuid, last_scanned_at timestamptz",
)

LIST_PURCHASES = Statement(
    """
    SELECT p.id, p.occurred_at, p.member_id, p.purchase_ref, p.purchased_on, p.quantity,
        p.amount_fen, p.source, l.id, l.code, l.latitude, l.longitude
    FROM purchase_events p
    LEFT JOIN places l ON l.brand_id = p.brand_id AND l.id = p.place_id
    WHERE p.brand_id = :brand_id AND p.occurred_at >= :begin AND p.occurred_at < :until
    ORDER BY p.occurred_at, p.id LIMIT :row_count_max
    """,
    params="brand_id uuid, begin timestamptz, until timestamptz, row_count_max bigint",
    returns="id uuid, occurred_at timestamptz, member_id uuid, purchase_ref text,"
    " purchased_on date, quantity bigint, amount_fen bigint, source text, place_id uuid,"
    " place_code text, latitude float, longitude float",
)

_TOLD = """
    SELECT e.id, e.occurred_at, COALESCE(m.merged_into_id, m.id), e.ref, CAST(e.payload AS text),
        e.unpaid_reason
    FROM earning_events e JOIN members m ON m.brand_id = e.brand_id AND m.id = e.member_id
    WHERE e.brand_id = :brand_id AND e.kind = :kind AND e.occurred_at >= :begin
        AND e.occurred_at < :until {of_a_type}
    ORDER BY e.occurred_at, e.id LIMIT :row_count_max
"""
_PERIOD = "brand_id uuid, begin timestamptz, until timestamptz, row_count_max bigint"
_TOLD_COLUMNS = (
    "id uuid, occurred_at timestamptz, member_id uuid, ref text, payload text, unpaid_reason text"
)

# Members' own events, of which each is on record whether or not it earned.
LIST_EVENTS = Statement(
    _TOLD.format(of_a_type=""), params=f"{_PERIOD}, kind text", returns=_TOLD_COLUMNS
)

LIST_CUSTOM_EVENTS = Statement(
    _TOLD.format(of_a_type="AND e.event_type_id = :type_id"),
    params=f"{_PERIOD}, kind text, type_id uuid",
    returns=_TOLD_COLUMNS,
)

LIST_SIGN_UPS = Statement(
    """
    SELECT m.id, m.enrolled_at, COALESCE(m.merged_into_id, m.id) FROM members m
    WHERE m.brand_id = :brand_id AND m.enrolled_at >= :begin AND m.enrolled_at < :until
    ORDER BY m.enrolled_at, m.id LIMIT :row_count_max
    """,
    params=_PERIOD,
    returns="id uuid, enrolled_at timestamptz, member_id uuid",
)

LIST_BIRTHDAYS = Statement(
    """
    SELECT m.id, m.birthday, m.enrolled_at FROM {days}
    {each:m members ON m.brand_id = :brand_id AND m.birthday = days.birthday}
    WHERE m.status = 'ACTIVE' AND m.enrolled_at < :until
    ORDER BY m.id LIMIT :row_count_max
    """,
    sets={"days": "birthday text"},
    params="brand_id uuid, until timestamptz, row_count_max bigint",
    returns="id uuid, birthday text, enrolled_at timestamptz",
)

LIST_LEVELS_REACHED = Statement(
    """
    SELECT c.id, c.occurred_at, COALESCE(m.merged_into_id, m.id), l.code, c.to_rank, c.from_rank
    FROM standing_changes c
    JOIN members m ON m.brand_id = c.brand_id AND m.id = c.member_id
    JOIN ladder_levels l
        ON l.brand_id = c.brand_id AND l.ladder_id = c.ladder_id AND l.rank = c.to_rank
    WHERE c.brand_id = :brand_id AND c.to_rank > c.from_rank
        AND c.occurred_at >= :begin AND c.occurred_at < :until
    ORDER BY c.occurred_at, c.id LIMIT :row_count_max
    """,
    params=_PERIOD,
    returns="id uuid, occurred_at timestamptz, member_id uuid, code text, to_rank bigint,"
    " from_rank bigint",
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
