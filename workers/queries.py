"""What the news to members is worded with: names of other nouns, by set."""

from loyalty.db import Statement

FIND_TEMPLATE_NAMES = Statement(
    """
    SELECT t.brand_id, t.id, t.name_zh, t.name_en
    FROM {keys} {each:t coupon_templates ON t.brand_id = keys.brand_id AND t.id = keys.id}
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    returns="brand_id uuid, id uuid, name_zh text, name_en text",
)

FIND_OFFER_NAMES = Statement(
    """
    SELECT o.brand_id, o.id, o.name_zh, o.name_en
    FROM {keys} {each:o offers ON o.brand_id = keys.brand_id AND o.id = keys.id}
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    returns="brand_id uuid, id uuid, name_zh text, name_en text",
)

FIND_ASSET_NAMES = Statement(
    """
    SELECT a.brand_id, a.code, a.name_zh, a.name_en
    FROM {keys} {each:a assets ON a.brand_id = keys.brand_id AND a.code = keys.code}
    """,
    sets={"keys": "brand_id uuid, code text"},
    returns="brand_id uuid, code text, name_zh text, name_en text",
)

FIND_PLACE_NAMES = Statement(
    """
    SELECT p.brand_id, p.id, p.name
    FROM {keys} {each:p places ON p.brand_id = keys.brand_id AND p.id = keys.id}
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    returns="brand_id uuid, id uuid, name text",
)

FIND_SCANNERS = Statement(
    """
    SELECT s.brand_id, s.id, s.member_id
    FROM {keys} {each:s scan_events ON s.brand_id = keys.brand_id AND s.id = keys.id}
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    returns="brand_id uuid, id uuid, member_id uuid",
)

DESCRIBE_SCANS = Statement(
    """
    SELECT s.id, s.item_no, s.member_id, s.role, s.unpaid_reason, s.guide_member_id, s.occurred_at
    FROM {keys} {each:s scan_events ON s.brand_id = keys.brand_id AND s.id = keys.id}
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    returns="id uuid, item_no bigint, member_id uuid, role text, unpaid_reason text,"
    " guide_member_id uuid, occurred_at timestamptz",
)

# What a scan credited: through the accounts of its people, by ids made around the scan's own.
LIST_SCAN_CREDITS = Statement(
    """
    SELECT s.id, a.owner_id, t.asset, t.amount, t.phase
    FROM {windows}
    {each:s scan_events ON s.brand_id = windows.brand_id AND s.id = windows.id}
    {each:a accounts ON a.brand_id = s.brand_id AND a.kind = 'MAIN'
        AND a.owner_id IN (s.member_id, s.guide_member_id)}
    {each:t transfers ON t.brand_id = a.brand_id AND t.credit_account_id = a.id
        AND t.id >= windows.first_id AND t.id <= windows.last_id AND t.cause_kind = 'SCAN'
        AND t.cause_id = s.id AND t.phase IN ('POSTED', 'PENDING')}
    ORDER BY t.id
    """,
    sets={"windows": "brand_id uuid, id uuid, first_id uuid, last_id uuid"},
    returns="id uuid, owner_id uuid, asset text, amount bigint, phase text",
)
