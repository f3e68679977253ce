"""What must hold of rewards that wait for something, and of scans taken back: invariant 6.

That a locked reward is its pending transfer, and ends with it: ``audit_history.py``."""

from loyalty.ledger.audit_bonuses import NOT_OF_A_BONUS
from loyalty.ledger.audit_probe import MERGED, Probe
from loyalty.ledger.audit_scans import OUTCOME_MOST

LOCKS = (
    # What was locked anew for somebody into whom its member was merged was granted once.
    Probe(
        6,
        "a paid scan locks exactly what its campaign locks",
        "有奖扫码恰按活动锁定奖励",
        "claims WHERE outcome = 'PAID'",
        f"""
        WITH offer AS MATERIALIZED (
            SELECT version_id, beneficiary, asset, kind, amount AS low, {OUTCOME_MOST} AS high
            FROM {{locked_outcomes}}
        ), drawn AS MATERIALIZED (
            SELECT version_id, kind FROM {{draw_locks}}
        ), due AS MATERIALIZED (
            SELECT beneficiary_role, COALESCE(settled_scan_id, scan_id) AS scan_id
            FROM claims WHERE brand_id = :brand AND outcome = 'PAID'
        )
        SELECT CAST(scan_id AS text) AS id, asset || ' until ' || kind || ': due ' || SUM(low)
            || ', locked ' || SUM(given) AS problem
        FROM (
            SELECT d.scan_id, o.asset, o.kind, o.low, o.high, 0 AS given
            FROM due d CROSS JOIN scan_events e CROSS JOIN offer o
            WHERE e.brand_id = :brand AND e.id = d.scan_id
                AND o.version_id = e.campaign_version_id AND o.beneficiary = d.beneficiary_role
            UNION ALL
            SELECT d.cause_id, d.asset, l.kind, d.amount, d.amount, 0
            FROM draws d JOIN drawn l ON l.version_id = d.campaign_version_id
            WHERE d.brand_id = :brand AND d.cause_kind = 'SCAN' AND d.asset IS NOT NULL
                AND d.is_locked
            UNION ALL
            SELECT t.cause_id, t.asset, r.unlock_kind, 0, 0, t.amount
            FROM transfers t
            JOIN locked_rewards r ON r.brand_id = t.brand_id AND r.id = t.id
            LEFT JOIN transfers v ON v.brand_id = t.brand_id AND v.pending_id = t.id
                AND v.cause_kind = 'MERGE'
            {NOT_OF_A_BONUS}
            WHERE t.brand_id = :brand AND t.phase = 'PENDING' AND t.cause_kind = 'SCAN'
                AND r.unlock_kind NOT IN ('ITEM', 'TAKEN') AND v.id IS NULL AND x.cause_id IS NULL
        ) AS entries
        GROUP BY scan_id, asset, kind
        HAVING SUM(given) < SUM(low) OR SUM(given) > SUM(high)
        """,
    ),
    Probe(
        6,
        "a locked reward is unlocked by what it waits for, and in time, or lapses",
        "待解锁奖励按条件按时解锁或过期",
        "locked_rewards",
        """
        WITH rewards AS MATERIALIZED (
            SELECT l.*, CASE WHEN l.coupon_template_id IS NULL THEN e.cause_kind
                    WHEN l.resolved_by_id = l.id THEN 'LOCK' ELSE 'ITSELF' END AS by_kind,
                COALESCE(e.cause_id, l.resolved_by_id) AS by_id,
                CASE WHEN l.coupon_template_id IS NULL THEN e.occurred_at
                    WHEN l.resolved_by_id = l.id THEN COALESCE(l.unlocks_at, l.resolved_at)
                    ELSE l.resolved_at END AS by_at
            FROM locked_rewards l
            LEFT JOIN transfers e ON e.brand_id = l.brand_id AND e.id = l.resolved_by_id
            WHERE l.brand_id = :brand
        ), taken AS MATERIALIZED (
            SELECT g.id, COUNT(b.id) AS n,
                COUNT(CASE WHEN c.resolved_at = g.resolved_at THEN b.id END) AS with_it,
                COUNT(CASE WHEN c.status = 'LOCKED' THEN b.id END) AS waiting,
                COUNT(CASE WHEN c.status = 'UNLOCKED' THEN b.id END) AS had
            FROM locked_rewards g
            JOIN claims k ON k.brand_id = g.brand_id AND k.purpose = 'REWARD'
                AND k.beneficiary_role = 'CONSUMER' AND k.outcome = 'PAID'
                AND k.item_no = CAST(substr(g.unlock_key, 6, length(g.unlock_key) - 14) AS bigint)
            LEFT JOIN locked_rewards c ON c.brand_id = k.brand_id AND c.cause_id = k.scan_id
            LEFT JOIN members b ON b.brand_id = c.brand_id AND b.id = c.member_id
                AND b.role = 'CONSUMER'
            WHERE g.brand_id = :brand AND g.unlock_kind = 'TAKEN'
            GROUP BY g.id
        )
        SELECT CAST(r.id AS text) AS id, 'it waits for ' || r.unlock_count || ' more of '
            || r.unlock_key || ', and is ' || r.status || ' by '
            || COALESCE(r.by_kind, 'nothing') AS problem
        FROM rewards r
        LEFT JOIN scan_events s ON s.brand_id = r.brand_id AND s.id = r.by_id
            AND r.by_kind IN ('SCAN', 'ITSELF')
        LEFT JOIN action_reports p ON p.brand_id = r.brand_id AND p.id = r.by_id
            AND r.by_kind IN ('ACTION', 'ITSELF')
        LEFT JOIN taken g ON g.id = r.id
        WHERE CASE r.status
            WHEN 'UNLOCKED' THEN r.unlock_count = 0
                AND (r.lapses_at IS NULL OR r.by_at < r.lapses_at)
                AND CASE r.unlock_kind
                    WHEN 'ITEM' THEN s.role = 'CONSUMER'
                    WHEN 'TAKEN' THEN g.waiting = 0 AND (g.n = 0 AND s.role = 'CONSUMER'
                        OR g.had > 0 AND g.with_it > 0)
                    WHEN 'INNER_SCAN' THEN s.member_id = r.member_id AND s.role = 'CONSUMER'
                        AND r.unlock_key = 'item:' || CAST(s.item_no AS text) || ':inner'
                        AND s.code_kind = 'INNER'
                        AND (s.id = r.cause_id OR s.unpaid_reason = 'ALREADY_CLAIMED')
                    WHEN 'NEXT_SCAN' THEN s.member_id = r.member_id AND s.role = 'CONSUMER'
                        AND s.unpaid_reason IS NULL AND s.id <> r.cause_id
                    WHEN 'BOX_BOTTLES' THEN s.role = 'CONSUMER'
                    WHEN 'ACTION' THEN p.member_id = r.member_id AND p.action = r.unlock_key
                    ELSE r.by_kind = 'LOCK' AND r.by_at = r.unlocks_at
                        AND r.unlocks_at <= r.resolved_at END
            WHEN 'LAPSED' THEN r.by_kind = 'LOCK' AND (r.lapses_at <= r.resolved_at
                OR g.with_it > 0 AND g.waiting = 0 AND g.had = 0)
            WHEN 'LOCKED' THEN (r.unlock_count = 0) = (r.unlocks_at IS NOT NULL)
                AND (r.unlock_kind <> 'TAKEN' OR g.id IS NULL OR g.waiting > 0)
            ELSE true END IS NOT TRUE
        """,
    ),
    Probe(
        7,
        "a locked coupon that was unlocked is issued to its member, and no other is",
        "已解锁的待解锁券发给其会员且仅此",
        "locked_rewards WHERE coupon_template_id IS NOT NULL",
        f"""
        WITH {MERGED}
        SELECT CAST(locked_id AS text) AS id, SUM(due) || ' coupons of '
            || CAST(template_id AS text) || ' due, ' || SUM(made) || ' there' AS problem
        FROM (
            SELECT id AS locked_id, member_id, coupon_template_id AS template_id,
                resolved_at AS at, 1 AS due, 0 AS made
            FROM locked_rewards WHERE brand_id = :brand AND coupon_template_id IS NOT NULL
                AND status = 'UNLOCKED'
            UNION ALL
            SELECT cause_id, member_id, template_id, issued_at, 0, 1 FROM coupons
            WHERE brand_id = :brand AND cause_kind = 'LOCK'
        ) AS entries LEFT JOIN merged m ON m.id = member_id
        GROUP BY locked_id, COALESCE(m.into_id, member_id), template_id, at
        HAVING SUM(due) <> SUM(made)
        """,
    ),
    Probe(
        6,
        "a scan that was taken back was paid, and what it gave is taken back",
        "冲回的扫码曾发奖且只冲回其所发",
        "scan_reversals",
        """
        SELECT CAST(v.id AS text) AS id, CASE WHEN r.id IS NULL THEN 'its scan was not paid'
            ELSE 'a reward of its scan is still locked' END AS problem
        FROM scan_reversals v
        LEFT JOIN scan_events s ON s.brand_id = v.brand_id AND s.id = v.scan_id
        LEFT JOIN locked_rewards r ON r.brand_id = v.brand_id AND r.cause_id = v.scan_id
            AND r.status = 'LOCKED'
        WHERE v.brand_id = :brand AND (s.id IS NULL OR s.role <> 'CONSUMER'
            OR s.unpaid_reason IS NOT NULL OR r.id IS NOT NULL)
        UNION ALL
        SELECT CAST(t.id AS text), 'it takes back what another scan gave'
        FROM transfers t
        JOIN scan_reversals v ON v.brand_id = t.brand_id AND v.id = t.cause_id
        JOIN scan_events s ON s.brand_id = v.brand_id AND s.id = v.scan_id
        LEFT JOIN transfers o ON o.brand_id = t.brand_id
            AND o.id = COALESCE(t.reverses_id, t.pending_id)
        LEFT JOIN withholdings w ON w.brand_id = o.brand_id AND w.id = o.id
        LEFT JOIN transfers c ON c.brand_id = o.brand_id AND c.id = COALESCE(w.credit_id, o.id)
        LEFT JOIN transfers p ON p.brand_id = c.brand_id AND p.id = c.pending_id
        LEFT JOIN scan_events g ON g.brand_id = t.brand_id
            AND g.id = COALESCE(p.cause_id, o.cause_id)
        WHERE t.brand_id = :brand AND t.cause_kind = 'SCAN_REVERSAL'
            AND (g.id IS NULL OR g.item_no <> s.item_no)
        """,
    ),
)
