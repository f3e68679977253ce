"""What must hold of coupons at the till, and of the rebates they earn: invariant 7."""

from loyalty.ledger.audit_probe import MERGED, Probe

_STEPS = ("HOLD", "CAPTURE", "VOID", "LAPSE", "REVERSE")

_LEGAL_PATHS = {
    "HELD": "HOLD",
    "CAPTURED": "HOLD CAPTURE",
    "VOIDED": "HOLD VOID",
    "LAPSED": "HOLD LAPSE",
    "REVERSED": "HOLD CAPTURE REVERSE",
}
"""Each status, and the steps that lead to it."""


def _taken(step: str) -> str:
    return f"""CASE SUM(CASE WHEN step = '{step}' THEN 1 ELSE 0 END) WHEN 0 THEN ''
                WHEN 1 THEN ' {step}' ELSE ' {step} REPEATED' END"""


_PATHS = f"""
    path AS MATERIALIZED (
        SELECT redemption_id, trim({" || ".join(_taken(step) for step in _STEPS)}
            || CASE WHEN SUM(CASE WHEN step IN {_STEPS} THEN 0 ELSE 1 END) > 0
                THEN ' SOMETHING' ELSE '' END) AS steps,
            MIN(created_at) AS began_at, MAX(created_at) AS ended_at,
            MIN(CASE WHEN step = 'HOLD' THEN created_at END) AS held_at,
            MIN(CASE WHEN step = 'CAPTURE' THEN created_at END) AS captured_at,
            MIN(CASE WHEN step IN ('VOID', 'LAPSE', 'REVERSE') THEN created_at END) AS finished_at,
            MIN(CASE WHEN step = 'LAPSE' THEN created_at END) AS lapsed_at
        FROM redemption_events WHERE brand_id = :brand GROUP BY redemption_id
    )
"""
"""The steps of each redemption, in the order in which they may be taken, and their times."""

_LED_TO = " ".join(f"WHEN '{path}' THEN '{status}'" for status, path in _LEGAL_PATHS.items())

_REDEEMED = (
    "SUM(CASE WHEN e.step = 'CAPTURE' THEN 1 ELSE 0 END) AS redeemed,"
    " SUM(CASE WHEN e.step = 'REVERSE' THEN 1 ELSE 0 END) AS reversed"
)

_TAKEN_BACK = """
    back AS MATERIALIZED (
        SELECT t.cause_id, a.owner_id, SUM(t.amount) AS amount, COUNT(*) AS n
        FROM transfers t JOIN accounts a ON a.brand_id = t.brand_id AND a.id = t.debit_account_id
        WHERE t.brand_id = :brand AND t.kind = 'REVERSE' AND t.cause_kind = 'REDEMPTION'
        GROUP BY t.cause_id, a.owner_id
    )
"""

