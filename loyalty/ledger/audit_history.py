"""What must hold of the record of what happened: invariant 4."""

from loyalty.ledger.audit_probe import MERGED, Probe

_APPENDED = (
    ("transfers", "transfer"),
    ("lot_extensions", "lot extension"),
    ("scan_events", "scan"),
    ("scan_reversals", "scan taken back"),
    ("action_reports", "reported action"),
    ("purchase_events", "purchase"),
    ("purchase_returns", "purchase return"),
    ("earning_events", "event"),
    ("standing_changes", "standing change"),
    ("audit_log", "audit row"),
    ("member_merges", "merge"),
    ("redemption_events", "redemption step"),
    ("payout_reports", "payout report"),
    ("clearing_entries", "clearing entry"),
)
"""The append-only tables, and what a row of each is called."""

_MOVED_ON = (
    ("coupons", "coupon", ("issued_at", "ended_at")),
    ("locked_rewards", "locked reward", ("created_at", "resolved_at")),
    ("redemptions", "redemption", ("held_at", "captured_at", "settled_at", "ended_at")),
    ("offer_orders", "order", ("created_at", "fulfilled_at", "cancelled_at")),
    ("raffles", "raffle", ("created_at", "closed_at", "drawn_at", "cancelled_at", "settled_at")),
    ("raffle_entries", "raffle entry", ("created_at", "returned_at")),
    ("raffle_winners", "raffle winner", ("created_at", "paid_at")),
    ("holds", "hold", ("held_at", "ended_at")),
    ("adjustments", "adjustment", ("proposed_at", "decided_at")),
    ("payouts", "payout", ("created_at", "sent_at", "resolved_at")),
    ("sign_in_sessions", "session", ("created_at", "revoked_at")),
    ("refresh_tokens", "refresh token", ("created_at", "used_at")),
)
"""Tables whose rows move on, and when they say they did."""

_REPEATED_IDS = " UNION ALL ".join(
    f"SELECT CAST(id AS text) AS id, COUNT(*) || ' {noun} rows' AS problem FROM {table}"
    " WHERE brand_id = :brand GROUP BY id HAVING COUNT(*) > 1"
    for table, noun in _APPENDED
)


def _in_future(table: str, noun: str, columns: tuple[str, ...]) -> str:
    told = " ".join(f"WHEN {c} > :soon THEN '{noun} {c} ' || CAST({c} AS text)" for c in columns)
    late = " OR ".join(f"{c} > :soon" for c in columns)
    return (
        f"SELECT CAST(id AS text) AS id, CASE {told} END AS problem FROM {table}"
        f" WHERE brand_id = :brand AND ({late})"
    )


_IN_FUTURE = " UNION ALL ".join(
    _in_future(table, noun, columns)
    for table, noun, columns in (
        *((table, noun, ("created_at",)) for table, noun in _APPENDED),
        *_MOVED_ON,
    )
)

_AT_ONCE = "t.occurred_at = e.occurred_at AND t.created_at = e.created_at"

_CAUSES = {
    "SCAN": ("scan_events", _AT_ONCE),
    "PURCHASE": ("purchase_events", _AT_ONCE),
    "PURCHASE_RETURN": ("purchase_returns", "t.created_at = e.created_at"),
    "EVENT": ("earning_events", _AT_ONCE),
    "ACTION": ("action_reports", "t.created_at = e.created_at"),
    "LOCK": ("locked_rewards", "t.created_at = e.resolved_at"),
    "SCAN_REVERSAL": ("scan_reversals", "t.created_at = e.created_at"),
    "OFFER": ("coupons", "t.created_at = e.issued_at"),
    "ORDER": ("offer_orders", "t.created_at IN (e.created_at, e.cancelled_at)"),
    "RAFFLE_ENTRY": ("raffle_entries", "t.created_at IN (e.created_at, e.returned_at)"),
    "RAFFLE_PRIZE": ("raffle_winners", "t.created_at = e.paid_at"),
    "REDEMPTION": ("redemptions", "t.created_at IN (e.captured_at, e.settled_at, e.ended_at)"),
    "PAYOUT": ("payouts", "t.created_at IN (e.created_at, e.resolved_at)"),
    "CLEARING": ("clearing_entries", _AT_ONCE),
    "GIFT": ("tier_gifts", "t.created_at = e.created_at"),
    "HOLD": ("holds", "t.created_at IN (e.held_at, e.ended_at)"),
    "ADJUSTMENT": ("adjustments", "t.created_at = e.decided_at"),
    "MERGE": ("member_merges", "t.occurred_at = e.created_at AND t.created_at = e.created_at"),
    "EXPIRY": ("expiry_runs", "t.occurred_at = t.created_at AND t.created_at >= e.started_at"),
}
"""What causes transfers: the table of each kind, and the times at which it books."""

