"""The scan's SQL: a constant number of set statements for any batch of scans."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from loyalty.codes.models import ItemCode
from loyalty.db import Snapshot, Statement, insert_statement
from loyalty.members.models import MemberDevice
from rewards.scans.models import Claim, ScanEvent, ScanReversal

BEHIND_GUIDES = ("STORE", "DEALER", "SALESPERSON")

FIND_REPLIES = Statement(
    """
    SELECT r.brand_id, r.actor_id, r.key, r.body_hash, CAST(r.reply AS text)
    FROM {keys} {each:r idempotency_records ON r.brand_id = keys.brand_id
        AND r.actor_id = keys.actor_id AND r.operation = 'scanCode' AND r.key = keys.key}
    """,
    sets={"keys": "brand_id uuid, actor_id uuid, key text"},
    returns="brand_id uuid, actor_id uuid, key text, body_hash text, reply text",
)

FIND_BRANDS = Statement(
    "SELECT b.id, b.revision FROM {keys} {each:b brands ON b.id = keys.brand_id}",
    sets={"keys": "brand_id uuid"},
    returns="id uuid, revision bigint",
)

FIND_BATCHES = Statement(
    """
    SELECT b.brand_id, b.id, b.key_epoch_id, b.number, b.series_no, b.product_id, b.kind,
        b.purpose, b.quantity, b.status
    FROM {keys} {each:b code_batches ON b.brand_id = keys.brand_id AND b.number = keys.number}
    """,
    sets={"keys": "brand_id uuid, number bigint"},
    returns="brand_id uuid, id uuid, key_epoch_id uuid, number bigint, series_no bigint,"
    " product_id uuid, kind text, purpose text, quantity bigint, status text",
)

# One row per (identity, role) that scans: its member if it has one (of a merged one ``m``, into
# which it was merged), else what enrolment needs.
FIND_SCANNERS = Statement(
    """
    SELECT i.brand_id, i.id, keys.role, COALESCE(m.id, own.id), COALESCE(m.status, own.status),
        CASE WHEN m.id IS NULL THEN own.invited_by_id ELSE m.invited_by_id END, i.person_id,
        r.id, r.name, v.id, v.inviter_id, COALESCE(m.enrolled_at, own.enrolled_at),
        CASE WHEN m.id IS NULL THEN own.birthday ELSE m.birthday END, i.born_by
    FROM {keys}
    {each:i identities ON i.brand_id = keys.brand_id AND i.id = keys.identity_id}
    {maybe:own members ON own.brand_id = i.brand_id AND own.identity_id = i.id
        AND own.role = keys.role}
    {maybe:m members ON m.brand_id = own.brand_id AND m.id = own.merged_into_id}
    {maybe:r roster_entries ON r.brand_id = i.brand_id AND r.role = keys.role
        AND r.phone_hash = i.phone_hash}
    {maybe:v invitations ON v.brand_id = i.brand_id AND v.phone_hash = i.phone_hash
        AND v.accepted_member_id IS NULL}
    """,
    sets={"keys": "brand_id uuid, identity_id uuid, role text"},
    returns="brand_id uuid, identity_id uuid, role text, member_id uuid, status text,"
    " invited_by_id uuid, person_id uuid, roster_id uuid, roster_name text, invitation_id uuid,"
    " inviter_id uuid, joined_at timestamptz, birthday text, born_by date",
)

INSERT_MEMBERS = Statement(
    """
    INSERT INTO members
        (brand_id, id, identity_id, role, status, display_name, invited_by_id, enrolled_at)
    SELECT brand_id, id, identity_id, role, status, display_name, invited_by_id, enrolled_at
    FROM {rows} WHERE true ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, identity_id uuid, role text, status text,"
        " display_name text, invited_by_id uuid, enrolled_at timestamptz"
    },
    returns="id uuid",
)

# By an inviter that was merged meanwhile the member was not invited: it is enrolled anew.
ACCEPT_INVITATIONS = Statement(
    """
    UPDATE invitations SET accepted_member_id = accepted.member_id, accepted_at = :now
    FROM {accepted} WHERE invitations.brand_id = accepted.brand_id
        AND invitations.id = accepted.id AND invitations.accepted_member_id IS NULL
        AND invitations.inviter_id = accepted.inviter_id
    RETURNING invitations.id
    """,
    sets={"accepted": "brand_id uuid, id uuid, member_id uuid, inviter_id uuid"},
    params="now timestamptz",
    returns="id uuid",
)

