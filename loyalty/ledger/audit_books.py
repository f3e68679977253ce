"""What must hold of accounts, transfers and lots: invariants 1, 2 and 5.

Where two ways of knowing a thing are compared, one is added and the other subtracted, and groups
that do not come to zero are the offenders: so neither side can miss a row the other has.
"""

from loyalty.ledger.audit_probe import Probe

_POSTED = "phase IN ('POSTED', 'POST')"

_PENDING_AMOUNT = """CASE WHEN phase = 'PENDING' THEN amount
            WHEN phase IN ('POST', 'VOID') THEN -amount ELSE 0 END"""

_STRAYS = """
    WITH strays AS MATERIALIZED (
        SELECT t.id, t.debit_account_id AS account_id FROM transfers t
        LEFT JOIN accounts a ON a.brand_id = t.brand_id AND a.id = t.debit_account_id
        WHERE t.brand_id = :brand AND a.id IS NULL
        UNION ALL
        SELECT t.id, t.credit_account_id FROM transfers t
        LEFT JOIN accounts a ON a.brand_id = t.brand_id AND a.id = t.credit_account_id
        WHERE t.brand_id = :brand AND a.id IS NULL
    )
"""
"""Transfers with an account that their brand does not have."""

_KEEPS_LOTS = "a.kind = 'MAIN'"
"""Before every asset kept lots, only points' transfers named theirs: no date is the lot that never
expires."""

