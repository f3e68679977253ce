"""What must hold of members that were merged: nothing good is left behind (invariant 2), each leads
to the one that has it (4), and nobody is rewarded twice as two people (6)."""

from loyalty.ledger.audit_probe import MERGED, Probe

_LEFT_BEHIND = (
    (
        "l.remaining || ' ' || a.asset || ' in a ' || CASE WHEN l.locked THEN 'locked lot'"
        " ELSE 'lot good until ' || CAST(l.expires_on AS text) END",
        "accounts a ON a.owner_id = g.id AND a.brand_id = :brand"
        " JOIN lots l ON l.brand_id = a.brand_id AND l.account_id = a.id"
        " AND l.remaining > 0 AND (l.locked OR l.expires_on >= :today)",
    ),
    (
        "a.kind || ' of ' || a.asset || ' with ' || (a.credits_posted - a.debits_posted) || ', '"
        " || (a.credits_pending + a.debits_pending) || ' pending'",
        "accounts a ON a.owner_id = g.id AND a.brand_id = :brand"
        " AND (a.credits_pending <> 0 OR a.debits_pending <> 0"
        " OR a.kind = 'RECEIVABLE' AND a.credits_posted <> a.debits_posted)",
    ),
    ("'an open account of ' || a.asset", "accounts a ON a.owner_id = g.id AND a.closed_at IS NULL"),
    ("'a locked reward'", "locked_rewards r ON r.member_id = g.id AND r.status = 'LOCKED'"),
    ("'a hold'", "holds h ON h.member_id = g.id AND h.status = 'HELD'"),
    ("'a coupon, ' || c.status", "coupons c ON c.member_id = g.id"),
    (
        "'a claim that waits, ' || c.outcome",
        "claims c ON c.member_id = g.id AND c.settled_scan_id IS NULL",
    ),
    ("'level ' || s.rank", "standings s ON s.member_id = g.id AND s.rank > 0"),
    ("'a segment'", "segment_members k ON k.member_id = g.id"),
    ("'somebody it has invited'", "members m ON m.invited_by_id = g.id"),
    (
        "'an open invitation'",
        "invitations v ON v.inviter_id = g.id AND v.accepted_member_id IS NULL",
    ),
)
"""What a merged member ``g`` may not have any more, and how to find it."""

_LEFT = " UNION ALL ".join(
    f"SELECT CAST(g.id AS text) AS id, {what} AS problem FROM merged g JOIN {found}"
    + ("" if ":brand" in found else f" AND {found.split()[1]}.brand_id = :brand")
    for what, found in _LEFT_BEHIND
)

MERGES = (
    Probe(
        2,
        "a merged member has nothing left that is good",
        "已合并会员不再持有有效权益",
        "members WHERE merged_into_id IS NOT NULL",
        f"WITH {MERGED} {_LEFT}",
    ),
    Probe(
        2,
        "only merged members' accounts are closed",
        "仅已合并会员的账户关闭",
        "accounts WHERE closed_at IS NOT NULL",
        f"""
        WITH {MERGED}
        SELECT CAST(a.id AS text) AS id, a.kind || ' of ' || a.asset || ' is closed' AS problem
        FROM accounts a LEFT JOIN merged g ON g.id = a.owner_id
        WHERE a.brand_id = :brand AND a.closed_at IS NOT NULL AND g.id IS NULL
        """,
    ),
    Probe(
        4,
        "merges form no chains",
        "会员合并不成链",
        "members WHERE merged_into_id IS NOT NULL",
        """
        SELECT CAST(m.id AS text) AS id, CASE WHEN t.id IS NULL THEN 'leads to nobody'
            WHEN t.merged_into_id IS NOT NULL THEN 'leads to one that was merged itself'
            ELSE 'a ' || m.role || ' that leads to a ' || t.role END AS problem
        FROM members m LEFT JOIN members t ON t.brand_id = m.brand_id AND t.id = m.merged_into_id
        WHERE m.brand_id = :brand AND m.merged_into_id IS NOT NULL
            AND (t.id IS NULL OR t.merged_into_id IS NOT NULL OR t.role <> m.role)
        """,
    ),
    Probe(
        4,
        "a member is merged where its merge says",
        "会员合并与合并记录一致",
        "member_merges",
        f"""
        WITH {MERGED}
        SELECT CAST(member_id AS text) AS id, CASE
            WHEN SUM(told) <> 1 THEN SUM(told) || ' merges of it'
            WHEN SUM(is_merged) = 0 THEN 'it is not marked as merged'
            WHEN SUM(says_so) < 2 THEN 'its status is another'
            ELSE 'it leads elsewhere than its merge' END AS problem
        FROM (
            SELECT r.from_member_id AS member_id, COALESCE(g.into_id, r.into_member_id) AS leads_to,
                1 AS told, 0 AS is_merged, 1 AS says_so
            FROM member_merges r LEFT JOIN merged g ON g.id = r.into_member_id
            WHERE r.brand_id = :brand
            UNION ALL
            SELECT id, merged_into_id, 0, 1, CASE status WHEN 'MERGED' THEN 1 ELSE 0 END
            FROM members
            WHERE brand_id = :brand AND (merged_into_id IS NOT NULL OR status = 'MERGED')
        ) AS entries
        GROUP BY member_id
        HAVING SUM(told) <> 1 OR SUM(is_merged) <> 1 OR SUM(says_so) <> 2
            OR COUNT(leads_to) < 2 OR COUNT(DISTINCT leads_to) > 1
        """,
    ),
    Probe(
        6,
        "members that were merged are one person",
        "合并的会员视为同一人",
        "member_merges",
        """
        SELECT CAST(r.from_member_id AS text) AS id, 'it and the other are two people' AS problem
        FROM member_merges r
        JOIN members m ON m.brand_id = r.brand_id AND m.id = r.from_member_id
        JOIN identities i ON i.brand_id = m.brand_id AND i.id = m.identity_id
        JOIN members n ON n.brand_id = r.brand_id AND n.id = r.into_member_id
        JOIN identities j ON j.brand_id = n.brand_id AND j.id = n.identity_id
        WHERE r.brand_id = :brand AND COALESCE(i.person_id, i.id) <> COALESCE(j.person_id, j.id)
        UNION ALL
        SELECT CAST(i.id AS text), 'is said to be somebody who stands for nobody'
        FROM identities i
        LEFT JOIN identities p ON p.brand_id = i.brand_id AND p.id = i.person_id
        WHERE i.brand_id = :brand AND i.person_id IS NOT NULL
            AND (p.person_id IS NULL OR p.person_id <> p.id)
        """,
    ),
)
