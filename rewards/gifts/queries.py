"""The SQL of gifts, and of whose day it is."""

from loyalty.db import Statement

FIND_GIFTS = Statement(
    """
    SELECT g.brand_id, g.member_id, g.privilege_code, g.occasion
    FROM {keys} {each:g tier_gifts ON g.brand_id = keys.brand_id AND g.member_id = keys.member_id
        AND g.privilege_code = keys.privilege_code AND g.occasion = keys.occasion}
    """,
    sets={"keys": "brand_id uuid, member_id uuid, privilege_code text, occasion text"},
    returns="brand_id uuid, member_id uuid, privilege_code text, occasion text",
)

INSERT_GIFTS = Statement(
    """
    INSERT INTO tier_gifts (brand_id, id, member_id, privilege_code, occasion, status,
        coupon_template_id, asset, amount, created_at)
    SELECT brand_id, id, member_id, privilege_code, occasion, status, coupon_template_id, asset,
        amount, created_at FROM {rows} WHERE true
    ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, member_id uuid, privilege_code text, occasion text,"
        " status text, coupon_template_id uuid, asset text, amount bigint, created_at timestamptz"
    },
    returns="id uuid",
)

FIND_ACTIVE = Statement(
    """
    SELECT m.brand_id, m.id FROM {members} {each:m members
        ON m.brand_id = members.brand_id AND m.id = members.member_id}
    WHERE m.status = 'ACTIVE'
    """,
    sets={"members": "brand_id uuid, member_id uuid"},
    returns="brand_id uuid, id uuid",
)

_NOT_GIVEN_YET = """
    LEFT JOIN standings s ON s.brand_id = m.brand_id AND s.member_id = m.id
    WHERE m.role = :role AND m.status = 'ACTIVE'
        AND COALESCE(s.rank, 0) IN (SELECT rank FROM {ranks})
        AND NOT EXISTS (SELECT 1 FROM tier_gifts g WHERE g.brand_id = m.brand_id
            AND g.member_id = m.id AND g.privilege_code = :code AND g.occasion = :occasion)
    ORDER BY m.id LIMIT :row_count_max
"""
_PARAMS = "brand_id uuid, role text, code text, occasion text, row_count_max bigint"

FIND_BIRTHDAYS = Statement(
    f"""
    SELECT m.id FROM (
        SELECT b.brand_id, b.id, b.role, b.status FROM {{days}}
        {{each:b members ON b.brand_id = :brand_id AND b.birthday = days.birthday}}
    ) AS m {_NOT_GIVEN_YET}
    """,
    sets={"days": "birthday text", "ranks": "rank bigint"},
    params=_PARAMS,
    returns="id uuid",
)

# A member's id tells when it was enrolled, so a day of some year is a range of the primary key.
FIND_ANNIVERSARIES = Statement(
    f"""
    SELECT m.id FROM (
        SELECT b.brand_id, b.id, b.role, b.status FROM {{days}}
        {{each:b members ON b.brand_id = :brand_id AND b.id >= days.first_id
            AND b.id < days.end_id}}
    ) AS m {_NOT_GIVEN_YET}
    """,
    sets={"days": "first_id uuid, end_id uuid", "ranks": "rank bigint"},
    params=_PARAMS,
    returns="id uuid",
)