BOOKS = (
    Probe(
        1,
        "debits equal credits",
        "借贷相等",
        "accounts",
        """
        SELECT asset AS id, 'credits exceed debits by ' || SUM(credits_posted - debits_posted)
            || ' posted and ' || SUM(credits_pending - debits_pending) || ' pending' AS problem
        FROM accounts WHERE brand_id = :brand GROUP BY asset
        HAVING SUM(credits_posted) <> SUM(debits_posted)
            OR SUM(credits_pending) <> SUM(debits_pending)
        """,
    ),
    Probe(
        1,
        "an account's counters are the sums of its transfers",
        "账户计数与流水一致",
        "accounts",
        f"""
        SELECT CAST(account_id AS text) AS id, 'off by ' || SUM(credits_posted)
            || ' posted credits, ' || SUM(debits_posted) || ' posted debits, '
            || SUM(credits_pending) || ' pending credits, ' || SUM(debits_pending)
            || ' pending debits' AS problem
        FROM (
            SELECT id AS account_id, credits_posted, debits_posted, credits_pending,
                debits_pending, 1 AS known
            FROM accounts WHERE brand_id = :brand
            UNION ALL
            SELECT credit_account_id, CASE WHEN {_POSTED} THEN -amount ELSE 0 END, 0,
                -({_PENDING_AMOUNT}), 0, 0
            FROM transfers WHERE brand_id = :brand
            UNION ALL
            SELECT debit_account_id, 0, CASE WHEN {_POSTED} THEN -amount ELSE 0 END, 0,
                -({_PENDING_AMOUNT}), 0
            FROM transfers WHERE brand_id = :brand
        ) AS entries
        GROUP BY account_id
        HAVING SUM(known) > 0 AND (SUM(credits_posted) <> 0 OR SUM(debits_posted) <> 0
            OR SUM(credits_pending) <> 0 OR SUM(debits_pending) <> 0)
        """,
    ),
    Probe(
        1,
        "a transfer's accounts exist",
        "流水的账户存在",
        "transfers",
        f"""
        {_STRAYS}
        SELECT CAST(s.id AS text) AS id,
            'there is no account ' || CAST(s.account_id AS text) AS problem
        FROM strays s LEFT JOIN accounts a ON a.id = s.account_id WHERE a.id IS NULL
        """,
    ),
    Probe(
        1,
        "a transfer's accounts hold its asset",
        "流水与账户资产一致",
        "transfers",
        """
        SELECT CAST(t.id AS text) AS id, 'moves ' || t.asset || ' from ' || d.asset || ' to '
            || c.asset AS problem
        FROM transfers t
        JOIN accounts d ON d.brand_id = t.brand_id AND d.id = t.debit_account_id
        JOIN accounts c ON c.brand_id = t.brand_id AND c.id = t.credit_account_id
        WHERE t.brand_id = :brand AND (d.asset <> t.asset OR c.asset <> t.asset)
        """,
    ),
    Probe(
        1,
        "a transfer moves a positive amount between two accounts",
        "流水金额为正且账户不同",
        "transfers",
        """
        SELECT CAST(id AS text) AS id, phase || ' of ' || amount AS problem FROM transfers
        WHERE brand_id = :brand AND (amount <= 0 OR debit_account_id = credit_account_id
            OR phase NOT IN ('POSTED', 'PENDING', 'POST', 'VOID'))
        """,
    ),
    Probe(
        1,
        "only declared accounts are below zero",
        "仅获准账户可为负",
        "accounts",
        """
        SELECT CAST(id AS text) AS id, asset || ' balance '
            || (credits_posted - debits_posted - debits_pending) AS problem
        FROM accounts WHERE brand_id = :brand AND (
            NOT overdraft_allowed AND credits_posted - debits_posted - debits_pending < 0
            OR credits_posted < 0 OR debits_posted < 0 OR credits_pending < 0
            OR debits_pending < 0)
        """,
    ),
    Probe(
        1,
        "only the brand's issuance, clearing, places' rebates and debts may be overdrawn",
        "仅品牌发行、清算、网点返利与欠款账户可透支",
        "accounts",
        """
        SELECT CAST(id AS text) AS id, kind || ' account may be overdrawn' AS problem
        FROM accounts
        WHERE brand_id = :brand AND overdraft_allowed
            AND (kind NOT IN ('ISSUANCE', 'CLEARING') OR owner_id <> brand_id)
            AND kind NOT IN ('PLACE', 'RECEIVABLE', 'PARTNER')
        """,
    ),
    Probe(
        1,
        "what a member owes is never above zero",
        "会员欠款账户不为正",
        "accounts WHERE kind = 'RECEIVABLE'",
        """
        SELECT CAST(id AS text) AS id, 'is owed ' || (credits_posted - debits_posted) AS problem
        FROM accounts WHERE brand_id = :brand AND kind = 'RECEIVABLE'
            AND (credits_posted > debits_posted OR NOT overdraft_allowed)
        """,
    ),
    Probe(
        1,
        "an owner has one account of an asset and kind",
        "同一主体同类账户唯一",
        "accounts",
        """
        SELECT CAST(owner_id AS text) AS id, COUNT(*) || ' accounts of ' || asset || ' ' || kind
            AS problem
        FROM accounts WHERE brand_id = :brand GROUP BY owner_id, asset, kind HAVING COUNT(*) > 1
        """,
    ),
    Probe(
        1,
        "a post or void resolves a like pending transfer",
        "确认或撤销对应原冻结流水",
        "transfers",
        """
        SELECT CAST(t.id AS text) AS id, CASE
            WHEN t.phase NOT IN ('POST', 'VOID') THEN t.phase || ' names a pending transfer'
            WHEN p.id IS NULL THEN 'its pending transfer does not exist'
            WHEN p.phase <> 'PENDING' THEN 'it resolves a ' || p.phase
            ELSE 'it differs from its pending transfer' END AS problem
        FROM transfers t
        LEFT JOIN transfers p ON p.brand_id = t.brand_id AND p.id = t.pending_id
        WHERE t.brand_id = :brand AND (
            t.phase NOT IN ('POST', 'VOID') AND t.pending_id IS NOT NULL
            OR t.phase IN ('POST', 'VOID') AND (p.id IS NULL OR p.phase <> 'PENDING'
                OR p.debit_account_id <> t.debit_account_id
                OR p.credit_account_id <> t.credit_account_id
                OR p.asset <> t.asset OR p.amount <> t.amount))
        """,
    ),
    Probe(
        1,
        "a pending transfer is resolved once",
        "冻结流水只处理一次",
        "transfers WHERE phase = 'PENDING'",
        """
        SELECT CAST(pending_id AS text) AS id, 'resolved ' || COUNT(*) || ' times' AS problem
        FROM transfers WHERE brand_id = :brand AND pending_id IS NOT NULL
        GROUP BY pending_id HAVING COUNT(*) > 1
        """,
    ),
    Probe(
        2,
        "only members' accounts keep lots",
        "仅会员账户有批次",
        "lots",
        """
        SELECT CAST(l.account_id AS text) AS id, a.kind || ' ' || a.asset || ' keeps lots'
            AS problem
        FROM lots l JOIN accounts a ON a.brand_id = l.brand_id AND a.id = l.account_id
        WHERE l.brand_id = :brand AND a.kind <> 'MAIN'
        """,
    ),
    Probe(
        2,
        "free lots sum to the balance, locked lots to what is pending",
        "批次合计等于余额",
        "accounts WHERE kind = 'MAIN'",
        f"""
        SELECT CAST(a.id AS text) AS id, 'balance less held '
            || (a.credits_posted - a.debits_posted - a.debits_pending)
            || ' in lots ' || COALESCE(l.free, 0) || ', pending ' || a.credits_pending
            || ' in lots ' || COALESCE(l.locked, 0) AS problem
        FROM accounts a LEFT JOIN (
            SELECT account_id, SUM(CASE WHEN locked THEN 0 ELSE remaining END) AS free,
                SUM(CASE WHEN locked THEN remaining ELSE 0 END) AS locked
            FROM lots WHERE brand_id = :brand GROUP BY account_id
        ) AS l ON l.account_id = a.id
        WHERE a.brand_id = :brand AND {_KEEPS_LOTS} AND (
            a.credits_posted - a.debits_posted - a.debits_pending <> COALESCE(l.free, 0)
            OR a.credits_pending <> COALESCE(l.locked, 0))
        """,
    ),
    Probe(
        2,
        "a lot is what its transfers say",
        "批次与流水一致",
        "lots",
        f"""
        SELECT CAST(account_id AS text) || ' ' || CASE WHEN locked THEN 'locked'
            ELSE COALESCE(CAST(expires_on AS text), 'undated') END AS id,
            'off by ' || SUM(granted) || ' granted and ' || SUM(remaining) || ' remaining'
            AS problem
        FROM (
            SELECT l.account_id, l.expires_on, l.locked, l.granted, l.remaining
            FROM lots l JOIN accounts a ON a.brand_id = l.brand_id AND a.id = l.account_id
            WHERE l.brand_id = :brand AND {_KEEPS_LOTS}
            UNION ALL
            SELECT a.id, COALESCE(t.credit_expires_on, :never), false,
                CASE WHEN t.kind = 'REVERSE' THEN 0 ELSE -t.amount END, -t.amount
            FROM transfers t JOIN accounts a
                ON a.brand_id = t.brand_id AND a.id = t.credit_account_id AND {_KEEPS_LOTS}
            WHERE t.brand_id = :brand AND {_POSTED}
            UNION ALL
            SELECT a.id, COALESCE(t.debit_expires_on, :never), false, 0,
                CASE phase WHEN 'VOID' THEN -t.amount ELSE t.amount END
            FROM transfers t JOIN accounts a
                ON a.brand_id = t.brand_id AND a.id = t.debit_account_id AND {_KEEPS_LOTS}
            WHERE t.brand_id = :brand AND phase IN ('POSTED', 'PENDING', 'VOID')
            UNION ALL
            SELECT account_id, from_expires_on, false, 0, amount FROM lot_extensions
            WHERE brand_id = :brand
            UNION ALL
            SELECT account_id, to_expires_on, false, -amount, -amount FROM lot_extensions
            WHERE brand_id = :brand
            UNION ALL
            SELECT a.id, :never, true, CASE WHEN phase = 'PENDING' THEN -t.amount ELSE 0 END,
                CASE WHEN phase = 'PENDING' THEN -t.amount ELSE t.amount END
            FROM transfers t JOIN accounts a
                ON a.brand_id = t.brand_id AND a.id = t.credit_account_id AND {_KEEPS_LOTS}
            WHERE t.brand_id = :brand AND phase IN ('PENDING', 'POST', 'VOID')
        ) AS entries
        GROUP BY account_id, expires_on, locked
        HAVING SUM(granted) <> 0 OR SUM(remaining) <> 0
        """,
    ),
    Probe(
        2,
        "a lot is never below zero nor above what was granted",
        "批次余量在零与发放量之间",
        "lots",
        """
        SELECT CAST(account_id AS text) AS id, remaining || ' of ' || granted || ' remain'
            AS problem
        FROM lots WHERE brand_id = :brand AND (remaining < 0 OR remaining > granted)
        """,
    ),
    # What comes back into a lot that is past its date repays what is owed before it expires.
    Probe(
        2,
        "nothing is spent from a lot after its last day",
        "过期批次不得再用",
        "transfers WHERE debit_expires_on IS NOT NULL",
        """
        WITH ends AS MATERIALIZED (SELECT expires_on, ends_at FROM {lot_ends})
        SELECT CAST(t.id AS text) AS id,
            'spent after ' || CAST(t.debit_expires_on AS text) AS problem
        FROM transfers t CROSS JOIN ends
        WHERE t.brand_id = :brand AND date(t.debit_expires_on) = ends.expires_on
            AND phase IN ('POSTED', 'PENDING') AND t.kind NOT IN ('EXPIRE', 'REPAY')
            AND t.occurred_at >= ends.ends_at
        """,
    ),
    Probe(
        2,
        "nothing expires before its last day is over",
        "批次到期日结束前不得过期",
        "transfers WHERE kind = 'EXPIRE'",
        """
        WITH ends AS MATERIALIZED (SELECT expires_on, ends_at FROM {lot_ends})
        SELECT CAST(t.id AS text) AS id,
            'expired by ' || CAST(t.debit_expires_on AS text) AS problem
        FROM transfers t CROSS JOIN ends
        WHERE t.brand_id = :brand AND date(t.debit_expires_on) = ends.expires_on
            AND t.kind = 'EXPIRE' AND t.occurred_at < ends.ends_at
        """,
    ),
    # All that is left expires at once: once more only after something came in, by a late event or
    # a hold let go. Counted, since neither ids nor times tell who of two that raced came first.
    Probe(
        2,
        "a lot expires once",
        "批次只过期一次",
        "transfers WHERE kind = 'EXPIRE'",
        """
        SELECT CAST(account_id AS text) AS id, 'the lot of ' || CAST(expires_on AS text)
            || ' expired ' || SUM(expiries) || ' times, filled ' || SUM(fills) || ' times'
            AS problem
        FROM (
            SELECT debit_account_id AS account_id, debit_expires_on AS expires_on, 1 AS expiries,
                0 AS fills
            FROM transfers WHERE brand_id = :brand AND kind = 'EXPIRE'
            UNION ALL
            SELECT credit_account_id, credit_expires_on, 0, 1 FROM transfers
            WHERE brand_id = :brand AND credit_expires_on IS NOT NULL
                AND phase IN ('POSTED', 'POST')
            UNION ALL
            SELECT debit_account_id, debit_expires_on, 0, 1 FROM transfers
            WHERE brand_id = :brand AND debit_expires_on IS NOT NULL AND phase = 'VOID'
            UNION ALL
            SELECT account_id, to_expires_on, 0, 1 FROM lot_extensions WHERE brand_id = :brand
        ) AS moves
        GROUP BY account_id, expires_on HAVING SUM(expiries) > SUM(fills)
        """,
    ),
    Probe(
        2,
        "only a side that keeps lots names one",
        "仅会员一方注明批次",
        "transfers",
        """
        SELECT CAST(t.id AS text) AS id, 'a ' || t.asset || ' side names a lot it cannot have'
            AS problem
        FROM transfers t
        JOIN accounts d ON d.brand_id = t.brand_id AND d.id = t.debit_account_id
        JOIN accounts c ON c.brand_id = t.brand_id AND c.id = t.credit_account_id
        WHERE t.brand_id = :brand AND (
            t.debit_expires_on IS NOT NULL AND d.kind <> 'MAIN'
            OR t.credit_expires_on IS NOT NULL AND c.kind <> 'MAIN')
        """,
    ),
    Probe(
        5,
        "a transfer touches one brand",
        "流水不跨品牌",
        "transfers",
        f"""
        {_STRAYS}
        SELECT CAST(s.id AS text) AS id, 'account ' || CAST(s.account_id AS text)
            || ' is of another brand' AS problem
        FROM strays s JOIN accounts a ON a.id = s.account_id
        """,
    ),
)
