"""What must hold of scans, claims and the rewards they made: invariant 6."""

from loyalty.ledger.audit_bonuses import NOT_OF_A_BONUS
from loyalty.ledger.audit_probe import LINKED, MERGED, Probe

_PAYS = "t.kind = 'EARN' AND t.phase IN ('POSTED', 'POST')"

OUTCOME_MOST = "CASE WHEN asset = 'POINTS' THEN amount * 10 ELSE amount END"
"""A tier multiplies points by 1 to 10, rounded down; other assets are paid as published."""

SCANS = (
    Probe(
        6,
        "a claim is made once",
        "每个领取键至多一次",
        "claims",
        """
        SELECT CAST(item_no AS text) || ' ' || purpose || ' ' || beneficiary_role AS id,
            'claimed ' || COUNT(*) || ' times' AS problem
        FROM claims WHERE brand_id = :brand
        GROUP BY item_no, purpose, beneficiary_role HAVING COUNT(*) > 1
        """,
    ),
    Probe(
        6,
        "an item pays one consumer once",
        "一物只奖励一次",
        "scan_events WHERE unpaid_reason IS NULL AND role = 'CONSUMER'",
        """
        SELECT CAST(item_no AS text) AS id, 'paid ' || COUNT(*) || ' scans' AS problem
        FROM scan_events
        WHERE brand_id = :brand AND unpaid_reason IS NULL AND role = 'CONSUMER'
        GROUP BY item_no HAVING COUNT(*) > 1
        """,
    ),
    Probe(
        6,
        "a scan pays its scanner or says why not",
        "扫码有奖励或有未发原因",
        "scan_events",
        f"""
        WITH {MERGED}, given AS MATERIALIZED (
            SELECT t.cause_id, a.owner_id, CASE WHEN t.phase = 'PENDING' THEN 0 ELSE 1 END AS now,
                COUNT(*) AS n
            FROM transfers t
            JOIN accounts a ON a.brand_id = t.brand_id AND a.id = t.credit_account_id
            LEFT JOIN locked_rewards r ON r.brand_id = t.brand_id AND r.id = t.pending_id
            WHERE t.brand_id = :brand AND t.cause_kind = 'SCAN'
                AND ({_PAYS} OR t.phase = 'PENDING')
                AND COALESCE(r.unlock_kind, 'ITEM') NOT IN ('INNER_SCAN', 'TAKEN')
            GROUP BY t.cause_id, a.owner_id, CASE WHEN t.phase = 'PENDING' THEN 0 ELSE 1 END
            UNION ALL
            SELECT cause_id, member_id, 1, COUNT(*) FROM coupons
            WHERE brand_id = :brand AND cause_kind = 'SCAN' GROUP BY cause_id, member_id
            UNION ALL
            SELECT r.cause_id, r.member_id, 0, COUNT(*)
            FROM locked_rewards r
            JOIN scan_events e ON e.brand_id = r.brand_id AND e.id = r.cause_id
            WHERE r.brand_id = :brand AND r.coupon_template_id IS NOT NULL
            GROUP BY r.cause_id, r.member_id
            UNION ALL
            SELECT cause_id, member_id, 1, 1 FROM draws
            WHERE brand_id = :brand AND cause_kind = 'SCAN'
        ), sums AS MATERIALIZED (
            SELECT g.cause_id, SUM(g.n) AS n,
                SUM(CASE WHEN COALESCE(m.into_id, g.owner_id) = COALESCE(n.into_id, e.member_id)
                    THEN g.n ELSE 0 END) AS own,
                SUM(g.n * g.now) AS posted
            FROM given g JOIN scan_events e ON e.brand_id = :brand AND e.id = g.cause_id
            LEFT JOIN merged m ON m.id = g.owner_id
            LEFT JOIN merged n ON n.id = e.member_id
            GROUP BY g.cause_id
        )
        SELECT CAST(e.id AS text) AS id, CASE
            WHEN e.unpaid_reason IS NULL THEN 'no reason and no reward'
            ELSE e.unpaid_reason || ' and yet ' || s.n || ' rewards' END AS problem
        FROM scan_events e LEFT JOIN sums s ON s.cause_id = e.id
        WHERE e.brand_id = :brand AND (
            e.unpaid_reason IS NULL AND COALESCE(s.own, 0) = 0
            OR e.unpaid_reason = 'AWAITS_CONSUMER' AND COALESCE(s.posted, 0) > 0
            OR e.unpaid_reason <> 'AWAITS_CONSUMER' AND COALESCE(s.n, 0) > 0)
        """,
    ),
    Probe(
        6,
        "a paid scan holds its consumer's claim",
        "有奖扫码持有消费者领取权",
        "scan_events WHERE role = 'CONSUMER'",
        """
        SELECT CAST(e.id AS text) AS id, 'paid without the claim' AS problem
        FROM scan_events e
        LEFT JOIN claims c ON c.brand_id = e.brand_id AND c.item_no = e.item_no
            AND c.purpose = 'REWARD' AND c.beneficiary_role = 'CONSUMER'
        WHERE e.brand_id = :brand AND e.role = 'CONSUMER' AND e.unpaid_reason IS NULL
            AND (c.scan_id IS NULL OR c.scan_id <> e.id OR c.outcome <> 'PAID')
        UNION ALL
        SELECT CAST(e.id AS text), 'its claim is ' || c.outcome || ' and its reason '
            || COALESCE(e.unpaid_reason, 'none')
        FROM claims c JOIN scan_events e ON e.brand_id = c.brand_id AND e.id = c.scan_id
        WHERE c.brand_id = :brand AND c.beneficiary_role = 'CONSUMER'
            AND (CASE WHEN c.outcome = 'PAID' THEN 'none' ELSE c.outcome END)
                <> COALESCE(e.unpaid_reason, 'none')
        """,
    ),
    # What earlier scans have locked until this one is theirs: ``audit_locks.py``.
    Probe(
        6,
        "a paid scan has exactly its consumer credit and its guide credit",
        "双奖扫码的两笔奖励恰好到账",
        "claims WHERE outcome = 'PAID'",
        f"""
        WITH offer AS MATERIALIZED (
            SELECT version_id, beneficiary, asset, amount AS low, {OUTCOME_MOST} AS high
            FROM {{outcomes}}
        ), due AS MATERIALIZED (
            SELECT c.beneficiary_role, c.member_id,
                COALESCE(c.settled_scan_id, c.scan_id) AS scan_id,
                CASE WHEN v.gate <> 'NONE' AND e.role = 'GUIDE' THEN c.scan_id
                    ELSE COALESCE(c.settled_scan_id, c.scan_id) END AS offer_scan_id
            FROM claims c
            JOIN scan_events e ON e.brand_id = c.brand_id AND e.id = c.scan_id
            LEFT JOIN campaign_versions v
                ON v.brand_id = e.brand_id AND v.id = e.campaign_version_id
            WHERE c.brand_id = :brand AND c.outcome = 'PAID'
        )
        SELECT CAST(scan_id AS text) AS id, asset || ' to ' || CAST(member_id AS text) || ': due '
            || SUM(low) || ', given ' || SUM(given) AS problem
        FROM (
            SELECT d.scan_id, d.member_id, o.asset, o.low, o.high, 0 AS given
            FROM due d CROSS JOIN scan_events e CROSS JOIN offer o
            WHERE e.brand_id = :brand AND e.id = d.offer_scan_id
                AND o.version_id = e.campaign_version_id AND o.beneficiary = d.beneficiary_role
            UNION ALL
            SELECT cause_id, member_id, asset, amount, amount, 0 FROM draws
            WHERE brand_id = :brand AND cause_kind = 'SCAN' AND asset IS NOT NULL
                AND NOT is_locked
            UNION ALL
            SELECT d.scan_id, d.member_id, r.asset, 0, 0, r.amount
            FROM due d
            JOIN locked_rewards r ON r.brand_id = :brand AND r.cause_id = d.offer_scan_id
                AND r.unlock_kind = 'ITEM' AND r.status IN ('LAPSED', 'VOIDED')
            JOIN transfers v ON v.brand_id = r.brand_id AND v.id = r.resolved_by_id
                AND v.cause_kind IN ('LOCK', 'OPERATOR')
            WHERE d.beneficiary_role = 'GUIDE'
            UNION ALL
            SELECT d.scan_id, d.member_id, t.asset, 0, 0, t.amount
            FROM due d
            JOIN transfers t ON t.brand_id = :brand AND t.cause_id = d.offer_scan_id
                AND t.cause_kind = 'SCAN' AND t.phase = 'PENDING'
            JOIN locked_rewards r ON r.brand_id = t.brand_id AND r.id = t.id
                AND r.unlock_kind = 'TAKEN'
            LEFT JOIN transfers v ON v.brand_id = t.brand_id AND v.pending_id = t.id
                AND v.cause_kind = 'MERGE'
            WHERE d.beneficiary_role = 'GUIDE' AND v.id IS NULL
            UNION ALL
            SELECT t.cause_id, a.owner_id, t.asset, 0, 0, t.amount
            FROM transfers t
            JOIN accounts a ON a.brand_id = t.brand_id AND a.id = t.credit_account_id
            LEFT JOIN locked_rewards r ON r.brand_id = t.brand_id AND r.id = t.pending_id
            {NOT_OF_A_BONUS}
            WHERE t.brand_id = :brand AND t.cause_kind = 'SCAN' AND {_PAYS}
                AND COALESCE(r.unlock_kind, 'ITEM') = 'ITEM' AND x.cause_id IS NULL
        ) AS entries
        GROUP BY scan_id, member_id, asset
        HAVING SUM(given) < SUM(low) OR SUM(given) > SUM(high)
        """,
    ),
    Probe(
        6,
        "a paid scan settles its guide's claim, or says why there is no credit",
        "有奖扫码结清导购领取权",
        "claims WHERE beneficiary_role = 'CONSUMER'",
        """
        SELECT CAST(c.scan_id AS text) AS id, CASE
            WHEN g.scan_id IS NULL THEN 'there is no claim for the guide'
            WHEN g.settled_scan_id IS NULL THEN 'the guide''s claim is not settled'
            WHEN g.settled_scan_id <> c.scan_id THEN 'another scan settled the guide''s claim'
            ELSE 'the guide''s claim is ' || g.outcome || ', the scan''s own ' || c.outcome
                || ' and its reason ' || COALESCE(e.guide_unpaid_reason, 'none') END AS problem
        FROM claims c
        LEFT JOIN scan_events e ON e.brand_id = c.brand_id AND e.id = c.scan_id
        LEFT JOIN claims g ON g.brand_id = c.brand_id AND g.item_no = c.item_no
            AND g.purpose = c.purpose AND g.beneficiary_role = 'GUIDE'
        WHERE c.brand_id = :brand AND c.beneficiary_role = 'CONSUMER'
            AND (g.scan_id IS NULL OR g.settled_scan_id IS NULL
                OR g.settled_scan_id <> c.scan_id
                OR g.outcome <> CASE WHEN c.outcome = 'BUDGET'
                        OR e.guide_unpaid_reason = 'GUIDE_BUDGET' THEN 'BUDGET'
                    ELSE COALESCE(e.guide_unpaid_reason, 'PAID') END
                OR g.outcome = 'PAID'
                    AND (e.guide_member_id IS NULL OR e.guide_member_id <> g.member_id))
        UNION ALL
        SELECT CAST(g.scan_id AS text), 'the guide''s claim is ' || g.outcome || CASE
            WHEN g.settled_scan_id IS NULL THEN ' and not settled'
            ELSE ' and settled by a scan without the consumer''s claim' END
        FROM claims g
        LEFT JOIN claims c ON c.brand_id = g.brand_id AND c.item_no = g.item_no
            AND c.purpose = g.purpose AND c.beneficiary_role = 'CONSUMER'
        WHERE g.brand_id = :brand AND g.beneficiary_role = 'GUIDE' AND (
            g.settled_scan_id IS NULL AND g.outcome NOT IN ('LOCKED', 'ATTRIBUTED', 'BUDGET')
            OR g.settled_scan_id IS NOT NULL
                AND (c.scan_id IS NULL OR c.scan_id <> g.settled_scan_id))
        """,
    ),
    # An operator may have taken back what waits, or it lapsed; the consumer's scan then says so.
    Probe(
        6,
        "a guide's claim is locked while its credits are pending",
        "导购领取权待解锁与冻结流水一致",
        "claims WHERE beneficiary_role = 'GUIDE'",
        """
        SELECT CAST(g.item_no AS text) AS id, 'the guide''s claim is ' || g.outcome || ' with '
            || COALESCE(p.n, 0) || ' pending credits' AS problem
        FROM claims g LEFT JOIN (
            SELECT t.cause_id, SUM(CASE WHEN e.id IS NULL THEN 1 ELSE 0 END) AS n,
                SUM(CASE WHEN e.id IS NULL AND r.unlock_kind = 'TAKEN' THEN 1 ELSE 0 END) AS more,
                SUM(CASE WHEN e.phase = 'VOID' AND e.cause_kind IN ('OPERATOR', 'LOCK')
                    THEN 1 ELSE 0 END) AS voided
            FROM transfers t
            LEFT JOIN locked_rewards r ON r.brand_id = t.brand_id AND r.id = t.id
            LEFT JOIN transfers e ON e.brand_id = t.brand_id AND e.pending_id = t.id
            WHERE t.brand_id = :brand AND t.phase = 'PENDING' AND t.cause_kind = 'SCAN'
                AND COALESCE(r.unlock_kind, 'ITEM') IN ('ITEM', 'TAKEN')
            GROUP BY t.cause_id
        ) AS p ON p.cause_id = g.scan_id
        WHERE g.brand_id = :brand AND g.beneficiary_role = 'GUIDE'
            AND (g.outcome NOT IN ('LOCKED', 'PAID') AND p.n > 0
                OR g.outcome = 'PAID' AND p.n > p.more
                OR g.outcome = 'LOCKED' AND COALESCE(p.n + p.voided, 0) = 0)
        """,
    ),
    # Two identities are one person from their merge on. The day tells: neither ids nor times do who
    # of two that were under way at once came first.
    Probe(
        6,
        "the two rewards of a scan go to different people",
        "双奖归属不同的人",
        "claims WHERE beneficiary_role = 'CONSUMER'",
        f"""
        WITH {LINKED}
        SELECT CAST(c.item_no AS text) AS id, CASE
            WHEN c.member_id = g.member_id THEN 'one member got both'
            WHEN m.identity_id = n.identity_id THEN 'one identity got both'
            WHEN l.one_id IS NOT NULL THEN 'one person of two identities got both'
            ELSE 'one device scanned for both' END AS problem
        FROM claims c
        JOIN claims g ON g.brand_id = c.brand_id AND g.item_no = c.item_no
            AND g.purpose = c.purpose AND g.beneficiary_role = 'GUIDE'
        LEFT JOIN members m ON m.brand_id = c.brand_id AND m.id = c.member_id
        LEFT JOIN members n ON n.brand_id = g.brand_id AND n.id = g.member_id
        LEFT JOIN scan_events e ON e.brand_id = c.brand_id AND e.id = c.scan_id
        LEFT JOIN scan_events f ON f.brand_id = g.brand_id AND f.id = g.scan_id
            AND f.id <> c.scan_id
        LEFT JOIN linked l ON l.one_id = m.identity_id AND l.other_id = n.identity_id
            AND date(l.created_at) < date(e.created_at)
        WHERE c.brand_id = :brand AND c.beneficiary_role = 'CONSUMER'
            AND c.outcome = 'PAID' AND g.outcome = 'PAID'
            AND (c.member_id = g.member_id OR m.identity_id = n.identity_id
                OR l.one_id IS NOT NULL OR e.device_hash = f.device_hash)
        """,
    ),
    Probe(
        6,
        "a code's scans are counted, and its first and last are told right",
        "扫码次数与首末次正确",
        "item_codes",
        """
        SELECT CAST(item_no AS text) || ' ' || kind AS id,
            'counted ' || SUM(counted) || ', scanned ' || SUM(scanned) AS problem
        FROM (
            SELECT item_no, kind, scan_count AS counted, 0 AS scanned FROM item_codes
            WHERE brand_id = :brand
            UNION ALL
            SELECT item_no, code_kind, 0, 1 FROM scan_events WHERE brand_id = :brand
        ) AS entries
        GROUP BY item_no, kind HAVING SUM(counted) <> SUM(scanned)
        UNION ALL
        SELECT CAST(i.item_no AS text) || ' ' || i.kind,
            CASE WHEN f.id IS NULL THEN 'its first scan does not exist'
            WHEN l.id IS NULL THEN 'its last scan does not exist'
            WHEN f.verdict = 'REPEAT' THEN 'its first scan is a repeat'
            ELSE 'its first or last scan is of another code or time' END
        FROM item_codes i
        LEFT JOIN scan_events f ON f.brand_id = i.brand_id AND f.id = i.first_scan_id
        LEFT JOIN scan_events l ON l.brand_id = i.brand_id AND l.id = i.last_scan_id
        WHERE i.brand_id = :brand AND (f.id IS NULL OR l.id IS NULL OR f.verdict = 'REPEAT'
            OR f.item_no <> i.item_no OR f.code_kind <> i.kind
            OR l.item_no <> i.item_no OR l.code_kind <> i.kind
            OR f.occurred_at <> i.first_scanned_at OR l.occurred_at <> i.last_scanned_at)
        """,
    ),
    Probe(
        6,
        "a code is scanned for the first time once",
        "首次扫码只有一次",
        "scan_events WHERE verdict = 'FIRST'",
        """
        SELECT CAST(item_no AS text) || ' ' || code_kind AS id,
            COUNT(*) || ' first scans' AS problem
        FROM scan_events WHERE brand_id = :brand AND verdict = 'FIRST'
        GROUP BY item_no, code_kind HAVING COUNT(*) > 1
        """,
    ),
)
