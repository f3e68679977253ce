"""The SQL of referrals."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement
from loyalty.members.models import Identity
from rewards.referrals.models import Referral, ReferralCode

# Each member is there once for everybody that it is by merges: ``alias_id``.
FIND_UNREFUSED = Statement(
    """
    SELECT r.id, r.status, r.referrer_id, r.referred_id, aliases.id, r.device_hash, r.created_at
    FROM {aliases}
    {each:r referrals ON r.brand_id = aliases.brand_id AND r.referred_id = aliases.alias_id}
    WHERE r.status <> 'REFUSED'
    """,
    sets={"aliases": "brand_id uuid, id uuid, alias_id uuid"},
    returns="id uuid, status text, referrer_id uuid, referred_id uuid, member_id uuid,"
    " device_hash text, created_at timestamptz",
)

_ASKED = {"asked": "brand_id uuid, id uuid, member_id uuid"}

FIND_FIRST_SCANS = Statement(
    """
    SELECT asked.id, MIN(s.occurred_at) FROM {asked}
    {each:s scan_events ON s.brand_id = asked.brand_id AND s.member_id = asked.member_id}
    WHERE s.unpaid_reason IS NULL AND NOT EXISTS (SELECT 1 FROM scan_reversals v
        WHERE v.brand_id = s.brand_id AND v.scan_id = s.id)
    GROUP BY asked.id
    """,
    sets=_ASKED,
    returns="id uuid, at timestamptz",
)

FIND_FIRST_PURCHASES = Statement(
    """
    SELECT asked.id, MIN(p.occurred_at) FROM {asked}
    {each:p purchase_events ON p.brand_id = asked.brand_id AND p.member_id = asked.member_id}
    WHERE p.source <> 'IMPORT' AND p.returned_at IS NULL
    GROUP BY asked.id
    """,
    sets=_ASKED,
    returns="id uuid, at timestamptz",
)

# Who they are by now, where that is one person.
FIND_SAME_PERSONS = Statement(
    """
    SELECT pairs.id FROM {pairs}
    {each:a members ON a.brand_id = pairs.brand_id AND a.id = pairs.referrer_id}
    {each:b members ON b.brand_id = pairs.brand_id AND b.id = pairs.referred_id}
    {each:i identities ON i.brand_id = a.brand_id AND i.id = a.identity_id}
    {each:j identities ON j.brand_id = b.brand_id AND j.id = b.identity_id}
    WHERE COALESCE(i.person_id, i.id) = COALESCE(j.person_id, j.id)
        OR COALESCE(a.merged_into_id, a.id) = COALESCE(b.merged_into_id, b.id)
    """,
    sets={"pairs": "brand_id uuid, id uuid, referrer_id uuid, referred_id uuid"},
    returns="id uuid",
)

# A device of whoever was referred, at its scans or when it used the code, that is the referrer's
# too. By member alone devices are not found: its scans lead to them.
FIND_SAME_DEVICES = Statement(
    """
    SELECT DISTINCT used.id FROM (
        SELECT pairs.brand_id, pairs.id, pairs.referrer_id, s.device_hash FROM {pairs}
        {each:s scan_events ON s.brand_id = pairs.brand_id AND s.member_id = pairs.referred_id}
        WHERE s.device_hash IS NOT NULL
        UNION ALL
        SELECT brand_id, id, referrer_id, device_hash FROM {told} WHERE device_hash IS NOT NULL
    ) AS used
    WHERE EXISTS (SELECT 1 FROM member_devices d WHERE d.brand_id = used.brand_id
            AND d.device_hash = used.device_hash AND d.member_id = used.referrer_id)
        OR EXISTS (SELECT 1 FROM referral_codes c WHERE c.brand_id = used.brand_id
            AND c.member_id = used.referrer_id AND c.device_hash = used.device_hash)
    """,
    sets={
        "pairs": "brand_id uuid, id uuid, referrer_id uuid, referred_id uuid",
        "told": "brand_id uuid, id uuid, referrer_id uuid, device_hash text",
    },
    returns="id uuid",
)

END = Statement(
    """
    UPDATE referrals SET status = ended.status, refused_reason = ended.reason,
        settled_at = ended.at
    FROM {ended} WHERE referrals.brand_id = ended.brand_id AND referrals.id = ended.id
        AND referrals.status = 'WAITING'
    RETURNING referrals.id
    """,
    sets={"ended": "brand_id uuid, id uuid, status text, reason text, at timestamptz"},
    returns="id uuid",
)


async def find_code(snapshot: Snapshot, brand_id: UUID, code: str) -> ReferralCode | None:
    found = await snapshot.session.exec(
        select(ReferralCode).where(
            col(ReferralCode.brand_id) == brand_id, col(ReferralCode.code) == code
        )
    )
    return found.first()


async def list_codes_of(
    snapshot: Snapshot, brand_id: UUID, member_ids: Collection[UUID]
) -> list[ReferralCode]:
    """Those of some members, oldest first."""
    found = await snapshot.session.exec(
        select(ReferralCode)
        .where(col(ReferralCode.brand_id) == brand_id, col(ReferralCode.member_id).in_(member_ids))
        .order_by(col(ReferralCode.id))
    )
    return list(found)


async def list_referrals_of(
    snapshot: Snapshot, brand_id: UUID, referred_ids: Collection[UUID]
) -> list[Referral]:
    """By which these members came, refused ones too."""
    found = await snapshot.session.exec(
        select(Referral)
        .where(col(Referral.brand_id) == brand_id, col(Referral.referred_id).in_(referred_ids))
        .execution_options(populate_existing=True)
    )
    return list(found)


async def list_referrals(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[Referral]:
    """Newest first, older than the id ``before``."""
    return await keyed.list_newest(snapshot, Referral, brand_id, before=before, limit=limit)


async def list_identities_of_person(
    snapshot: Snapshot, brand_id: UUID, person_id: UUID
) -> list[Identity]:
    """Those that were found to be one person."""
    found = await snapshot.session.exec(
        select(Identity).where(
            col(Identity.brand_id) == brand_id, col(Identity.person_id) == person_id
        )
    )
    return list(found)


async def count_by_status(
    snapshot: Snapshot, brand_id: UUID, referrer_ids: Collection[UUID]
) -> dict[str, int]:
    """How many referrals these members have, by status."""
    found = await snapshot.session.exec(
        select(Referral.status, func.count())
        .where(col(Referral.brand_id) == brand_id, col(Referral.referrer_id).in_(referrer_ids))
        .group_by(col(Referral.status))
    )
    return dict(found.all())
