"""The SQL of activities."""

from loyalty.db import Statement

# Of the brands those where something may wait for what members do.
FIND_WATCHED = Statement(
    """
    SELECT brands.id FROM {brands} WHERE EXISTS (SELECT 1 FROM tasks t
        WHERE t.brand_id = brands.id AND (t.ends_at IS NULL OR t.ends_at > :late))
        OR EXISTS (SELECT 1 FROM referrals r
            WHERE r.brand_id = brands.id AND r.status = 'WAITING')
    """,
    sets={"brands": "id uuid"},
    params="late timestamptz",
    returns="id uuid",
)

# Whoever scanned, whom it paid besides, and who invited the one who scanned.
FIND_OF_SCANS = Statement(
    """
    SELECT s.brand_id, s.member_id, s.guide_member_id, m.invited_by_id
    FROM {scans}
    {each:s scan_events ON s.brand_id = scans.brand_id AND s.id = scans.id}
    {maybe:m members ON m.brand_id = s.brand_id AND m.id = s.member_id}
    """,
    sets={"scans": "brand_id uuid, id uuid"},
    returns="brand_id uuid, member_id uuid, guide_id uuid, inviter_id uuid",
)

FIND_INVITERS = Statement(
    """
    SELECT m.brand_id, m.invited_by_id FROM {members}
    {each:m members ON m.brand_id = members.brand_id AND m.id = members.id}
    WHERE m.invited_by_id IS NOT NULL
    """,
    sets={"members": "brand_id uuid, id uuid"},
    returns="brand_id uuid, inviter_id uuid",
)

# Who they are by now, if a task of theirs runs, or they were referred and that waits.
FIND_WAITING = Statement(
    """
    SELECT DISTINCT m.brand_id, m.id
    FROM {members}
    {each:own members ON own.brand_id = members.brand_id AND own.id = members.id}
    {each:m members ON m.brand_id = own.brand_id AND m.id = COALESCE(own.merged_into_id, own.id)}
    WHERE EXISTS (SELECT 1 FROM tasks t WHERE t.brand_id = m.brand_id AND t.role = m.role
            AND (t.ends_at IS NULL OR t.ends_at > :late)
            AND (t.for_everybody OR EXISTS (SELECT 1 FROM task_takings k
                WHERE k.brand_id = t.brand_id AND k.member_id = m.id AND k.task_id = t.id)))
        OR EXISTS (SELECT 1 FROM referrals r
            JOIN members a ON a.brand_id = r.brand_id AND a.id = r.referred_id
            WHERE r.brand_id = m.brand_id AND r.status = 'WAITING'
                AND COALESCE(a.merged_into_id, a.id) = m.id)
    """,
    sets={"members": "brand_id uuid, id uuid"},
    params="late timestamptz",
    returns="brand_id uuid, id uuid",
)

INSERT = Statement(
    "INSERT INTO activities (brand_id, id, member_id) SELECT brand_id, id, member_id FROM {rows}",
    sets={"rows": "brand_id uuid, id uuid, member_id uuid"},
)

# The oldest of one brand: of the one whose turn it is.
TAKE = Statement(
    """
    SELECT a.brand_id, a.id, COALESCE(m.merged_into_id, a.member_id) FROM (
        SELECT brand_id, id, member_id FROM activities
        WHERE brand_id = (SELECT brand_id FROM activities ORDER BY id LIMIT 1)
        ORDER BY id LIMIT :row_count_max
    ) AS a JOIN members m ON m.brand_id = a.brand_id AND m.id = a.member_id
    """,
    params="row_count_max bigint",
    returns="brand_id uuid, id uuid, member_id uuid",
)

DELETE = Statement(
    """
    DELETE FROM activities WHERE brand_id = :brand_id AND id IN (SELECT id FROM {done})
    """,
    sets={"done": "id uuid"},
    params="brand_id uuid",
)
