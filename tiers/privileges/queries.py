"""The SQL of privileges' uses."""

from loyalty.db import Statement

COUNT_USES = Statement(
    """
    INSERT INTO privilege_uses (brand_id, member_id, code, period_key, used, times_max)
    SELECT brand_id, member_id, code, period_key, used, times_max FROM {rows}
    WHERE times_max IS NULL OR used <= times_max
    ON CONFLICT (brand_id, member_id, code, period_key) DO UPDATE SET
        used = privilege_uses.used + excluded.used, times_max = excluded.times_max
        WHERE excluded.times_max IS NULL
            OR privilege_uses.used + excluded.used <= excluded.times_max
    RETURNING code
    """,
    sets={
        "rows": "brand_id uuid, member_id uuid, code text, period_key text, used bigint,"
        " times_max bigint"
    },
    returns="code text",
)

FIND_USES = Statement(
    """
    SELECT u.member_id, u.code, u.period_key, u.used FROM {members} {each:u privilege_uses
        ON u.brand_id = members.brand_id AND u.member_id = members.member_id}
    """,
    sets={"members": "brand_id uuid, member_id uuid"},
    returns="member_id uuid, code text, period_key text, used bigint",
)