FIND_MEMBERS = Statement(
    """
    SELECT m.brand_id, m.id, m.identity_id, m.role, m.status, m.invited_by_id, m.merged_into_id
    FROM {keys} {each:m members ON m.brand_id = keys.brand_id AND m.id = keys.member_id}
    """,
    sets={"keys": "brand_id uuid, member_id uuid"},
    returns="brand_id uuid, id uuid, identity_id uuid, role text, status text,"
    " invited_by_id uuid, merged_into_id uuid",
)

FIND_PERSONS = Statement(
    """
    SELECT i.brand_id, i.id, i.person_id
    FROM {keys} {each:i identities ON i.brand_id = keys.brand_id AND i.id = keys.identity_id}
    """,
    sets={"keys": "brand_id uuid, identity_id uuid"},
    returns="brand_id uuid, id uuid, person_id uuid",
)

FIND_ITEM_CODES = Statement(
    """
    SELECT c.brand_id, c.item_no, c.kind, c.batch_id, c.scan_count, c.first_scan_id,
        c.first_scanned_at, c.first_latitude, c.first_longitude, c.last_scan_id, c.last_scanned_at
    FROM {keys} {each:c item_codes
        ON c.brand_id = keys.brand_id AND c.item_no = keys.item_no AND c.kind = keys.kind}
    """,
    sets={"keys": "brand_id uuid, item_no bigint, kind text"},
    returns="brand_id uuid, item_no bigint, kind text, batch_id uuid, scan_count bigint,"
    " first_scan_id uuid, first_scanned_at timestamptz, first_latitude float,"
    " first_longitude float, last_scan_id uuid, last_scanned_at timestamptz",
)

PUT_ITEM_CODES = Statement(
    """
    INSERT INTO item_codes (brand_id, item_no, kind, batch_id, scan_count, first_scan_id,
        first_scanned_at, first_latitude, first_longitude, last_scan_id, last_scanned_at)
    SELECT brand_id, item_no, kind, batch_id, scan_count, first_scan_id, first_scanned_at,
        first_latitude, first_longitude, last_scan_id, last_scanned_at FROM {rows} WHERE true
    ON CONFLICT (brand_id, item_no, kind) DO UPDATE SET
        scan_count = item_codes.scan_count + excluded.scan_count,
        last_scan_id = excluded.last_scan_id, last_scanned_at = excluded.last_scanned_at
        WHERE item_codes.first_scan_id = excluded.first_scan_id
    RETURNING item_no
    """,
    sets={
        "rows": "brand_id uuid, item_no bigint, kind text, batch_id uuid, scan_count bigint,"
        " first_scan_id uuid, first_scanned_at timestamptz, first_latitude float,"
        " first_longitude float, last_scan_id uuid, last_scanned_at timestamptz"
    },
    returns="item_no bigint",
)

FIND_CLAIMS = Statement(
    """
    SELECT c.brand_id, c.item_no, c.beneficiary_role, c.scan_id, c.member_id, c.outcome,
        c.campaign_id, c.settled_scan_id
    FROM {keys} {each:c claims
        ON c.brand_id = keys.brand_id AND c.item_no = keys.item_no AND c.purpose = 'REWARD'}
    """,
    sets={"keys": "brand_id uuid, item_no bigint"},
    returns="brand_id uuid, item_no bigint, beneficiary_role text, scan_id uuid, member_id uuid,"
    " outcome text, campaign_id uuid, settled_scan_id uuid",
)

INSERT_CLAIMS = Statement(
    """
    INSERT INTO claims (brand_id, item_no, purpose, beneficiary_role, scan_id, member_id, outcome,
        campaign_id, settled_scan_id, created_at)
    SELECT brand_id, item_no, purpose, beneficiary_role, scan_id, member_id, outcome, campaign_id,
        settled_scan_id, created_at FROM {rows} WHERE true
    ON CONFLICT DO NOTHING RETURNING item_no
    """,
    sets={
        "rows": "brand_id uuid, item_no bigint, purpose text, beneficiary_role text, scan_id uuid,"
        " member_id uuid, outcome text, campaign_id uuid, settled_scan_id uuid,"
        " created_at timestamptz"
    },
    returns="item_no bigint",
)

SETTLE_CLAIMS = Statement(
    """
    UPDATE claims SET outcome = settled.outcome, settled_scan_id = settled.scan_id
    FROM {settled} WHERE claims.brand_id = settled.brand_id AND claims.item_no = settled.item_no
        AND claims.purpose = 'REWARD' AND claims.beneficiary_role = settled.beneficiary_role
        AND claims.settled_scan_id IS NULL
    RETURNING claims.item_no
    """,
    sets={
        "settled": "brand_id uuid, item_no bigint, beneficiary_role text, outcome text,"
        " scan_id uuid"
    },
    returns="item_no bigint",
)

