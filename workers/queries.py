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