STEPS = (
    Probe(
        7,
        "a redemption takes legal steps, each once",
        "核销步骤合法且各一次",
        "redemption_events",
        f"""
        WITH {_PATHS}
        SELECT CAST(redemption_id AS text) AS id, 'it went ' || steps AS problem FROM path
        WHERE steps NOT IN {tuple(_LEGAL_PATHS.values())}
        """,
    ),
    Probe(
        7,
        "a redemption is where its steps led",
        "核销状态与步骤一致",
        "redemptions",
        f"""
        WITH {_PATHS}
        SELECT CAST(r.id AS text) AS id, r.status || ' by '
            || COALESCE(p.steps, 'no step') AS problem
        FROM redemptions r LEFT JOIN path p ON p.redemption_id = r.id
        WHERE r.brand_id = :brand AND (p.steps IS NULL
            OR r.status <> CASE p.steps {_LED_TO} ELSE r.status END)
        """,
    ),
    Probe(
        7,
        "a redemption's times run forward",
        "核销时间不倒流",
        "redemptions",
        f"""
        WITH {_PATHS}
        SELECT CAST(r.id AS text) AS id, CASE
            WHEN p.began_at < p.held_at THEN 'a step was taken before the hold'
            WHEN p.finished_at < p.captured_at THEN 'reversed before it was captured'
            WHEN r.captured_at >= r.held_until THEN 'captured after the hold had lapsed'
            WHEN p.lapsed_at < r.held_until THEN 'lapsed before its time'
            WHEN r.settled_at < r.captured_at THEN 'settled before it was captured'
            ELSE 'its times are not those of its steps' END AS problem
        FROM redemptions r JOIN path p ON p.redemption_id = r.id
        WHERE r.brand_id = :brand AND (p.began_at < p.held_at OR p.finished_at < p.captured_at
            OR r.captured_at >= r.held_until OR p.lapsed_at < r.held_until
            OR r.settled_at < r.captured_at OR r.held_at <> p.held_at
            OR r.captured_at <> p.captured_at OR r.ended_at <> p.finished_at
            OR (r.captured_at IS NULL) <> (p.captured_at IS NULL)
            OR (r.ended_at IS NULL) <> (p.finished_at IS NULL))
        """,
    ),
    Probe(
        7,
        "a coupon has one live redemption at most",
        "优惠券至多一次有效核销",
        "redemptions WHERE status IN ('HELD', 'CAPTURED')",
        """
        SELECT CAST(coupon_id AS text) AS id, COUNT(*) || ' live redemptions' AS problem
        FROM redemptions WHERE coupon_brand_id = :brand AND status IN ('HELD', 'CAPTURED')
        GROUP BY coupon_id HAVING COUNT(*) > 1
        """,
    ),
    Probe(
        7,
        "reversed never exceeds redeemed",
        "冲回不多于核销",
        "redemption_events WHERE step IN ('CAPTURE', 'REVERSE')",
        f"""
        SELECT CAST(coupon_id AS text) AS id, 'redeemed ' || redeemed || ', reversed ' || reversed
            AS problem
        FROM (
            SELECT e.coupon_id, {_REDEEMED} FROM redemption_events e
            WHERE e.brand_id = :brand GROUP BY e.coupon_id
        ) AS by_coupon
        WHERE reversed > redeemed OR redeemed > reversed + 1
        UNION ALL
        SELECT CAST(template_id AS text), 'redeemed ' || redeemed || ', reversed ' || reversed
        FROM (
            SELECT c.template_id, {_REDEEMED} FROM redemption_events e
            JOIN coupons c ON c.brand_id = e.brand_id AND c.id = e.coupon_id
            WHERE e.brand_id = :brand GROUP BY c.template_id
        ) AS by_template
        WHERE reversed > redeemed
        """,
    ),
    Probe(
        7,
        "a redemption and its steps are of its coupon",
        "核销与步骤属于该优惠券",
        "redemptions",
        f"""
        WITH {MERGED}
        SELECT CAST(r.id AS text) AS id, CASE WHEN r.template_id = c.template_id
            THEN 'its coupon is another member''s' ELSE 'its coupon is of another template' END
            AS problem
        FROM redemptions r
        JOIN coupons c ON c.brand_id = r.coupon_brand_id AND c.id = r.coupon_id
        LEFT JOIN merged m ON m.id = r.member_id
        LEFT JOIN merged n ON n.id = c.member_id
        WHERE r.brand_id = :brand AND (r.template_id <> c.template_id
            OR COALESCE(m.into_id, r.member_id) <> COALESCE(n.into_id, c.member_id)
            OR (r.member_id IS NULL) <> (r.coupon_brand_id <> r.brand_id))
        UNION ALL
        SELECT CAST(r.id AS text), 'its coupon is of a brand with which nothing was agreed'
        FROM redemptions r
        LEFT JOIN agreements a ON a.brand_id = r.brand_id AND a.id = r.agreement_id
            AND a.partner_id = r.partner_id
        WHERE r.brand_id = :brand AND (r.agreement_id IS NOT NULL AND a.id IS NULL
            OR r.coupon_brand_id NOT IN (r.brand_id, COALESCE(r.partner_id, r.brand_id)))
        UNION ALL
        SELECT CAST(r.id AS text), 'its ' || e.step || ' is of another coupon'
        FROM redemption_events e
        JOIN redemptions r ON r.brand_id = e.brand_id AND r.id = e.redemption_id
        WHERE e.brand_id = :brand AND e.coupon_id <> r.coupon_id
        """,
    ),
    Probe(
        7,
        "a redemption's till and clerk are of its place",
        "核销的收银台与店员属于该网点",
        "redemptions",
        """
        SELECT CAST(r.id AS text) AS id, CASE WHEN t.place_id <> r.place_id
            THEN 'its till is of another place' ELSE 'its clerk is of another place' END AS problem
        FROM redemptions r
        JOIN tills t ON t.brand_id = r.brand_id AND t.id = r.till_id
        JOIN clerks k ON k.brand_id = r.brand_id AND k.id = r.clerk_id
        WHERE r.brand_id = :brand AND (t.place_id <> r.place_id OR k.place_id <> r.place_id)
        UNION ALL
        SELECT CAST(r.id AS text), 'its ' || e.step || ' was taken at another place''s till'
        FROM redemption_events e
        JOIN redemptions r ON r.brand_id = e.brand_id AND r.id = e.redemption_id
        JOIN tills t ON t.brand_id = e.brand_id AND t.id = e.till_id
        WHERE e.brand_id = :brand AND t.place_id <> r.place_id
        """,
    ),
    Probe(
        7,
        "a coupon is used where it may be, for what its template promises",
        "优惠券仅在指定网点按模板使用",
        "redemptions",
        """
        SELECT CAST(r.id AS text) AS id, CASE WHEN r.rebate_fen <> t.cost_fen + t.fee_fen
            THEN 'credits the store ' || r.rebate_fen || ', the template '
                || (t.cost_fen + t.fee_fen)
            ELSE 'its template names other places' END AS problem
        FROM redemptions r
        JOIN coupon_templates t ON t.brand_id = r.coupon_brand_id AND t.id = r.template_id
        WHERE r.brand_id = :brand AND (r.rebate_fen <> t.cost_fen + t.fee_fen
            OR r.coupon_brand_id = r.brand_id AND CAST(t.place_ids AS text) <> '[]'
            AND CAST(t.place_ids AS text)
                NOT LIKE '%' || replace(CAST(r.place_id AS text), '-', '') || '%')
        """,
    ),
)

