"""What must hold of references: invariant 12. Each resolves inside its own brand, whether or not a
foreign key guards it: the hot tables have none, and a dropped one would not be missed."""

from loyalty.ledger.audit_probe import MERGED, Probe

_REFERENCES: dict[tuple[str, str], dict[str, str]] = {
    ("identities", "身份"): {"person_id": "identities"},
    ("withholdings", "代扣个税"): {"member_id": "members", "credit_id": "transfers"},
    ("age_statements", "年龄确认"): {"identity_id": "identities"},
    ("members", "会员"): {
        "identity_id": "identities",
        "invited_by_id": "members",
        "merged_into_id": "members",
    },
    ("member_merges", "会员合并"): {"from_member_id": "members", "into_member_id": "members"},
    ("invitations", "邀请"): {"inviter_id": "members", "accepted_member_id": "members"},
    ("member_devices", "会员设备"): {"member_id": "members"},
    ("code_batches", "码批次"): {"key_epoch_id": "key_epochs", "product_id": "products"},
    ("item_codes", "一物一码"): {
        "batch_id": "code_batches",
        "first_scan_id": "scan_events",
        "last_scan_id": "scan_events",
    },
    ("lots", "批次"): {"account_id": "accounts"},
    ("lot_extensions", "批次顺延"): {"account_id": "accounts"},
    ("transfers", "流水"): {
        "debit_account_id": "accounts",
        "credit_account_id": "accounts",
        "campaign_id": "campaigns",
        "reverses_id": "transfers",
    },
    ("transfer_reversals", "冲回合计"): {"transfer_id": "transfers"},
    ("campaign_versions", "活动版本"): {"campaign_id": "campaigns", "product_id": "products"},
    ("campaign_budgets", "活动预算"): {"campaign_id": "campaigns"},
    ("cap_counters", "上限计数"): {"campaign_id": "campaigns"},
    ("draw_seeds", "抽奖种子"): {"campaign_id": "campaigns"},
    ("draws", "抽奖"): {
        "campaign_id": "campaigns",
        "campaign_version_id": "campaign_versions",
        "member_id": "members",
        "coupon_template_id": "coupon_templates",
    },
    ("raffle_entries", "参与抽奖"): {
        "raffle_id": "raffles",
        "member_id": "members",
        "entrant_id": "members",
    },
    ("raffle_winners", "抽奖中奖"): {
        "raffle_id": "raffles",
        "entry_id": "raffle_entries",
        "member_id": "members",
        "coupon_template_id": "coupon_templates",
    },
    ("bonuses", "加奖"): {
        "campaign_id": "campaigns",
        "campaign_version_id": "campaign_versions",
        "guide_member_id": "members",
    },
    ("locked_rewards", "待解锁奖励"): {
        "member_id": "members",
        "campaign_id": "campaigns",
        "coupon_template_id": "coupon_templates",
    },
    ("action_reports", "会员行为上报"): {"member_id": "members"},
    ("scan_reversals", "扫码冲回"): {"scan_id": "scan_events"},
    ("scan_events", "扫码"): {
        "batch_id": "code_batches",
        "product_id": "products",
        "identity_id": "identities",
        "member_id": "members",
        "guide_member_id": "members",
        "campaign_version_id": "campaign_versions",
    },
    ("claims", "领取记录"): {
        "scan_id": "scan_events",
        "settled_scan_id": "scan_events",
        "member_id": "members",
        "campaign_id": "campaigns",
    },
    ("purchase_events", "购买"): {
        "place_id": "places",
        "member_id": "members",
        "campaign_version_id": "campaign_versions",
    },
    ("earning_events", "事件"): {
        "member_id": "members",
        "event_type_id": "event_types",
        "campaign_version_id": "campaign_versions",
    },
    ("task_takings", "任务领取"): {"task_id": "tasks", "member_id": "members"},
    ("survey_answers", "问卷答复"): {"survey_id": "surveys", "member_id": "members"},
    ("referral_codes", "邀请码"): {"member_id": "members"},
    ("referrals", "邀请关系"): {"referrer_id": "members", "referred_id": "members"},
    ("activities", "待结算行为"): {"member_id": "members"},
    ("purchase_shares", "渠道分成"): {"purchase_id": "purchase_events", "member_id": "members"},
    ("purchase_lines", "购买明细"): {"purchase_id": "purchase_events", "product_id": "products"},
    ("purchase_returns", "退货"): {"purchase_id": "purchase_events"},
    ("purchase_return_lines", "退货明细"): {"return_id": "purchase_returns"},
    ("purchase_return_takings", "退货扣回"): {"return_id": "purchase_returns"},
    ("ladder_levels", "等级"): {"ladder_id": "ladders"},
    ("segment_members", "人群成员"): {"segment_id": "segments", "member_id": "members"},
    ("standings", "会员等级"): {"member_id": "members", "pending_transfer_id": "transfers"},
    ("qualifying_days", "定级日累计"): {"member_id": "members"},
    ("re_evaluations", "等级重评"): {"ladder_id": "ladders"},
    ("privilege_uses", "权益使用"): {"member_id": "members"},
    ("tier_gifts", "等级礼"): {"member_id": "members", "coupon_template_id": "coupon_templates"},
    ("standing_changes", "等级变动"): {
        "member_id": "members",
        "ladder_id": "ladders",
        "transfer_id": "transfers",
    },
    ("notifications", "通知"): {"member_id": "members"},
    ("scan_rollups", "扫码汇总"): {"product_id": "products"},
    ("tills", "收银台"): {"place_id": "places"},
    ("clerks", "店员"): {"place_id": "places"},
    ("guide_places", "导购所属网点"): {"roster_entry_id": "roster_entries", "place_id": "places"},
    ("place_channels", "网点渠道"): {"roster_entry_id": "roster_entries", "place_id": "places"},
    ("coupon_templates", "券模板"): {
        "product_id": "products",
        "offer_id": "offers",
        "agreement_id": "agreements",
    },
    ("coupon_purchase_counters", "购券计数"): {
        "template_id": "coupon_templates",
        "member_id": "members",
    },
    ("coupons", "优惠券"): {
        "template_id": "coupon_templates",
        "member_id": "members",
    },
    ("offers", "兑换商品"): {"template_id": "coupon_templates"},
    ("offer_days", "兑换日计数"): {"offer_id": "offers"},
    ("offer_counters", "兑换计数"): {"offer_id": "offers", "member_id": "members"},
    ("offer_orders", "兑换单"): {
        "offer_id": "offers",
        "member_id": "members",
        "coupon_id": "coupons",
    },
    ("offer_order_parts", "兑换单金额"): {"order_id": "offer_orders"},
    ("holds", "预占"): {"member_id": "members"},
    ("adjustments", "调账"): {"member_id": "members"},
    ("redemptions", "核销"): {
        "coupon_id": "coupons",
        "template_id": "coupon_templates",
        "member_id": "members",
        "agreement_id": "agreements",
        "place_id": "places",
        "till_id": "tills",
        "clerk_id": "clerks",
        "product_id": "products",
        "rebate_transfer_id": "transfers",
    },
    ("redemption_events", "核销步骤"): {
        "redemption_id": "redemptions",
        "till_id": "tills",
    },
    ("packings", "瓶箱关联"): {
        "bottle_batch_id": "code_batches",
        "box_batch_id": "code_batches",
    },
    ("payouts", "付款"): {"place_id": "places", "transfer_id": "transfers"},
    ("clearing_positions", "联盟往来"): {"account_id": "accounts"},
    ("clearing_adjustments", "往来调整"): {"entry_id": "clearing_entries"},
    ("clearing_entries", "往来明细"): {"netting_run_id": "netting_runs"},
    ("netting_legs", "轧差明细"): {"run_id": "netting_runs"},
    ("payout_reports", "付款回报"): {"payout_id": "payouts"},
    ("sign_in_sessions", "登录会话"): {"place_id": "places", "till_id": "tills"},
    ("refresh_tokens", "刷新令牌"): {"session_id": "sign_in_sessions"},
    ("wechat_accounts", "微信账户"): {"identity_id": "identities"},
    ("webhook_subscriptions", "Webhook 订阅"): {"endpoint_id": "webhook_endpoints"},
    ("webhook_deliveries", "Webhook 投递"): {"endpoint_id": "webhook_endpoints"},
    ("webhook_attempts", "Webhook 请求"): {"delivery_id": "webhook_deliveries"},
    ("partner_key_uses", "密钥用量"): {"key_id": "partner_keys"},
    ("agreement_versions", "协议版本"): {"agreement_id": "agreements"},
    ("match_tokens", "匹配令牌"): {"agreement_id": "agreements", "identity_id": "identities"},
    ("match_passes", "匹配进度"): {"agreement_id": "agreements"},
    ("partner_issues", "联盟发券"): {
        "agreement_id": "agreements",
        "version_id": "agreement_versions",
        "template_id": "coupon_templates",
        "coupon_id": "coupons",
    },
    ("issue_counters", "发放额度"): {"agreement_id": "agreements"},
    ("outside_codes", "第三方券码"): {
        "template_id": "coupon_templates",
        "coupon_id": "coupons",
    },
    ("coupon_pools", "券池"): {
        "template_id": "coupon_templates",
        "agreement_id": "agreements",
    },
    ("pool_moves", "券池投放"): {
        "agreement_id": "agreements",
        "template_id": "coupon_templates",
    },
    ("issue_lists", "发券名单"): {"agreement_id": "agreements"},
    ("issue_list_rows", "名单明细"): {"list_id": "issue_lists", "issue_id": "partner_issues"},
}
"""(table, its Chinese name) -> column -> the table it names by (brand_id, id)."""