FIND_DEVICES = Statement(
    """
    SELECT d.brand_id, d.device_hash, d.member_id FROM {keys} {each:d member_devices
        ON d.brand_id = keys.brand_id AND d.device_hash = keys.device_hash
        AND d.member_id = keys.member_id}
    """,
    sets={"keys": "brand_id uuid, device_hash text, member_id uuid"},
    returns="brand_id uuid, device_hash text, member_id uuid",
)

INSERT_DEVICES = insert_statement(
    MemberDevice,
    "brand_id uuid, device_hash text, member_id uuid, first_seen_at timestamptz",
    "ON CONFLICT DO NOTHING",
)

INSERT_SCANS = insert_statement(
    ScanEvent,
    "brand_id uuid, id uuid, item_no bigint, code_kind text, batch_id uuid, product_id uuid,"
    " identity_id uuid, member_id uuid, role text, verdict text, unpaid_reason text,"
    " guide_member_id uuid, guide_unpaid_reason text, campaign_version_id uuid, device_hash text,"
    " latitude float, longitude float, scene text, occurred_at timestamptz,"
    " created_at timestamptz",
)

INSERT_REPLIES = Statement(
    """
    INSERT INTO idempotency_records
        (brand_id, actor_id, operation, key, body_hash, reply, created_at)
    SELECT brand_id, actor_id, operation, key, body_hash, reply, created_at
    FROM {rows} WHERE true ON CONFLICT DO NOTHING RETURNING key
    """,
    sets={
        "rows": "brand_id uuid, actor_id uuid, operation text, key text, body_hash text,"
        " reply jsonb, created_at timestamptz"
    },
    returns="key text",
)


async def list_scans(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[ScanEvent]:
    """The brand's scans, newest first, older than the id ``before``."""
    statement = select(ScanEvent).where(col(ScanEvent.brand_id) == brand_id)
    if before is not None:
        statement = statement.where(col(ScanEvent.id) < before)
    found = await snapshot.session.exec(statement.order_by(col(ScanEvent.id).desc()).limit(limit))
    return list(found)


async def find_scan(snapshot: Snapshot, brand_id: UUID, scan_id: UUID) -> ScanEvent | None:
    found = await snapshot.session.exec(
        select(ScanEvent).where(col(ScanEvent.brand_id) == brand_id, col(ScanEvent.id) == scan_id)
    )
    return found.first()


async def list_settled_claims(snapshot: Snapshot, scan: ScanEvent) -> list[Claim]:
    """The claims for a scan's item that were settled by this scan, one of a role."""
    found = await snapshot.session.exec(
        select(Claim).where(
            col(Claim.brand_id) == scan.brand_id,
            col(Claim.item_no) == scan.item_no,
            col(Claim.purpose) == "REWARD",
            col(Claim.settled_scan_id) == scan.id,
        )
    )
    return list(found)


async def list_channel_claims(
    snapshot: Snapshot, brand_id: UUID, scan_ids: Sequence[UUID]
) -> list[Claim]:
    """For loaders: what scans came to for who stands behind their guides, by role."""
    found = await snapshot.session.exec(
        select(Claim)
        .join(
            ScanEvent,
            (col(ScanEvent.brand_id) == col(Claim.brand_id))
            & (col(ScanEvent.item_no) == col(Claim.item_no)),
        )
        .where(
            col(ScanEvent.brand_id) == brand_id,
            col(ScanEvent.id).in_(scan_ids),
            col(Claim.purpose) == "REWARD",
            col(Claim.beneficiary_role).in_(BEHIND_GUIDES),
            col(Claim.scan_id) == col(ScanEvent.id),
        )
        .order_by(col(Claim.beneficiary_role))
    )
    return list(found)


async def list_reversals(
    snapshot: Snapshot, brand_id: UUID, scan_ids: Sequence[UUID]
) -> list[ScanReversal]:
    """For loaders: of those scans that were taken back."""
    found = await snapshot.session.exec(
        select(ScanReversal).where(
            col(ScanReversal.brand_id) == brand_id, col(ScanReversal.scan_id).in_(scan_ids)
        )
    )
    return list(found)


async def find_item_code(
    snapshot: Snapshot, brand_id: UUID, item_no: int, kind: str
) -> ItemCode | None:
    found = await snapshot.session.exec(
        select(ItemCode).where(
            col(ItemCode.brand_id) == brand_id,
            col(ItemCode.item_no) == item_no,
            col(ItemCode.kind) == kind,
        )
    )
    return found.first()