# What waited for a member that was merged waits for the other one, as granted by what it was.
_NOT_LOCKED_ANEW = """NOT (t.phase = 'PENDING' AND t.kind = 'EARN' AND EXISTS (
            SELECT 1 FROM member_merges g
            JOIN accounts a ON a.brand_id = t.brand_id AND a.id = t.credit_account_id
            WHERE g.brand_id = t.brand_id AND g.into_member_id = a.owner_id
                AND g.created_at = t.created_at))"""

_UNTIMELY = " UNION ALL ".join(
    f"""
    SELECT CAST(t.id AS text) AS id, CASE
        WHEN e.id IS NULL THEN 'its cause, a {kind}, does not exist'
        ELSE 'it was not booked with its {kind}, or is of another time' END AS problem
    FROM transfers t LEFT JOIN {table} e ON e.brand_id = t.brand_id AND e.id = t.cause_id
    WHERE t.brand_id = :brand AND t.cause_kind = '{kind}' AND (e.id IS NULL
        OR ({booked}) IS NOT TRUE AND {_NOT_LOCKED_ANEW})
    """
    for kind, (table, booked) in _CAUSES.items()
)

_CAUSE_KINDS = ", ".join(f"'{kind}'" for kind in (*_CAUSES, "OPERATOR"))