REBATES = (
    Probe(
        7,
        "a captured redemption's rebate is its pending transfer",
        "核销返利与冻结流水一致",
        "redemptions",
        """
        SELECT CAST(r.id AS text) AS id, r.status || ' with a rebate of ' || r.rebate_fen || CASE
            WHEN r.rebate_transfer_id IS NULL THEN ' and no transfer'
            WHEN t.id IS NULL THEN ', and its transfer does not exist'
            WHEN r.captured_at IS NULL OR r.rebate_fen = 0 THEN ', and yet a transfer'
            ELSE ' that differs from its transfer' END AS problem
        FROM redemptions r
        LEFT JOIN transfers t ON t.brand_id = r.brand_id AND t.id = r.rebate_transfer_id
        LEFT JOIN accounts a ON a.brand_id = t.brand_id AND a.id = t.credit_account_id
        WHERE r.brand_id = :brand AND (CASE
            WHEN r.status IN ('CAPTURED', 'REVERSED') AND r.rebate_fen > 0
                THEN t.phase = 'PENDING' AND t.kind = 'REBATE' AND t.cause_kind = 'REDEMPTION'
                    AND t.cause_id = r.id AND t.amount = r.rebate_fen AND a.kind = 'PLACE'
                    AND a.owner_id = r.place_id
            ELSE r.rebate_transfer_id IS NULL END) IS NOT TRUE
        UNION ALL
        SELECT CAST(t.id AS text), 'a rebate that no redemption names'
        FROM transfers t LEFT JOIN redemptions r ON r.brand_id = t.brand_id AND r.id = t.cause_id
            AND r.rebate_transfer_id = t.id
        WHERE t.brand_id = :brand AND t.kind = 'REBATE' AND t.phase = 'PENDING' AND r.id IS NULL
        """,
    ),
    Probe(
        7,
        "a redemption is settled when its rebate is posted",
        "返利入账即为已结算",
        "redemptions WHERE rebate_transfer_id IS NOT NULL",
        """
        SELECT CAST(r.id AS text) AS id, CASE WHEN r.settled_at IS NULL
            THEN 'posted and not settled' ELSE 'settled and not posted' END AS problem
        FROM redemptions r LEFT JOIN transfers e ON e.brand_id = r.brand_id
            AND e.pending_id = r.rebate_transfer_id AND e.phase = 'POST'
        WHERE r.brand_id = :brand AND r.rebate_transfer_id IS NOT NULL
            AND (r.settled_at IS NOT NULL) <> (e.id IS NOT NULL)
        """,
    ),
    Probe(
        7,
        "a reversed redemption's rebate was voided or taken back, and no other",
        "仅冲回的核销撤销或收回返利",
        "redemptions WHERE rebate_transfer_id IS NOT NULL",
        f"""
        WITH {_TAKEN_BACK}
        SELECT CAST(r.id AS text) AS id, r.status || ' with a rebate of ' || r.rebate_fen || ' '
            || CASE e.phase WHEN 'POST' THEN 'posted' WHEN 'VOID' THEN 'voided' ELSE 'pending' END
            || ', ' || COALESCE(b.amount, 0) || ' taken back in ' || COALESCE(b.n, 0) AS problem
        FROM redemptions r
        LEFT JOIN transfers e ON e.brand_id = r.brand_id AND e.pending_id = r.rebate_transfer_id
        LEFT JOIN back b ON b.cause_id = r.id
        WHERE r.brand_id = :brand AND (CASE
            WHEN r.status = 'REVERSED' AND r.rebate_fen > 0
                THEN e.phase = 'VOID' AND b.n IS NULL OR e.phase = 'POST' AND b.n = 1
                    AND b.amount = r.rebate_fen AND b.owner_id = r.place_id
            ELSE b.n IS NULL AND (e.id IS NULL OR e.phase = 'POST') END) IS NOT TRUE
        """,
    ),
)