_TENANT_TABLES = (
    *(table for table, _ in _REFERENCES),
    "accounts",
    "agreements",
    "assets",
    "audit_log",
    "box_counts",
    "campaign_drafts",
    "campaigns",
    "clearing_statements",
    "event_types",
    "expiry_runs",
    "idempotency_records",
    "key_epochs",
    "ladders",
    "netting_runs",
    "operators",
    "outbox_events",
    "partner_keys",
    "places",
    "products",
    "raffles",
    "regions",
    "segments",
    "roster_entries",
    "sign_in_codes",
    "simulations",
    "surveys",
    "tasks",
    "unknown_code_counts",
    "wechat_apps",
    "webhook_endpoints",
)


_BRAND_OF = {
    ("redemptions", "coupon_id"): "coupon_brand_id",
    ("redemptions", "template_id"): "coupon_brand_id",
    ("partner_issues", "template_id"): "host_id",
    ("partner_issues", "coupon_id"): "host_id",
    ("pool_moves", "template_id"): "host_id",
}
"""Where it is another brand's row that is named: the column that says whose."""


def _unresolved(table: str, column: str, target: str) -> str:
    brand = _BRAND_OF.get((table, column), "brand_id")
    return f"""
        SELECT CAST(r.{column} AS text) AS id, '{column} of ' || COUNT(*)
            || ' rows is no row of {target} in this brand' AS problem
        FROM {table} r LEFT JOIN {target} x ON x.brand_id = r.{brand} AND x.id = r.{column}
        WHERE r.brand_id = :brand AND r.{column} IS NOT NULL AND x.id IS NULL
        GROUP BY r.{column}
        """