HISTORY = (
    Probe(
        4,
        "append-only rows have ids of their own",
        "只增记录编号唯一",
        "transfers",
        _REPEATED_IDS,
    ),
    Probe(
        4,
        "nothing is dated in the future",
        "记录时间不在未来",
        "transfers",
        _IN_FUTURE,
    ),
    Probe(
        4,
        "a transfer is booked with the event that caused it",
        "流水与其起因事件同时入账",
        "transfers",
        f"""
        {_UNTIMELY}
        UNION ALL
        SELECT CAST(id AS text), 'its cause is of unknown kind ' || cause_kind FROM transfers
        WHERE brand_id = :brand AND cause_kind NOT IN ({_CAUSE_KINDS})
        """,
    ),
    Probe(
        3,
        "an event was paid if and only if it says so",
        "事件的发放与其记录一致",
        "earning_events",
        """
        SELECT CAST(event_id AS text) AS id, CASE WHEN SUM(says) > SUM(gave)
            THEN 'says that it was paid, and nothing was given for it'
            ELSE 'says that it was not paid, and something was given for it' END AS problem
        FROM (
            SELECT id AS event_id, 1 AS says, 0 AS gave FROM earning_events
            WHERE brand_id = :brand AND unpaid_reason IS NULL
            UNION ALL
            SELECT cause_id, 0, 1 FROM (
                SELECT cause_id FROM transfers WHERE brand_id = :brand AND cause_kind = 'EVENT'
                    AND kind = 'EARN' AND phase IN ('POSTED', 'PENDING')
                UNION
                SELECT cause_id FROM draws WHERE brand_id = :brand AND cause_kind = 'EVENT'
                UNION
                SELECT cause_id FROM coupons WHERE brand_id = :brand AND cause_kind = 'EVENT'
                UNION
                SELECT r.cause_id FROM locked_rewards r
                JOIN earning_events e ON e.brand_id = r.brand_id AND e.id = r.cause_id
                WHERE r.brand_id = :brand AND r.coupon_template_id IS NOT NULL
            ) AS given
        ) AS entries
        GROUP BY event_id HAVING SUM(says) <> SUM(gave)
        """,
    ),
    Probe(
        4,
        "a claim's scans exist and are of its item",
        "领取记录的扫码存在且同码",
        "claims",
        f"""
        WITH {MERGED}
        SELECT CAST(c.item_no AS text) || ' ' || c.beneficiary_role AS id, CASE
            WHEN e.id IS NULL THEN 'its scan does not exist'
            WHEN e.item_no <> c.item_no THEN 'its scan is of another item'
            WHEN c.settled_scan_id IS NOT NULL AND s.id IS NULL
                THEN 'the scan that settled it does not exist'
            WHEN s.item_no <> c.item_no THEN 'the scan that settled it is of another item'
            ELSE 'its scan was made by another member' END AS problem
        FROM claims c
        LEFT JOIN scan_events e ON e.brand_id = c.brand_id AND e.id = c.scan_id
        LEFT JOIN scan_events s ON s.brand_id = c.brand_id AND s.id = c.settled_scan_id
        LEFT JOIN merged m ON m.id = c.member_id
        LEFT JOIN merged n ON n.id = e.member_id
        WHERE c.brand_id = :brand AND (e.id IS NULL OR e.item_no <> c.item_no
            OR c.settled_scan_id IS NOT NULL AND (s.id IS NULL OR s.item_no <> c.item_no)
            OR e.role = c.beneficiary_role AND COALESCE(m.into_id, c.member_id)
                <> COALESCE(n.into_id, e.member_id))
        """,
    ),
    Probe(
        4,
        "a standing change's transfer and ladder exist",
        "等级变动的流水与等级表存在",
        "standing_changes",
        """
        SELECT CAST(s.id AS text) AS id, CASE WHEN l.id IS NULL THEN 'its ladder does not exist'
            WHEN t.id IS NULL THEN 'its transfer does not exist'
            ELSE 'its transfer moved nothing of its member that counts' END AS problem
        FROM standing_changes s
        LEFT JOIN ladders l ON l.brand_id = s.brand_id AND l.id = s.ladder_id
        LEFT JOIN transfers t ON t.brand_id = s.brand_id AND t.id = s.transfer_id
        LEFT JOIN accounts d ON d.brand_id = t.brand_id AND d.id = t.debit_account_id
        LEFT JOIN accounts c ON c.brand_id = t.brand_id AND c.id = t.credit_account_id
        WHERE s.brand_id = :brand AND (l.id IS NULL OR s.transfer_id IS NOT NULL AND (
            t.id IS NULL OR s.member_id NOT IN (d.owner_id, c.owner_id)
            OR t.asset NOT IN ('GROWTH', COALESCE(l.metric_asset, 'GROWTH'))
                AND (l.metric IN ('GROWTH', 'EARNED') OR s.cause_id IS NULL
                    OR t.cause_id <> s.cause_id)))
        """,
    ),
    # A merge moves growth, and what a ladder counts; of spending and visits it moves nothing.
    Probe(
        4,
        "a standing change that was caused by a transfer names one",
        "由流水引起的等级变动记有该流水",
        "standing_changes",
        """
        SELECT CAST(s.id AS text) AS id, 'it was ' || s.reason || ' by a '
            || COALESCE(s.cause_kind, 'transfer') || ' and names no transfer' AS problem
        FROM standing_changes s
        JOIN ladders l ON l.brand_id = s.brand_id AND l.id = s.ladder_id
        WHERE s.brand_id = :brand AND s.transfer_id IS NULL AND (
            s.reason IN ('EARNED', 'DROPPED') AND s.cause_id IS NOT NULL AND (EXISTS (
                SELECT 1 FROM accounts a JOIN transfers t
                    ON t.brand_id = a.brand_id AND t.credit_account_id = a.id
                WHERE a.brand_id = s.brand_id AND a.owner_id = s.member_id
                    AND t.cause_id = s.cause_id AND t.cause_kind = s.cause_kind) OR EXISTS (
                SELECT 1 FROM accounts a JOIN transfers t
                    ON t.brand_id = a.brand_id AND t.debit_account_id = a.id AND t.kind <> 'EARN'
                WHERE a.brand_id = s.brand_id AND a.owner_id = s.member_id
                    AND t.cause_id = s.cause_id AND t.cause_kind = s.cause_kind))
            OR s.reason = 'DROPPED' AND l.metric = 'GROWTH')
        """,
    ),
    Probe(
        4,
        "a locked reward is its pending transfer, and ends with it",
        "待解锁奖励与冻结流水一致",
        "locked_rewards",
        """
        SELECT CAST(r.id AS text) AS id, CASE
            WHEN t.id IS NULL THEN 'its pending transfer does not exist'
            WHEN t.phase <> 'PENDING' OR t.asset <> r.asset OR t.amount <> r.amount
                OR t.campaign_id IS NULL OR t.campaign_id <> r.campaign_id
                OR a.owner_id <> r.member_id THEN 'it differs from its pending transfer'
            WHEN e.id IS NULL THEN 'it is ' || r.status || ' but nothing resolved it'
            WHEN r.resolved_by_id = e.id AND r.resolved_at <> e.created_at
                THEN 'it ended at another time than its transfer'
            ELSE 'it is ' || r.status || ' but was resolved by a ' || e.phase END AS problem
        FROM locked_rewards r
        LEFT JOIN transfers t ON t.brand_id = r.brand_id AND t.id = r.id
        LEFT JOIN accounts a ON a.brand_id = t.brand_id AND a.id = t.credit_account_id
        LEFT JOIN transfers e ON e.brand_id = r.brand_id AND e.pending_id = r.id
        WHERE r.brand_id = :brand AND r.coupon_template_id IS NULL
            AND (t.id IS NULL OR t.phase <> 'PENDING'
            OR t.asset <> r.asset OR t.amount <> r.amount
            OR t.campaign_id IS NULL OR t.campaign_id <> r.campaign_id
            OR a.owner_id <> r.member_id
            OR CASE r.status WHEN 'LAPSED' THEN 'VOIDED' ELSE r.status END <> CASE e.phase
                WHEN 'POST' THEN 'UNLOCKED' WHEN 'VOID' THEN 'VOIDED' ELSE 'LOCKED' END
            OR e.id IS NOT NULL AND (r.resolved_by_id IS NULL OR r.resolved_by_id <> e.id
                OR r.resolved_at <> e.created_at))
        UNION ALL
        SELECT CAST(t.id AS text), 'pending without a locked reward'
        FROM transfers t
        LEFT JOIN locked_rewards r ON r.brand_id = t.brand_id AND r.id = t.id
        WHERE t.brand_id = :brand AND t.phase = 'PENDING' AND t.kind = 'EARN' AND r.id IS NULL
        """,
    ),
)