_BY_TABLE = tuple(
    Probe(
        12,
        f"{table} refers only to its own brand",
        f"{name_zh}只引用本品牌数据",
        table,
        " UNION ALL ".join(_unresolved(table, *pair) for pair in columns.items()),
    )
    for (table, name_zh), columns in _REFERENCES.items()
)

REFERENCES = (
    *_BY_TABLE,
    Probe(
        12,
        "every row is of a brand that exists",
        "每行都属于现有品牌",
        "brands",
        " UNION ALL ".join(
            f"""
            SELECT CAST(r.brand_id AS text) AS id, COUNT(*) || ' rows of {table}' AS problem
            FROM {table} r LEFT JOIN brands b ON b.id = r.brand_id
            WHERE b.id IS NULL GROUP BY r.brand_id
            """
            for table in _TENANT_TABLES
        ),
        per_brand=False,
    ),
    Probe(
        12,
        "an account is its brand's, or one of its members' or places'",
        "账户属于本品牌或其会员、网点",
        "accounts",
        """
        SELECT CAST(a.id AS text) AS id, a.kind || ' account of '
            || CAST(a.owner_id AS text) AS problem
        FROM accounts a LEFT JOIN members m ON m.brand_id = a.brand_id AND m.id = a.owner_id
        LEFT JOIN places p ON p.brand_id = a.brand_id AND p.id = a.owner_id
        LEFT JOIN brands b ON b.id = a.owner_id
        WHERE a.brand_id = :brand AND NOT CASE
            WHEN a.kind IN ('MAIN', 'RECEIVABLE') THEN m.id IS NOT NULL
            WHEN a.kind = 'PLACE' THEN p.id IS NOT NULL
            WHEN a.kind = 'PARTNER' THEN b.id IS NOT NULL AND b.id <> a.brand_id
            ELSE a.kind IN ('ISSUANCE', 'SPENT', 'EXPIRED', 'REVERSED', 'FEES', 'CLEARING',
                'PAYOUT', 'TAX') AND a.owner_id = a.brand_id END
        """,
    ),
    Probe(
        12,
        "an account holds an asset that its brand has",
        "账户资产属于本品牌",
        "accounts",
        """
        SELECT CAST(a.id AS text) AS id, 'holds ' || a.asset || ', and no asset is called so'
            AS problem
        FROM accounts a LEFT JOIN assets s ON s.brand_id = a.brand_id AND s.code = a.asset
        WHERE a.brand_id = :brand AND s.code IS NULL
        """,
    ),
    Probe(
        12,
        "a cap counts a member of its brand",
        "上限主体属于本品牌",
        "cap_counters WHERE subject_kind NOT IN ('ALL', 'DEVICE', 'PRIZE', 'STAGE')",
        """
        SELECT subject AS id, 'counted, and no member of this brand' AS problem
        FROM (
            SELECT replace(CAST(id AS text), '-', '') AS subject, 1 AS known FROM members
            WHERE brand_id = :brand
            UNION ALL
            SELECT subject, 0 FROM cap_counters
            WHERE brand_id = :brand AND subject_kind IN ('MEMBER', 'GUIDE', 'STORE', 'DRAW')
        ) AS entries
        GROUP BY subject HAVING SUM(known) = 0
        """,
    ),
    Probe(
        12,
        "a scan's member is its identity's, in the role acted in",
        "扫码会员与身份、角色一致",
        "scan_events",
        f"""
        WITH {MERGED}
        SELECT CAST(e.id AS text) AS id, CASE WHEN m.role = e.role
            THEN 'its member is another identity''s' ELSE 'a ' || m.role || ' scanned as '
            || e.role END AS problem
        FROM scan_events e JOIN members m ON m.brand_id = e.brand_id AND m.id = e.member_id
        WHERE e.brand_id = :brand AND (m.role <> e.role OR m.identity_id <> e.identity_id
            AND NOT EXISTS (
                SELECT 1 FROM merged g
                JOIN members o ON o.brand_id = :brand AND o.id = g.id
                WHERE o.identity_id = e.identity_id AND o.role = e.role
                    AND g.into_id = COALESCE(m.merged_into_id, m.id)))
        """,
    ),
    Probe(
        12,
        "a scan's item is one of its batch's",
        "扫码物品属于其码批次",
        "scan_events",
        """
        SELECT CAST(e.id AS text) AS id, 'item ' || e.item_no || ' is not of its batch' AS problem
        FROM scan_events e JOIN code_batches b ON b.brand_id = e.brand_id AND b.id = e.batch_id
        WHERE e.brand_id = :brand AND (b.kind <> e.code_kind OR b.product_id <> e.product_id
            OR e.item_no / 1099511627776 <> b.series_no
            OR e.item_no % 1099511627776 >= b.quantity)
        """,
    ),
    Probe(
        12,
        "a session is of a caller of its brand, a clerk's of one place",
        "登录会话属于本品牌的登录者",
        "sign_in_sessions",
        """
        SELECT CAST(s.id AS text) AS id, 'no ' || s.kind || ' of this brand, or not at its place: '
            || CAST(s.subject_id AS text) AS problem
        FROM sign_in_sessions s
        LEFT JOIN identities i ON i.brand_id = s.brand_id AND i.id = s.subject_id
        LEFT JOIN operators o ON o.brand_id = s.brand_id AND o.id = s.subject_id
        LEFT JOIN clerks k ON k.brand_id = s.brand_id AND k.id = s.subject_id
        LEFT JOIN tills t ON t.brand_id = s.brand_id AND t.id = s.till_id
        WHERE s.brand_id = :brand AND (CASE s.kind WHEN 'MEMBER' THEN i.id IS NOT NULL
            WHEN 'OPERATOR' THEN o.id IS NOT NULL
            ELSE k.place_id = s.place_id AND t.place_id = s.place_id END) IS NOT TRUE
        """,
    ),
)
